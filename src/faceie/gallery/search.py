"""Search: the faces that are like a probe, and the photos that show certain people."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..recognition import same_person_probability
from ..types import Array
from .matrix import nearest
from .records import Face, Match, Sighting
from .store import Store

__all__ = ["find_matches", "find_sightings"]


def find_matches(
    store: Store, embedding: Array, limit: int | None, min_probability: float, prior: float
) -> list[Match]:
    """Return the faces that are most like a probe (see `Gallery.search`)."""
    matrix, hidden = store.matrix(), store.hidden_faces()
    rows, distances = nearest(matrix, embedding, len(matrix.ids) if limit is None else limit + len(hidden))
    visible = ~np.isin(matrix.ids[rows], hidden)
    rows, distances = rows[visible][:limit], distances[visible][:limit]
    weights = store.setting("calibration")
    chances: list[float | None] = [None] * len(rows)
    if weights:
        probabilities = same_person_probability(distances, prior=prior, weights=weights)
        chances = probabilities[probabilities >= min_probability].tolist()  # the closest come first
    ids = matrix.ids[rows[: len(chances)]].tolist()
    numbers = dict(zip(ids, zip(distances.tolist(), chances, strict=False), strict=False))
    # Without those that have been forgotten in this moment.
    return [Match(face, *numbers[face.id]) for face in store.faces_by_id(ids)]


def find_sightings(store: Store, people: list[int]) -> list[Sighting]:
    """Return the photos that show all of these people, the oldest first."""
    marks = ", ".join("?" * len(people))
    by_photo: dict[Path, list[Face]] = {}
    for face in store.faces(f"faces.person IN ({marks})", people, "photos.taken, faces.photo, faces.id"):
        by_photo.setdefault(face.path, []).append(face)
    return [
        Sighting(path, faces[0].taken, tuple(faces))
        for path, faces in by_photo.items()
        if {face.person for face in faces} == set(people)
    ]

"""Search: the faces most similar to a probe, and the photos that show certain people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..recognition import same_person_probability
from ..types import Array, ImageLike
from .matrix import SIZE, load_matrix, nearest
from .records import Face, Match, PhotoMatch, Probe
from .store import Store

__all__ = ["find_matches", "find_photos_of", "to_embedding"]


def to_embedding(
    probe: Probe | ImageLike | NDArray[np.floating[Any]], find_probe: Callable[[ImageLike], Probe]
) -> Array:
    """Return the embedding of a probe, which may be a photo (see `Gallery.search`)."""
    if isinstance(probe, Probe):
        return probe.embedding
    if isinstance(probe, np.ndarray) and probe.dtype != np.uint8:
        return _check_embedding(probe)
    return find_probe(probe).embedding  # type: ignore[arg-type]  # arrays are of uint8 here


def _check_embedding(embedding: NDArray[Any]) -> Array:
    """Return an embedding as float32. Raises OptionError unless it has the shape (512,) and unit length."""
    length = float(np.linalg.norm(embedding)) if embedding.shape == (SIZE,) else 0.0
    if not abs(length - 1) < 1e-3:
        raise OptionError(
            f"probe has the shape {embedding.shape} and the length {length:.3g}, "
            f"expected an embedding, ({SIZE},) of length 1"
        )
    return embedding.astype(np.float32)


def find_matches(
    store: Store, embedding: Array, limit: int | None, min_probability: float, prior: float
) -> list[Match]:
    """Return the faces most similar to a probe (see `Gallery.search`)."""
    matrix, hidden = load_matrix(store), store.faces.left_out_ids()
    rows, distances = nearest(matrix, embedding, len(matrix.ids) if limit is None else limit + len(hidden))
    visible = ~np.isin(matrix.ids[rows], hidden)
    rows, distances = rows[visible][:limit], distances[visible][:limit]
    weights = store.setting("calibration")
    chances: list[float | None] = [None] * len(rows)
    if weights:
        probabilities = same_person_probability(distances, prior=prior, weights=weights)
        chances = probabilities[probabilities >= min_probability].tolist()  # the nearest come first
    ids = matrix.ids[rows[: len(chances)]].tolist()
    numbers = dict(zip(ids, zip(distances.tolist(), chances, strict=False), strict=False))
    # Another program may have deleted some of them in between.
    return [Match(face, *numbers[face.id]) for face in store.faces.by_id(ids)]


def find_photos_of(store: Store, people: Sequence[int]) -> list[PhotoMatch]:
    """Return the photos that show all of these people, the oldest first."""
    by_photo: dict[Path, list[Face]] = {}
    for face in store.faces.of_people(people):
        by_photo.setdefault(face.path, []).append(face)
    return [
        PhotoMatch(path, faces[0].taken, tuple(faces))
        for path, faces in by_photo.items()
        if {face.person for face in faces} == set(people)
    ]

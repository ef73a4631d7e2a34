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
from .matrix import SIZE, Matrix, load_cohort, load_matrix, nearest
from .records import Face, Match, PhotoMatch, Probe
from .store import Store

__all__ = ["find_matches", "find_photos_of", "to_embedding"]

_SPARE = 4  # nearest faces that are judged for each match that is asked for


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
    matrix, hidden = load_matrix(store), store.faces.hidden_ids()
    # The nearest are sorted again, by probability.
    wanted = len(matrix.ids) if limit is None else _SPARE * limit + len(hidden)
    rows, distances = nearest(matrix, embedding, wanted)
    visible = ~np.isin(matrix.ids[rows], hidden)
    rows, distances = rows[visible], distances[visible]
    weights = store.setting("calibration")
    chances: list[float | None] = [None] * len(rows)
    if weights:
        found = same_person_probability(
            distances, prior=prior, weights=weights, cohort=_judge(store, matrix, rows, embedding)
        )
        order = np.argsort(-found, kind="stable")
        order = order[found[order] >= min_probability]
        rows, distances, chances = rows[order], distances[order], found[order].tolist()
    ids = matrix.ids[rows[:limit]].tolist()
    numbers = dict(zip(ids, zip(distances[:limit].tolist(), chances[:limit], strict=True), strict=True))
    # Another program may have deleted some of them in between.
    return [Match(face, *numbers[face.id]) for face in store.faces.by_id(ids)]


def _judge(store: Store, matrix: Matrix, rows: NDArray[np.intp], probe: Array) -> tuple[Array, float] | None:
    """Return the mean of the offsets of a probe and of each of these faces, and the weight of the gallery's cohort."""
    cohort = load_cohort(store, matrix)
    if not len(cohort):
        return None
    ids = matrix.ids[rows].tolist()
    known = store.faces.offsets(ids)
    offsets = np.array([known.get(face, 0.0) for face in ids], np.float32)
    mean: Array = (offsets + cohort.offsets(probe[None])) / np.float32(2)
    return mean, cohort.weight


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

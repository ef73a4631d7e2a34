"""Search: the faces most similar to a probe, and the photos that show certain people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ..checks import checked_date
from ..errors import OptionError
from ..recognition import same_person_probability
from ..types import Array, ImageLike
from .matrix import SIZE, Matrix, load_cohort, load_matrix, nearest
from .records import Face, Match, PhotoMatch, Probe
from .store import Store

__all__ = ["AnyProbe", "Dates", "MeanProbe", "find_matches", "find_photos_of", "mean_probe", "to_mean_probe"]

AnyProbe: TypeAlias = "Probe | ImageLike | NDArray[np.floating[Any]]"
"""A face to search for: a result of `Gallery.probe`, a photo, or an embedding."""

_SPARE = 4  # nearest faces that are judged for each match that is asked for


class Dates(NamedTuple):
    """A period in which photos were taken: beginnings of dates, or None without a bound. Both ends belong to it."""

    since: str | None = None
    until: str | None = None

    @classmethod
    def checked(cls, since: object, until: object) -> Dates:
        """Return a period of valid dates. Raises OptionError."""
        dates = cls(*(None if d is None else checked_date(n, d) for n, d in (("since", since), ("until", until))))
        if dates.since and dates.until and dates.since > f"{dates.until}~":
            raise OptionError(f"since is {dates.since}, which is after until, {dates.until}")
        return dates

    def include(self, taken: str | None) -> bool:
        """Tell whether a date lies in the period. An unknown date lies only in one without bounds."""
        if self == Dates():
            return True
        return taken is not None and (self.since or "") <= taken <= f"{self.until or ''}~"


class MeanProbe(NamedTuple):
    """The mean of the embeddings of one or several probes."""

    direction: Array
    """[512], of unit length."""
    length: float
    """1 for one probe, and less, the more the probes differ."""

    def distances(self, from_direction: Array) -> Array:
        """Return the root mean square of the distances from all probes, for distances from the direction.

        |x - y|^2 = 2 - 2 x y, and the mean of the products is the product with the mean. Unlike distances from the
        direction, which are shorter, these mean the same as those of one probe.
        """
        if self.length == 1:
            return from_direction
        result: Array = np.sqrt(np.maximum(2 - np.float32(self.length) * (2 - from_direction**2), 0))
        return result


def mean_probe(embeddings: Array) -> MeanProbe:
    """Return the mean of embeddings of one person, [n, 512]."""
    if len(embeddings) == 1:
        return MeanProbe(embeddings[0], 1.0)
    mean: Array = embeddings.mean(axis=0)
    length = float(np.linalg.norm(mean))
    if length < 1e-3:
        raise OptionError("the probes are opposite to each other, expected photos of one person")
    return MeanProbe(mean / np.float32(length), length)


def to_mean_probe(probe: AnyProbe | Sequence[AnyProbe], find_probe: Callable[[ImageLike], Probe]) -> MeanProbe:
    """Return the mean of a probe, or of several of one person (see `Gallery.search`)."""
    if isinstance(probe, Probe) or not isinstance(probe, list | tuple):
        return MeanProbe(_to_embedding(cast(AnyProbe, probe), find_probe), 1.0)
    if not probe:
        raise OptionError("probe is an empty list, expected at least one photo")
    return mean_probe(np.stack([_to_embedding(one, find_probe) for one in probe]))


def _to_embedding(probe: AnyProbe, find_probe: Callable[[ImageLike], Probe]) -> Array:
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
    store: Store, probe: MeanProbe, limit: int | None, min_probability: float, prior: float, dates: Dates
) -> list[Match]:
    """Return the faces most similar to a probe (see `Gallery.search`)."""
    # The nearest are sorted again, by probability.
    matrix = None if store.vectors else load_matrix(store)
    ids, distances = _nearest(store, matrix, probe.direction, limit and _SPARE * limit, dates)
    distances = probe.distances(distances)
    weights = store.setting("calibration")
    chances: list[float | None] = [None] * len(ids)
    if weights:
        cohort = _judge(store, matrix, ids.tolist(), probe.direction)
        found = same_person_probability(distances, prior=prior, weights=weights, cohort=cohort)
        order = np.argsort(-found, kind="stable")
        order = order[found[order] >= min_probability]
        ids, distances, chances = ids[order], distances[order], found[order].tolist()
    shown = ids[:limit].tolist()
    numbers = dict(zip(shown, zip(distances[:limit].tolist(), chances[:limit], strict=True), strict=True))
    # Another program may have deleted some of them in between.
    return [Match(face, *numbers[face.id]) for face in store.faces.by_id(shown)]


def _nearest(
    store: Store, matrix: Matrix | None, probe: Array, limit: int | None, dates: Dates
) -> tuple[NDArray[np.int64], Array]:
    """Return ids and distances of the faces most similar to a probe: at least `limit`, or all for None.

    Without a matrix, the database finds them.
    """
    if matrix is None:
        assert store.vectors
        return store.vectors.nearest(probe, limit, *dates)
    hidden = store.faces.left_out_ids(*dates)
    rows, distances = nearest(matrix, probe, len(matrix.ids) if limit is None else limit + len(hidden))
    visible = ~np.isin(matrix.ids[rows], hidden)
    return matrix.ids[rows[visible]], distances[visible]


def _judge(store: Store, matrix: Matrix | None, ids: list[int], probe: Array) -> tuple[Array, float] | None:
    """Return the mean of the offsets of a probe and of each of these faces, and the weight of the gallery's cohort."""
    cohort = load_cohort(store, matrix)
    if not len(cohort):
        return None
    known = store.faces.offsets(ids)
    offsets = np.array([known.get(face, 0.0) for face in ids], np.float32)
    mean: Array = (offsets + cohort.offsets(probe[None])) / np.float32(2)
    return mean, cohort.weight


def find_photos_of(store: Store, people: Sequence[int], dates: Dates) -> list[PhotoMatch]:
    """Return the photos that show all of these people, the oldest first."""
    faces: dict[Path, list[Face]] = {}
    shown: dict[Path, set[int | None]] = {}
    taken: dict[Path, str | None] = {}
    photos: dict[Path, int] = {}
    for face in store.faces.of_people(people):
        faces.setdefault(face.path, []).append(face)
        shown.setdefault(face.path, set()).add(face.person)
        taken[face.path], photos[face.path] = face.taken, face.photo
    for path, date, person, photo in store.imports.photos_of(people):
        shown.setdefault(path, set()).add(person)
        taken[path], photos[path] = date, photo
    found = [path for path, who in shown.items() if who == set(people) and dates.include(taken[path])]
    found.sort(key=lambda path: taken[path] or "")  # photos of one date stay in their order
    return [PhotoMatch(path, taken[path], tuple(faces.get(path, ())), photos[path]) for path in found]

"""Pairs of groups of faces that may be one person, with their scores, kept while groups come and go.

A group is a person, a cluster or a single face. All pairs of ten thousand groups take a second to compare, those of one
group a few milliseconds. So when a group changes, only its own pairs are compared again. The result is the same as that
of comparing all. The score is that of `faceie.gallery.clusters`, without the limit, which depends on the number of all
faces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..nn.parallel import parallel
from ..types import Array
from .clusters import TOGETHER, Pairs, best_first, concatenate, group_bonus, scaled_mean, score_limit
from .groups import Constraints, Integers, in_collages, share_apart
from .matrix import Matrix

__all__ = ["Group", "GroupPairs", "find_pairs", "split_groups"]

_TILE = 2048  # groups along each side of a block of scores: 16 MB
_ROUNDING = 1e-5  # largest error of a score
_NO_SCORES = np.empty(0, np.float32)


class Group(NamedTuple):
    """Faces of one person or cluster, or a single face."""

    person: int
    """Number of the person or cluster, or -1."""
    faces: Integers
    """Ids of the faces, by falling quality."""
    photos: Integers
    """Number of the photo of each face, or -1 in a collage."""
    half: float
    """Half of the mean offset of the faces."""

    def by_photo(self) -> dict[int, list[int]]:
        """Return the faces in each photo that is not a collage."""
        faces: dict[int, list[int]] = {}
        for photo, face in zip(self.photos.tolist(), self.faces.tolist(), strict=True):
            if photo >= 0:
                faces.setdefault(photo, []).append(face)
        return faces


class GroupPairs:
    """The pairs of groups with a score above a bound. Groups have numbers, in the order of addition."""

    def __init__(self, bound: float) -> None:
        self.bound = bound
        self.groups: list[Group | None] = []
        """None for removed groups."""
        self.pairs = concatenate([])
        """Numbers of the groups, and their scores without the limit."""
        self.people = np.empty(0, np.int64)
        self.sizes = np.empty(0, np.int64)
        self.first = np.empty(0, np.int64)
        """Person, number of faces, and lowest id of each group."""
        self._blocks: list[Array] = []  # means of groups, [_TILE, 512]; the last block may have fewer
        self._halves: Array = np.empty(0, np.float32)  # infinite for removed groups
        self._bonuses: Array = np.empty(0, np.float32)
        self._by_photo: dict[int, dict[int, list[int]]] = {}

    def remove(self, numbers: Iterable[int]) -> None:
        """Remove groups with their pairs."""
        for number in numbers:
            self.groups[number] = None
            self._halves[number] = np.inf
            self._by_photo.pop(number, None)
        alive = np.isfinite(self._halves)
        self.pairs = self.pairs.take(alive[self.pairs.a] & alive[self.pairs.b])

    def add(self, groups: Sequence[Group], matrix: Matrix) -> None:
        """Add groups with their pairs. The matrix has the embeddings of all faces."""
        first, found = len(self.groups), []
        self.groups += groups
        self.people = np.append(self.people, np.array([group.person for group in groups], np.int64))
        self.sizes = np.append(self.sizes, np.array([len(group.faces) for group in groups], np.int64))
        self.first = np.append(self.first, np.array([group.faces.min() for group in groups], np.int64))
        halves, bonuses = [group.half for group in groups], [group_bonus(len(group.faces)) for group in groups]
        self._halves = np.append(self._halves, np.array(halves, np.float32))
        self._bonuses = np.append(self._bonuses, np.array(bonuses, np.float32))
        while first < len(self.groups):
            if not self._blocks or len(self._blocks[-1]) == _TILE:
                self._blocks.append(np.empty((0, 512), np.float32))
            room = _TILE - len(self._blocks[-1])
            part = range(first, min(first + room, len(self.groups)))
            self._blocks[-1] = np.concatenate([self._blocks[-1], _means(groups[: len(part)], matrix)])
            found += self._compare(part)
            first, groups = part.stop, groups[len(part) :]
        pairs = concatenate(found)
        shares = [self._share_apart(a, b, matrix) for a, b in zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)]
        scores = pairs.scores - np.float32(TOGETHER) * np.array(shares, np.float32)
        self.pairs = concatenate([self.pairs, pairs._replace(scores=scores).take(scores > self.bound)])

    def _compare(self, part: range) -> list[Pairs]:
        """Return the pairs of groups of the last block with those before them."""
        start = _TILE * (len(self._blocks) - 1)
        rows = slice(part.start, part.stop)
        means = self._blocks[-1][part.start - start :]

        def compare(number: int) -> Pairs:
            first = _TILE * number
            columns = slice(first, min(first + _TILE, part.stop))
            scores = means @ self._blocks[number].T  # [rows, columns]
            scores -= self._halves[rows, None]
            scores -= self._halves[columns]
            scores += np.maximum.outer(self._bonuses[rows], self._bonuses[columns])
            i, j = np.divmod(np.flatnonzero(scores > self.bound - _ROUNDING), scores.shape[1])
            before = first + j < part.start + i
            i, j = i[before], j[before]
            # The rounding of large products depends on their shape. These sums are always the same.
            cosines = np.concatenate(
                [
                    _NO_SCORES,
                    *((means[i[some]] * self._blocks[number][j[some]]).sum(axis=1) for some in _slices(len(i))),
                ]
            )
            a, b = part.start + i, first + j
            bonuses = np.maximum(self._bonuses[a], self._bonuses[b])
            return Pairs(a, b, cosines + bonuses - (self._halves[a] + self._halves[b]))

        return parallel(compare, list(range(len(self._blocks))))

    def _share_apart(self, a: int, b: int, matrix: Matrix) -> float:
        """Return how much shared photos speak against two groups being one person, 0 to 1."""
        for number in (a, b):
            group = self.groups[number]
            if number not in self._by_photo and group is not None:
                self._by_photo[number] = group.by_photo()
        return share_apart(self._by_photo[a], self._by_photo[b], lambda faces: _rows(matrix, faces))


def find_pairs(embeddings: Array, constraints: Constraints, offsets: Array, least: float) -> Pairs:
    """Return the pairs of groups with a score above `least`, which may be negative, the best first.

    A group is a known person or a single face, and its first face stands for it. `offsets`: [n], by `faceie.cohort`.
    Shared photos lower the score, as in `cluster`, and the user's rejections do not count.
    """
    count = len(embeddings)
    matrix = Matrix(np.arange(count), embeddings)
    photos = constraints.photos.copy()
    photos[list(in_collages(embeddings, photos, matrix.ids))] = -1
    limit = score_limit(count)
    pairs = GroupPairs(least + limit)
    pairs.add(split_groups(np.arange(count), constraints.people, np.zeros(count), photos, offsets), matrix)
    a, b = pairs.first[pairs.pairs.a], pairs.first[pairs.pairs.b]
    return best_first(Pairs(np.minimum(a, b), np.maximum(a, b), pairs.pairs.scores - np.float32(limit)))


def split_groups(
    ids: Integers, people: Integers, qualities: NDArray[np.float64], photos: Integers, offsets: Array
) -> list[Group]:
    """Return the groups of faces by their people: [n] each. Faces of the person -1 are single."""
    keys = np.where(people < 0, -1 - np.arange(len(people)), people)
    order = np.lexsort((ids, -qualities, keys))
    parts = np.split(order, np.flatnonzero(np.diff(keys[order])) + 1) if len(order) else []
    return [Group(int(people[part[0]]), ids[part], photos[part], float(offsets[part].mean()) / 2) for part in parts]


def _slices(count: int) -> Iterator[slice]:
    return (slice(start, start + _TILE) for start in range(0, count, _TILE))


def _means(groups: Sequence[Group], matrix: Matrix) -> Array:
    """Return the mean of each group, divided by the root of its length: [m, 512]."""
    means = _rows(matrix, [group.faces[0] for group in groups])
    for row, group in zip(means, groups, strict=True):
        if len(group.faces) > 1:
            row[:] = scaled_mean(_rows(matrix, np.sort(group.faces)).sum(axis=0), len(group.faces))
    return means


def _rows(matrix: Matrix, faces: Sequence[int] | Integers) -> Array:
    """Return a copy of the embeddings of faces: [n, 512]."""
    rows: Array = matrix.embeddings[np.searchsorted(matrix.ids, faces)]
    return rows

"""Disjoint sets of faces, which join only where the user's statements and shared photos allow it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..types import Array

__all__ = ["RADIUS", "TWIN", "Constraints", "Groups", "Integers", "in_collages", "share_apart"]

RADIUS = 0.84  # distance below which faces of a photo look alike: collages have many such pairs
TWIN = 0.6  # distance below which two faces in a photo may be the same person
_EVIDENCE = 3  # groups that are apart in one of this many photos count as often seen together
_COLLAGE = 4  # a collage has at least this many pairs within the radius, and at least one in this many of all pairs

Integers = NDArray[np.int64]
_ByPhoto: TypeAlias = Mapping[int, list[int]]


class Constraints(NamedTuple):
    """Known facts about n faces: must-link and cannot-link constraints for their clusters."""

    photos: Integers
    """[n], number of the photo of each face."""
    people: Integers
    """[n], number of the known person of each face, or -1."""
    rejections: Mapping[int, set[int]]
    """For the index of a face, the numbers of people that it does not belong to."""

    def take(self, order: Integers) -> Constraints:
        """Return the facts about the faces in another order."""
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        rejections = {int(place[face]): people for face, people in self.rejections.items()}
        return Constraints(self.photos[order], self.people[order], rejections)


class Groups:
    """Disjoint sets of faces (Tarjan 1975). Faces of a known person are in one from the beginning."""

    def __init__(self, embeddings: Array, constraints: Constraints) -> None:
        self.embeddings = embeddings
        self._parents = list(range(len(embeddings)))
        self.sizes = [1] * len(embeddings)
        self._photos: list[dict[int, list[int]]] = [{p: [face]} for face, p in enumerate(constraints.photos.tolist())]
        for face in in_collages(embeddings, constraints.photos, np.arange(len(embeddings))):
            self._photos[face] = {}
        self._people: list[int] = constraints.people.tolist()
        self._rejections = {face: set(people) for face, people in constraints.rejections.items()}
        self._sums: dict[int, Array] = {}  # of the embeddings in groups of at least two faces
        first: dict[int, int] = {}
        for face in np.flatnonzero(constraints.people >= 0).tolist():
            start = first.setdefault(self._people[face], face)
            if start != face:
                self.unite(self.find(start), face)

    def find(self, face: int) -> int:
        """Return the face that represents the group of a face."""
        parents = self._parents
        while parents[face] != face:
            parents[face] = face = parents[parents[face]]
        return face

    def roots(self) -> Integers:
        """Return the face that represents the group of each face: [n]."""
        return np.array([self.find(face) for face in range(len(self._parents))], np.int64)

    def is_settled(self, face: int) -> bool:
        """Tell whether a face has a known person or is in a group."""
        root = self.find(face)
        return self._people[root] >= 0 or self.sizes[root] > 1

    def person(self, face: int) -> int:
        """Return the known person of a face's group, or -1."""
        return self._people[self.find(face)]

    def sum(self, root: int) -> Array:
        """Return the sum of the embeddings of a group: [512]."""
        total: Array = self._sums.get(root, self.embeddings[root])
        return total

    def may_join(self, a: int, b: int) -> bool:
        """Tell whether the user's statements allow two groups to be one person."""
        p, q = self._people[a], self._people[b]
        if p >= 0 and q >= 0:
            return False  # known to be different people
        return p not in self._rejections.get(b, ()) and q not in self._rejections.get(a, ())

    def share_apart(self, a: int, b: int) -> float:
        """Return how much shared photos speak against two groups being one person, 0 to 1."""
        return share_apart(self._photos[a], self._photos[b], self.embeddings.__getitem__)

    def unite(self, a: int, b: int) -> int:
        """Make one group of two. Return the face that represents it."""
        if len(self._photos[a]) < len(self._photos[b]):
            a, b = b, a  # the smaller set is copied
        self._sums[a] = self.sum(a) + self.sum(b)
        self._sums.pop(b, None)
        self._parents[b] = a
        self.sizes[a] += self.sizes[b]
        for photo, faces in self._photos[b].items():
            self._photos[a].setdefault(photo, []).extend(faces)
        self._photos[b] = {}
        self._people[a] = max(self._people[a], self._people[b])
        if b in self._rejections:
            self._rejections.setdefault(a, set()).update(self._rejections.pop(b))
        return a


def share_apart(a: _ByPhoto, b: _ByPhoto, embeddings: Callable[[list[int]], Array]) -> float:
    """Return how much shared photos speak against two groups being one person, 0 to 1.

    It is 1 if their faces are further apart than `TWIN` in a third of the photos of the smaller group. `a`, `b`: the
    faces of the groups in each photo; `embeddings`: returns those of faces, [n, 512].
    """
    few, many = sorted((a, b), key=len)
    count = 0
    for photo in few.keys() & many.keys():
        products = embeddings(few[photo]) @ embeddings(many[photo]).T
        count += bool(2 - 2 * products.max() > TWIN * TWIN)
    return min(_EVIDENCE * count / max(len(few), 1), 1)


def in_collages(embeddings: Array, photos: Integers, rows: Integers) -> Iterator[int]:
    """Yield the indices of the faces in collages: photos with many pairs of faces within the radius.

    `photos`: [n], photo of each face; `rows`: [n], row of its embedding.
    """
    order = np.argsort(photos, kind="stable")
    starts = np.flatnonzero(np.diff(photos[order], prepend=-1))
    for faces in np.split(order, starts[1:]):
        if len(faces) >= _COLLAGE:
            pairs = len(faces) * (len(faces) - 1) // 2
            products = np.triu(embeddings[rows[faces]] @ embeddings[rows[faces]].T, 1)
            close = np.count_nonzero(products > 1 - RADIUS * RADIUS / 2)
            if close >= max(_COLLAGE, pairs / _COLLAGE):
                yield from faces.tolist()

"""Cluster faces by person. Knows nothing of databases and names.

The method is density clustering. Two faces are neighbors if their distance is below a radius; the neighbors' graph is
found by blocks of matrix products. Only its minimum spanning forest is kept, so memory grows with the number of faces
and not with its square. Joining clusters along its edges, the shortest first (Kruskal 1956, single linkage), would be
DBSCAN (Ester et al. 1996), in which a single look-alike chains two people together. So two clusters are joined only if

- the average distance over all pairs of a face from each is below the radius, too (average linkage);
- it is below a smaller radius if both have faces in the same photos: those are usually different people;
- the user has not ruled it out.

The second rule has exceptions: collages, mirrors, photos of photos. A photo is a collage if at least four pairs of its
faces, and at least a quarter of all pairs, are within the radius. Collages do not count for the rule (of 208 photos of
groups, one is a collage: a contact sheet). Any other photo counts against joining two clusters if its faces in them are
further apart than `TWIN`. The radius shrinks with the share of such photos: to `STRICT` where they are a third of the
smaller cluster's photos.

Faces of low quality resemble many people. They do not build clusters, but join the nearest one at the end, under the
same rules. Radius, minimum and quality were chosen by B-cubed F on labeled photos (docs/accuracy.md).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FaceieError
from ..nn.parallel import parallel
from ..types import Array

__all__ = ["GOOD_QUALITY", "MINIMUM", "RADIUS", "Constraints", "can_cluster", "cluster", "join"]

RADIUS = 0.84
STRICT = 0.6  # radius for clusters that often share a photo
TWIN = 0.6  # distance below which two faces in a photo may be the same person
_EVIDENCE = 3  # clusters that are apart in one of this many photos get the radius STRICT
_COLLAGE = 4  # a collage has at least this many pairs within the radius, and at least one in this many of all pairs
MINIMUM = 2  # faces within the radius, itself included, that a face needs to build a cluster
GOOD_QUALITY = 0.5  # least quality of a face that may build a cluster

_TILE = 2048  # faces along each side of a block of distances: 16 MB
_EDGES = 4_000_000  # edges to collect before those outside the spanning forest are dropped
_CANDIDATES = 16  # nearest faces that a face may join

Integers = NDArray[np.int64]


class Constraints(NamedTuple):
    """Known facts about n faces: must-link and cannot-link constraints for their clusters."""

    photos: Integers
    """[n], number of the photo of each face."""
    people: Integers
    """[n], number of the known person of each face, or -1."""
    rejections: Mapping[int, set[int]]
    """For the index of a face, the numbers of people that it does not belong to."""


class Edges(NamedTuple):
    """Pairs of neighbors, as indices of faces, with their distances."""

    a: Integers
    b: Integers
    distances: Array

    @staticmethod
    def concatenate(edges: Sequence[Edges]) -> Edges:
        return Edges(*map(np.concatenate, zip(*edges, strict=True))) if edges else _NO_EDGES

    def take(self, index: Any) -> Edges:
        return Edges(self.a[index], self.b[index], self.distances[index])


_NO_EDGES = Edges(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


def can_cluster() -> bool:
    """Tell whether SciPy is installed, which `cluster` needs."""
    return importlib.util.find_spec("scipy") is not None


def cluster(
    embeddings: Array,
    qualities: NDArray[Any],
    constraints: Constraints,
    *,
    radius: float = RADIUS,
    minimum: int = MINIMUM,
    good_quality: float = GOOD_QUALITY,
) -> Integers:
    """Return the cluster of each face: [n], equal numbers for faces of a cluster, -1 for single faces.

    `embeddings`: [n, 512], unit length, may be mapped from a file; `qualities`: [n], 0 to 1. Faces with the same known
    person are in the same cluster, even if they are not similar.
    """
    good = np.flatnonzero(qualities >= good_quality)
    if minimum > 2:
        good = good[_counts(embeddings, good, radius) >= minimum - 1]
    groups = _Groups(embeddings, constraints, radius)
    forest = _spanning_forest(embeddings, good, radius)
    for a, b in zip(forest.a.tolist(), forest.b.tolist(), strict=True):
        groups.join(a, b)
    poor = np.setdiff1d(np.arange(len(embeddings)), good)
    _attach(groups, poor, good)
    return groups.labels()


def join(embeddings: Array, new: Integers, constraints: Constraints, *, radius: float = RADIUS) -> Integers:
    """Return the known person of each new face, by the rules of `cluster`: [m], -1 for no known person.

    `new`: [m], indices of the new faces.
    """
    groups = _Groups(embeddings, constraints, radius)
    _attach(groups, new[constraints.people[new] < 0], np.flatnonzero(constraints.people >= 0))
    return np.array([groups.person(int(face)) for face in new], np.int64)


class _Groups:
    """Disjoint sets of faces (Tarjan 1975), joined step by step where the rules allow it."""

    def __init__(self, embeddings: Array, constraints: Constraints, radius: float) -> None:
        self._embeddings = embeddings
        self._limit = radius * radius
        self._parents = list(range(len(embeddings)))
        self._sizes = [1] * len(embeddings)
        self._photos: list[dict[int, list[int]]] = [{p: [face]} for face, p in enumerate(constraints.photos.tolist())]
        for face in _in_collages(embeddings, constraints.photos, self._limit):
            self._photos[face] = {}
        self._people: list[int] = constraints.people.tolist()
        self._rejections = {face: set(people) for face, people in constraints.rejections.items()}
        self._sums: dict[int, Array] = {}  # of the embeddings in groups of at least two faces
        first: dict[int, int] = {}
        for face in np.flatnonzero(constraints.people >= 0).tolist():
            start = first.setdefault(self._people[face], face)
            if start != face:
                self._unite(self.find(start), face)

    def find(self, face: int) -> int:
        """Return the face that represents the group of a face."""
        parents = self._parents
        while parents[face] != face:
            parents[face] = face = parents[parents[face]]
        return face

    def is_settled(self, face: int) -> bool:
        """Tell whether a face has a known person or is in a group."""
        root = self.find(face)
        return self._people[root] >= 0 or self._sizes[root] > 1

    def person(self, face: int) -> int:
        """Return the known person of a face's group, or -1."""
        return self._people[self.find(face)]

    def labels(self) -> Integers:
        """Return the group of each face, or -1 for single faces."""
        roots = [self.find(face) for face in range(len(self._parents))]
        return np.array([root if self.is_settled(root) else -1 for root in roots], np.int64)

    def join(self, a: int, b: int) -> None:
        """Join the groups of two faces, if the rules allow it."""
        a, b = self.find(a), self.find(b)
        if a != b and self._is_allowed(a, b) and self._are_close(a, b):
            self._unite(a, b)

    def _is_allowed(self, a: int, b: int) -> bool:
        p, q = self._people[a], self._people[b]
        if p >= 0 and q >= 0:
            return False  # known to be different people
        return p not in self._rejections.get(b, ()) and q not in self._rejections.get(a, ())

    def _are_close(self, a: int, b: int) -> bool:
        """Tell whether the pairs of two groups are close on average.

        The mean of |x - y|^2 = 2 - 2 x y over all pairs needs the sums of the embeddings only.
        """
        mean = float(np.dot(self._sum(a), self._sum(b))) / (self._sizes[a] * self._sizes[b])
        if 2 - 2 * mean > self._limit:
            return False
        apart = _EVIDENCE * self._photos_apart(a, b) / max(min(len(self._photos[a]), len(self._photos[b])), 1)
        return 2 - 2 * mean <= self._limit + min(apart, 1) * (STRICT * STRICT - self._limit)

    def _photos_apart(self, a: int, b: int) -> int:
        """Count the photos in which the faces of two groups are further apart than `TWIN`."""
        few, many = sorted((self._photos[a], self._photos[b]), key=len)
        count = 0
        for photo in few.keys() & many.keys():
            products = self._embeddings[few[photo]] @ self._embeddings[many[photo]].T
            count += bool(2 - 2 * products.max() > TWIN * TWIN)
        return count

    def _sum(self, root: int) -> Array:
        total: Array = self._sums.get(root, self._embeddings[root])
        return total

    def _unite(self, a: int, b: int) -> None:
        if len(self._photos[a]) < len(self._photos[b]):
            a, b = b, a  # the smaller set is copied
        self._sums[a] = self._sum(a) + self._sum(b)
        self._sums.pop(b, None)
        self._parents[b] = a
        self._sizes[a] += self._sizes[b]
        for photo, faces in self._photos[b].items():
            self._photos[a].setdefault(photo, []).extend(faces)
        self._photos[b] = {}
        self._people[a] = max(self._people[a], self._people[b])
        if b in self._rejections:
            self._rejections.setdefault(a, set()).update(self._rejections.pop(b))


def _in_collages(embeddings: Array, photos: Integers, limit: float) -> Iterator[int]:
    """Yield the faces in collages: photos with many pairs of faces whose squared distance is below `limit`."""
    order = np.argsort(photos, kind="stable")
    starts = np.flatnonzero(np.diff(photos[order], prepend=-1))
    for faces in np.split(order, starts[1:]):
        if len(faces) >= _COLLAGE:
            pairs = len(faces) * (len(faces) - 1) // 2
            products = np.triu(embeddings[faces] @ embeddings[faces].T, 1)
            close = np.count_nonzero(products > 1 - limit / 2)
            if close >= max(_COLLAGE, pairs / _COLLAGE):
                yield from faces.tolist()


def _attach(groups: _Groups, faces: Integers, to: Integers) -> None:
    """Join each of `faces` to the group of one of its nearest among `to`, the closest pairs first."""
    edges = _nearest(groups._embeddings, faces, to, groups._limit)
    for face, other in zip(edges.a.tolist(), edges.b.tolist(), strict=True):
        if not groups.is_settled(face) and groups.is_settled(other):
            groups.join(face, other)


def _nearest(embeddings: Array, faces: Integers, to: Integers, limit: float) -> Edges:
    """Return the pairs of each of `faces` and its nearest among `to` whose squared distance is below `limit`, shortest
    first.
    """
    if not len(faces) or not len(to):
        return _NO_EDGES
    found = []
    for rows in _split(faces):
        best = [_closest(_products(embeddings, rows, columns), rows, columns, limit) for columns in _split(to)]
        edges = Edges.concatenate(best)
        order = np.lexsort((edges.b, edges.distances, edges.a))
        edges = edges.take(order)
        rank = np.arange(len(order)) - np.searchsorted(edges.a, edges.a)
        found.append(edges.take(rank < _CANDIDATES))
    return _sorted(Edges.concatenate(found))


def _closest(products: Array, rows: Integers, columns: Integers, limit: float) -> Edges:
    count = min(_CANDIDATES, len(columns))
    top = np.argpartition(-products, count - 1, axis=1)[:, :count]  # [rows, count]
    squares = 2 - 2 * np.take_along_axis(products, top, 1)
    i, k = np.nonzero(squares < limit)
    return Edges(rows[i], columns[top[i, k]], _roots(squares[i, k]))


def _counts(embeddings: Array, faces: Integers, radius: float) -> Integers:
    """Count the neighbors of each of `faces` among them."""
    counts = np.zeros(len(embeddings), np.int64)
    for edges in _neighbors(embeddings, faces, radius):
        np.add.at(counts, edges.a, 1)
        np.add.at(counts, edges.b, 1)
    return counts[faces]


def _spanning_forest(embeddings: Array, faces: Integers, radius: float) -> Edges:
    """Return the minimum spanning forest of the neighbors' graph, shortest edges first."""
    forest, waiting = _NO_EDGES, [_NO_EDGES]
    for edges in _neighbors(embeddings, faces, radius):
        waiting.append(edges)
        if sum(len(edges.a) for edges in waiting) > _EDGES:
            forest, waiting = _spanning_edges(Edges.concatenate([forest, *waiting]), len(embeddings)), [_NO_EDGES]
    return _sorted(_spanning_edges(Edges.concatenate([forest, *waiting]), len(embeddings)))


def _spanning_edges(edges: Edges, count: int) -> Edges:
    try:
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import minimum_spanning_tree
    except ImportError:
        raise FaceieError("clusters need SciPy: pip install scipy") from None
    # SciPy takes an edge of length 0 for no edge.
    lengths = edges.distances.astype(np.float64) + 1
    ends = (edges.a.astype(np.int32), edges.b.astype(np.int32))  # versions 1.11 to 1.16 refuse 64 bits
    tree = minimum_spanning_tree(csr_array((lengths, ends), shape=(count, count))).tocoo()
    return Edges(tree.row.astype(np.int64), tree.col.astype(np.int64), (tree.data - 1).astype(np.float32))


def _neighbors(embeddings: Array, faces: Integers, radius: float) -> Iterator[Edges]:
    """Yield the pairs of `faces` that are closer than `radius`, block by block."""
    parts = list(_split(faces))
    least = 1 - radius * radius / 2  # of the product of two embeddings

    def compare(pair: tuple[int, int]) -> Edges:
        rows, columns = parts[pair[0]], parts[pair[1]]
        products = _products(embeddings, rows, columns)
        i, j = np.divmod(np.flatnonzero(products > least), len(columns))
        if pair[0] == pair[1]:
            i, j = i[j > i], j[j > i]
        return Edges(rows[i], columns[j], _roots(2 - 2 * products[i, j]))

    for i in range(len(parts)):
        yield from parallel(compare, [(i, j) for j in range(i, len(parts))])


def _products(embeddings: Array, rows: Integers, columns: Integers) -> Array:
    products: Array = embeddings[rows] @ embeddings[columns].T  # [rows, columns]
    return products


def _roots(squares: Array) -> Array:
    roots: Array = np.sqrt(np.maximum(squares, 0))
    return roots


def _split(faces: Integers) -> Iterator[Integers]:
    return (faces[start : start + _TILE] for start in range(0, len(faces), _TILE))


def _sorted(edges: Edges) -> Edges:
    return edges.take(np.lexsort((edges.b, edges.a, edges.distances)))

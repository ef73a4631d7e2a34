"""Cluster faces by person. Knows nothing of databases and names.

The method is agglomerative clustering: each face begins as a group, and the groups that look most alike join, as long
as the *score* of two groups is positive:

    score = cosine - offset + bonus - limit

- The *cosine* is the mean cosine over all pairs of a face from each, divided by the root of both groups' lengths. The
  length of a group's mean embedding is 1 for a single face, and less for a person who looks different in each photo.
- The *offset* is the mean of both groups' offsets, by which a face with many close neighbors among other people is
  judged more strictly (`faceie.cohort`). The cohort is the gallery itself: up to `PER_CLUSTER` faces of each group, so
  that a person with many photos does not outweigh others. A face's own group is left out.
- The *bonus* grows with the larger group. There are many pairs of strangers, but few people with hundreds of photos,
  and these are known better than a single face.
- The *limit* grows with the number of faces, as the number of strangers does that look alike by chance.

The cohort depends on the groups, and the groups on the cohort. So groups are joined in rounds: first without offsets
and by a stricter limit, then with offsets from the groups of the round before.

Two groups never join against the user's statements. If they have faces in the same photos, they need a higher score,
since these are usually different people. The exceptions are collages, mirrors, photos of photos. A photo is a collage
if at least four pairs of its faces, and at least a quarter of all pairs, are within `RADIUS`. Collages do not count (of
208 photos of groups, one is a collage: a contact sheet). Any other photo counts if the faces of the groups in it are
further apart than `TWIN`. The additional score grows with the share of such photos: to `TOGETHER` where they are a
third of the smaller group's photos.

Faces of low quality resemble many people. They do not build groups, but join the best one at the end, by the same
rules. The constants were chosen by B-cubed F on labeled photos (docs/accuracy.md).

Faces are taken in an order that depends on their embeddings only, so the order of photos makes no difference.

Up to `_MANY` groups, all pairs are compared. Of more, a group is compared with those in the cells nearest to it (see
`cells`), which takes a time that grows little faster than the number of faces, and misses hardly any pair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..nn.parallel import parallel
from ..types import Array
from .cells import Cells
from .groups import Constraints, Groups, Integers
from .scores import NO_PAIRS, Pairs, Side, best_first, compare, concatenate, without_copies

__all__ = [
    "GOOD_QUALITY",
    "PER_CLUSTER",
    "TOGETHER",
    "Constraints",
    "Pairs",
    "best_first",
    "choose_cohort",
    "cluster",
    "concatenate",
    "group_bonus",
    "join",
    "scaled_mean",
    "score_limit",
]

GOOD_QUALITY = 0.5  # least quality of a face that may build a group
PER_CLUSTER = 4  # faces of a group in the cohort
COHORT = 4096  # faces of the cohort

LIMIT = 0.67  # score of two single faces among `_USUAL` faces that may join
_USUAL = 5000
_DOUBLING = 0.02  # growth of the limit with each doubling of the number of faces, from `_FEWEST` on
_FEWEST = 500
_BONUS = 0.08  # bonus of a group of `_LARGE` faces; as much again for each doubling
_LARGE = 24
_HIGHEST_BONUS = 0.2
_FIRST = 0.11  # additional limit of the first round
_ROUNDS = 4
TOGETHER = 0.25  # additional score of groups that often share a photo

_TILE = 2048  # groups along each side of a block of scores: 16 MB
_MANY = 50_000  # groups of which all pairs are compared
_PROBES = 64  # cells in which each of more groups is compared with others
_FIRST_PROBES = 8  # in the first round: by its limit, groups that join are closer to each other

_Block: TypeAlias = tuple[Integers, Integers]  # rows and columns of a matrix of scores


def cluster(embeddings: Array, qualities: NDArray[np.floating], constraints: Constraints) -> Integers:
    """Return the cluster of each face: [n], equal numbers for faces of a cluster, -1 for single faces.

    `embeddings`: [n, 512], unit length, may be mapped from a file; `qualities`: [n], 0 to 1. Faces with the same known
    person are in the same cluster, even if they are not similar.
    """
    count = len(embeddings)
    order = _canonical_order(embeddings)
    model = _Model(embeddings[order], constraints.take(order))
    good = np.flatnonzero(qualities[order] >= GOOD_QUALITY)
    for number in range(_ROUNDS):
        if number:
            model.set_offsets(good)
        model.agglomerate(good, 0.0 if number else _FIRST)
    poor = np.setdiff1d(np.arange(count), good)
    if len(poor):
        model.set_offsets(np.arange(count))
        model.attach(poor)
    roots = model.groups.roots()
    settled = [model.groups.is_settled(face) for face in range(count)]
    first = np.full(count, count)
    np.minimum.at(first, roots, order)  # a cluster has the number of its first face
    labels = np.empty(count, np.int64)
    labels[order] = np.where(settled, first[roots], -1)
    return labels


def join(embeddings: Array, new: Integers, constraints: Constraints, offsets: Array) -> Integers:
    """Return the known person of each new face, by the rules of `cluster`: [m], -1 for no known person.

    `new`: [m], indices of the new faces; `offsets`: [n], by `faceie.cohort`.
    """
    model = _Model(embeddings, constraints, offsets)
    model.attach(new[constraints.people[new] < 0])
    return np.array([model.groups.person(int(face)) for face in new], np.int64)


def choose_cohort(embeddings: Array, labels: Integers) -> Integers:
    """Return the faces of the cohort: up to `PER_CLUSTER` of each cluster and all single faces, at most `COHORT`.

    `labels`: [n], as `cluster` returns them.
    """
    order = _canonical_order(embeddings)
    single = labels < 0
    groups = np.where(single, len(labels) + np.arange(len(labels)), labels)[order]
    return np.sort(order[_first_of_each(groups)[:COHORT]])


def score_limit(count: int) -> float:
    """Return the limit among this many faces."""
    return LIMIT + _DOUBLING * math.log2(max(count, _FEWEST) / _USUAL)


def group_bonus(size: int) -> float:
    """Return the bonus of a group of this many faces."""
    return min(_BONUS * float(np.log2(1 + (size - 1) / _LARGE)), _HIGHEST_BONUS)


def scaled_mean(total: Array, size: int) -> Array:
    """Return the mean embedding of a group, [512], divided by the root of its length. `total`: the sum, [512]."""
    length = float(np.linalg.norm(total)) / size
    result: Array = total / np.float32(size * max(length, 1e-6) ** 0.5)
    return result


class _Model:
    """Groups of faces with the numbers that scores need, at the faces that represent the groups."""

    def __init__(self, embeddings: Array, constraints: Constraints, offsets: Array | None = None) -> None:
        count = len(embeddings)
        self.groups = Groups(embeddings, constraints)
        self._limit = score_limit(count)
        self._offsets = np.zeros(count, np.float32) if offsets is None else offsets
        # Means of groups of at least two faces, divided by the root of their lengths; and the row of each group's mean.
        self._means: Array = np.empty((count // 2, embeddings.shape[1]), np.float32)
        self._places = np.full(count, -1, np.int64)
        self._free = list(reversed(range(count // 2)))  # so that memory is touched as it is needed
        self._bonuses: Array = np.zeros(count, np.float32)
        self._halves: Array = np.zeros(count, np.float32)  # half of the mean offset
        self._cells: Cells | None = None
        self._homes = np.full(count, -1, np.int32)  # nearest cell of each group, or -1 if not known
        roots = self._update_offsets()
        for root in np.unique(roots[roots != np.arange(count)]).tolist():
            self._renew(root)

    def set_offsets(self, faces: Integers) -> None:
        """Compute the offsets of faces, with the groups as they are."""
        embeddings, roots = self.groups.embeddings, self.groups.roots()
        chosen = faces[_first_of_each(roots[faces])[:COHORT]]
        cohort = Cohort(embeddings[chosen], roots[chosen])
        parts = [faces[start : start + _TILE] for start in range(0, len(faces), _TILE)]
        found = parallel(lambda part: cohort.offsets(embeddings[part], roots[part]), parts)
        self._offsets[faces] = np.concatenate([*found, np.empty(0, np.float32)])
        self._update_offsets()

    def agglomerate(self, faces: Integers, stricter: float) -> None:
        """Join the groups of faces, the best pairs first, until no score is positive."""
        alive = np.zeros(len(self._halves), np.bool_)
        alive[self.groups.roots()[faces]] = True
        rows = columns = np.flatnonzero(alive)
        pairs = NO_PAIRS
        while True:
            pairs = best_first(concatenate([pairs, self.search(rows, columns, stricter)]))
            changed, refused = self._step(pairs)
            if not changed and not refused.any():
                break
            alive[list(changed)] = False
            pairs = pairs.take(~refused & alive[pairs.a] & alive[pairs.b])
            rows = np.unique([self.groups.find(root) for root in changed]).astype(np.int64)
            alive[rows] = True
            columns = np.flatnonzero(alive)

    def attach(self, faces: Integers) -> None:
        """Join each single one of `faces` to one of the groups that look most like it, the best pairs first."""
        roots = self.groups.roots()
        settled = np.unique([root for root in set(roots.tolist()) if self.groups.is_settled(root)]).astype(np.int64)
        pairs = best_first(self.search(np.setdiff1d(faces, settled), settled, 0.0))
        for a, b, score in zip(*(column.tolist() for column in pairs), strict=True):
            if not self.groups.is_settled(a) and self._may_join(a, self.groups.find(b), score):
                self.groups.unite(a, self.groups.find(b))

    def _step(self, pairs: Pairs) -> tuple[set[int], NDArray[np.bool_]]:
        """Join the pairs, best first, of which each is the best for both groups.

        A group joins a larger one, too, for which it is not the best, until that has grown by half. Returns the groups
        that have changed, and which pairs are refused.
        """
        position = np.arange(len(pairs.a))
        best = np.full(len(self._halves), len(position))
        np.minimum.at(best, pairs.a, position)
        np.minimum.at(best, pairs.b, position)
        first_a, first_b = best[pairs.a] == position, best[pairs.b] == position
        before = {group: self.groups.sizes[group] for group in np.union1d(pairs.a, pairs.b).tolist()}
        joined, grown, refused = set[int](), dict[int, int](), np.zeros(len(position), np.bool_)
        for at in np.flatnonzero(first_a | first_b).tolist():
            a, b = int(pairs.a[at]), int(pairs.b[at])
            large, small = (a, b) if before[a] >= before[b] else (b, a)
            size = grown.get(large, 0) + before[small]
            if small in joined or large in joined:
                continue  # it has changed: its scores are outdated
            if not (first_a[at] and first_b[at]) and (best[small] != at or 2 * size > before[large]):
                continue
            x, y = self.groups.find(large), self.groups.find(small)
            if not self._may_join(x, y, float(pairs.scores[at])):
                refused[at] = True
                continue
            self._unite(x, y)
            joined.add(small)
            grown[large] = size
            if 2 * size > before[large]:
                joined.add(large)
        return joined | grown.keys(), refused

    def _may_join(self, a: int, b: int, score: float) -> bool:
        return self.groups.may_join(a, b) and score > TOGETHER * self.groups.share_apart(a, b)

    def _unite(self, a: int, b: int) -> None:
        sizes = self.groups.sizes
        half = (sizes[a] * self._halves[a] + sizes[b] * self._halves[b]) / (sizes[a] + sizes[b])
        root = self.groups.unite(a, b)
        for group in (a, b):
            if self._places[group] >= 0:
                self._free.append(int(self._places[group]))
                self._places[group] = -1
        self._halves[root] = half
        self._renew(root)

    def _renew(self, root: int) -> None:
        """Compute the mean and the bonus of a group that has changed."""
        size = self.groups.sizes[root]
        self._homes[root] = -1
        self._places[root] = self._free.pop()
        self._means[self._places[root]] = scaled_mean(self.groups.sum(root), size)
        self._bonuses[root] = group_bonus(size)

    def _update_offsets(self) -> Integers:
        """Compute the offsets of all groups. Return the face that represents the group of each face."""
        roots = self.groups.roots()
        sums = np.bincount(roots, self._offsets, len(roots))
        self._halves = (sums / np.maximum(np.bincount(roots, minlength=len(roots)), 1) / 2).astype(np.float32)
        return roots

    def _rows(self, groups: Integers) -> Array:
        """Return the means of groups: [m, 512]."""
        rows: Array = self.groups.embeddings[groups]
        places = self._places[groups]
        there = places >= 0
        rows[there] = self._means[places[there]]
        return rows

    def search(self, rows: Integers, columns: Integers, stricter: float) -> Pairs:
        """Return the pairs of a group of `rows` and one of `columns` whose score is positive, the best of each block.

        Among very many groups, each is compared with those in the cells nearest to it.
        """
        if self._cells is None and len(rows) * len(columns) > _MANY * _MANY:
            self._cells = Cells(self.groups.embeddings)
        limit = self._limit + stricter

        def compare_block(block: _Block) -> Pairs:
            a, b = block
            return compare(self._side(a), self._side(b), limit, is_square=a is b)

        if not self._cells:
            return concatenate(parallel(compare_block, _all_blocks(rows, columns)))
        blocks = self._near_blocks(self._cells, rows, columns, _FIRST_PROBES if stricter else _PROBES)
        pairs = concatenate(parallel(compare_block, blocks))
        return without_copies(pairs) if rows is columns else pairs

    def _near_blocks(self, cells: Cells, rows: Integers, columns: Integers, probes: int) -> Iterator[_Block]:
        """Yield the columns in each cell, beside the rows for which it is among the nearest cells."""
        near = cells.nearest(rows, self._rows, probes)  # [rows, probes]
        self._homes[rows] = near[:, 0]
        homeless = columns[self._homes[columns] < 0]
        self._homes[homeless] = cells.nearest(homeless, self._rows, 1)[:, 0]
        of_rows, of_columns = cells.members(near.ravel()), cells.members(self._homes[columns])
        for row_places, column_places in zip(of_rows, of_columns, strict=True):
            if len(column_places):
                for part in _split(rows[row_places // near.shape[1]]):
                    yield part, columns[column_places]

    def _side(self, groups: Integers) -> Side:
        return Side(groups, self._rows(groups), self._halves[groups], self._bonuses[groups])


def _all_blocks(rows: Integers, columns: Integers) -> Iterator[_Block]:
    """Yield the blocks of all pairs; if both are the same, those above the diagonal, and its own."""
    row_parts = list(_split(rows))
    column_parts = row_parts if rows is columns else list(_split(columns))
    for number, part in enumerate(row_parts):
        yield from ((part, other) for other in column_parts[number if rows is columns else 0 :])


def _split(groups: Integers) -> Iterator[Integers]:
    return (groups[start : start + _TILE] for start in range(0, len(groups), _TILE))


def _first_of_each(groups: Integers) -> Integers:
    """Return the places of the first `PER_CLUSTER` members of each group, ascending."""
    order = np.argsort(groups, kind="stable")
    rank = np.arange(len(order)) - np.searchsorted(groups[order], groups[order])
    return np.sort(order[rank < PER_CLUSTER])


def _canonical_order(embeddings: Array) -> Integers:
    """Return the faces in an order that depends on their embeddings only: that of a hash of their bits."""
    factors = (2 * np.arange(embeddings.shape[1], dtype=np.uint64) + 1) * np.uint64(0x9E3779B97F4A7C15)
    keys = np.empty(len(embeddings), np.uint64)
    for start in range(0, len(embeddings), _TILE):
        bits = np.ascontiguousarray(embeddings[start : start + _TILE], np.float32).view(np.uint32)
        keys[start : start + _TILE] = (bits * factors).sum(1, dtype=np.uint64)  # modulo 2^64
    keys = (keys ^ (keys >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)  # all bits move the highest ones
    return np.argsort(keys ^ (keys >> np.uint64(32)), kind="stable").astype(np.int64)

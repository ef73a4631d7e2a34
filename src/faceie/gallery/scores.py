"""Compute scores of pairs of groups in blocks. The score itself is explained in `clusters`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..types import Array
from .groups import Integers

__all__ = ["CANDIDATES", "NO_PAIRS", "Pairs", "Side", "best_first", "compare", "concatenate", "without_copies"]

CANDIDATES = 64  # best partners of a group in each block


class Pairs(NamedTuple):
    """Pairs of groups that may join, as faces that represent them, with their scores."""

    a: Integers
    b: Integers
    scores: Array

    def take(self, index: NDArray[np.bool_] | Integers) -> Pairs:
        return Pairs(self.a[index], self.b[index], self.scores[index])


NO_PAIRS = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


class Side(NamedTuple):
    """All that the scores of m groups need."""

    groups: Integers
    """[m], faces that represent the groups."""
    means: Array
    """[m, 512], mean embeddings, divided by the roots of their lengths."""
    halves: Array
    """[m], half of the mean offsets."""
    bonuses: Array
    """[m]"""


def compare(rows: Side, columns: Side, limit: float, *, is_square: bool = False) -> Pairs:
    """Return the pairs of a row and a column whose score is positive, the best `CANDIDATES` of each row.

    `is_square`: both sides are the same, and each pair is returned once.
    """
    scores = rows.means @ columns.means.T  # [rows, columns]
    scores -= rows.halves[:, None]
    scores -= columns.halves + np.float32(limit)
    if rows.bonuses.any() or columns.bonuses.any():
        scores += np.maximum.outer(rows.bonuses, columns.bonuses)
    if is_square:
        scores[np.tril_indices(len(scores))] = -1
    i, j = np.divmod(np.flatnonzero(scores > 0), len(columns.groups))
    pairs = Pairs(rows.groups[i], columns.groups[j], scores[i, j])
    return _best_of_each(pairs.take(pairs.a != pairs.b), CANDIDATES)


def best_first(pairs: Pairs) -> Pairs:
    """Sort pairs by falling score."""
    return pairs.take(np.lexsort((pairs.b, pairs.a, -pairs.scores)))


def concatenate(parts: list[Pairs]) -> Pairs:
    """Join lists of pairs."""
    return Pairs(*map(np.concatenate, zip(*parts, strict=True))) if parts else NO_PAIRS


def without_copies(pairs: Pairs) -> Pairs:
    """Return each pair once that may occur in both directions."""
    a, b = np.minimum(pairs.a, pairs.b), np.maximum(pairs.a, pairs.b)
    order = np.lexsort((b, a))
    is_new = np.diff(a[order], prepend=-1).astype(np.bool_) | np.diff(b[order], prepend=-1).astype(np.bool_)
    return Pairs(a, b, pairs.scores).take(order[is_new])


def _best_of_each(pairs: Pairs, most: int) -> Pairs:
    """Return the best `most` pairs of each `a`, which are in groups."""
    if len(pairs.a) <= most:
        return pairs
    pairs = pairs.take(np.lexsort((pairs.b, -pairs.scores, pairs.a)))
    rank = np.arange(len(pairs.a)) - np.searchsorted(pairs.a, pairs.a)
    return pairs.take(rank < most)

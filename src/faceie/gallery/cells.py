"""Cells of embeddings that are near each other: where to look for faces that are alike, among very many.

An inverted file (Sivic and Zisserman 2003; the IVF of FAISS): k-means divides the embeddings into cells, and a face is
compared with those in the few cells whose centers are nearest to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..nn.parallel import parallel
from ..types import Array

__all__ = ["Cells"]

_SIZE = 512  # least number of embeddings in a cell, as a mean
_SHARE = 8  # of very many, the root of one in this many: then centers cost as much as members
_SAMPLE = 40  # embeddings per cell that its center is computed from
_STEPS = 8  # of k-means
_BLOCK = 2048  # embeddings per thread and product

_Integers = NDArray[np.int64]
_Cells = NDArray[np.int32]


class Cells:
    """Cells, by their centers."""

    def __init__(self, embeddings: Array) -> None:
        """Divide embeddings, [n, 512] of unit length, in random order."""
        count = math.ceil(len(embeddings) / max(_SIZE, math.sqrt(len(embeddings) / _SHARE)))
        sample = embeddings[:: max(1, len(embeddings) // (_SAMPLE * count))]
        self._centers = sample[:count].copy()  # [count, 512]
        rows = np.arange(len(sample))
        for _ in range(_STEPS):
            cells = self.nearest(rows, sample.__getitem__, 1)[:, 0]
            order = np.argsort(cells, kind="stable")
            used, starts = np.unique(cells[order], return_index=True)
            sums = np.add.reduceat(sample[order], starts)
            self._centers[used] = sums / np.linalg.norm(sums, axis=1, keepdims=True)

    def nearest(self, rows: _Integers, embeddings: Callable[[_Integers], Array], number: int) -> _Cells:
        """Return the cells nearest to some embeddings, the nearest first: [m, number], or all cells if these are fewer.

        `embeddings`: returns those of rows, [n, 512].
        """
        number = min(number, len(self._centers))

        def nearest(part: _Integers) -> _Cells:
            products = embeddings(part) @ self._centers.T
            cells = np.argpartition(products, -number, axis=1)[:, -number:]
            order = np.argsort(-np.take_along_axis(products, cells, 1), axis=1, kind="stable")
            return np.take_along_axis(cells, order, 1).astype(np.int32)

        parts = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
        return np.concatenate([np.empty((0, number), np.int32), *parallel(nearest, parts)])

    def members(self, cells: _Cells) -> list[NDArray[np.intp]]:
        """Return for each cell the places where it stands in `cells`, [m]."""
        order = np.argsort(cells, kind="stable")
        return np.split(order, np.searchsorted(cells[order], np.arange(1, len(self._centers))))

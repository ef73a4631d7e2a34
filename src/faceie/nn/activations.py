"""Activations in memory, and what becomes of the sums of a convolution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..types import Array
from .gemm import Factor, product
from .record import Recorder

__all__ = [
    "ALL",
    "NO_BORDER",
    "Activations",
    "Border",
    "Finish",
    "Index",
    "Layout",
    "as_matrix",
    "max_along",
    "max_pool",
    "maximum",
    "prelu",
]

Border = tuple[int, int, int, int]  # above, left, below, right
Index = tuple[slice, ...]  # of images, rows and columns

NO_BORDER = (0, 0, 0, 0)
ALL: Index = (slice(None),) * 3

_WIDE = 64  # channels, from which on it is better to compute in place than to copy


class Layout(NamedTuple):
    """How activations lie in memory."""

    border: Border = NO_BORDER  # zeros around each image
    columns_first: bool = False  # (n, width, height, channels)


class Activations(NamedTuple):
    """Activations of some images, and the zeros around them."""

    base: Array  # [n, above + h + below, left + w + right, c]
    border: Border = NO_BORDER

    @property
    def array(self) -> Array:
        """The activations alone: (n, h, w, c)."""
        return self.inside(NO_BORDER)

    def inside(self, border: Border) -> Array:
        """Return the activations with less of the zeros around them."""
        above, left, below, right = (there - asked for there, asked in zip(self.border, border, strict=True))
        _, height, width, _ = self.base.shape
        return self.base[:, above : height - below, left : width - right]

    def has(self, border: Border) -> bool:
        """Tell whether there are so many zeros around the activations."""
        return all(there >= asked for there, asked in zip(self.border, border, strict=True))

    def bordered(self, border: Border, record: Recorder) -> Array:
        """Return the activations with so many zeros around them: as they lie, or as a copy."""
        if self.has(border):
            return self.inside(border)
        n, h, w, c = self.array.shape
        above, left, below, right = border
        copy = np.zeros((n, h + above + below, w + left + right, c), np.float32)
        record(np.copyto, copy[:, above : above + h, left : left + w], self.array)
        return copy


@dataclass
class Finish:
    """What becomes of the sums of a convolution."""

    target: Array  # [n, h, w, out]: where they belong
    bias: Array | None = None  # [out]
    relu: bool = False
    slope: Array | None = None  # [out], of parametric ReLU
    residual: Array | None = None  # [n, h, w, out], is added
    pool: int = 0  # maxima over windows of this size, 2 apart, are what belongs there (`winograd` alone can do that)

    def swapped(self) -> Finish:
        """Return the same for rows and columns exchanged."""
        residual = None if self.residual is None else self.residual.swapaxes(1, 2)
        return replace(self, target=self.target.swapaxes(1, 2), residual=residual)

    def product(self, a: Array, b: Factor, index: Index, record: Recorder) -> None:
        """Record the product of matrices a [positions, k] and b [k, out], for the outputs at `index`, and the rest."""
        target = self.target[index]  # [n, h, w, out]
        direct = as_matrix(target) if self.residual is None and target.shape[3] >= _WIDE else None
        out = record.scratch(len(a), target.shape[3]) if direct is None else direct  # [positions, out]
        product(a, b, out, record)
        self.store(target if direct is not None else out.reshape(target.shape), index, record)

    def store(self, sums: Array, index: Index, record: Recorder, *, biased: bool = False) -> None:
        """Record that sums (n, h, w, out) get residual, bias and ReLU, and go where they belong."""
        target = self.target[index]
        if self.residual is not None:
            rows, residual = _in_rows(sums, self.residual[index])
            record(np.add, rows, residual, out=rows)
        if self.bias is not None and not biased:
            (rows,) = _in_rows(sums)
            record(np.add, rows, _row(self.bias, rows), out=rows)
        sums, target = _in_rows(sums, target)
        self._activate(sums, target, record)

    def store_tiles(self, sums: Array, row: int, column: int, step: int, record: Recorder) -> None:
        """Record that sums (i, j, n, down, right, out), which have their bias, get ReLU and go to rows
        `row` + i + `step` * down, and columns alike.
        """
        image, down, right, item = self.target.strides
        target = as_strided(
            self.target[:, row:, column:], sums.shape, (down, right, image, step * down, step * right, item)
        )
        self._activate(sums, target, record)

    def _activate(self, sums: Array, target: Array, record: Recorder) -> None:
        """Record ReLU, or what there is in its place, for sums whose last axis is the channels, once or more often."""
        if self.slope is not None:
            steep = [slice(channel, None, len(self.slope)) for channel in np.flatnonzero(self.slope > 1)]
            prelu(sums, _row(self.slope, sums), steep, target, record)
        elif self.relu:
            record(np.maximum, sums, _row(np.zeros(self.target.shape[3], np.float32), sums), out=target)
        elif sums.__array_interface__["data"] != target.__array_interface__["data"]:
            record(np.copyto, target, sums)


def prelu(x: Array, slope: Array, steep: list[slice], out: Array, record: Recorder) -> None:
    """Record parametric ReLU of x, which it may change: the larger one of x and slope * x.

    `steep`: where, on the last axis, slopes are above 1: there, it is the smaller one.
    """
    scaled = record.scratch(*x.shape)
    record(np.multiply, x, slope, out=scaled)
    for part in steep:
        record(np.minimum, x[..., part], scaled[..., part], out=scaled[..., part])
        record(np.copyto, x[..., part], scaled[..., part])
    record(np.maximum, x, scaled, out=out)


def maximum(arrays: list[Array], record: Recorder, out: Array | None = None) -> Array:
    """Record the maximum of two or more arrays of one shape; return where it will be."""
    y = record.scratch(*arrays[0].shape) if out is None else out
    record(np.maximum, arrays[0], arrays[1], out=y)
    for array in arrays[2:]:
        record(np.maximum, y, array, out=y)
    return y


def max_along(x: Array, axis: int, size: int, record: Recorder, *, ceil: bool = False) -> Array:
    """Record maxima over windows of `size` along one axis, 2 apart; with `ceil`, of a last one that reaches over the
    border. Return where they will be.
    """
    length = x.shape[axis]
    inside = (length - size) // 2 + 1  # windows that do not reach over the border
    windows = -(-(length - size) // 2) + 1 if ceil else inside
    y = record.scratch(*x.shape[:axis], windows, *x.shape[axis + 1 :])
    before = (slice(None),) * axis
    taps = [(*before, slice(tap, tap + 2 * inside - 1, 2)) for tap in range(size)]  # element `tap` of each window
    whole, beyond = (*before, slice(0, inside)), (*before, slice(2 * inside, None))
    maximum([x[tap] for tap in taps], record, y[whole])
    if windows > inside:
        last = (*before, inside)
        record(np.max, x[beyond], axis=axis, out=y[last])
    return y


def max_pool(x: Array, size: int, finish: Finish, record: Recorder, *, ceil: bool = False) -> None:
    """Record maxima over windows of `size` x `size`, 2 apart: over rows, then over columns."""
    lines = max_along(x, 1, size, record, ceil=ceil)
    finish.store(max_along(lines, 2, size, record, ceil=ceil), ALL, record)


def _in_rows(*arrays: Array) -> list[Array]:
    """Return activations (n, h, w, c) as (n, h, w * c) where all of them lie so: NumPy is faster in long rows."""
    n, h, w, c = arrays[0].shape
    if all(x.strides[2:] == (c * x.itemsize, x.itemsize) for x in arrays):
        return [as_strided(x, (n, h, w * c), (*x.strides[:2], x.itemsize)) for x in arrays]
    return list(arrays)


def _row(channels: Array, x: Array) -> Array:
    """Return what is the same for every position, (c,), as often as the rows of `x` have it."""
    return np.tile(channels, x.shape[-1] // len(channels))


def as_matrix(x: Array) -> Array | None:
    """Return activations (n, h, w, c) as a matrix (n * h * w, c), or None if they do not lie so."""
    (n, h, w, c), (image, row, column, item) = x.shape, x.strides
    if item != x.itemsize or (h > 1 and row != w * column) or (n > 1 and image != h * w * column):
        return None
    return as_strided(x, (n * h * w, c), (column, item))

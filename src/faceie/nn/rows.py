"""Kernels for large images with few channels: the names and arguments of `reference`, but recorded, and for activations
in another order.

They are (n, height, channels, width) here: each row of an image has a plane for each channel. So what NumPy goes
through is as long as the image is wide, rather than as short as its few channels; and the planes of a few rows, one
below the other, are a matrix (rows * in, width) as they lie. With copies of each row, shifted by 0 to kernel width - 1,
among its planes, that is the matrix of all windows, whose product with the kernel is a row of outputs::

    (out, kernel height * kernel width * in) x (kernel height * kernel width * in, width)

A plane of ones beside them brings the bias. P-Net runs on these kernels; they have what it asks for.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..types import Array
from .activations import max_along, prelu
from .record import Recorder
from .tree import Conv, PReLUConv

__all__ = ["RowKernels"]

_LARGE = np.float32(80)  # beyond its exponential, there is only overflow
_COLUMNS = 96  # of a product: of those that the BLAS library calls small, these are the fastest
_FEW = 16  # columns that are left, and rather made part of the last product


class RowKernels:
    """Kernels that record what computes them: what they return is filled when the calls are made."""

    def __init__(self, record: Recorder) -> None:
        self._record = record

    def conv2d(self, x: Array, w: Conv | PReLUConv) -> Array:
        """Correlate `x` (n, h, in, w) with the kernel, add the bias."""
        record = self._record
        kernel_height, kernel_width, channels, out = w.kernel.shape
        n, height, _, width = x.shape
        rows, columns = height - kernel_height + 1, width - kernel_width + 1
        y = record.scratch(n, rows, out, columns)
        if kernel_height == kernel_width == 1:
            self._product(w.kernel[0, 0].T, x, y)
            flat = y.reshape(n, rows, out * columns)
            record(np.add, flat, np.repeat(w.bias, columns), out=flat)
            return y
        with record.part():
            planes = record.scratch(n, height, kernel_width * channels + 1, columns)
            for tap in range(kernel_width):
                part = planes[:, :, tap * channels : (tap + 1) * channels]
                record(np.copyto, part, x[:, :, :, tap : tap + columns])
            record(planes[:, :, -1].fill, 1)
            kernel = np.zeros((out, kernel_height, planes.shape[2]), np.float32)  # [out, kh, kw * in + 1]
            kernel[:, :, :-1] = w.kernel.reshape(kernel_height, -1, out).transpose(2, 0, 1)
            kernel[:, 0, -1] = w.bias
            windows = (n, rows, kernel_height * planes.shape[2], columns)  # they reach into each other
            self._product(kernel.reshape(out, -1), as_strided(planes, windows, planes.strides, writeable=False), y)
        return y

    def _product(self, a: Array, b: Array, out: Array) -> None:
        """Record products of a matrix with matrices (n, rows, k, columns), some columns at a time."""
        columns = b.shape[3]
        whole = columns // _COLUMNS * _COLUMNS
        if 0 < columns - whole < _FEW and whole:
            whole -= _COLUMNS
        for first, last, step in ((0, whole, _COLUMNS), (whole, columns, columns - whole)):
            if first < last:
                parts = [_in_parts(x[..., first:last], step) for x in (b, out)]
                self._record(np.matmul, a, parts[0], out=parts[1])

    def conv2d_prelu(self, x: Array, w: PReLUConv) -> Array:
        """Convolve and apply parametric ReLU."""
        record = self._record
        y = self.conv2d(x, w)
        n, rows, out, columns = y.shape
        flat = y.reshape(n, rows, out * columns)
        steep = [slice(channel * columns, (channel + 1) * columns) for channel in np.flatnonzero(w.slope > 1)]
        with record.part():
            prelu(flat, np.repeat(w.slope, columns), steep, flat, record)
        return y

    def max_pool(self, x: Array, size: int, *, ceil: bool = False) -> Array:
        """Take the maximum over windows of `size` x `size`, 2 apart; with `ceil`, of a last one that reaches over the
        border.
        """
        return max_along(max_along(x, 1, size, self._record, ceil=ceil), 3, size, self._record, ceil=ceil)

    def probability(self, x: Array) -> Array:
        """Return how much of exp(x) (n, h, 2, w), over both channels, the second is: (n, h, w)."""
        record = self._record
        y = record.scratch(*x.shape[:2], x.shape[3])
        record(np.subtract, x[:, :, 0], x[:, :, 1], out=y)
        record(np.minimum, y, _LARGE, out=y)
        record(np.exp, y, out=y)
        record(np.add, y, np.float32(1), out=y)
        record(np.reciprocal, y, out=y)
        return y


def _in_parts(x: Array, columns: int) -> Array:
    """Return matrices (..., m, k * columns) as (..., k, m, columns)."""
    *stack, m, n = x.shape
    *strides, row, item = x.strides
    return as_strided(x, (*stack, n // columns, m, columns), (*strides, item * columns, row, item))

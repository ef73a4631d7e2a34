"""Recorded kernels for large images with few channels, in planar order: (n, height, channels, width).

Each row of an image has a plane for each channel, so that NumPy's inner loops run over the width rather than over a few
channels. The planes of some rows, one below the other, are a matrix (rows * in, width) as they are. With copies of each
row, shifted by 0 to kernel width - 1, this is the matrix of all windows, whose product with the kernel is a row of
outputs::

    (out, kernel height * kernel width * in) x (kernel height * kernel width * in, width)

A plane of ones beside them adds the bias. P-Net, whose images are large and whose channels are few, runs on these
kernels.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..types import Array
from . import layers
from .buffers import Recorder
from .tree import Conv, PReLUConv

__all__ = ["PlanarKernels"]

_LARGEST = np.float32(80)  # the exponential of more overflows
_COLUMNS = 96  # of a product: the fastest of OpenBLAS's small products (`faceie.nn.gemm`)
_FEW = 16  # columns that are added to the last product rather than computed by one of their own


class PlanarKernels:
    """The kernels of P-Net (`faceie.nn.reference.WindowKernels`), recorded: their outputs are filled by the calls."""

    def __init__(self, record: Recorder) -> None:
        self._record = record

    def conv2d(self, x: Array, w: Conv | PReLUConv, /) -> Array:
        """Correlate `x` (n, h, in, w) with the kernel and add the bias."""
        record = self._record
        kernel_height, kernel_width, channels, out = w.kernel.shape
        n, height, _, width = x.shape
        rows, columns = height - kernel_height + 1, width - kernel_width + 1
        y = record.scratch(n, rows, out, columns)
        if kernel_height == kernel_width == 1:
            self._matmul(w.kernel[0, 0].T, x, y)
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
            windows = (n, rows, kernel_height * planes.shape[2], columns)  # they overlap
            self._matmul(kernel.reshape(out, -1), as_strided(planes, windows, planes.strides, writeable=False), y)
        return y

    def _matmul(self, a: Array, b: Array, out: Array) -> None:
        """Record products of a matrix with matrices (n, rows, k, columns), some columns at a time."""
        columns = b.shape[3]
        whole = columns // _COLUMNS * _COLUMNS
        if 0 < columns - whole < _FEW and whole:
            whole -= _COLUMNS
        for first, last, step in ((0, whole, _COLUMNS), (whole, columns, columns - whole)):
            if first < last:
                left, right = (_blocks(x[..., first:last], step) for x in (b, out))
                self._record(np.matmul, a, left, out=right)

    def conv2d_prelu(self, x: Array, w: PReLUConv, /) -> Array:
        """Convolve and apply parametric ReLU."""
        y = self.conv2d(x, w)
        n, rows, out, columns = y.shape
        flat = y.reshape(n, rows, out * columns)
        with self._record.part():
            scratch = self._record.scratch(*flat.shape)
            self._record(layers.prelu, flat, np.repeat(w.slope, columns), out=flat, scratch=scratch)
        return y

    def max_pool(self, x: Array, size: int, /, *, ceil: bool = False) -> Array:
        """Take the maximum over windows of `size` x `size`, 2 apart."""
        for axis in (1, 3):
            shape = list(x.shape)
            shape[axis] = (x.shape[axis] - size + ceil) // 2 + 1
            y = self._record.scratch(*shape)
            self._record(layers.max_along, x, axis, size, ceil=ceil, out=y)
            x = y
        return x

    def probability(self, x: Array, /) -> Array:
        """Return the second channel's share of exp(x) (n, h, 2, w): (n, h, w)."""
        record = self._record
        y = record.scratch(*x.shape[:2], x.shape[3])
        record(np.subtract, x[:, :, 0], x[:, :, 1], out=y)
        record(np.minimum, y, _LARGEST, out=y)
        record(np.exp, y, out=y)
        record(np.add, y, np.float32(1), out=y)
        record(np.reciprocal, y, out=y)
        return y


def _blocks(x: Array, columns: int) -> Array:
    """Return matrices (..., m, k * columns) as (..., k, m, columns)."""
    *stack, m, n = x.shape
    *strides, row, item = x.strides
    return as_strided(x, (*stack, n // columns, m, columns), (*strides, item * columns, row, item))

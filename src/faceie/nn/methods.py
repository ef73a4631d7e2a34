"""The ways to compute a convolution, one of which a plan chooses for each.

==============  ====================================================================================================
`pointwise`     1 x 1: one matrix product of the activations as they are
`winograd`      3 x 3: a quarter of the multiplications, for some more passes over memory (`faceie.nn.winograd`)
`planes`        few input channels: copies of each row, shifted by one tap each, hold the windows of a row of outputs
`patches`       any: the windows are copied beside each other, then one matrix product (Chellapilla et al. 2006)
==============  ====================================================================================================

A method computes nothing by itself. It *records* the NumPy calls that compute, on preallocated arrays; a plan
(`faceie.nn.plan`) makes these calls for each batch. ``METHODS`` is the table that `choose` goes through from top to
bottom; ``benchmarks/methods.py`` measures its rules. To add a method, write one function and one row (CONTRIBUTING.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..types import Array
from . import layers
from .buffers import Recorder
from .gemm import matmul, pack
from .graph import conv_shape
from .tree import Shape
from .winograd import BIAS_POINT, INPUT, OUTPUT, POINTS, TILE, transform_kernel

__all__ = ["METHODS", "Convolution", "Epilogue", "Method", "choose", "padded"]

_BLOCK = 1 << 20  # floats of patches at a time: 4 MiB
_POSITIONS = 256  # rows x columns x images of outputs: fewer do not make up for Winograd's transforms
# Costs in units of a multiplication: Winograd's transforms of an input and of an output, and a copy to patches.
_PER_INPUT, _PER_OUTPUT, _PER_COPY = 100, 67, 17


@dataclass
class Epilogue:
    """The end of a convolution: residual, bias and activation, in place."""

    y: Array  # [n, rows, columns, out], contiguous
    bias: Array | None = None  # [out]
    relu: bool = False
    slope: Array | None = None  # [out], of parametric ReLU
    residual: Array | None = None  # [n, rows, columns, out], is added

    def finish(self, record: Recorder, images: slice = slice(None), rows: slice = slice(None)) -> None:
        """Record the epilogue of some images, or of some rows of one image, whose sums are in `y`."""
        y = _in_rows(self.y[images, rows])  # [..., columns * out]
        if self.residual is not None:
            record(np.add, y, _in_rows(self.residual[images, rows]), out=y)
        if self.bias is not None:
            record(np.add, y, np.tile(self.bias, self.y.shape[2]), out=y)
        self.activate(y, y, record)

    def activate(self, x: Array, y: Array, record: Recorder) -> None:
        """Record the activation, from x to y (..., columns * out)."""
        columns = x.shape[-1] // self.y.shape[3]
        if self.relu:
            record(np.maximum, x, np.zeros(x.shape[-1], np.float32), out=y)  # faster than with a scalar
        elif self.slope is not None:
            with record.part():
                record(layers.prelu, x, np.tile(self.slope, columns), out=y, scratch=record.scratch(*x.shape))
        elif x is not y:
            record(np.copyto, y, x)


def _in_rows(x: Array) -> Array:
    """Return contiguous activations (n, h, w, c) as rows (n * h, w * c): NumPy is faster on long rows."""
    n, h, w, c = x.shape
    return x.reshape(n * h, w * c)


class Convolution(NamedTuple):
    """A convolution to compute."""

    x: Array  # [n, h, w, in], contiguous
    kernel: Array  # [kh, kw, in, out]
    epilogue: Epilogue
    stride: int = 1
    padding: tuple[int, int] = (0, 0)  # above and below, left and right


def pointwise(conv: Convolution, record: Recorder) -> None:
    """Multiply all positions by a kernel of 1 x 1."""
    channels, out = conv.kernel.shape[2:]
    x, y = conv.x.reshape(-1, channels), conv.epilogue.y.reshape(-1, out)  # [positions, in], [positions, out]
    matmul(x, pack(conv.kernel[0, 0], len(x), record), y, record)
    conv.epilogue.finish(record)


def patches(conv: Convolution, record: Recorder) -> None:
    """Copy the windows to patches [positions, kh * kw * in], a block of images or rows at a time, and multiply them."""
    x, y, stride = padded(conv.x, *conv.padding, *conv.padding, record), conv.epilogue.y, conv.stride
    kh, kw, channels, out = conv.kernel.shape
    n, rows, columns, _ = y.shape
    image, row, column, item = x.strides
    strides = (image, row * stride, column * stride, row, column, item)
    windows = as_strided(x, (n, rows, columns, kh, kw, channels), strides, writeable=False)
    depth = kh * kw * channels
    kernel = pack(conv.kernel.reshape(depth, out), n * rows * columns, record)  # [kh * kw * in, out]
    images_at_once = max(1, _BLOCK // (rows * columns * depth))
    rows_at_once = rows if images_at_once > 1 else max(1, _BLOCK // (columns * depth))
    for i in range(0, n, images_at_once):
        for j in range(0, rows, rows_at_once):
            part = slice(i, i + images_at_once), slice(j, j + rows_at_once)
            with record.part():
                copies = record.scratch(*windows[part].shape)
                record(np.copyto, copies, windows[part])
                matmul(copies.reshape(-1, depth), kernel, y[part].reshape(-1, out), record)
            conv.epilogue.finish(record, *part)


def winograd(conv: Convolution, record: Recorder) -> None:
    """Compute F(4 x 4, 3 x 3): tiles to points, a product for each point, points to outputs."""
    y, (above, left) = conv.epilogue.y, conv.padding
    n, rows, columns, out = y.shape
    channels = conv.x.shape[3]
    down, right = -(-rows // TILE), -(-columns // TILE)  # tiles
    below, beside = down * TILE - rows + above, right * TILE - columns + left
    x = padded(conv.x, above, left, below, beside, record)
    image, row, column, item = x.strides
    shape = (POINTS, POINTS, n, down, right, channels)
    tiles = as_strided(x, shape, (row, column, image, row * TILE, column * TILE, item), writeable=False)

    points, positions = POINTS**2, n * down * right
    kernel = pack(conv.kernel, positions, record, transform_kernel)  # [36, in, out]
    gathered, transformed = record.scratch(*shape), record.scratch(points, positions, channels)
    products, sums = record.scratch(points, positions, out), record.scratch(TILE**2, positions, out)
    record(np.copyto, gathered, tiles)
    record(np.matmul, INPUT, gathered.reshape(points, -1), out=transformed.reshape(points, -1))
    matmul(transformed, kernel, products, record)
    if conv.epilogue.bias is not None:
        record(np.add, products[BIAS_POINT], conv.epilogue.bias, out=products[BIAS_POINT])
    record(np.matmul, OUTPUT, products.reshape(points, -1), out=sums.reshape(TILE**2, -1))
    outputs = sums.reshape(TILE, TILE, n, down, right, out)
    for i in range(TILE):
        for j in range(TILE):
            part = (slice(None), slice(i, None, TILE), slice(j, None, TILE))
            _, some_rows, some_columns, _ = y[part].shape
            result = outputs[i, j, :, :some_rows, :some_columns]
            if conv.epilogue.residual is not None:
                record(np.add, result, conv.epilogue.residual[part], out=result)
            conv.epilogue.activate(result, y[part], record)


def planes(conv: Convolution, record: Recorder) -> None:
    """Copy each row once for each column of the kernel, shifted, channel by channel, and multiply its windows.

    The copies of kh rows, one below the other, are the transposed windows of a row of outputs: (kh * kw * in, columns).
    """
    x, y = padded(conv.x, *conv.padding, *conv.padding, record), conv.epilogue.y
    kh, kw, channels, out = conv.kernel.shape
    n, rows, columns, _ = y.shape
    copies = record.scratch(n, x.shape[1], kw, channels, columns)
    for tap in range(kw):
        seen = x[:, :, tap : tap + conv.stride * (columns - 1) + 1 : conv.stride]  # [n, h, columns, in]
        record(np.copyto, copies[:, :, tap], seen.swapaxes(2, 3))
    image, row, *_ = copies.strides
    strides = (image, row * conv.stride, x.itemsize, columns * x.itemsize)
    windows = as_strided(copies, (n, rows, columns, kh * kw * channels), strides, writeable=False)
    record(np.matmul, windows, conv.kernel.reshape(-1, out), out=y)
    conv.epilogue.finish(record)


def padded(x: Array, above: int, left: int, below: int, right: int, record: Recorder) -> Array:
    """Return activations with zeros around them, or as they are if none are needed."""
    if not (above or left or below or right):
        return x
    n, h, w, c = x.shape
    y = record.scratch(n, above + h + below, left + w + right, c)
    record(y.fill, 0)
    record(np.copyto, y[:, above : above + h, left : left + w], x)
    return y


class Method(NamedTuple):
    """A way to compute a convolution."""

    plan: Callable[[Convolution, Recorder], None]  # records the calls
    fits: Callable[[Shape, int, tuple[int, int]], bool]  # (kernel, stride, padding): whether it can compute it
    pays: Callable[[Shape, tuple[int, int], int], bool]  # (kernel, (rows, columns), images): whether it is fastest


def _winograd_pays(kernel: Shape, outputs: tuple[int, int], images: int) -> bool:
    """Tell whether a position of the output costs less than by `patches`, unused outputs of the last tiles included."""
    _, _, channels, out = kernel
    points = POINTS**2 / TILE**2  # for each output
    waste = np.prod([-(-length // TILE) * TILE / length for length in outputs])
    tiles = waste * points * (channels * out + _PER_INPUT * channels + _PER_OUTPUT * out)
    by_patches = 9 * (channels * out + _PER_COPY * channels)
    return bool(images * np.prod(outputs) >= _POSITIONS and tiles < by_patches)


def _always(*_: object) -> bool:
    return True


# The rows that `choose` goes through: `_winograd_pays` decides between `winograd` and `patches`.
METHODS = {
    "pointwise": Method(
        pointwise, lambda kernel, stride, padding: (*kernel[:2], stride, *padding) == (1, 1, 1, 0, 0), _always
    ),
    "winograd": Method(winograd, lambda kernel, stride, padding: (*kernel[:2], stride) == (3, 3, 1), _winograd_pays),
    "planes": Method(planes, _always, lambda kernel, outputs, images: kernel[2] < 8),
    "patches": Method(patches, _always, _always),
}


def choose(shape: Shape, kernel: Shape, stride: int, padding: tuple[int, int], images: int) -> str:
    """Return the first method of the table that fits and pays for a convolution of images of this shape."""
    outputs = conv_shape(shape, kernel, stride, padding)
    return next(
        name
        for name, method in METHODS.items()
        if method.fits(kernel, stride, padding) and method.pays(kernel, outputs, images)
    )

"""The kernels of `reference`, fast: the same names and arguments (which `kernels` describes), float32.

A convolution is a matrix product between patches of the activations, (positions, kernel height * kernel width * in),
and the kernel. Patches are copied a block of rows at a time into one small buffer of the thread, which stays in the
processor's cache until the product has read it; bias and ReLU follow while the block of outputs is still there, too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..types import Array
from .tree import Conv, PReLUConv

__all__ = [
    "concatenate",
    "conv2d",
    "conv2d_prelu",
    "flatten",
    "global_mean",
    "linear",
    "linear_prelu",
    "max_pool",
    "normalize",
    "probability",
    "residual",
]

# Patches at a time, in floats: 1 MiB, half of the second-level cache of current processors.
# A ReLU compares with as many zeros: np.maximum(x, vector) takes a third of the time of np.maximum(x, scalar).
_BLOCK = 1 << 18

_thread = threading.local()


def _scratch(size: int) -> Array:
    """Return an uninitialized array of `size` floats that belongs to this thread and is overwritten by its next
    call.
    """
    if size > _BLOCK:
        return np.empty(size, np.float32)
    buffer: Array | None = getattr(_thread, "buffer", None)
    if buffer is None:
        buffer = _thread.buffer = np.empty(_BLOCK, np.float32)
    return buffer[:size]


def conv2d(
    x: Array, w: Conv | PReLUConv, *, stride: int = 1, padding: tuple[int, int] = (0, 0), relu: bool = False
) -> Array:
    """Correlate `x` with the kernel; add the bias; ReLU."""
    y, blocks = _products(x, w, stride, padding)
    zeros = np.zeros_like(w.bias)
    for block in blocks:  # [positions, out]
        block += w.bias
        if relu:
            np.maximum(block, zeros, out=block)
    return y


def conv2d_prelu(x: Array, w: PReLUConv) -> Array:
    """Convolve and apply parametric ReLU."""
    y, blocks = _products(x, w, 1, (0, 0))
    for block in blocks:  # [positions, out]
        block += w.bias
        _prelu(block, w.slope)
    return y


def _products(x: Array, w: Conv | PReLUConv, stride: int, padding: tuple[int, int]) -> tuple[Array, Iterator[Array]]:
    """Return the array of the outputs, and an iterator that fills it and yields each block of it, flat, when it is
    filled.
    """
    kernel_height, kernel_width, channels, out = w.kernel.shape
    x = _pad(x, *padding) if any(padding) else np.ascontiguousarray(x)
    n, height, width, _ = x.shape
    rows, columns = (height - kernel_height) // stride + 1, (width - kernel_width) // stride + 1
    y = np.empty((n, rows, columns, out), np.float32)
    kernel = w.kernel.reshape(-1, out)  # [kh * kw * in, out]

    def fill() -> Iterator[Array]:
        if kernel_height == kernel_width == stride == 1:
            block = y.reshape(-1, out)
            yield np.matmul(x.reshape(-1, channels), kernel, out=block)
            return
        s = x.strides
        windows = as_strided(  # [n, rows, columns, kh, kw * in]: a view, patches overlap in it
            x,
            (n, rows, columns, kernel_height, kernel_width * channels),
            (s[0], s[1] * stride, s[2] * stride, s[1], s[3]),
            writeable=False,
        )
        rows_at_once = max(1, _BLOCK // (columns * len(kernel)))
        images_at_once = max(1, rows_at_once // rows)
        for image in range(0, n, images_at_once):
            for row in range(0, rows, rows_at_once):
                part = np.s_[image : image + images_at_once, row : row + rows_at_once]
                window = windows[part]
                patches = _scratch(window.size).reshape(window.shape)
                np.copyto(patches, window)
                block = y[part].reshape(-1, out)  # a view: whole images, or whole rows of one image
                yield np.matmul(patches.reshape(-1, len(kernel)), kernel, out=block)

    return y, fill()


def _pad(x: Array, vertical: int, horizontal: int) -> Array:
    """Surround activations with zeros."""
    n, height, width, channels = x.shape
    y = np.zeros((n, height + 2 * vertical, width + 2 * horizontal, channels), np.float32)
    y[:, vertical : vertical + height, horizontal : horizontal + width] = x
    return y


def linear(x: Array, w: Conv | PReLUConv) -> Array:
    """Multiply (n, in) with a kernel (1, 1, in, out) and add the bias."""
    y: Array = x @ w.kernel[0, 0]
    y += w.bias
    return y


def linear_prelu(x: Array, w: PReLUConv) -> Array:
    """`linear` followed by parametric ReLU."""
    return _prelu(linear(x, w), w.slope)


def _prelu(y: Array, slope: Array) -> Array:
    """Multiply the negative values of `y`, in place, by their channel's slope."""
    negative = np.minimum(y, np.zeros_like(slope))
    negative *= slope - 1
    y += negative  # y + (slope - 1) * min(y, 0): holds for slopes above 1 and below 0, too
    return y


def max_pool(x: Array, size: int, *, ceil: bool = False) -> Array:
    """Take the maximum over windows of `size` x `size`, 2 apart; with `ceil`, of a last one that reaches over the
    border.

    The maximum over a rectangle is the maximum of the maxima of its rows: one axis at a time.
    """
    return _max_along(_max_along(x, 1, size, ceil), 2, size, ceil)


def _max_along(x: Array, axis: int, size: int, ceil: bool) -> Array:
    """Pool one axis: 1, the rows, or 2, the columns."""
    x = x.swapaxes(1, axis)  # [n, length, ...]: a view
    n, length, *rest = x.shape
    inside = (length - size) // 2 + 1  # windows that do not reach over the border
    windows = -(-(length - size) // 2) + 1 if ceil else inside
    y = np.empty_like(x, shape=(n, windows, *rest))  # laid out in memory as x is, so without its swapped axes
    taps = [x[:, tap : tap + 2 * inside - 1 : 2] for tap in range(size)]  # element `tap` of each window
    np.maximum(taps[0], taps[1], out=y[:, :inside])
    for tap in taps[2:]:
        np.maximum(y[:, :inside], tap, out=y[:, :inside])
    if windows > inside:
        np.max(x[:, 2 * inside :], axis=1, out=y[:, inside])
    pooled: Array = y.swapaxes(1, axis)
    return pooled


def concatenate(branches: Sequence[Array]) -> Array:
    """Join activations of the same height and width along their channels."""
    y: Array = np.concatenate(branches, axis=-1)
    return y


def residual(x: Array, branch: Array, *, scale: float, relu: bool) -> Array:
    """Return `x` + `scale` * `branch`, through ReLU if asked."""
    y: Array = branch * np.float32(scale)
    y += x
    if relu:
        np.maximum(y, np.zeros(y.shape[-1], np.float32), out=y)
    return y


def global_mean(x: Array) -> Array:
    """Average each channel over all positions: (n, h, w, channels) to (n, channels)."""
    mean: Array = x.mean((1, 2))
    return mean


def flatten(x: Array) -> Array:
    """Flatten (n, height, width, channels) to (n, width * height * channels)."""
    y: Array = x.transpose(0, 2, 1, 3).reshape(len(x), -1)
    return y


def probability(x: Array) -> Array:
    """Return how much of exp(x) (..., 2), over both channels, the second is: (...)."""
    larger = np.minimum(x[..., 0] - x[..., 1], np.float32(80))  # beyond its exponential, there is only overflow
    y: Array = 1 / (1 + np.exp(larger))
    return y


def normalize(x: Array) -> Array:
    """Divide rows by their Euclidean length, or by 1e-12 if they are shorter."""
    length = np.sqrt(np.einsum("ij,ij->i", x, x))  # [n]
    y: Array = x / np.maximum(length, np.float32(1e-12))[:, None]
    return y

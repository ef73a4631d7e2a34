"""The kernels of `reference` in plain NumPy, step by step: float32, the same names and arguments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..types import Array
from .tree import Conv, PReLUConv, Shape


def conv2d(x: Array, w: Conv | PReLUConv, *, stride: int = 1, padding: Shape = (0, 0), relu: bool = False) -> Array:
    """Correlate `x` with the kernel, add the bias, and apply ReLU if asked: patches, then one matrix product."""
    height, width, channels, out = w.kernel.shape
    x = np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)))
    windows = sliding_window_view(x, (height, width), (1, 2))[:, ::stride, ::stride]  # [n, rows, columns, in, kh, kw]
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, height * width * channels)  # [positions, kh * kw * in]
    y: Array = patches @ w.kernel.reshape(-1, out) + w.bias  # [positions, out]
    return (np.maximum(y, 0) if relu else y).reshape(*windows.shape[:3], out)


def conv2d_prelu(x: Array, w: PReLUConv) -> Array:
    """Convolve and apply parametric ReLU."""
    return prelu(conv2d(x, w), w.slope)


def linear(x: Array, w: Conv | PReLUConv) -> Array:
    """Multiply (n, in) with a kernel (1, 1, in, out) and add the bias."""
    y: Array = x @ w.kernel[0, 0] + w.bias
    return y


def linear_prelu(x: Array, w: PReLUConv) -> Array:
    """Multiply, add the bias, and apply parametric ReLU."""
    return prelu(linear(x, w), w.slope)


def prelu(x: Array, slope: Array, out: Array | None = None, scratch: Array | None = None) -> Array:
    """Multiply negative values by the slope, into `out`, which may be `x`; `scratch` holds intermediate values."""
    if (slope <= 1).all():
        y: Array = np.maximum(x, np.multiply(x, slope, out=scratch), out=out)
    else:  # x is the smaller of x and slope * x
        negative = np.minimum(x, np.zeros_like(slope), out=scratch)  # faster than with a scalar 0
        y = np.add(x, np.multiply(negative, slope - 1, out=scratch), out=out)
    return y


def max_pool(x: Array, size: int, *, ceil: bool = False) -> Array:
    """Take the maximum over windows of `size` x `size`, 2 apart: over rows, then over columns."""
    return max_along(max_along(x, 1, size, ceil=ceil), 2, size, ceil=ceil)


def max_along(x: Array, axis: int, size: int, *, ceil: bool = False, out: Array | None = None) -> Array:
    """Pool one axis, into `out`; with `ceil`, with a last window that reaches over the border."""
    length, before = x.shape[axis], (slice(None),) * axis
    inside, windows = (length - size) // 2 + 1, (length - size + ceil) // 2 + 1
    y = np.empty((*x.shape[:axis], windows, *x.shape[axis + 1 :]), np.float32) if out is None else out
    taps = [x[(*before, slice(tap, tap + 2 * inside - 1, 2))] for tap in range(size)]  # one element of each window
    whole = np.maximum(taps[0], taps[1], out=y[(*before, slice(inside))])
    for tap in taps[2:]:
        np.maximum(whole, tap, out=whole)
    if windows > inside:
        np.max(x[(*before, slice(2 * inside, None))], axis=axis, out=y[(*before, inside)])
    return y


def concatenate(branches: Sequence[Array]) -> Array:
    """Join activations of the same height and width along their channels."""
    return np.concatenate(branches, axis=-1)


def residual(x: Array, branch: Array, *, scale: float, relu: bool) -> Array:
    """Return `x` + `scale` * `branch`, through ReLU if asked."""
    y: Array = x + np.float32(scale) * branch
    return np.maximum(y, 0) if relu else y


def global_mean(x: Array) -> Array:
    """Average each channel over all positions: (n, h, w, channels) to (n, channels)."""
    y: Array = x.mean((1, 2))
    return y


def flatten(x: Array) -> Array:
    """Flatten (n, height, width, channels) to (n, width * height * channels)."""
    return x.transpose(0, 2, 1, 3).reshape(len(x), -1)


def probability(x: Array) -> Array:
    """Return the second channel's share of exp(x) (..., 2): (...)."""
    y: Array = 1 / (1 + np.exp(np.minimum(x[..., 0] - x[..., 1], np.float32(80))))  # the exponential of more overflows
    return y


def normalize(x: Array) -> Array:
    """Divide rows by their Euclidean length, or by 1e-12 if they are shorter."""
    y: Array = x / np.maximum(np.sqrt(np.einsum("ij,ij->i", x, x)), np.float32(1e-12))[:, None]
    return y

"""The specification of every kernel: its name and arguments, and a slow, obvious twin.

Networks take kernels as an argument ``nn``, of the form of `Kernels`. The twins in this module have this form, and so
do `faceie.nn.layers` (plain NumPy) and the tracer of plans (`faceie.nn.graph`). `faceie.nn.planar` has that of
`WindowKernels`, which is all that P-Net needs. The twins loop over positions in float64; ``tests/nn`` compares all
others with them over one table of cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .tree import Conv, PReLUConv

Float64 = NDArray[np.float64]
T = TypeVar("T")  # activations: arrays (n, height, width, channels) or (n, channels), or a stand-in for them


class WindowKernels(Protocol[T]):
    """The kernels of a network that looks at every window of an image."""

    def conv2d(self, x: T, w: Conv, /) -> T: ...
    def conv2d_prelu(self, x: T, w: PReLUConv, /) -> T: ...
    def max_pool(self, x: T, size: int, /, *, ceil: bool = False) -> T: ...
    def probability(self, x: T, /) -> T: ...


class Kernels(WindowKernels[T], Protocol[T]):
    """The kernels of all networks."""

    def conv2d(
        self, x: T, w: Conv, /, *, stride: int = 1, padding: tuple[int, int] = (0, 0), relu: bool = False
    ) -> T: ...
    def linear(self, x: T, w: Conv, /) -> T: ...
    def linear_prelu(self, x: T, w: PReLUConv, /) -> T: ...
    def concatenate(self, branches: Sequence[T], /) -> T: ...
    def residual(self, x: T, branch: T, /, *, scale: float, relu: bool) -> T: ...
    def global_mean(self, x: T, /) -> T: ...
    def flatten(self, x: T, /) -> T: ...
    def normalize(self, x: T, /) -> T: ...


def conv2d(
    x: NDArray[Any], w: Conv | PReLUConv, *, stride: int = 1, padding: tuple[int, int] = (0, 0), relu: bool = False
) -> Float64:
    """Correlate `x` with the kernel, position by position, add the bias, and apply ReLU if asked.

    `padding`: zeros above and below, left and right.
    """
    kernel_height, kernel_width, _, out = w.kernel.shape
    x = np.pad(x.astype(np.float64), ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)))
    n, height, width, _ = x.shape
    y = np.empty((n, (height - kernel_height) // stride + 1, (width - kernel_width) // stride + 1, out))
    for row in range(y.shape[1]):
        for column in range(y.shape[2]):
            top, left = row * stride, column * stride
            patch = x[:, top : top + kernel_height, left : left + kernel_width]  # [n, kh, kw, in]
            y[:, row, column] = np.tensordot(patch, w.kernel.astype(np.float64), 3) + w.bias  # [n, out]
    return np.maximum(y, 0) if relu else y


def conv2d_prelu(x: NDArray[Any], w: PReLUConv) -> Float64:
    """Convolve and apply parametric ReLU: negative values times the channel's slope (He et al. 2015, equation 1)."""
    return _prelu(conv2d(x, w), w.slope)


def linear(x: NDArray[Any], w: Conv | PReLUConv) -> Float64:
    """Multiply (n, in) with a kernel (1, 1, in, out) and add the bias."""
    product: Float64 = x.astype(np.float64) @ w.kernel[0, 0].astype(np.float64) + w.bias
    return product


def linear_prelu(x: NDArray[Any], w: PReLUConv) -> Float64:
    """Multiply, add the bias, and apply parametric ReLU."""
    return _prelu(linear(x, w), w.slope)


def _prelu(y: Float64, slope: NDArray[Any]) -> Float64:
    result: Float64 = np.where(y > 0, y, y * slope)
    return result


def max_pool(x: NDArray[Any], size: int, *, ceil: bool = False) -> NDArray[Any]:
    """Take the maximum over windows of `size` x `size`, 2 apart.

    With `ceil`, one more window may reach over the right and bottom border; it covers the pixels that are inside.
    """
    n, height, width, channels = x.shape

    def windows(length: int) -> int:
        return 1 + (-(-(length - size) // 2) if ceil else (length - size) // 2)

    y = np.empty((n, windows(height), windows(width), channels), x.dtype)
    for row in range(y.shape[1]):
        for column in range(y.shape[2]):
            top, left = row * 2, column * 2
            y[:, row, column] = x[:, top : top + size, left : left + size].max((1, 2))
    return y


def concatenate(branches: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Join activations of the same height and width along their channels."""
    y: NDArray[Any] = np.concatenate(list(branches), axis=-1)
    return y


def residual(x: NDArray[Any], branch: NDArray[Any], *, scale: float, relu: bool) -> Float64:
    """Return `x` + `scale` * `branch`, through ReLU if asked."""
    y: Float64 = x.astype(np.float64) + scale * branch
    return np.maximum(y, 0) if relu else y


def global_mean(x: NDArray[Any]) -> Float64:
    """Average each channel over all positions: (n, h, w, channels) to (n, channels)."""
    mean: Float64 = x.astype(np.float64).mean((1, 2))
    return mean


def flatten(x: NDArray[Any]) -> NDArray[Any]:
    """Flatten (n, height, width, channels) to (n, width * height * channels): columns outermost."""
    y: NDArray[Any] = x.transpose(0, 2, 1, 3).reshape(len(x), -1)
    return y


def probability(x: NDArray[Any]) -> Float64:
    """Return the second channel's share of exp(x) (..., 2), one number of their softmax: (...)."""
    exponentials = np.exp(x.astype(np.float64))
    result: Float64 = exponentials[..., 1] / exponentials.sum(-1)
    return result


def normalize(x: NDArray[Any]) -> Float64:
    """Divide rows by their Euclidean length, or by 1e-12 if they are shorter."""
    length = np.sqrt((x.astype(np.float64) ** 2).sum(-1, keepdims=True))  # [n, 1]
    result: Float64 = x / np.maximum(length, 1e-12)
    return result


def resample_area(image: NDArray[Any], height: int, width: int) -> Float64:
    """Resize an image (h, w, channels) by averaging.

    Along each axis, bin i of n covers the pixels floor(i * length / n) to ceil((i + 1) * length / n), exclusive, so
    neighboring bins overlap by up to one pixel. This is adaptive average pooling, PyTorch's
    ``interpolate(mode="area")``.
    """
    rows, columns = image.shape[:2]
    y = np.empty((height, width, image.shape[2]))
    for i in range(height):
        for j in range(width):
            top, bottom = i * rows // height, -(-(i + 1) * rows // height)
            left, right = j * columns // width, -(-(j + 1) * columns // width)
            y[i, j] = image[top:bottom, left:right].astype(np.float64).mean((0, 1))
    return y

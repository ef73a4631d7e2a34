"""What a network asks of the kernels that it runs on.

Both `faceie.nn.layers` (step by step) and `faceie.nn.reference` (slow and obvious) have this form: a module is passed
as ``nn``. So has the tracer that plans are made with (`faceie.nn.graph`), and, for what P-Net needs, `faceie.nn.rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..types import Array
from .tree import Conv, PReLUConv

__all__ = ["Kernels"]


class Kernels(Protocol):
    """Functions of activations (n, height, width, channels), or (n, channels) where they say so, and of weights."""

    def conv2d(
        self, x: Array, w: Conv, /, *, stride: int = 1, padding: tuple[int, int] = (0, 0), relu: bool = False
    ) -> Array:
        """Correlate `x` with the kernel, add the bias, apply ReLU if asked.

        `padding`: zeros above and below, left and right.
        """

    def conv2d_prelu(self, x: Array, w: PReLUConv, /) -> Array:
        """Convolve and apply parametric ReLU:

        negative values times the channel's slope (He et al. 2015, equation 1).
        """

    def linear(self, x: Array, w: Conv, /) -> Array:
        """Multiply (n, in) with a kernel (1, 1, in, out) and add the bias."""

    def linear_prelu(self, x: Array, w: PReLUConv, /) -> Array:
        """`linear`, followed by parametric ReLU."""

    def max_pool(self, x: Array, size: int, /, *, ceil: bool = False) -> Array:
        """Take the maximum over windows of `size` x `size`, 2 apart.

        With `ceil`, one more window may reach over the right and bottom border, and covers what is inside.
        """

    def concatenate(self, branches: Sequence[Array], /) -> Array:
        """Join activations of the same height and width along their channels."""

    def residual(self, x: Array, branch: Array, /, *, scale: float, relu: bool) -> Array:
        """Return `x` + `scale` * `branch`, through ReLU if asked."""

    def global_mean(self, x: Array, /) -> Array:
        """Average each channel over all positions: (n, height, width, channels) to (n, channels)."""

    def flatten(self, x: Array, /) -> Array:
        """Flatten (n, height, width, channels) to (n, width * height * channels): columns outermost."""

    def probability(self, x: Array, /) -> Array:
        """Return how much of exp(x), over two channels, the second is: their softmax, of which one number tells all."""

    def normalize(self, x: Array, /) -> Array:
        """Divide the rows of (n, channels) by their Euclidean length, or by 1e-12 if they are shorter."""

"""Winograd's minimal filtering, F(4 x 4, 3 x 3): a convolution with a quarter of the multiplications.

Lavin and Gray 2015 (arXiv 1509.09308), section 4: the outputs of a tile of 4 x 4 are those of two polynomials of small
degree, multiplied at six points (0, 1, -1, 2, -2 and infinity) along each axis::

    Y = A' [ (G g G') * (B' d B) ] A        g: the kernel, 3 x 3;  d: a tile of the input, 6 x 6;  Y: 4 x 4

This takes 36 products per tile and pair of channels instead of 144. For all tiles and channels together, each of the 36
is a matrix product, [tiles, in] x [in, out].

Both transforms are matrix products as well, of the Kronecker product of their matrix with itself and all tiles,
[36, 36] x [36, tiles * in]. Most of these multiplications are by zero, but they run at the speed of a matrix product,
without further passes over memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..types import Array

__all__ = ["BIAS_POINT", "INPUT", "OUTPUT", "POINTS", "TILE", "transform_kernel"]

TILE = 4  # outputs of a tile, along each axis
POINTS = TILE + 2  # inputs of a tile, along each axis, and points at which polynomials are multiplied

_B = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    np.float64,
)
_G = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
_A = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], np.float64)

INPUT = np.kron(_B, _B).astype(np.float32)  # [36, 36]: from the pixels of a tile to its points
OUTPUT = np.kron(_A, _A).astype(np.float32)  # [16, 36]: from the points of a tile to its outputs

BIAS_POINT = POINTS + 1
"""The point (1, 1). Its column of `OUTPUT` is ones, so a bias added to its products is added to every output."""


def transform_kernel(kernel: Array) -> Array:
    """Return the kernel (3, 3, in, out) at the points: (36, in, out). Computed in float64, rounded once."""
    points: NDArray[np.float64] = np.tensordot(
        np.kron(_G, _G), kernel.reshape(9, *kernel.shape[2:]).astype(np.float64), 1
    )
    return points.astype(np.float32)

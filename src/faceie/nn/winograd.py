"""Winograd's minimal filtering, F(4 x 4, 3 x 3): a convolution with a quarter of the multiplications.

Lavin and Gray 2015 (arXiv 1509.09308), section 4: the outputs of a tile of 4 x 4 are those of two polynomials of small
degree, multiplied at six points (0, 1, -1, 2, -2 and infinity) along each axis::

    Y = A' [ (G g G') * (B' d B) ] A        g: the kernel, 3 x 3;  d: a tile of the input, 6 x 6;  Y: 4 x 4

so 36 products per tile and pair of channels in place of 144. Taken for all tiles and channels together, each of the 36
is a matrix product, [tiles, in] x [in, out].

Here, both transforms of a tile (whose 36 or 16 numbers lie apart, with all tiles and channels beside each other) are
one matrix product, too, with the Kronecker product of their matrix with itself: many multiplications by zero, but at
the speed of a matrix product, and no passes over memory in between.
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
"""The point (1, 1). It contributes to all outputs alike (its column of `OUTPUT` is ones): what is added to its products
is added to every output."""


def transform_kernel(kernel: Array) -> Array:
    """Return the kernel (3, 3, in, out) at the points: (36, in, out). Computed in float64, rounded once."""
    points: NDArray[np.float64] = np.tensordot(
        np.kron(_G, _G), kernel.reshape(9, *kernel.shape[2:]).astype(np.float64), 1
    )
    return points.astype(np.float32)

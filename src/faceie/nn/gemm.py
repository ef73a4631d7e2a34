"""Matrix products, split into the sizes that NumPy's BLAS computes fastest.

OpenBLAS packs both matrices into an order of its own before it multiplies them. For small products (rows x columns x
depth up to a million) it has, on processors with AVX-512, kernels that skip this, and are up to twice as fast on
matrices of some hundred rows. There, a kernel is kept as *panels* of 32 columns, contiguous in memory, and a product is
a batch of small ones: some rows times one panel.

``benchmarks/methods.py`` measures both ways for all convolutions of the encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..types import Array
from .buffers import Recorder

__all__ = ["PackedMatrix", "blas_has_small_gemm", "matmul", "pack"]

PANEL = 32  # columns
_SMALL = 1_000_000  # multiplications: OpenBLAS's limit for a small product
_SIX = 6  # rows that its kernels compute at a time
_MOST = 48  # rows of a small product
_SHALLOW = 400  # depth up to which panels are faster for any number of rows
_FEW = 40_000  # numbers in the left matrix up to which panels are faster for any depth
_ARCHITECTURES = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # that have these kernels


class PackedMatrix(NamedTuple):
    """The right matrix of a product, or a stack of them: one of two forms."""

    matrix: Array | None  # [..., k, n]
    panels: Array | None = None  # [..., n / columns, k, columns]


def pack(kernel: Array, rows: int, record: Recorder, transform: Callable[[Array], Array] | None = None) -> PackedMatrix:
    """Return a kernel (..., k, n), transformed, in the form that is faster for left matrices with this many rows."""
    *_, k, n = kernel.shape
    functions = [transform] if transform else []
    columns = _columns(n) if record.small_gemm else 0
    if columns and columns * k * _SIX <= _SMALL and (k <= _SHALLOW or rows * k <= _FEW):
        return PackedMatrix(None, record.packed.get(kernel, *functions, _to_panels))
    return PackedMatrix(record.packed.get(kernel, *functions) if functions else kernel)


def matmul(a: Array, b: PackedMatrix, out: Array, record: Recorder) -> None:
    """Record out = a @ b, for (stacks of) matrices a (..., m, k) and out (..., m, n)."""
    if b.panels is None:
        record(np.matmul, a, b.matrix, out=out)
        return
    *_, m, k = a.shape
    panels, columns = b.panels.shape[-3], b.panels.shape[-1]
    step = _step(m, min(_SMALL // (columns * k), _MOST))
    whole = m // step * step
    for first, count, rows in ((0, m // step, step), (whole, 1, m - whole)):
        if count and rows:
            some, goal = a[..., first : first + count * rows, :], out[..., first : first + count * rows, :]
            left = _blocks(some, (count, 1, rows, k), 0)
            record(
                np.matmul,
                left,
                b.panels[..., None, :, :, :],
                out=_blocks(goal, (count, panels, rows, columns), columns),
            )


def _step(m: int, most: int) -> int:
    """Return the rows of each small product of a matrix with m rows, at most `most`.

    The fewest groups of six rows come first, then a single call, then the fewest products.
    """

    def cost(rows: int) -> tuple[int, int, int]:
        count, rest = divmod(m, rows)
        return count * -(-rows // _SIX) + -(-rest // _SIX), count > 0 < rest, count

    return min(range(1, min(m, most) + 1), key=cost)


def _blocks(x: Array, shape: tuple[int, int, int, int], columns: int) -> Array:
    """Return matrices (..., m, n) as blocks (..., m / rows, n / columns, rows, columns); with 0, as whole rows."""
    *stack, row, item = x.strides
    strides = (*stack, shape[2] * row, columns * item, row, item)
    return as_strided(x, (*x.shape[:-2], *shape), strides)


def _columns(n: int) -> int:
    """Return the width of the panels of a kernel with n columns; 0 if it gets no panels."""
    if n % PANEL == 0:
        return PANEL
    return n if n % 16 == 0 and n <= 3 * PANEL else 0


def _to_panels(kernel: Array) -> Array:
    """Reorder a kernel (..., k, n) to panels (..., n / columns, k, columns)."""
    *stack, k, n = kernel.shape
    columns = _columns(n)
    return kernel.reshape(*stack, k, n // columns, columns).swapaxes(-3, -2)


@cache
def blas_has_small_gemm() -> bool:
    """Tell whether NumPy's BLAS has kernels for small products. SciPy may have loaded another BLAS."""
    import threadpoolctl

    libraries = threadpoolctl.threadpool_info()
    of_numpy = [library for library in libraries if "numpy" in library.get("filepath", "")]
    return any(library.get("architecture") in _ARCHITECTURES for library in of_numpy or libraries)

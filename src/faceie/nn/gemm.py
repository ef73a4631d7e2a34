"""Matrix products as large as the library of NumPy's likes them.

OpenBLAS copies both factors into an order of its own before it multiplies, which costs little when they are large. For
small ones (products of rows, columns and depth up to a million) it has, on processors with AVX-512, kernels that read
them where they lie, and are up to twice as fast on matrices of some hundred rows. So there, a kernel is kept as
*panels* of 32 columns, one after the other in memory, and a product is made of small ones: some rows times a panel.

``benchmarks/methods.py`` measures both ways, for all convolutions of the encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..types import Array
from .record import Recorder

__all__ = ["Factor", "factor", "has_small_products", "product"]

PANEL = 32  # columns
_SMALL = 1_000_000  # multiplications, up to which OpenBLAS takes a product for a small one
_SIX = 6  # rows that its kernels take at a time
_MOST = 48  # rows of a small product
_SHALLOW = 400  # rows of a kernel, up to which panels are faster for any number of rows of the other factor
_FEW = 40_000  # numbers in the other factor, up to which they are faster for any depth
_ARCHITECTURES = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # those for which OpenBLAS has such kernels


class Factor(NamedTuple):
    """The right factor of products: a matrix, or a stack of them."""

    matrix: Array | None  # [..., k, n]
    panels: Array | None = None  # [..., n / columns, k, columns], instead

    def rows(self, first: int, last: int) -> Factor:
        """Return the factor that these rows are."""
        if self.panels is not None:
            return Factor(None, self.panels[..., first:last, :])
        assert self.matrix is not None
        return Factor(self.matrix[..., first:last, :])


def factor(kernel: Array, rows: int, record: Recorder, transform: Callable[[Array], Array] | None = None) -> Factor:
    """Return a kernel (..., k, n), transformed, in the form that is best for products with matrices of so many rows."""
    *_, k, n = kernel.shape
    functions = [transform] if transform else []
    columns = _columns(n) if record.small_products else 0
    if columns and columns * k * _SIX <= _SMALL and (k <= _SHALLOW or rows * k <= _FEW):
        return Factor(None, record.packed.get(kernel, *functions, _in_panels))
    return Factor(record.packed.get(kernel, *functions) if functions else kernel)


def product(a: Array, b: Factor, out: Array, record: Recorder) -> None:
    """Record out = a @ b, for (stacks of) matrices a (..., m, k) and out (..., m, n), whose rows may lie apart."""
    if b.panels is None:
        record(np.matmul, a, b.matrix, out=out)
        return
    *_, m, k = a.shape
    panels, columns = b.panels.shape[-3], b.panels.shape[-1]
    step = _step(m, min(_SMALL // (columns * k), _MOST))
    whole = m // step * step
    for first, count, rows in ((0, m // step, step), (whole, 1, m - whole)):
        if count and rows:
            part, goal = a[..., first : first + count * rows, :], out[..., first : first + count * rows, :]
            left = _view(part, (count, 1, rows, k), (rows, 0, 1), 0)
            record(
                np.matmul,
                left,
                b.panels[..., None, :, :, :],
                out=_view(goal, (count, panels, rows, columns), (rows, 0, 1), columns),
            )


def _step(m: int, most: int) -> int:
    """Return how many of m rows, `most` or fewer, a small product takes: so that there is little beside sixes, then so
    that one call is enough, and then so that products are few.
    """

    def cost(rows: int) -> tuple[int, int, int]:
        count, rest = divmod(m, rows)
        return count * -(-rows // _SIX) + -(-rest // _SIX), count > 0 < rest, count

    return min(range(1, min(m, most) + 1), key=cost)


def _view(x: Array, shape: tuple[int, int, int, int], rows: tuple[int, int, int], columns: int) -> Array:
    """Return a stack of matrices (..., m, n) in parts: each axis steps so many rows; the second, so many columns."""
    *stack, row, item = x.strides
    steps = [row * step for step in rows]
    steps[1] = item * columns
    return as_strided(x, (*x.shape[:-2], *shape), (*stack, *steps, item))


def _columns(n: int) -> int:
    """Return how wide panels of a kernel with n columns are; 0 if it has none."""
    if n % PANEL == 0:
        return PANEL
    return n if n % 16 == 0 and n <= 3 * PANEL else 0


def _in_panels(kernel: Array) -> Array:
    """Return a kernel (..., k, n) as panels (..., n / columns, k, columns)."""
    *stack, k, n = kernel.shape
    columns = _columns(n)
    panels: Array = kernel.reshape(*stack, k, n // columns, columns).swapaxes(-3, -2)
    return panels


@cache
def has_small_products() -> bool:
    """Tell whether NumPy's BLAS library has kernels for small products. SciPy may have loaded another one."""
    import threadpoolctl

    libraries = threadpoolctl.threadpool_info()
    of_numpy = [library for library in libraries if "numpy" in library.get("filepath", "")]
    return any(library.get("architecture") in _ARCHITECTURES for library in of_numpy or libraries)

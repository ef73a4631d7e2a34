"""How alike two faces are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError
from .nn.tree import Array

__all__ = ["SAME_PERSON", "distance", "pairwise_distances"]

SAME_PERSON = 1.0
"""Faces that are closer than this are more likely of one person than of two, for the weights "vggface2"."""

_BLOCK = 1 << 22  # distances that are computed at a time: 32 MB of float64


def distance(a: NDArray[Any], b: NDArray[Any]) -> Array:
    """Return the Euclidean distance of embeddings, 0 (the same face) to 2.

    `a`, `b`: embeddings, (..., 512); one (512,) is compared with each of many (n, 512): (n,) float32. Two single ones
    give a scalar.
    Raises OptionError for shapes that do not fit together.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-1]:
        raise OptionError(f"embeddings of the shapes {a.shape} and {b.shape} cannot be compared, expected (..., 512)")
    try:
        difference = np.subtract(a, b, dtype=np.float32)
    except ValueError:
        raise OptionError(
            f"embeddings of the shapes {a.shape} and {b.shape} do not match one by one: see pairwise_distances"
        ) from None
    result: Array = np.linalg.norm(difference, axis=-1)
    return result


def pairwise_distances(a: NDArray[Any], b: NDArray[Any] | None = None) -> Array:
    """Return the Euclidean distance of each embedding of `a` (n, 512) from each of `b` (m, 512): (n, m) float32.

    Without `b`, those among `a`. Raises OptionError for other shapes.
    """
    a = np.asarray(a, np.float64)
    b = a if b is None else np.asarray(b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise OptionError(f"embeddings have the shapes {a.shape} and {b.shape}, expected (n, 512) and (m, 512)")
    result = np.empty((len(a), len(b)), np.float32)
    square_b = np.einsum("ij,ij->i", b, b)  # [m]
    rows = max(1, _BLOCK // max(1, len(b)))
    for row in range(0, len(a), rows):
        block = a[row : row + rows]  # [rows, 512]
        # |x - y|^2 = |x|^2 + |y|^2 - 2 x y: one matrix product, in float64 since the terms cancel where it matters
        # most.
        square = np.einsum("ij,ij->i", block, block)[:, None] + square_b - 2 * (block @ b.T)  # [rows, m]
        result[row : row + rows] = np.sqrt(np.maximum(square, 0))
    return result

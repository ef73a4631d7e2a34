"""Batch normalization, absorbed into the layer before it.

At inference, batch normalization (Ioffe and Szegedy 2015, algorithm 2) is a fixed scale and shift of each channel::

    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

and so is the output of a convolution: the scale goes into its kernel, the shift into its bias, and the layer is gone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tree import Conv

__all__ = ["EPSILON", "fold_batch_norm"]

EPSILON = 0.001  # of every batch normalization in Inception-ResNet-v1


def fold_batch_norm(
    kernel: NDArray[Any],
    mean: NDArray[Any],
    variance: NDArray[Any],
    beta: NDArray[Any],
    gamma: NDArray[Any] | float = 1.0,
    epsilon: float = EPSILON,
) -> Conv:
    """Return the convolution that equals `kernel` (h, w, in, out), without bias, followed by batch normalization.

    Computed in float64, rounded to float32 once at the end.
    """
    scale = np.asarray(gamma, np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)  # [out]
    bias = beta.astype(np.float64) - mean.astype(np.float64) * scale  # [out]
    return Conv((kernel.astype(np.float64) * scale).astype(np.float32), bias.astype(np.float32))

"""R- and O-Net on many boxes: in batches, several at a time, in threads.

The networks are planned (`faceie.nn.plan`) for batches of a few sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images import to_input
from ..nn.gemm import blas_has_small_gemm
from ..nn.parallel import parallel
from ..nn.plan import Plans
from ..types import Array
from .networks import ONet, RNet, o_net, r_net

__all__ = ["largest_first", "run_in_batches", "run_o_net", "run_r_net"]

_BATCHES = (4, 8, 16, 32)  # sizes of the batches that networks are planned for

_r_net, _o_net = Plans(r_net, (24, 24, 3)), Plans(o_net, (48, 48, 3))


def run_in_batches(
    function: Callable[[NDArray[np.intp]], tuple[NDArray[Any], ...]], order: NDArray[np.intp], size: int
) -> list[NDArray[Any]]:
    """Call a function with up to `size` indices at a time, in threads, and join the arrays that it returns.

    `order` has each of the indices 0 .. n - 1 once, in the order of the work. The joined arrays (n, ...) are sorted by
    index.
    """
    results = parallel(function, np.split(order, range(size, len(order), size)))
    position = np.argsort(order)
    return [np.concatenate(arrays)[position] for arrays in zip(*results, strict=True)]


def largest_first(boxes: Array) -> NDArray[np.intp]:
    """Return the order of boxes (n, 4) from the widest to the narrowest: large ones take the longest to crop."""
    return np.argsort(boxes[:, 2] - boxes[:, 0], kind="stable")[::-1]


def run_r_net(crops: Array, w: RNet) -> tuple[Array, Array]:
    """Return R-Net's scores (n,) and offsets (n, 4) for crops (n, 24, 24, 3), 0 to 255."""
    scores, offsets = _run(_r_net, crops, w)
    return scores, offsets


def run_o_net(crops: Array, w: ONet) -> tuple[Array, Array, Array]:
    """Return O-Net's scores (n,), offsets (n, 4) and landmarks (n, 10) for crops (n, 48, 48, 3), 0 to 255."""
    scores, offsets, landmarks = _run(_o_net, crops, w)
    return scores, offsets, landmarks


def _run(plans: Plans, crops: Array, w: RNet | ONet) -> list[Array]:
    """Run a planned network on crops (n, size, size, 3), one batch after the other."""
    outputs, start = [], 0
    while start < len(crops):
        batch = _batch(len(crops) - start)
        x = to_input(crops[start : start + batch])
        outputs.append(plans.run(x, w, batch, small_gemm=blas_has_small_gemm()))
        start += batch
    return [np.concatenate(arrays) for arrays in zip(*outputs, strict=True)]


def _batch(number: int) -> int:
    """Return the batch size for `number` crops: one that holds all of them if little padding is needed."""
    fitting = [size for size in _BATCHES if number <= size <= number * 4 / 3]
    return fitting[0] if fitting else max((size for size in _BATCHES if size <= number), default=_BATCHES[0])

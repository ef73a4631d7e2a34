"""R- and O-Net on crops, as they are planned (`faceie.nn.plan`) for batches of a few sizes."""

from __future__ import annotations

import numpy as np

from ..images import to_input
from ..nn.gemm import blas_has_small_gemm
from ..nn.plan import Plans
from ..types import Array
from .networks import ONet, RNet, o_net, r_net

__all__ = ["run_o_net", "run_r_net"]

_BATCHES = (4, 8, 16, 32)  # crops that there are plans for

_r_net, _o_net = Plans(r_net, (24, 24, 3)), Plans(o_net, (48, 48, 3))


def run_r_net(crops: Array, w: RNet) -> tuple[Array, Array]:
    """Return R-Net's scores (n,) and corrections (n, 4) of crops (n, 24, 24, 3), 0 to 255."""
    scores, offsets = _run(_r_net, crops, w)
    return scores, offsets


def run_o_net(crops: Array, w: ONet) -> tuple[Array, Array, Array]:
    """Return O-Net's scores (n,), corrections (n, 4) and landmarks (n, 10) of crops (n, 48, 48, 3), 0 to 255."""
    scores, offsets, landmarks = _run(_o_net, crops, w)
    return scores, offsets, landmarks


def _run(plans: Plans, crops: Array, w: RNet | ONet) -> list[Array]:
    found, start = [], 0
    while start < len(crops):
        batch = _batch(len(crops) - start)
        part = to_input(crops[start : start + batch])
        found.append(plans.run(part, w, batch, small_gemm=blas_has_small_gemm()))
        start += batch
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _batch(number: int) -> int:
    """Return for how many crops to take a plan: for all, if there is one that does little in vain."""
    fitting = [size for size in _BATCHES if number <= size <= number * 4 / 3]
    return fitting[0] if fitting else max((size for size in _BATCHES if size <= number), default=_BATCHES[0])

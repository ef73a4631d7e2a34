"""R- and O-Net on crops, as they are planned (`faceie.nn.plan`) for batches of a few sizes."""

from __future__ import annotations

import numpy as np

from ..images import to_input
from ..nn.gemm import has_small_products
from ..nn.plan import Plans
from ..nn.tree import Array
from .networks import ONet, RNet, o_net, r_net

__all__ = ["BATCH", "run_o_net", "run_r_net"]

BATCH = 32  # crops that a network looks at at a time, at most
_BATCHES = (4, 8, 16, BATCH)  # that there are plans for

_r_net = Plans(r_net, (24, 24, 3), most=8)
_o_net = Plans(o_net, (48, 48, 3), most=8)


def run_r_net(crops: Array, w: RNet) -> tuple[Array, Array]:
    """Return R-Net's scores (n,) and corrections (n, 4) of crops (n, 24, 24, 3), 0 to 255."""
    scores, offsets = _run(_r_net, crops, w)
    return scores[:, 0], offsets


def run_o_net(crops: Array, w: ONet) -> tuple[Array, Array, Array]:
    """Return O-Net's scores (n,), corrections (n, 4) and landmarks (n, 10) of crops (n, 48, 48, 3), 0 to 255."""
    scores, offsets, landmarks = _run(_o_net, crops, w)
    return scores[:, 0], offsets, landmarks


def _run(plans: Plans, crops: Array, w: RNet | ONet) -> list[Array]:
    found = []
    for start in range(0, len(crops), BATCH):
        part = to_input(crops[start : start + BATCH])
        batch = next(size for size in _BATCHES if len(part) <= size)
        found.append(plans.run(part, w, batch, small_products=has_small_products()))
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]

"""Geometry of boxes (n, 4): x1, y1, x2, y2 in pixels, x to the right, y down."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .nn.tree import Array

__all__ = ["area", "non_maximum_suppression", "overlaps", "squared", "turned"]

_DUAL = 4 / 3  # 1 / 4 + 1 / _DUAL = 1: how far a superellipse of exponent 4 reaches is a norm of this exponent
_BLOCK = 256  # boxes that are compared with all others at a time


def area(boxes: Array) -> Array:
    """Return width times height of boxes (n, 4): (n,)."""
    result: Array = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return result


def overlaps(a: Array, b: Array, over: Literal["union", "smaller"] = "union") -> Array:
    """Return the intersection of each box of `a` (n, 4) with each of `b` (m, 4) as a part of their union, or of the
    smaller: (n, m), 0 to 1.
    """
    left_a, top_a, right_a, bottom_a = a.T[:, :, None]  # [n, 1] each
    left_b, top_b, right_b, bottom_b = b.T[:, None]  # [1, m] each
    intersection: Array = np.minimum(right_a, right_b) - np.maximum(left_a, left_b)  # [n, m]
    np.maximum(intersection, 0, out=intersection)
    height = np.minimum(bottom_a, bottom_b) - np.maximum(top_a, top_b)  # [n, m]
    intersection *= np.maximum(height, 0, out=height)
    area_a, area_b = area(a)[:, None], area(b)[None]
    whole = np.minimum(area_a, area_b) if over == "smaller" else area_a + area_b - intersection  # [n, m]
    intersection /= np.maximum(whole, np.finfo(np.float32).tiny)  # boxes without area overlap nothing
    return intersection


def non_maximum_suppression(
    boxes: Array, scores: Array, overlap: float, over: Literal["union", "smaller"] = "union"
) -> NDArray[np.intp]:
    """Return the indices of the boxes to keep, best first: from each group that overlaps by more than `overlap`, the
    best.

    Greedy, as everywhere since Felzenszwalb et al. 2010: take the best box, drop all that overlap it, repeat. Boxes of
    equal score are taken in their order. Blocks of boxes are settled among themselves, then their survivors are
    compared with all the rest at once.
    """
    waiting = np.argsort(-scores, kind="stable")
    kept = []
    while len(waiting):
        block, waiting = waiting[:_BLOCK], waiting[_BLOCK:]
        clash = overlaps(boxes[block], boxes[block], over) > overlap  # [block, block]
        alive = np.ones(len(block), bool)
        for i in range(len(block)):
            if alive[i]:
                alive[i + 1 :] &= ~clash[i, i + 1 :]
        block = block[alive]
        kept.append(block)
        waiting = waiting[~(overlaps(boxes[block], boxes[waiting], over) > overlap).any(0)]
    return np.concatenate(kept) if kept else np.empty(0, np.intp)


def squared(boxes: Array) -> Array:
    """Widen the shorter side of boxes (n, 4) about the center until they are squares."""
    corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]  # [n, 2]
    side = size.max(1, keepdims=True)  # [n, 1]
    corner = corner + size * np.float32(0.5) - side * np.float32(0.5)
    return np.concatenate([corner, corner + side], 1)


def turned(boxes: Array, affine: NDArray[np.float64]) -> Array:
    """Return upright boxes (n, 4) of what `boxes` hold after turning (and shifting, mirroring) the image by `affine`
    (2, 3).

    What a box holds is taken to be a superellipse of exponent 4, halfway between the ellipse that fits into it and the
    box itself, as a face is. So a turn by a right angle is exact, and a turn by half of one neither cuts chin and
    forehead nor doubles the area, as the box around the turned box would.
    """
    center, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2  # [n, 2]
    center = center @ affine[:, :2].T + affine[:, 2]
    half = (half**_DUAL @ (np.abs(affine[:, :2]) ** _DUAL).T) ** (1 / _DUAL)
    return np.concatenate([center - half, center + half], 1).astype(np.float32)

"""Geometry of boxes (n, 4): x1, y1, x2, y2 in pixels, x to the right, y down."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .types import Array

__all__ = ["area", "non_maximum_suppression", "overlaps", "squared", "turned"]

_DUAL = 4 / 3  # 1 / 4 + 1 / _DUAL = 1: how far a superellipse of exponent 4 reaches is a norm of this exponent
_BLOCK = 128  # boxes that are settled among themselves at a time
_PAIRS = 1 << 15  # of boxes, that are compared at a time
_GAIN = 0.75  # of all pairs, that are left at most if boxes are parted by a line


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
    """Return the indices of the boxes to keep, best first: from each group that overlaps by more than `overlap` (0 to
    1), the best.

    Greedy, as everywhere since Felzenszwalb et al. 2010: take the best box, drop all that overlap it, repeat. Boxes of
    equal score are taken in their order. Of many, the best quarter is settled first, and drops what it overlaps of the
    rest; for that, only boxes that lie near each other are compared. So the time grows a little faster than their
    number, and with its square only if many of those that are kept lie one upon the other.
    """
    order = np.argsort(-scores, kind="stable")
    return order[_survivors(boxes[order], overlap, over)]


def _survivors(boxes: Array, overlap: float, over: Literal["union", "smaller"]) -> NDArray[np.bool_]:
    """Tell which of some boxes (n, 4), best first, are kept: (n,)."""
    alive = np.ones(len(boxes), bool)
    if len(boxes) <= _BLOCK:
        clash = overlaps(boxes, boxes, over) > overlap  # [n, n]
        np.fill_diagonal(clash, False)
        for i in np.flatnonzero(clash.any(1)):
            if alive[i]:
                alive[clash[i]] = False  # worse ones: a better one that is alive would have dropped this one
        return alive
    best = len(boxes) // 4
    alive[:best] = _survivors(boxes[:best], overlap, over)
    alive[best:] = ~_overlapped(boxes[best:], boxes[:best][alive[:best]], overlap, over)
    rest = best + np.flatnonzero(alive[best:])
    alive[rest] = _survivors(boxes[rest], overlap, over)
    return alive


def _overlapped(boxes: Array, others: Array, overlap: float, over: Literal["union", "smaller"]) -> NDArray[np.bool_]:
    """Tell which of some boxes (n, 4) any of the others (m, 4) overlaps by more than `overlap`: (n,).

    Many are parted by a line, again and again, and compared with those on the same side of it. What lies across it is
    on both.
    """
    found: NDArray[np.bool_] = np.zeros(len(boxes), bool)
    if len(boxes) * len(others) <= _PAIRS:
        return np.any(overlaps(others, boxes, over) > overlap, 0, out=found)
    for part, near in _parts(boxes, others):
        asked = part & ~found
        found[asked] = _overlapped(boxes[asked], others[near], overlap, over)
    return found


def _parts(boxes: Array, others: Array) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return which boxes to compare with which others, in two parts: all that overlap meet in one of them."""
    longer, shorter = (boxes, others) if len(boxes) > len(others) else (others, boxes)
    middle = len(longer) // 2
    for axis in np.argsort(-np.ptp(longer[:, :2], 0)):  # along which they are spread the widest, first
        line = np.partition(longer[:, axis], middle)[middle]
        before, beyond = ((x[:, axis] < line, x[:, axis + 2] > line) for x in (boxes, others))
        sides = list(zip(before, beyond, strict=True))
        pairs = sum(np.count_nonzero(a) * np.count_nonzero(b) for a, b in sides)
        if pairs <= _GAIN * len(boxes) * len(others):
            return sides
    half, every = np.arange(len(longer)) < middle, np.ones(len(shorter), bool)  # many lie one upon the other
    return [(part, every) if longer is boxes else (every, part) for part in (half, ~half)]


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

"""Geometry of boxes (n, 4): x1, y1, x2, y2 in pixels, x to the right, y down."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .types import Array

__all__ = ["area", "iou", "non_maximum_suppression", "to_squares", "transform_boxes"]

#: The divisor of an overlap: the area of the union, or that of the smaller box.
Mode: TypeAlias = Literal["union", "min"]

_DUAL = 4 / 3  # the exponent dual to 4 (1 / 4 + 1 / _DUAL = 1): its norm is the extent of a superellipse
_BLOCK = 128  # boxes: up to this number, all pairs are compared
_PAIRS = 1 << 15  # pairs of boxes that are compared at a time
_GAIN = 0.75  # share of all pairs: a line must leave no more than this to be worth using


def area(boxes: Array) -> Array:
    """Return width times height of boxes (n, 4): (n,)."""
    result: Array = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return result


def iou(a: Array, b: Array, mode: Mode = "union") -> Array:
    """Return the intersection over union of each box of `a` (n, 4) with each of `b` (m, 4): (n, m), 0 to 1.

    With the mode "min", the intersection is divided by the area of the smaller box instead.
    """
    left_a, top_a, right_a, bottom_a = a.T[:, :, None]  # [n, 1] each
    left_b, top_b, right_b, bottom_b = b.T[:, None]  # [1, m] each
    intersection: Array = np.minimum(right_a, right_b) - np.maximum(left_a, left_b)  # [n, m]
    np.maximum(intersection, 0, out=intersection)
    height = np.minimum(bottom_a, bottom_b) - np.maximum(top_a, top_b)  # [n, m]
    intersection *= np.maximum(height, 0, out=height)
    area_a, area_b = area(a)[:, None], area(b)[None]
    whole = np.minimum(area_a, area_b) if mode == "min" else area_a + area_b - intersection  # [n, m]
    intersection /= np.maximum(whole, np.finfo(np.float32).tiny)  # boxes without area overlap nothing
    return intersection


def non_maximum_suppression(boxes: Array, scores: Array, threshold: float, mode: Mode = "union") -> NDArray[np.intp]:
    """Return the indices of the boxes to keep, best first.

    Greedy (Felzenszwalb et al. 2010): take the best box, drop all boxes that overlap it by more than `threshold` (0 to
    1), repeat. Boxes of equal score are taken in their order.

    Of many boxes, the best quarter is settled first and drops the others that it overlaps. Only boxes close to each
    other are compared for that. So the time grows a little faster than the number of boxes. It grows with the square
    only if many of the boxes that are kept lie on top of each other.
    """
    order = np.argsort(-scores, kind="stable")
    return order[_survivors(boxes[order], threshold, mode)]


def _survivors(boxes: Array, threshold: float, mode: Mode) -> NDArray[np.bool_]:
    """Tell which boxes (n, 4), sorted best first, are kept: (n,)."""
    alive = np.ones(len(boxes), bool)
    if len(boxes) <= _BLOCK:
        clash = iou(boxes, boxes, mode) > threshold  # [n, n]
        np.fill_diagonal(clash, False)
        for i in np.flatnonzero(clash.any(1)):
            if alive[i]:
                alive[clash[i]] = False  # only worse boxes: a better one that is alive would have dropped box i
        return alive
    best = len(boxes) // 4
    alive[:best] = _survivors(boxes[:best], threshold, mode)
    alive[best:] = ~_overlapped(boxes[best:], boxes[:best][alive[:best]], threshold, mode)
    rest = best + np.flatnonzero(alive[best:])
    alive[rest] = _survivors(boxes[rest], threshold, mode)
    return alive


def _overlapped(boxes: Array, others: Array, threshold: float, mode: Mode) -> NDArray[np.bool_]:
    """Tell which boxes (n, 4) any of the others (m, 4) overlaps by more than `threshold`: (n,).

    Many boxes are split by a line, recursively, and compared with those on the same side. Boxes that the line cuts are
    on both sides.
    """
    found: NDArray[np.bool_] = np.zeros(len(boxes), bool)
    if len(boxes) * len(others) <= _PAIRS:
        return np.any(iou(others, boxes, mode) > threshold, 0, out=found)
    for part, near in _split(boxes, others):
        asked = part & ~found
        found[asked] = _overlapped(boxes[asked], others[near], threshold, mode)
    return found


def _split(boxes: Array, others: Array) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Split boxes and others into two parts, such that all pairs that overlap are together in one of them."""
    longer, shorter = (boxes, others) if len(boxes) > len(others) else (others, boxes)
    middle = len(longer) // 2
    for axis in np.argsort(-np.ptp(longer[:, :2], 0)):  # the axis with the widest spread first
        line = np.partition(longer[:, axis], middle)[middle]
        before, beyond = ((x[:, axis] < line, x[:, axis + 2] > line) for x in (boxes, others))
        sides = list(zip(before, beyond, strict=True))
        pairs = sum(np.count_nonzero(a) * np.count_nonzero(b) for a, b in sides)
        if pairs <= _GAIN * len(boxes) * len(others):
            return sides
    half, every = np.arange(len(longer)) < middle, np.ones(len(shorter), bool)  # no line helps: halve the longer list
    return [(part, every) if longer is boxes else (every, part) for part in (half, ~half)]


def to_squares(boxes: Array) -> Array:
    """Widen the shorter side of boxes (n, 4) about the center until they are squares."""
    corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]  # [n, 2]
    side = size.max(1, keepdims=True)  # [n, 1]
    corner = corner + size * np.float32(0.5) - side * np.float32(0.5)
    return np.concatenate([corner, corner + side], 1)


def transform_boxes(boxes: Array, affine: NDArray[np.float64]) -> Array:
    """Return upright boxes (n, 4) around the contents of `boxes` after an affine map (2, 3) of the image.

    The contents of a box are taken to be a superellipse of exponent 4, as a face is: halfway between the ellipse within
    the box and the box itself. So a rotation by a right angle is exact. At 45 degrees, the new box neither cuts off the
    chin and forehead nor doubles the area, as the box around the rotated box would.
    """
    center, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2  # [n, 2]
    center = center @ affine[:, :2].T + affine[:, 2]
    half = (half**_DUAL @ (np.abs(affine[:, :2]) ** _DUAL).T) ** (1 / _DUAL)
    return np.concatenate([center - half, center + half], 1).astype(np.float32)

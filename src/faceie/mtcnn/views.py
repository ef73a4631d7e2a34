"""An image seen at an angle: turned as a whole, or what is around one head.

Angles are radians, counter-clockwise as seen in the image; a view of an angle has faces of this angle upright.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..boxes import turned
from ..types import Affine, Array

__all__ = ["View", "closeup", "composed", "turned_view"]

_GRAY = (127, 127, 127)  # of the corners that a turned image gains: close to zero for the networks
_CONTEXT = 2.0  # sides of the head: what a closeup shows
_RESOLUTION = 256.0  # pixels of a head in a closeup, at most: more than any crop needs


class View(NamedTuple):
    """An image turned so that faces of one angle are upright in it."""

    image: Image.Image
    affine: Affine  # from points of this view to points of the image that was passed in

    @property
    def angle(self) -> float:
        """How far what is upright in this view is turned in the image that was passed in, -pi to pi, counter-
        clockwise.
        """
        return math.atan2(self.affine[0, 1], self.affine[1, 1])

    def boxes(self, boxes: Array) -> Array:
        """Return boxes (n, 4) of this view as boxes of the image that was passed in."""
        return boxes if np.array_equal(self.affine, np.eye(2, 3)) else turned(boxes, self.affine)

    def landmarks(self, landmarks: Array) -> Array:
        """Map landmarks (n, 5, 2); a mirrored image (EXIF has such) swaps left and right."""
        points: Array = (landmarks @ self.affine[:, :2].T + self.affine[:, 2]).astype(np.float32)
        mirrored = np.linalg.det(self.affine[:, :2]) < 0
        return points[:, [1, 0, 2, 4, 3]] if mirrored else points


def turned_view(view: View, angle: float) -> View:
    """Return all of a view, turned so that faces of this angle are upright; its canvas grows as needed."""
    quarters = angle / (math.pi / 2)
    if math.isclose(quarters, round(quarters), abs_tol=1e-6):
        return _turned_by_quarters(view, round(quarters) % 4)
    cos, sin = math.cos(angle), math.sin(angle)
    w, h = view.image.size
    size = (math.ceil(abs(cos * w) + abs(sin * h)), math.ceil(abs(sin * w) + abs(cos * h)))
    return _cut(view, angle, (w / 2, h / 2), size)


def closeup(view: View, square: Array, angle: float) -> tuple[View, float]:
    """Return what is around a square (4,), turned so that a face of this angle is upright, at a resolution that
    suffices for a crop; and the scale of this.
    """
    side = max(float(square[2] - square[0]), 1.0)
    center = (float(square[0] + square[2]) / 2, float(square[1] + square[3]) / 2)
    scale = min(_RESOLUTION / side, 1.0)
    if (factor := int(1 / scale)) > 1:  # averaged first, so that what is finer than pixels leaves no traces
        left, top = (max(int(c - _CONTEXT * side), 0) for c in center)
        right, bottom = (
            min(int(c + _CONTEXT * side) + 1, limit) for c, limit in zip(center, view.image.size, strict=True)
        )
        reduced = view.image.reduce(factor, (left, top, right, bottom))
        view = View(reduced, composed(view.affine, np.array([[factor, 0, left], [0, factor, top]], np.float64)))
        center = ((center[0] - left) / factor, (center[1] - top) / factor)
    length = max(round(side * _CONTEXT * scale), 1)
    return _cut(view, angle, center, (length, length), scale * factor), scale


def _cut(view: View, angle: float, center: tuple[float, float], size: tuple[int, int], scale: float = 1) -> View:
    """Return what is around `center`, turned clockwise by `angle` and scaled, on a canvas of `size`."""
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    # A point at (x, y) from the center of the canvas is at (cos x + sin y, -sin x + cos y) from that in the image (y
    # down).
    back = np.array([[cos, sin, 0], [-sin, cos, 0]])
    back[:, 2] = np.array(center) - back[:, :2] @ (np.array(size) / 2)
    canvas = view.image.transform(
        size, Image.Transform.AFFINE, tuple(back.ravel()), Image.Resampling.BILINEAR, fillcolor=_GRAY
    )
    return View(canvas, composed(view.affine, back))


def _turned_by_quarters(view: View, quarters: int) -> View:
    """Turn an image clockwise by right angles, exactly."""
    w, h = view.image.size
    if quarters == 0:
        return view
    method, back = {
        1: (Image.Transpose.ROTATE_270, [[0, 1, 0], [-1, 0, h]]),
        2: (Image.Transpose.ROTATE_180, [[-1, 0, w], [0, -1, h]]),
        3: (Image.Transpose.ROTATE_90, [[0, -1, w], [1, 0, 0]]),
    }[quarters]
    return View(view.image.transpose(method), composed(view.affine, np.array(back, np.float64)))


def composed(outer: Affine, inner: Affine) -> Affine:
    """Return the map that applies `inner`, then `outer`."""
    composed: Affine = outer[:, :2] @ inner
    composed[:, 2] += outer[:, 2]
    return composed

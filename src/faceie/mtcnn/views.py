"""Rotated views of an image: all of it, or the surroundings of one face.

Angles are radians, counter-clockwise as seen in the image. In a view at an angle, faces with a roll of that angle are
upright.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..boxes import transform_boxes
from ..types import Affine, Array

__all__ = ["View", "close_up", "compose", "rotate_view"]

_GRAY = (127, 127, 127)  # for the corners that a rotation adds: close to zero for the networks
_CONTEXT = 2.0  # side of a close-up, in sides of the face
_RESOLUTION = 256.0  # pixels: the largest side of a face in a close-up, more than any crop needs


class View(NamedTuple):
    """A rotated image, in which faces of one roll are upright."""

    image: Image.Image
    affine: Affine  # from points of this view to points of the image that was passed in

    @property
    def angle(self) -> float:
        """The roll, -pi to pi, of faces in the image that was passed in that are upright in this view."""
        return math.atan2(self.affine[0, 1], self.affine[1, 1])

    def boxes(self, boxes: Array) -> Array:
        """Return boxes (n, 4) of this view as boxes of the image that was passed in."""
        return boxes if np.array_equal(self.affine, np.eye(2, 3)) else transform_boxes(boxes, self.affine)

    def landmarks(self, landmarks: Array) -> Array:
        """Return landmarks (n, 5, 2) of this view as landmarks of the image that was passed in.

        Left and right are swapped if that image is mirrored, as some EXIF orientations are.
        """
        points: Array = (landmarks @ self.affine[:, :2].T + self.affine[:, 2]).astype(np.float32)
        mirrored = np.linalg.det(self.affine[:, :2]) < 0
        return points[:, [1, 0, 2, 4, 3]] if mirrored else points


def rotate_view(view: View, angle: float) -> View:
    """Rotate a view so that faces with this roll are upright; the canvas grows to hold all of it."""
    quarters = angle / (math.pi / 2)
    if math.isclose(quarters, round(quarters), abs_tol=1e-6):
        return _rotate_by_quarters(view, round(quarters) % 4)
    cos, sin = math.cos(angle), math.sin(angle)
    w, h = view.image.size
    size = (math.ceil(abs(cos * w) + abs(sin * h)), math.ceil(abs(sin * w) + abs(cos * h)))
    return _cut(view, angle, (w / 2, h / 2), size)


def close_up(view: View, square: Array, angle: float) -> tuple[View, float]:
    """Cut out the surroundings of a square (4,), rotated so that a face with this roll is upright.

    Returns the view and its scale. The resolution is reduced as far as crops allow.
    """
    side = max(float(square[2] - square[0]), 1.0)
    center = (float(square[0] + square[2]) / 2, float(square[1] + square[3]) / 2)
    scale = min(_RESOLUTION / side, 1.0)
    if (factor := int(1 / scale)) > 1:  # averaged first, to avoid aliasing
        left, top = (max(int(c - _CONTEXT * side), 0) for c in center)
        right, bottom = (
            min(int(c + _CONTEXT * side) + 1, limit) for c, limit in zip(center, view.image.size, strict=True)
        )
        reduced = view.image.reduce(factor, (left, top, right, bottom))
        view = View(reduced, compose(view.affine, np.array([[factor, 0, left], [0, factor, top]], np.float64)))
        center = ((center[0] - left) / factor, (center[1] - top) / factor)
    length = max(round(side * _CONTEXT * scale), 1)
    return _cut(view, angle, center, (length, length), scale * factor), scale


def _cut(view: View, angle: float, center: tuple[float, float], size: tuple[int, int], scale: float = 1) -> View:
    """Rotate a view clockwise by `angle` about `center`, scale it, and cut out a canvas of `size` around it."""
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    # A point at (x, y) from the center of the canvas is at (cos x + sin y, -sin x + cos y) from `center` (y down).
    back = np.array([[cos, sin, 0], [-sin, cos, 0]])
    back[:, 2] = np.array(center) - back[:, :2] @ (np.array(size) / 2)
    canvas = view.image.transform(
        size, Image.Transform.AFFINE, tuple(back.ravel()), Image.Resampling.BILINEAR, fillcolor=_GRAY
    )
    return View(canvas, compose(view.affine, back))


def _rotate_by_quarters(view: View, quarters: int) -> View:
    """Rotate a view clockwise by right angles, exactly."""
    w, h = view.image.size
    if quarters == 0:
        return view
    method, back = {
        1: (Image.Transpose.ROTATE_270, [[0, 1, 0], [-1, 0, h]]),
        2: (Image.Transpose.ROTATE_180, [[-1, 0, w], [0, -1, h]]),
        3: (Image.Transpose.ROTATE_90, [[0, -1, w], [1, 0, 0]]),
    }[quarters]
    return View(view.image.transpose(method), compose(view.affine, np.array(back, np.float64)))


def compose(outer: Affine, inner: Affine) -> Affine:
    """Return the affine map that applies `inner`, then `outer`."""
    result: Affine = outer[:, :2] @ inner
    result[:, 2] += outer[:, 2]
    return result

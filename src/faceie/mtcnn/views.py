"""Rotated views of an image: all of it, or the surroundings of one face.

Angles are radians, counter-clockwise as seen in the image. In a view at an angle, faces with a roll of that angle are
upright. A view of a whole image is rotated where it is looked at: by `View.crop`. It has no pixels of its own.
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
# Of the linear part of a right angle: how Pillow turns a part of the image.
_TRANSPOSE = {
    (0, -1): Image.Transpose.ROTATE_270,
    (-1, 0): Image.Transpose.ROTATE_180,
    (0, 1): Image.Transpose.ROTATE_90,
}
_CONTEXT = 2.0  # side of a close-up, in sides of the face
_RESOLUTION = 256.0  # pixels: the largest side of a face in a close-up, more than any crop needs


class Canvas(NamedTuple):
    """How a view lies in its image."""

    size: tuple[int, int]  # width and height of the view
    affine: Affine  # from points of the view to points of its image


class View(NamedTuple):
    """A rotated image, in which faces of one roll are upright."""

    image: Image.Image
    affine: Affine  # from points of this view to points of the image that was passed in
    canvas: Canvas | None = None  # None: the view is its image

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.canvas.size if self.canvas else self.image.size

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """Cut out a rectangle: left, top, right, bottom, within the view. Corners that a rotation adds are gray."""
        if self.canvas is None:
            return self.image.crop(box)
        left, top, right, bottom = box
        turn = _TRANSPOSE.get((self.canvas.affine[0, 0], self.canvas.affine[1, 0]))
        if turn is not None:  # exact
            x, y = (self.canvas.affine @ [[left, right], [top, bottom], [1, 1]]).astype(int).tolist()
            return self.image.crop((min(x), min(y), max(x), max(y))).transpose(turn)
        moved = compose(self.canvas.affine, np.array([[1, 0, left], [0, 1, top]], np.float64))
        return self.image.transform(
            (right - left, bottom - top), Image.Transform.AFFINE, tuple(moved.ravel()), Image.Resampling.BILINEAR,
            fillcolor=_GRAY,
        )  # fmt: skip

    @property
    def angle(self) -> float:
        """The roll, -pi to pi, of faces in the image that was passed in that are upright in this view."""
        return math.atan2(self.affine[0, 1], self.affine[1, 1])

    def reduced(self, factor: int) -> View:
        """Return a copy of the view of a whole image, each pixel the average of `factor` x `factor`."""
        scale = np.diag([factor, factor, 1.0])[:2]
        return View(self.image.reduce(factor), compose(self.affine, scale)) if factor > 1 else self

    def of_original(self, original: Image.Image, factor: int) -> View:
        """Return this view of a reduced image as the same view of the original, `factor` times as large."""
        if factor == 1:
            return self
        shrink = np.diag([1 / factor, 1 / factor, 1.0])[:2]
        affine = compose(self.affine, shrink)
        if self.canvas is None:
            return View(original, affine)
        width, height = self.canvas.size
        canvas = compose(self.canvas.affine, shrink) * factor
        return View(original, affine, Canvas((width * factor, height * factor), canvas))

    def squares_at(self, squares: Array) -> Array:
        """Return upright squares (n, 4) of the view at the places of squares (n, 4) of its image."""
        if self.canvas is None:
            return squares
        turn, offset = self.canvas.affine[:, :2], self.canvas.affine[:, 2]
        half = (squares[:, 2:] - squares[:, :2]) / 2
        center = (squares[:, :2] + half - offset) @ np.linalg.inv(turn).T
        return np.concatenate([center - half, center + half], 1).astype(np.float32)

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
    """Rotate the view of a whole image so that faces with this roll are upright; the canvas grows to hold all of it."""
    quarters = round(angle / (math.pi / 2))
    w, h = view.image.size
    if not math.isclose(angle, quarters * math.pi / 2, abs_tol=1e-6):
        cos, sin = math.cos(angle), math.sin(angle)
        size = (math.ceil(abs(cos * w) + abs(sin * h)), math.ceil(abs(sin * w) + abs(cos * h)))
        return _cut(view, angle, (w / 2, h / 2), size)
    if quarters % 4 == 0:
        return view
    affine = np.array(
        {1: [[0, 1, 0], [-1, 0, h]], 2: [[-1, 0, w], [0, -1, h]], 3: [[0, -1, w], [1, 0, 0]]}[quarters % 4]
    )
    return _on_canvas(view, affine.astype(np.float64), (h, w) if quarters % 2 else (w, h))


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
    affine = np.array([[cos, sin, 0], [-sin, cos, 0]])
    affine[:, 2] = np.array(center) - affine[:, :2] @ (np.array(size) / 2)
    return _on_canvas(view, affine, size)


def _on_canvas(view: View, affine: Affine, size: tuple[int, int]) -> View:
    return View(view.image, compose(view.affine, affine), Canvas(size, affine))


def compose(outer: Affine, inner: Affine) -> Affine:
    """Return the affine map that applies `inner`, then `outer`."""
    result: Affine = outer[:, :2] @ inner
    result[:, 2] += outer[:, 2]
    return result

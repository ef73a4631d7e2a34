"""Pictures with marked faces: of one photo, or of two photos side by side.

Lines, dots and letters grow with the picture, and shrink with small faces. A dark rim makes them visible on any
background.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .. import DetectedFaces, OptionError
from ..images.folders import photo_suffixes

__all__ = ["PICTURE_SUFFIXES", "MarkedPhoto", "annotate", "is_picture", "save", "side_by_side"]

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")  # the formats that are written

Color = tuple[int, int, int]
Point = tuple[float, float]
Box = NDArray[np.float32]

_DARK = (16, 20, 24)
_LIGHT = (225, 230, 235)
_CYAN = (64, 224, 255)  # far from skin, hair, leaves and wood
_GREEN = (90, 235, 130)
_RED = (255, 115, 95)


def is_picture(out: str) -> bool:
    """Tell whether this names a picture to write, not a folder for pictures.

    Raises OptionError for a picture in a format that cannot be written.
    """
    path = Path(out)
    if path.is_dir() or out.endswith(("/", "\\")):
        return False
    if path.suffix.lower() in photo_suffixes().difference(PICTURE_SUFFIXES):
        raise OptionError(f"{out}: pictures are written as .jpg or .png. Choose one of these suffixes.")
    return path.suffix.lower() in PICTURE_SUFFIXES


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture in the format of the path's suffix, and make its folder if necessary. Raises OSError."""
    profile = picture.info.get("icc_profile") or b""
    if profile[16:20] != b"RGB ":  # a profile of a photo that was not RGB does not fit the picture
        profile = None
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=92, icc_profile=profile, exif=b"")


def annotate(image: Image.Image, faces: DetectedFaces) -> Image.Image:
    """Return a copy of an image with box, landmarks, number and probability of each face."""
    picture = image.copy()
    pen = _Pen(picture)
    for box, landmarks in zip(faces.bounding_boxes, faces.landmarks, strict=True):
        pen.box(box, _CYAN)
        pen.dots(landmarks, box, _CYAN)
    for number, (box, probability) in enumerate(zip(faces.bounding_boxes, faces.probabilities, strict=True), 1):
        pen.label(box, f"{number}: {probability:.3f}", _CYAN)
    return picture


class MarkedPhoto(NamedTuple):
    """A photo with its faces, one of which is marked."""

    image: Image.Image
    boxes: Box  # [n, 4]
    marked: int  # index of the marked face


_HEIGHT = 1600  # of a photo while drawing; the result is half as large, which smooths the lines
_GAP = 48  # around and between the photos
_FOOTER = 160


def side_by_side(a: MarkedPhoto, b: MarkedPhoto, distance: float, verdict: str, same: bool) -> Image.Image:
    """Return a picture of two photos, with boxes, a line between the marked faces, and the verdict below."""
    color = _GREEN if same else _RED
    left, box_a = _panel(a, color)
    right, box_b = _panel(b, color)
    height = max(left.height, right.height)
    at_left = (_GAP, _GAP + (height - left.height) // 2)
    at_right = (2 * _GAP + left.width, _GAP + (height - right.height) // 2)
    canvas = Image.new("RGB", (at_right[0] + right.width + _GAP, height + _GAP + _FOOTER), _DARK)
    canvas.paste(left, at_left)
    canvas.paste(right, at_right)

    start = (at_left[0] + box_a[2], at_left[1] + (box_a[1] + box_a[3]) / 2)
    end = (at_right[0] + box_b[0], at_right[1] + (box_b[1] + box_b[3]) / 2)
    pen = _Pen(canvas)
    pen.link(start, end, color)
    between = at_right[0] - _GAP / 2
    on_line = start[1] + (end[1] - start[1]) * (between - start[0]) / (end[0] - start[0])
    pen.text((between, on_line), f"{distance:.2f}", 60, _DARK, color)
    pen.text((canvas.width / 2, canvas.height - _FOOTER / 2), verdict, 60, color, _DARK)
    return canvas.resize((canvas.width // 2, canvas.height // 2), Image.Resampling.LANCZOS)


def _panel(photo: MarkedPhoto, color: Color) -> tuple[Image.Image, Box]:
    """Return a photo in the size of a panel, with boxes; and the box of the marked face."""
    image, boxes, marked = photo
    scale = min(_HEIGHT / image.height, 1.5 * _HEIGHT / image.width)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    panel = image.resize(size, Image.Resampling.LANCZOS)
    boxes = boxes * np.float32(scale)
    pen = _Pen(panel)
    for box in boxes:
        pen.box(box, _LIGHT)
    pen.box(boxes[marked], color, 2)
    for number, box in enumerate(boxes, 1):
        pen.label(box, str(number), color if number == marked + 1 else _LIGHT)
    return panel, pen.clipped(boxes[marked])


class _Pen:
    """Draws on a picture, with sizes that suit the picture and the faces."""

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture
        self._draw = ImageDraw.Draw(picture)
        self._size = math.sqrt(picture.width * picture.height)

    def clipped(self, box: Box) -> Box:
        """Return a box, clipped at the border of the picture."""
        x, y = self._picture.width - 1, self._picture.height - 1
        clipped: Box = np.clip(box, 0, [x, y, x, y])
        return clipped

    def box(self, box: Box, color: Color, weight: float = 1) -> None:
        line = self._line(box, weight)
        rim = max(1, line // 3)
        x1, y1, x2, y2 = self.clipped(box)
        self._draw.rectangle((x1 - rim, y1 - rim, x2 + rim, y2 + rim), outline=_DARK, width=line + 2 * rim)
        self._draw.rectangle((x1, y1, x2, y2), outline=color, width=line)

    def dots(self, points: NDArray[np.float32], box: Box, color: Color) -> None:
        radius = max(1.5, 1.1 * self._line(box))
        for x, y in points:
            self._disc(x, y, radius * 1.5, _DARK)
            self._disc(x, y, radius, color)

    def label(self, box: Box, text: str, color: Color) -> None:
        """Write above a box, below it if there is no room, or else in it, but never over the border."""
        x1, y1, x2, y2 = self.clipped(box)
        size = max(11, min(self._size / 40, (x2 - x1) / 4))
        width, height = self._extent(text, size)
        rim = self._line(box)
        above, below = y1 - rim - height / 2, y2 + rim + height / 2
        fits = [y for y in (above, below) if height / 2 <= y <= self._picture.height - height / 2]
        y = fits[0] if fits else y1 + rim + height / 2
        x = max(width / 2, min(x1 + width / 2, self._picture.width - width / 2))
        self.text((x, y), text, size, _DARK, color)

    def text(self, center: Point, text: str, size: float, color: Color, background: Color) -> None:
        """Write on a background of its own."""
        x, y = center
        width, height = self._extent(text, size)
        self._draw.rectangle((x - width / 2, y - height / 2, x + width / 2, y + height / 2), fill=background)
        self._draw.text(center, text, fill=color, font=ImageFont.load_default(round(size)), anchor="mm")

    def link(self, start: Point, end: Point, color: Color) -> None:
        line = max(1, round(self._size / 300))
        for width, tint in ((2 * line, _DARK), (line, color)):
            self._draw.line((start, end), fill=tint, width=width)
        for x, y in (start, end):
            self._disc(x, y, 2 * line, color)

    def _line(self, box: Box, weight: float = 1) -> int:
        """Return the width of the lines around a face."""
        face = float(box[2] - box[0])
        return max(1, round(weight * min(self._size / 400, face / 40)))

    def _extent(self, text: str, size: float) -> Point:
        """Return the width and height of a text with its background."""
        return ImageFont.load_default(round(size)).getlength(text) + 0.7 * size, 1.4 * size

    def _disc(self, x: float, y: float, radius: float, color: Color) -> None:
        """Draw a disc with a smooth edge, through a mask that is drawn larger and resized."""
        side = 2 * math.ceil(radius) + 1
        mask = Image.new("L", (4 * side, 4 * side))
        ImageDraw.Draw(mask).ellipse([2 * side - 4 * radius] * 2 + [2 * side + 4 * radius] * 2, fill=255)
        self._picture.paste(
            color, (round(x - side / 2), round(y - side / 2)), mask.resize((side, side), Image.Resampling.BOX)
        )

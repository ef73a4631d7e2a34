"""What to search for, and how strictly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..errors import OptionError

__all__ = ["DEFAULTS", "DetectionOptions"]

_FILTERS = ("lanczos", "bicubic", "bilinear", "box")


@dataclass(frozen=True)
class DetectionOptions:
    """The options of `faceie.detect_faces`, under the names that facenet-pytorch gives them where it has them.

    The defaults of all but `rotations`, `margin` and `crop_filter` are those of facenet-pytorch, which took them from
    the authors' own code.
    """

    min_face_size: float = 20.0
    """Size in pixels of the smallest face to find, at least 1. Twice the size takes a quarter of the time."""

    factor: float = 0.709
    """Ratio of neighboring levels of the image pyramid, between 0.1 and 0.99; 0.709 halves the area."""

    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    """Scores, 0 to 1, that P-, R- and O-Net must give."""

    nms_overlaps: tuple[float, float, float, float] = (0.5, 0.7, 0.7, 0.7)
    """Overlaps, 0 to 1, above which the less probable box is dropped: within a level, over all levels, after R-Net (all
    three intersection over union), and after O-Net (intersection over the smaller box)."""

    rotations: tuple[float, ...] | Literal["auto"] = "auto"
    """Angles of faces to search for, in radians, counter-clockwise as seen in the image. Each costs a search, and a
    face at another angle than most must have a probability of 0.97. "auto" searches at the angle at which most faces
    seem to be, and looks closer at heads that are turned otherwise (see `faceie.mtcnn.orientation`). It also searches
    dark, faded and color-lit photos a second time with stretched tones (see `faceie.mtcnn.tones`). `(0,)` searches for
    upright faces only, in the tones of the photo, as facenet-pytorch does."""

    crop_size: int = 160
    """Height and width of the crops in pixels, 1 to 4096."""

    margin: float = 44.0
    """How many pixels of the crop's size are surroundings of the box, in total per axis: 0 to less than `crop_size`."""

    crop_filter: Literal["lanczos", "bicubic", "bilinear", "box"] = "lanczos"
    """How crops are resized: by Pillow's filter of this name. "bilinear" gives the crops of facenet-pytorch."""

    crops: bool = True
    """Whether to cut out the faces at all."""

    def __post_init__(self) -> None:
        """Check all values, whatever their type."""
        set_ = object.__setattr__  # the class is frozen
        set_(self, "min_face_size", _number("min_face_size", self.min_face_size, 1, math.inf))
        set_(self, "factor", _number("factor", self.factor, 0.1, 0.99))
        set_(self, "thresholds", _numbers("thresholds", self.thresholds, 3, 0, 1))
        set_(self, "nms_overlaps", _numbers("nms_overlaps", self.nms_overlaps, 4, 0, 1))
        if isinstance(self.rotations, str) and self.rotations != "auto":
            raise OptionError(f"rotations is {self.rotations!r}, expected 'auto' or numbers")
        if self.rotations != "auto":
            set_(self, "rotations", _numbers("rotations", self.rotations, None, -2 * math.pi, 2 * math.pi))
        size = _number("crop_size", self.crop_size, 1, 4096)
        if size != int(size):
            raise OptionError(f"crop_size is {size}, expected a whole number of pixels")
        set_(self, "crop_size", int(size))
        set_(self, "margin", _number("margin", self.margin, 0, math.inf))
        if self.margin >= self.crop_size:
            raise OptionError(f"margin is {self.margin:g}, expected less than crop_size, which is {self.crop_size}")
        if self.crop_filter not in _FILTERS:
            raise OptionError(f"crop_filter is {self.crop_filter!r}, expected one of {[*_FILTERS]}")

    def keywords(self) -> Mapping[str, Any]:
        """Return the options as keyword arguments of `faceie.detect_faces`."""
        return asdict(self)


def _number(name: str, value: Any, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise OptionError(f"{name} is {value!r}, expected a number") from None
    if not (low <= number <= high) or math.isinf(number):
        limits = f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
        raise OptionError(f"{name} is {number:g}, expected {limits}")
    return number


def _numbers(name: str, values: Any, count: int | None, low: float, high: float) -> tuple[float, ...]:
    try:
        items = tuple(values)
    except TypeError:
        raise OptionError(f"{name} is {values!r}, expected {count or 'one or more'} numbers") from None
    if not items or (count is not None and len(items) != count):
        raise OptionError(f"{name} has {len(items)} values, expected {count or 'one or more'}")
    return tuple(_number(f"{name}[{i}]", item, low, high) for i, item in enumerate(items))


DEFAULTS = DetectionOptions()

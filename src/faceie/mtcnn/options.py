"""The options of a search for faces."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypedDict

from ..errors import OptionError

__all__ = ["DEFAULTS", "DetectionOptions", "DetectionOverrides", "with_overrides"]

_FIRST = 20.0  # pixels: the default of `min_face_size`
_FILTERS = ("lanczos", "bicubic", "bilinear", "box")


@dataclass(frozen=True)
class DetectionOptions:
    """Options of `detect_faces`.

    Most names are those of facenet-pytorch. So are the defaults, which it took from the authors' code, except those of
    `rotations`, `margin` and `crop_filter`.

    Parameters
    ----------
    min_face_size : float, default 20
        Size of the smallest face to find, in pixels, at least 1. Twice the size takes a quarter of the time. With
        ``rotations="auto"``, faces that are a little smaller are found, too: see `smallest_face`.
    factor : float, default 0.709
        Ratio of the sizes of neighboring levels of the image pyramid, 0.1 to 0.99. 0.709 halves the area.
    thresholds : tuple of 3 floats, default (0.6, 0.7, 0.7)
        Least scores of P-, R- and O-Net, 0 to 1. If several angles are searched, or "auto", O-Net's score may be lower
        by 0.2, since `min_probability` decides.
    nms_overlaps : tuple of 4 floats, default (0.5, 0.7, 0.7, 0.7)
        Overlaps, 0 to 1, above which non-maximum suppression drops the less probable box: within a level, over all
        levels, after R-Net (all three intersection over union), and after O-Net (intersection over the smaller box).
    rotations : "auto" or tuple of floats, default "auto"
        Rolls of faces to search for, in radians, -2 pi to 2 pi, counter-clockwise as seen in the image. "auto" searches
        at the angle of most faces, and takes close-ups of faces at other angles (see `faceie.mtcnn.orientation`). It
        also searches dark, faded and color-lit photos a second time with stretched tones (see `faceie.mtcnn.tones`).
        Each number costs a search. ``(0,)`` searches for upright faces in the tones of the photo only, as
        facenet-pytorch does, and its probabilities are O-Net's scores.
    crop_size : int, default 160
        Height and width of the crops in pixels, 1 to 4096.
    margin : float, default 44
        Number of the crop's pixels around the face's box, the sum of both sides, 0 to less than `crop_size`.
    crop_filter : {"lanczos", "bicubic", "bilinear", "box"}, default "lanczos"
        Pillow's filter that resizes crops. "bilinear" gives the crops of facenet-pytorch.
    crops : bool, default True
        Whether to crop the faces at all.
    min_face_share : float, default 0
        Size of the smallest face to find as a share of the image's longer side, 0 to 0.5. The larger one of this and
        `min_face_size` counts, so that the cost of a search is bounded for images of any size.
    min_probability : float, default 0.25
        Least probability of a face, 0 to 1, if several angles are searched, or "auto".

    Raises
    ------
    OptionError
        For an option out of range.

    See Also
    --------
    detect_faces : Takes these options, and single ones as keywords.

    Examples
    --------
    >>> from faceie import DetectionOptions
    >>> options = DetectionOptions(min_face_size=60, crops=False)
    >>> options.min_face_size, options.crops
    (60.0, False)
    >>> DetectionOptions(margin=200)
    Traceback (most recent call last):
    ...
    faceie.errors.OptionError: margin is 200, expected less than crop_size, which is 160
    """

    min_face_size: float = _FIRST
    factor: float = 0.709
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    nms_overlaps: tuple[float, float, float, float] = (0.5, 0.7, 0.7, 0.7)
    rotations: tuple[float, ...] | Literal["auto"] = "auto"
    crop_size: int = 160
    margin: float = 44.0
    crop_filter: Literal["lanczos", "bicubic", "bilinear", "box"] = "lanczos"
    crops: bool = True
    min_face_share: float = 0.0
    min_probability: float = 0.25

    def __post_init__(self) -> None:
        """Check all values, of any type."""
        set_ = object.__setattr__  # the class is frozen
        set_(self, "min_face_size", _number("min_face_size", self.min_face_size, 1, math.inf))
        set_(self, "min_face_share", _number("min_face_share", self.min_face_share, 0, 0.5))
        set_(self, "min_probability", _number("min_probability", self.min_probability, 0, 1))
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

    @property
    def has_one_angle(self) -> bool:
        """Whether only one angle is searched, with the results of facenet-pytorch."""
        return self.rotations != "auto" and len(self.rotations) == 1

    def smallest_face(self, size: tuple[int, int]) -> float:
        """Return the size of the smallest face to find in an image.

        With ``rotations="auto"``, it is the size of a level of the pyramid for faces of 20 pixels: the largest that is
        not above `min_face_size`, or the nearest to `min_face_share` if that is larger. So a search for larger faces
        leaves out the finest levels, and finds the same large faces.

        Parameters
        ----------
        size : tuple of 2 ints
            Width and height of the image in pixels.

        Returns
        -------
        float
            Size of the smallest face in pixels.

        Examples
        --------
        >>> from faceie import DetectionOptions
        >>> round(DetectionOptions(min_face_share=0.01).smallest_face((4000, 3000)))
        40
        """
        share = self.min_face_share * max(size)
        if self.rotations != "auto":
            return max(self.min_face_size, share)
        level = math.floor(self._level(self.min_face_size) + 1e-6)
        if share:
            level = max(level, round(self._level(share)))
        return _FIRST * self.factor**-level

    def _level(self, size: float) -> float:
        """Return the level of the pyramid at which faces of this size fill the windows of P-Net: 0 for 20 pixels."""
        return math.log(size / _FIRST) / -math.log(self.factor)


class DetectionOverrides(TypedDict, total=False):
    """The fields of `DetectionOptions` as keyword arguments, for type checkers.

    `detect_faces` takes them as ``**overrides``, not one by one: so defaults are in one place only, an option that is
    not given differs from any that is, and the error for an unknown name lists the known ones.
    """

    min_face_size: float
    factor: float
    thresholds: tuple[float, float, float]
    nms_overlaps: tuple[float, float, float, float]
    rotations: tuple[float, ...] | Literal["auto"]
    crop_size: int
    margin: float
    crop_filter: Literal["lanczos", "bicubic", "bilinear", "box"]
    crops: bool
    min_face_share: float
    min_probability: float


def with_overrides(options: DetectionOptions | None, overrides: Mapping[str, Any]) -> DetectionOptions:
    """Return options, or the defaults, with some of them replaced.

    Raises OptionError for an option out of range. Raises TypeError for an unknown name, as any function does.
    """
    if options is not None and not isinstance(options, DetectionOptions):
        raise OptionError(f"options is a {type(options).__name__}, expected DetectionOptions or None")
    names = [field.name for field in fields(DetectionOptions)]
    for name in overrides:
        if name not in names:
            close = difflib.get_close_matches(name, names, 1)
            guess = f"did you mean {close[0]!r}? " if close else ""
            raise TypeError(f"there is no option {name!r}; {guess}The options are {', '.join(names)}")
    options = options or DEFAULTS
    return replace(options, **overrides) if overrides else options


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

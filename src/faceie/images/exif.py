"""EXIF data, read without failing, and the orientation in it."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from ..types import Affine

__all__ = [
    "EXIF_IFD",
    "SIDEWAYS",
    "Upright",
    "affine_to_stored",
    "exif_of",
    "orientation_of",
    "profile_only",
    "turn_upright",
]

#: The tag of the directory with the camera's data about the exposure, dates included.
EXIF_IFD = 0x8769

#: Orientations that swap width and height.
SIDEWAYS = (5, 6, 7, 8)

_EXIF_ORIENTATION = 0x0112

# For each EXIF orientation (CIPA DC-008, section 4.6.5): the method of Pillow that makes the stored image upright, and
# the way back. A point (x, y) of the upright image, of the size (w, h), has two coordinates in the stored one, each
# given by the coefficients of x, y, w and h.
_Coefficients: TypeAlias = tuple[int, int, int, int]
_ORIENTATIONS: dict[int, tuple[Image.Transpose, _Coefficients, _Coefficients]] = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, (-1, 0, 1, 0), (0, 1, 0, 0)),
    3: (Image.Transpose.ROTATE_180, (-1, 0, 1, 0), (0, -1, 0, 1)),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, (1, 0, 0, 0), (0, -1, 0, 1)),
    5: (Image.Transpose.TRANSPOSE, (0, 1, 0, 0), (1, 0, 0, 0)),
    6: (Image.Transpose.ROTATE_270, (0, 1, 0, 0), (-1, 0, 1, 0)),
    7: (Image.Transpose.TRANSVERSE, (0, -1, 0, 1), (-1, 0, 1, 0)),
    8: (Image.Transpose.ROTATE_90, (0, -1, 0, 1), (1, 0, 0, 0)),
}


class Upright(NamedTuple):
    """An upright RGB image, and the way back to the original pixels."""

    image: Image.Image
    affine: Affine
    """[2, 3]: maps points of `image` to points of the image that was passed in. The identity for a path."""


def exif_of(image: Image.Image) -> Image.Exif | None:
    """Return the EXIF data of an image; None if they cannot be read."""
    try:
        exif = image.getexif()
        exif.get_ifd(EXIF_IFD)  # loads it: the file may be closed later
        return exif
    except Exception:  # a photo with unreadable metadata is still a photo
        return None


def profile_only(info: dict[Any, Any]) -> dict[Any, Any]:
    """Return Pillow's metadata of an image, reduced to the color profile."""
    return {key: value for key, value in info.items() if key == "icc_profile"}


def orientation_of(exif: Image.Exif | None) -> int:
    """Return the EXIF orientation, 1 to 8; 1, upright, if it is missing or invalid."""
    try:
        orientation = exif.get(_EXIF_ORIENTATION, 1) if exif is not None else 1
    except Exception:  # a photo with unreadable metadata is still a photo
        return 1
    return orientation if orientation in _ORIENTATIONS else 1


def turn_upright(image: Image.Image, orientation: int) -> Upright:
    """Turn an image by its EXIF orientation, and remove that from its metadata."""
    if orientation not in _ORIENTATIONS:
        return Upright(image, np.eye(2, 3))
    image = image.transpose(_ORIENTATIONS[orientation][0])
    # EXIF and XMP have the orientation: without them, the image is not turned a second time.
    image.info = profile_only(image.info)
    return Upright(image, affine_to_stored(orientation, image.size))


def affine_to_stored(orientation: int, size: tuple[int, int]) -> Affine:
    """Return the [2, 3] map of points of an upright image, of this size, to points of the stored image."""
    if orientation not in _ORIENTATIONS:
        return np.eye(2, 3)
    _, *rows = _ORIENTATIONS[orientation]
    return np.array([[x, y, w * size[0] + h * size[1]] for x, y, w, h in rows], np.float64)

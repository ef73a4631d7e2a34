"""Images: opened from whatever holds them, turned upright, and made the networks' input.

Inside Faceie an image is RGB, 8 bits a channel, and upright. What comes in may be a photo's path, a Pillow image of any
mode, or an array.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .checks import whole_number
from .colors import to_rgb
from .dates import date_taken_by
from .errors import ImageError
from .nn.tree import Array
from .opening import Request, exif_of, open_file
from .quiet import no_warnings

__all__ = [
    "MAX_PIXELS",
    "REDUCE_ABOVE",
    "Affine",
    "ImageLike",
    "OpenedPhoto",
    "Upright",
    "date_taken",
    "open_image",
    "read_photo",
    "to_input",
    "to_rgb",
    "upright",
]

#: An image for a function that takes one: the path of a photo, a Pillow image of any mode, or an array of uint8,
#: (h, w, 3) RGB, (h, w, 4) RGBA or (h, w) gray.
ImageLike: TypeAlias = Union[str, "os.PathLike[str]", Image.Image, NDArray[np.uint8]]

Affine: TypeAlias = NDArray[np.float64]  # [2, 3]: maps (x, y, 1) to (x, y)

#: The default limit of `read_photo`, in pixels: photos of phones have up to 200 million.
MAX_PIXELS = 250_000_000

#: Pixels above which `read_photo` reduces a photo: decoded, it would take more than 300 MB.
REDUCE_ABOVE = 100_000_000

_EXIF_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height

# For each EXIF orientation (CIPA DC-008, section 4.6.5): how Pillow makes the stored image upright, and where a point
# (x, y) of the upright image, whose size is (w, h), is in the stored one: the coefficients of x, y, w and h.
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
    """An upright RGB image, and the way back to the pixels that it was made from."""

    image: Image.Image
    affine: Affine
    """[2, 3]: from points of `image` to points of the image that was passed in; of a path, those of `image` itself."""


class OpenedPhoto(NamedTuple):
    """A photo on disk, opened once: its pixels, and what its file tells besides."""

    image: Image.Image
    """Upright and RGB."""
    size: tuple[int, int]
    """Width and height of the upright photo; `image` is smaller if it was reduced."""
    taken: str | None
    """As `date_taken` returns it."""
    note: str | None
    """Why a part of the photo is missing: "incomplete: the file ends early"."""


def open_image(path: str | os.PathLike[str], *, truncated: bool = False, max_pixels: int | None = None) -> Image.Image:
    """Open a photo as it is meant to be seen: upright by its EXIF orientation, RGB, transparency over white.

    The first frame or page counts, and of a RAW file the preview (with the extra `raw`). Colors become those of sRGB.
    `truncated`: use the readable part of a file that ends too early or is damaged; the rest is black or gray. By
    default, such a file is an error, unless it lacks no pixels.
    `max_pixels`: refuse larger images, which may be made to fill the memory. By default, the limit is Pillow's own
    (twice `PIL.Image.MAX_IMAGE_PIXELS`, 179 million pixels); a number replaces it, lower or higher.

    HEIC needs pillow-heif (the extra `heic`). Raises ImageError, which names the file, for a file that cannot be read,
    and OptionError for a limit that is not a positive integer.
    """
    return _read(path, Request("damaged" if truncated else "whole", _limit(max_pixels))).image


def read_photo(
    path: str | os.PathLike[str],
    *,
    truncated: bool = False,
    max_pixels: int | None = MAX_PIXELS,
    reduce_above: int = REDUCE_ABOVE,
) -> OpenedPhoto:
    """Open a photo once, for its pixels, date and a note if it is incomplete.

    The readable part of a file that ends too early is used. `truncated`: so is that of a file that is damaged.
    `max_pixels`: as for `open_image`. `reduce_above`: a photo of more pixels is reduced to half of its width and height
    while it is decoded, to save memory.
    """
    return _read(path, Request("damaged" if truncated else "early end", _limit(max_pixels), reduce_above))


def date_taken(path: str | os.PathLike[str]) -> str | None:
    """Return when a photo was taken, in the form "2019-06-01T12:30:00", by the clock of the camera; None if it is not
    known.

    The first date that makes sense counts: EXIF's DateTimeOriginal, that of XMP, EXIF's DateTimeDigitized and DateTime,
    the name of the file (which may give the day only). An offset from UTC follows if the photo has one: "+02:00".
    Raises ImageError for a file that cannot be opened.
    """
    path = Path(path)
    try:
        opened = open_file(path, Request(max_pixels=MAX_PIXELS, decode=False))
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error.__cause__
    with no_warnings():
        return date_taken_by(opened.exif, opened.xmp, path.stem)


def _limit(max_pixels: int | None) -> int | None:
    return None if max_pixels is None else whole_number("max_pixels", max_pixels, or_else=", or None")


def _read(path: str | os.PathLike[str], request: Request) -> OpenedPhoto:
    path = Path(path)
    try:
        opened = open_file(path, request)
        with no_warnings():  # metadata are read when they are asked for
            orientation = 1 if opened.is_upright else _orientation(opened.exif)
            taken = date_taken_by(opened.exif, opened.xmp, path.stem)
        image = _turn_upright(to_rgb(opened.image), orientation).image
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error.__cause__
    width, height = opened.size
    size = (height, width) if orientation in _SIDEWAYS else (width, height)
    return OpenedPhoto(image, size, taken, opened.note)


def upright(image: ImageLike) -> Upright:
    """Return any image upright and RGB. Raises ImageError for what is not an image.

    A Pillow image with an EXIF orientation (it keeps one from its file) is turned by it; an array is taken as it is.
    """
    if isinstance(image, str | os.PathLike):
        opened = open_image(image)
        return Upright(opened, np.eye(2, 3))
    if isinstance(image, np.ndarray):
        return Upright(_from_array(image), np.eye(2, 3))
    if isinstance(image, Image.Image):
        return _turn_upright(to_rgb(image), _orientation(exif_of(image)))
    raise ImageError(
        f"this is a {type(image).__name__}, expected an image: "
        "a path, a Pillow image or a NumPy array of uint8 (h, w, 3)"
    )


def to_input(pixels: NDArray[Any]) -> Array:
    """Return what the networks expect: (pixel - 127.5) / 128, float32, of the same shape."""
    x: Array = np.subtract(pixels, np.float32(127.5), dtype=np.float32)
    x *= np.float32(1 / 128)
    return x


def _orientation(exif: Image.Exif | None) -> int:
    """Return the EXIF orientation, 1 to 8; 1, upright, if there is none or it makes no sense."""
    try:
        orientation = exif.get(_EXIF_ORIENTATION, 1) if exif is not None else 1
    except Exception:  # metadata that cannot be read are no reason to do without the photo
        return 1
    return orientation if orientation in _ORIENTATIONS else 1


def _turn_upright(image: Image.Image, orientation: int) -> Upright:
    if orientation not in _ORIENTATIONS:
        return Upright(image, np.eye(2, 3))
    method, *rows = _ORIENTATIONS[orientation]
    image = image.transpose(method)
    # What says that it should be turned (EXIF, and XMP, too) goes, or the next one to look would turn it again.
    image.info = {key: value for key, value in image.info.items() if key == "icc_profile"}
    affine = np.array([[x, y, w * image.width + h * image.height] for x, y, w, h in rows], np.float64)
    return Upright(image, affine)


def _from_array(array: NDArray[Any]) -> Image.Image:
    good_shape = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not good_shape:
        raise ImageError(
            f"this is an array of {array.dtype} with the shape {array.shape}, "
            "expected uint8 with the shape (height, width, 3) RGB, (height, width, 4) RGBA or (height, width) gray"
        )
    if 0 in array.shape:
        raise ImageError(f"the image is empty: {array.shape[1]} x {array.shape[0]} pixels")
    return to_rgb(Image.fromarray(np.ascontiguousarray(array)))

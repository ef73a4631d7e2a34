"""Photos on disk: opened once, for pixels, date and a note if pixels are missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ..checks import whole_number
from ..errors import ImageError
from .colors import to_rgb
from .dates import date_taken_by
from .decoding import Opened, Request, open_bytes, open_file
from .exif import SIDEWAYS, orientation_of, turn_upright

__all__ = ["MAX_PIXELS", "REDUCE_ABOVE", "OpenedPhoto", "date_taken", "open_image", "read_bytes", "read_photo"]

#: The default limit of `read_photo`, in pixels: phones take photos of up to 200 million.
MAX_PIXELS = 250_000_000

#: Pixels above which `read_photo` reduces a photo: decoded, it would take more than 300 MB.
REDUCE_ABOVE = 100_000_000


class OpenedPhoto(NamedTuple):
    """A photo on disk, opened once: its pixels and some metadata."""

    image: Image.Image
    """Upright and RGB."""
    size: tuple[int, int]
    """Width and height of the upright photo; `image` is smaller if it was reduced."""
    taken: str | None
    """The date, as `date_taken` returns it."""
    note: str | None
    """Why a part of the photo is missing: "incomplete: the file ends early"."""


def open_image(path: str | os.PathLike[str], *, truncated: bool = False, max_pixels: int | None = None) -> Image.Image:
    """Open a photo upright by its EXIF orientation, in sRGB colors, transparency over white.

    Parameters
    ----------
    path : path
        A file of any format that Pillow reads. HEIC needs pillow-heif (the extra `heic`), RAW needs rawpy (`raw`).
    truncated : bool, default False
        Whether to use the readable part of a file that ends early or is damaged. The rest is black or gray. By default,
        such a file is an error if it lacks pixels.
    max_pixels : int, optional
        Largest number of pixels. A small file can be made to fill the memory. Default: Pillow's limit, twice
        `PIL.Image.MAX_IMAGE_PIXELS`, 179 million.

    Returns
    -------
    PIL.Image.Image
        An RGB image: the first frame or page of several, the preview of a RAW photo.

    Raises
    ------
    ImageError
        If the file cannot be read, or has too many pixels. The message names the file.
    OptionError
        If `max_pixels` is not a positive integer.

    See Also
    --------
    detect_faces : Takes paths, too.

    Examples
    --------
    >>> from faceie import open_image
    >>> image = open_image("obama.jpg")
    >>> image.mode, image.size
    ('RGB', (720, 900))
    >>> open_image("nowhere.jpg")
    Traceback (most recent call last):
    ...
    faceie.errors.ImageError: nowhere.jpg: there is no such file
    """
    return _read(path, Request("damaged" if truncated else "whole", _limit(max_pixels))).image


def read_photo(
    path: str | os.PathLike[str],
    *,
    truncated: bool = False,
    max_pixels: int | None = MAX_PIXELS,
    reduce_above: int = REDUCE_ABOVE,
    reduce: int = 2,
    content: bytes | None = None,
) -> OpenedPhoto:
    """Open a photo once, for pixels, date and a note if pixels are missing.

    The readable part of a file that ends early is used, and with `truncated` also that of a damaged file.
    `max_pixels`: as for `open_image`. `reduce_above`: to save memory, a photo of more pixels is reduced while it is
    decoded: its width and height are divided by `reduce`. `content`: bytes of the file, if they have been read already.
    """
    request = Request("damaged" if truncated else "early end", _limit(max_pixels), reduce_above, reduce)
    return _read(path, request, content)


def read_bytes(content: bytes, *, max_pixels: int | None = MAX_PIXELS) -> OpenedPhoto:
    """Open a photo that is in memory, as `read_photo` does. Raises ImageError, which names no file."""
    request = Request("damaged", _limit(max_pixels), REDUCE_ABOVE)
    return _converted(open_bytes(content, request), "")


def date_taken(path: str | os.PathLike[str]) -> str | None:
    """Return the date on which a photo was taken, such as "2019-06-01T12:30:00"; None if it is unknown.

    The time is the camera's. The first valid date counts: EXIF's DateTimeOriginal, XMP's, EXIF's DateTimeDigitized and
    DateTime, that in the name of the file (which may be a day only). An offset from UTC follows if the photo has one:
    "+02:00". Raises ImageError for a file that cannot be opened.
    """
    path = Path(path)
    try:
        opened = open_file(path, Request(max_pixels=MAX_PIXELS, decode=False))
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error.__cause__
    return date_taken_by(opened.exif, opened.xmp, path.stem)


def _limit(max_pixels: int | None) -> int | None:
    return None if max_pixels is None else whole_number("max_pixels", max_pixels, or_else=", or None")


def _read(path: str | os.PathLike[str], request: Request, content: bytes | None = None) -> OpenedPhoto:
    path = Path(path)
    try:
        opened = open_file(path, request) if content is None else open_bytes(content, request, path.suffix)
        return _converted(opened, path.stem)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error.__cause__


def _converted(opened: Opened, stem: str) -> OpenedPhoto:
    """Turn a photo upright, and into RGB."""
    orientation = 1 if opened.is_upright else orientation_of(opened.exif)
    taken = date_taken_by(opened.exif, opened.xmp, stem)
    image = turn_upright(to_rgb(opened.image), orientation).image
    width, height = opened.size
    size = (height, width) if orientation in SIDEWAYS else (width, height)
    return OpenedPhoto(image, size, taken, opened.note)

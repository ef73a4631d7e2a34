"""Photos on disk: opened once, for their pixels, their date and a note if they are incomplete."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ..checks import whole_number
from ..errors import ImageError
from .colors import to_rgb
from .dates import date_taken_by
from .decoding import Request, open_file
from .exif import SIDEWAYS, orientation_of, turn_upright

__all__ = ["MAX_PIXELS", "REDUCE_ABOVE", "OpenedPhoto", "date_taken", "open_image", "read_photo"]

#: The default limit of `read_photo`, in pixels: photos of phones have up to 200 million.
MAX_PIXELS = 250_000_000

#: Pixels above which `read_photo` reduces a photo: decoded, it would take more than 300 MB.
REDUCE_ABOVE = 100_000_000


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
    return date_taken_by(opened.exif, opened.xmp, path.stem)


def _limit(max_pixels: int | None) -> int | None:
    return None if max_pixels is None else whole_number("max_pixels", max_pixels, or_else=", or None")


def _read(path: str | os.PathLike[str], request: Request) -> OpenedPhoto:
    path = Path(path)
    try:
        opened = open_file(path, request)
        orientation = 1 if opened.is_upright else orientation_of(opened.exif)
        taken = date_taken_by(opened.exif, opened.xmp, path.stem)
        image = turn_upright(to_rgb(opened.image), orientation).image
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error.__cause__
    width, height = opened.size
    size = (height, width) if orientation in SIDEWAYS else (width, height)
    return OpenedPhoto(image, size, taken, opened.note)

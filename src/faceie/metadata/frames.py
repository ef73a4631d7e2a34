"""The frame of a photo as stored: its size and orientation, and areas turned to and from the upright photo."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ..errors import ImageError
from ..images.decoding import Opened, Request, open_file
from ..images.exif import SIDEWAYS, affine_to_stored, orientation_of

__all__ = ["Area", "StoredFrame", "stored_frame"]

#: Left, top, right and bottom, as shares of the width and the height of a photo.
Area: TypeAlias = tuple[float, float, float, float]

# Only quarter turns differ from their inverse.
_INVERSE = {6: 8, 8: 6}

_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257  # tags

# Only headers are read here, and previews of RAW photos.
_MAX_PIXELS = 1_000_000_000


class StoredFrame(NamedTuple):
    """A photo as stored, before it is turned upright."""

    size: tuple[int, int]
    """Stored width and height."""
    orientation: int
    """EXIF orientation, 1 to 8, by which `open_image` turns the photo upright."""

    def to_stored(self, area: Area) -> Area:
        """Convert an area of the upright photo to one of the stored photo."""
        return _transform(area, self.orientation)

    def to_upright(self, area: Area) -> Area:
        """Convert an area of the stored photo to one of the upright photo."""
        return _transform(area, _INVERSE.get(self.orientation, self.orientation))


def stored_frame(path: str | os.PathLike[str]) -> StoredFrame:
    """Read size and orientation of a photo, without its pixels. Raises ImageError, as `open_image` does."""
    path = Path(path)
    try:
        opened = open_file(path, Request(max_pixels=_MAX_PIXELS, decode=False))
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error.__cause__
    turned = opened.image.info.get("original_orientation")  # by pillow-heif and LibRaw: their size is upright
    if turned is None:
        return StoredFrame(_stored_size(opened), orientation_of(opened.exif))
    width, height = opened.size
    return StoredFrame((height, width) if turned in SIDEWAYS else (width, height), turned)


def _stored_size(opened: Opened) -> tuple[int, int]:
    """Return the size before the photo is turned. Versions of Pillow differ in that of a TIFF image."""
    tags = getattr(opened.image, "tag_v2", {})
    return tags.get(_TIFF_WIDTH, opened.size[0]), tags.get(_TIFF_HEIGHT, opened.size[1])


def _transform(area: Area, orientation: int) -> Area:
    affine = affine_to_stored(orientation, (1, 1)).tolist()
    xs, ys = ([x * left + y * top + shift for left, top in (area[:2], area[2:])] for x, y, shift in affine)
    return min(xs), min(ys), max(xs), max(ys)

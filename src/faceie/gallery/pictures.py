"""Pictures of photos and faces for display, made from the photos on disk."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from ..images import read_photo
from .records import Face

__all__ = ["close_up", "picture"]

_AROUND = 0.45  # of the side of a face, on each side of it


def picture(path: Path, size: int) -> bytes:
    """Return a photo as an upright JPEG of at most `size` pixels each way. Raises ImageError."""
    # Reduced while it is decoded, to a fourth of its width, a photo of many megapixels still has enough pixels.
    photo = read_photo(path, truncated=True, reduce_above=16 * size * size, reduce=4)
    return _jpeg(photo.image, size)


def close_up(face: Face, size: int) -> bytes:
    """Return a face with its surroundings as a JPEG of at most `size` pixels each way. Raises ImageError."""
    photo = read_photo(face.path, truncated=True)
    scale = photo.image.width / photo.size[0]
    x1, y1, x2, y2 = (side * scale for side in face.box)
    around = _AROUND * max(x2 - x1, y2 - y1)
    left, top = max(x1 - around, 0), max(y1 - around, 0)
    right, bottom = min(x2 + around, photo.image.width), min(y2 + around, photo.image.height)
    right, bottom = max(right, left + 1), max(bottom, top + 1)  # a face may lie almost wholly outside
    return _jpeg(photo.image.crop((round(left), round(top), round(right), round(bottom))), size)


def _jpeg(image: Image.Image, size: int) -> bytes:
    image.thumbnail((size, size), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)  # without metadata
    return file.getvalue()

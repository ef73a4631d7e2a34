"""The largest number of pixels that a photo may have: an image of a few bytes can be made to fill the memory."""

from __future__ import annotations

import math

from PIL import Image

from ..errors import ImageError

__all__ = ["check_size", "too_large"]


def check_size(size: tuple[int, int], limit: float) -> None:
    """Raise ImageError, caused by a DecompressionBombError, for an image of more pixels than the limit."""
    if math.prod(size) > limit:
        fact = f"it has {size[0]} x {size[1]} pixels, expected at most {limit} in all"
        raise ImageError(too_large(fact)) from Image.DecompressionBombError()


def too_large(fact: str) -> str:
    """Return the message for an image of too many pixels."""
    return f"{fact}; if it can be trusted, raise the limit: max_pixels=NUMBER"

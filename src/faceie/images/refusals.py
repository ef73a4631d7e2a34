"""Photos that are refused: the limit of pixels, and the messages, with the reason and a remedy."""

from __future__ import annotations

import math

from PIL import Image

from ..errors import ImageError
from .formats import Format, avif_is_readable, heif_is_readable, identify, maker_of, raw_is_readable, raw_name

__all__ = ["check_size", "one_line", "refusal", "too_large"]


def refusal(start: bytes, suffix: str = "", format: Format | None = None) -> str:
    """Return why a file cannot be opened, and a remedy, by its first bytes, or by its format."""
    format = format or identify(start)
    if format.family == "tiff" and (maker := maker_of(suffix)):
        format = Format("raw", raw_name(maker, suffix))
    this = f"this is {format.name}"
    remedies = {
        "heif": "" if heif_is_readable() else "to read it: pip install pillow-heif",
        "avif": "" if avif_is_readable() else "to read it: pip install 'pillow>=11.3'",
        "raw": "" if raw_is_readable() else "to search its preview: pip install rawpy",
        "jxl": "save it as a JPEG to search it",
        "psd": "save it as a JPEG to search it",
        "video": "save single pictures of it to search them",
    }
    if format.family in remedies:
        remedy = remedies[format.family]
        return f"{this}; {remedy}" if remedy else f"{this}, but it is damaged, or of a kind that cannot be read"
    if format.family in ("photo", "tiff"):
        return f"{this}, but it is damaged or ends within its header; look for another copy of it"
    return this if format.family else f"{this}; if it is one, save it as a JPEG"


def check_size(size: tuple[int, int], limit: float) -> None:
    """Raise ImageError, caused by a DecompressionBombError, for an image of more pixels than the limit.

    An image of a few bytes can be made to fill the memory.
    """
    if math.prod(size) > limit:
        fact = f"it has {size[0]} x {size[1]} pixels, expected at most {limit} in all"
        raise ImageError(too_large(fact)) from Image.DecompressionBombError()


def too_large(fact: str) -> str:
    """Return the message for an image of too many pixels."""
    return f"{fact}; if it can be trusted, raise the limit: max_pixels=NUMBER"


def one_line(error: Exception, default: str) -> str:
    """Return the message of a decoder's error in one line, or the default for an empty one."""
    return " ".join(str(error).split()) or default

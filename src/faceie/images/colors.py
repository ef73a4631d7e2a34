"""Conversion of images of any mode, depth and color profile to sRGB with 8 bits a channel."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageError
from .refusals import one_line

__all__ = ["to_rgb"]

_WHITES = (255, 1023, 4095, 16383, 65535)  # the largest values of gray with 8, 10, 12, 14 and 16 bits
_PROFILES = 16  # color profiles whose conversions are kept: a collection has few
_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}  # by mode, the color space of profiles that fit it


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a Pillow image of any mode to sRGB: 16 bits to 8, transparency over white, colors by the ICC profile.

    White of gray with more than 8 bits is the smallest of 255, 1023, 4095, 16383 and 65535 that holds all values, and
    also 1 for floating-point numbers. An alpha channel that is zero everywhere was never filled, and is ignored.
    A profile that cannot be used is ignored, too. Raises ImageError if the pixels cannot be read.
    """
    if 0 in image.size:
        raise ImageError(f"the image is empty: {image.width} x {image.height} pixels")
    try:
        profile = image.info.get("icc_profile")
        if image.mode == "RGB" and "transparency" not in image.info and not profile:
            image.load()
            return image
        alpha = None
        if image.has_transparency_data:
            image, alpha = _without_alpha(image)
        elif image.mode.startswith(("I", "F")):
            image = Image.fromarray(_to_8_bits(np.asarray(image), image.mode))
        elif image.mode == "LAB":
            image, profile = _lab_to_rgb(image), None
        image = _to_srgb(image, profile)
        if alpha is None:
            return image
        image.putalpha(alpha)
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    except Exception as error:  # Pillow's decoders raise anything, from OSError to IndexError
        raise ImageError(f"the pixels cannot be read ({one_line(error, 'they are damaged')})") from error


def _without_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return colors and alpha; None if the alpha is zero everywhere."""
    gray = image.mode in ("LA", "La")
    image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    alpha = image.getchannel("A")
    colors = image.convert("RGB")
    colors = colors.convert("L") if gray else colors  # so that a profile for gray fits
    return colors, alpha if alpha.getextrema() != (0, 0) else None


def _to_srgb(image: Image.Image, profile: Any) -> Image.Image:
    """Convert colors by a profile (relative colorimetric), unless it is sRGB's or does not fit."""
    if image.mode not in _SPACES:
        image = image.convert("RGB")
    converted = None
    if isinstance(profile, bytes) and profile:
        with suppress(Exception):  # a profile that is damaged, or a build of Pillow without LittleCMS
            transform = _transform(profile, image.mode)
            converted = transform.apply(image) if transform else None
    if converted is not None:
        image = converted
    elif image.mode != "RGB":
        image = image.convert("RGB")
    else:
        image.load()
        return image
    image.info.pop("icc_profile", None)  # which no longer describes the colors
    return image


@lru_cache(_PROFILES)
def _transform(profile: bytes, mode: str) -> Any:
    """Return the conversion of images of this mode to sRGB; None if there is nothing to convert."""
    from PIL import ImageCms  # rarely needed, and not in every build of Pillow

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        is_srgb = "srgb" in ImageCms.getProfileDescription(source).lower()
        if source.profile.xcolor_space != _SPACES[mode] or (is_srgb and mode == "RGB"):
            return None
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(source, srgb, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _to_8_bits(numbers: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    """Scale gray of a wider type to 0 to 255 by the smallest usual range that holds all of it."""
    if numbers.dtype != np.uint16:
        numbers = np.nan_to_num(numbers.astype(np.float32), posinf=0, neginf=0)
    top = float(numbers.max())
    whites = (1, *_WHITES) if mode == "F" else _WHITES
    white = next((white for white in whites if top <= white), whites[-1])
    scaled: NDArray[np.float32] = np.multiply(numbers, np.float32(255 / white), dtype=np.float32)
    np.clip(np.rint(scaled, out=scaled), 0, 255, out=scaled)
    return scaled.astype(np.uint8)


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
    if converted is None:  # only if the conversion overwrote the image
        raise ImageError("Pillow cannot convert CIE Lab")
    return converted

"""Images of any kind, turned upright and converted to RGB, and scaled to the input of the networks."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageError
from ..types import Array, ImageLike
from .colors import to_rgb
from .exif import Upright, exif_of, orientation_of, turn_upright
from .photo import open_image

__all__ = ["to_input", "upright"]


def upright(image: ImageLike) -> Upright:
    """Return an image of any kind upright and RGB. Raises ImageError for other objects.

    A Pillow image is turned by its EXIF orientation, which it keeps from its file. An array is upright already.
    """
    if isinstance(image, str | os.PathLike):
        return Upright(open_image(image), np.eye(2, 3))
    if isinstance(image, np.ndarray):
        return Upright(_from_array(image), np.eye(2, 3))
    if isinstance(image, Image.Image):
        return turn_upright(to_rgb(image), orientation_of(exif_of(image)))
    raise ImageError(
        f"this is a {type(image).__name__}, expected an image: "
        "a path, a Pillow image or a NumPy array of uint8 (h, w, 3)"
    )


def to_input(pixels: NDArray[Any]) -> Array:
    """Scale pixels to the networks' input: (pixel - 127.5) / 128, float32, of the same shape."""
    x: Array = np.subtract(pixels, np.float32(127.5), dtype=np.float32)
    x *= np.float32(1 / 128)
    return x


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

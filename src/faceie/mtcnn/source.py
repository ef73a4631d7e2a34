"""The image that is searched, as planes, and halved again and again.

The cascade resizes everything from the image itself, as the reference does. Averages over many pixels hardly change if
pixels are averaged in fours first; so where an image is large, they are taken from one of its halves, which have a
quarter of the pixels to be read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Planes", "Source"]

Planes = NDArray[np.uint8]  # (3, height, width)

_EXACT = 4_000_000  # pixels of images, up to which the results are those of the reference to the last digits
_SIDE = 6  # pixels of a half that an average is taken over, at least, along each axis
_HALVES = 3
_STRIP = 1_000_000  # pixels that are taken at a time: what Pillow copies stays in the cache


class Source:
    """An image to search."""

    def __init__(self, image: Image.Image) -> None:
        """Take an RGB image."""
        self.size = (image.height, image.width)
        self._exact = image.width * image.height <= _EXACT
        self.planes = _halved(image)  # by how often they are halved

    def halvings(self, pixels: float, *, exact: bool = True) -> int:
        """Return how often to halve the image for averages over so many pixels along each axis. Not at all if the
        image is not large, unless it need not be `exact`.
        """
        if exact and self._exact:
            return 0
        return min(max(int(np.log2(max(pixels / _SIDE, 1))), 0), len(self.planes) - 1)


def _halved(image: Image.Image) -> list[Planes]:
    """Return the planes of an image, and of its halves, until there is but one row or column left."""
    width, height = image.size
    sizes = [(height, width)]
    while len(sizes) <= _HALVES and min(sizes[-1]) > 1:
        height, width = -(-height // 2), -(-width // 2)
        sizes.append((height, width))
    halved = [np.empty((3, *size), np.uint8) for size in sizes]
    whole = 1 << _HALVES  # rows that can be halved so often
    height = max(_STRIP // image.width // whole, 1) * whole
    for top in range(0, image.height, height):
        strip = image.crop((0, top, image.width, min(top + height, image.height)))
        for halvings, planes in enumerate(halved):
            strip = strip.reduce(2) if halvings else strip
            rows = slice(top >> halvings, (top >> halvings) + strip.height)
            for plane, channel in zip(planes, strip.split(), strict=True):
                plane[rows] = np.asarray(channel)
    return halved

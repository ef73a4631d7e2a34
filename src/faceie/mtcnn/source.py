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


class Source:
    """An image to search."""

    def __init__(self, image: Image.Image) -> None:
        """Take an RGB image."""
        self.size = (image.height, image.width)
        self._exact = image.width * image.height <= _EXACT
        self.planes = [_planes(image)]  # by how often they are halved
        while len(self.planes) <= _HALVES and min(image.size) > 1:
            image = image.reduce(2)
            self.planes.append(_planes(image))

    def halvings(self, pixels: float, *, exact: bool = True) -> int:
        """Return how often to halve the image for averages over so many pixels along each axis. Not at all if the
        image is not large, unless it need not be `exact`.
        """
        if exact and self._exact:
            return 0
        return min(max(int(np.log2(max(pixels / _SIDE, 1))), 0), len(self.planes) - 1)


def _planes(image: Image.Image) -> Planes:
    planes = np.empty((3, image.height, image.width), np.uint8)
    for channel, plane in enumerate(planes):
        plane[...] = np.asarray(image.getchannel(channel))
    return planes

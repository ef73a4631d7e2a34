"""Types that all rooms share."""

from __future__ import annotations

import os
from typing import TypeAlias, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Affine", "Array", "ImageLike"]

#: Activations, weights, boxes, landmarks and embeddings.
Array: TypeAlias = NDArray[np.float32]

#: [2, 3], float64: maps points (x, y, 1) to (x, y).
Affine: TypeAlias = NDArray[np.float64]

#: An image for a function that takes one: the path of a photo, a Pillow image of any mode, or an array of uint8,
#: (h, w, 3) RGB, (h, w, 4) RGBA or (h, w) gray.
ImageLike: TypeAlias = Union[str, "os.PathLike[str]", Image.Image, NDArray[np.uint8]]

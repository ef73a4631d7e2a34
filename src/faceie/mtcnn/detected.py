"""`DetectedFaces`: what was found in an image, and how good it is for recognition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from ..boxes import area
from ..types import Array

__all__ = ["DetectedFaces"]

_GOOD_SIZE = 64  # pixels, from which on more do not make a face better known
_GOOD_SHARPNESS = 0.1  # the same
_NOSE = 0.45  # how far the tip of a nose is before the plane of the eyes, in units of the way from eyes to mouth


class DetectedFaces(NamedTuple):
    """The faces of an image, most probable first."""

    probabilities: Array
    """(n,) float32, 0 to 1: O-Net's verdict that this is a face."""

    angles: Array
    """(n,) float32 radians, -pi to pi: how far the face is turned counter-clockwise, as seen in the image; 0 if
    upright. It is that of the search which found the face, to which it may be turned a little in turn."""

    bounding_boxes: Array
    """(n, 4) float32: x1, y1, x2, y2 in pixels of the image that was passed in; may reach over its border."""

    landmarks: Array
    """(n, 5, 2) float32: x, y of left eye, right eye, nose, left and right corner of the mouth; left as seen by the
    viewer of an upright face."""

    images: list[Image.Image] | None
    """n upright RGB crops, `crop_size` x `crop_size`, for `encode_faces`; None if they were not asked for. A face that
    was found in a copy of the photo with stretched tones is cut out of this copy."""

    @property
    def sizes(self) -> Array:
        """(n,) float32: the size of each face in pixels of the image, the geometric mean of its box's sides."""
        sizes: Array = np.sqrt(area(self.bounding_boxes))
        return sizes

    @property
    def turns(self) -> Array:
        """(n,) float32 radians, -pi/2 to pi/2: how far the head is turned to the viewer's right (yaw), as nose, eyes
        and mouth tell; 0 for a face that looks at the camera. A rough estimate, within some 10 degrees."""
        left_eye, right_eye, nose, left_mouth, right_mouth = self.landmarks.transpose(1, 0, 2)  # [n, 2] each
        eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
        height = np.maximum(np.linalg.norm(mouth - eyes, axis=1), np.float32(1e-6))  # [n]
        down = (mouth - eyes) / height[:, None]
        right = np.stack([down[:, 1], -down[:, 0]], 1)
        aside = ((nose - eyes) * right).sum(1) / height
        turns: Array = np.arcsin(np.clip(aside / np.float32(_NOSE), -1, 1))
        return turns

    @property
    def sharpness(self) -> Array | None:
        """(n,) float32: how much detail there is in each crop, the standard deviation of its Laplacian in units of its
        own: some 0.05 where it is blurred or blown up from a few pixels, 0.1 to 0.5 in good photos. None without
        crops."""
        return None if self.images is None else np.array([_sharpness(crop) for crop in self.images], np.float32)

    @property
    def qualities(self) -> Array:
        """(n,) float32, 0 to 1: how much there is to recognize a face by. 1 for a face of at least 64 pixels that is
        sharp (if there are crops to tell) and looks at the camera; less, the smaller, the more blurred and the more
        turned away."""
        quality = np.minimum(self.sizes / _GOOD_SIZE, 1) * np.cos(self.turns)
        if (sharpness := self.sharpness) is not None:
            quality = quality * np.minimum(sharpness / np.float32(_GOOD_SHARPNESS), 1)
        return quality


def _sharpness(crop: Image.Image) -> float:
    gray = np.asarray(crop.convert("L"), np.float32)
    if min(gray.shape) < 3:
        return 0.0
    inner = gray[1:-1, 1:-1]
    laplacian = 4 * inner - gray[:-2, 1:-1] - gray[2:, 1:-1] - gray[1:-1, :-2] - gray[1:-1, 2:]
    return float(laplacian.std() / max(float(gray.std()), 1.0))

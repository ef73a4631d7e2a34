"""`DetectedFaces`: the faces of an image, and how well each can be recognized."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from ..boxes import area
from ..types import Array

__all__ = ["DetectedFaces"]

_GOOD_SIZE = 64  # pixels: larger faces are not recognized better
_GOOD_SHARPNESS = 0.1  # sharper faces are not recognized better
_NOSE = 0.45  # distance of the nose's tip from the plane of the eyes, in units of the distance from eyes to mouth


class DetectedFaces(NamedTuple):
    """The faces of an image, most probable first.

    All arrays have the same length n, 0 for an image without faces.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (n,), float32
        The probability, 0 to 1, that this is a face: of the faces with 0.9, nine in ten are faces. It is calibrated on
        labeled photos (see `faceie.mtcnn.credibility`). With a single angle such as ``rotations=(0,)``, it is O-Net's
        score, which is higher.
    rolls : numpy.ndarray, shape (n,), float32
        Rotation of each face in the image plane, in radians, -pi to pi, counter-clockwise as seen in the image; 0 for
        an upright face. It is the angle of the search that found the face, so the face may deviate from it a little.
    bounding_boxes : numpy.ndarray, shape (n, 4), float32
        Left, top, right and bottom in pixels of the image that was passed in. They may lie beyond its border.
    landmarks : numpy.ndarray, shape (n, 5, 2), float32
        Points (x, y), in pixels: left eye, right eye, nose, left and right corner of the mouth. Left is the viewer's
        left of an upright face.
    images : list of PIL.Image.Image or None
        Upright RGB crops, `crop_size` x `crop_size` pixels, for `encode_faces`. None with ``crops=False``. A face that
        was found in a copy of the photo with stretched tones is cropped from this copy.

    See Also
    --------
    detect_faces : Makes these.

    Examples
    --------
    >>> from faceie import detect_faces
    >>> faces = detect_faces("obama-congress.jpg")
    >>> faces.bounding_boxes.shape, faces.landmarks.shape
    ((1, 4), (1, 5, 2))
    >>> good = faces.qualities > 0.5
    >>> [image.size for image, is_good in zip(faces.images, good) if is_good]
    [(160, 160)]
    """

    probabilities: Array
    rolls: Array
    bounding_boxes: Array
    landmarks: Array
    images: list[Image.Image] | None

    @property
    def sizes(self) -> Array:
        """Sizes of the faces in pixels of the image, (n,) float32: geometric means of the sides of the boxes."""
        sizes: Array = np.sqrt(area(self.bounding_boxes))
        return sizes

    @property
    def yaws(self) -> Array:
        """Rotations of the heads to the viewer's right, (n,) float32 radians, -pi/2 to pi/2.

        0 is a face that looks at the camera. These are rough estimates from the landmarks, within some 10 degrees.
        """
        left_eye, right_eye, nose, left_mouth, right_mouth = self.landmarks.transpose(1, 0, 2)  # [n, 2] each
        eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
        height = np.maximum(np.linalg.norm(mouth - eyes, axis=1), np.float32(1e-6))  # [n]
        down = (mouth - eyes) / height[:, None]
        right = np.stack([down[:, 1], -down[:, 0]], 1)
        aside = ((nose - eyes) * right).sum(1) / height
        yaws: Array = np.arcsin(np.clip(aside / np.float32(_NOSE), -1, 1))
        return yaws

    @property
    def sharpness(self) -> Array | None:
        """Sharpness of the crops, (n,) float32, or None without crops.

        The standard deviation of a crop's Laplacian, divided by that of its gray levels: about 0.05 for crops that are
        blurred or enlarged from a few pixels, 0.1 to 0.5 in good photos.
        """
        return None if self.images is None else np.array([_sharpness(crop) for crop in self.images], np.float32)

    @property
    def qualities(self) -> Array:
        """How well each face can be recognized, (n,) float32, 0 to 1.

        1 for a sharp face of at least 64 pixels that looks at the camera. Small, blurred and averted faces have less.
        Without crops, sharpness does not count.
        """
        quality = np.minimum(self.sizes / _GOOD_SIZE, 1) * np.cos(self.yaws)
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

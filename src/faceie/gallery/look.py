"""What is done with each photo: opened, searched for faces, each of them encoded. It may happen in any process."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..boxes import area
from ..checks import whole_number
from ..errors import ImageError, OptionError
from ..facenet import load
from ..facenet.encode import encode_faces
from ..facenet.network import InceptionResNetV1
from ..images import read_photo
from ..mtcnn.detect import detect_faces
from ..types import Array, ImageLike
from .records import Probe
from .settings import Settings

__all__ = ["Look", "Seen", "failed", "find_probe", "look", "thumbnail"]

_THUMBNAIL = 128  # height in pixels


class Seen(NamedTuple):
    """A face in a photo, with what is stored of it."""

    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the photo as it is meant to be seen."""
    landmarks: NDArray[np.float32]
    """(5, 2), as `DetectedFaces` has them."""
    angle: float
    """In radians, counter-clockwise."""
    probability: float
    quality: float
    embedding: Array
    """(512,) float32, of length 1."""
    thumbnail: bytes
    """A JPEG of the face, 128 pixels high."""


class Look(NamedTuple):
    """What there is in a photo; or, if it cannot be used, why."""

    width: int | None = None
    height: int | None = None
    taken: str | None = None
    """When the photo was taken, "2019-06-01T12:30:00", if it says."""
    faces: Sequence[Seen] = ()
    error: str | None = None
    passing: bool = False
    """Whether the error has to do with the machine or the options rather than with the photo: it is tried again."""
    note: str | None = None
    """Why a part of the photo is missing, if it was used all the same."""


def look(path: str, settings: Settings) -> Look:
    """Find and encode the faces in a photo. Whatever goes wrong with it is part of the answer, and not raised.

    Raises WeightsError only.
    """
    weights = _weights(settings.weights)
    try:
        return _look(path, settings, weights)
    except Exception as error:  # of decoders, or a defect of ours: the run goes on with the next photo
        return failed(error, path)


def failed(error: Exception, path: str) -> Look:
    """Return the answer for a photo that cannot be used because of an error."""
    cause = error.__cause__ if isinstance(error, ImageError) else error
    if isinstance(cause, MemoryError):
        return Look(error="there is not enough memory for it", passing=True)
    if isinstance(cause, OSError) and cause.errno:  # Pillow's own OSErrors have no number
        return Look(error=cause.strerror or str(cause), passing=True)
    text = str(error).removeprefix(f"{path}: ").replace(f" {path!r}", "")
    if isinstance(cause, Image.DecompressionBombError):  # another limit may be given next time
        return Look(error=text, passing=True)
    if isinstance(error, ImageError):  # copies share this reason, so it names no path
        return Look(error=text)
    return Look(error=f"it cannot be analyzed ({type(error).__name__}: {error})")


def _look(path: str, settings: Settings, weights: InceptionResNetV1) -> Look:
    photo = read_photo(path, truncated=settings.truncated, max_pixels=settings.max_pixels)
    image = photo.image
    scale = np.divide(photo.size, image.size).astype(np.float32)  # of a photo that was reduced
    found = detect_faces(image, settings.options)
    crops = found.images or []
    embeddings = encode_faces(crops, weights)
    seen = [
        Seen(
            box=(
                float(box[0] * scale[0]),
                float(box[1] * scale[1]),
                float(box[2] * scale[0]),
                float(box[3] * scale[1]),
            ),
            landmarks=landmarks * scale,
            angle=float(angle),
            probability=float(probability),
            quality=float(quality),
            embedding=embedding,
            thumbnail=thumbnail(crop, box, float(angle)),
        )
        for probability, angle, box, landmarks, quality, crop, embedding in zip(
            *found[:4], found.qualities, crops, embeddings, strict=True
        )
    ]
    return Look(*photo.size, photo.taken, seen, note=photo.note)


@cache
def _weights(source: str | Path) -> InceptionResNetV1:
    return load(source)


def find_probe(
    photo: ImageLike, number: int | None, settings: Settings, weights: Callable[[], InceptionResNetV1]
) -> Probe:
    """Return the face of a photo by which to search (see `Gallery.probe`)."""
    image, name = photo, ""
    if isinstance(photo, str | os.PathLike):
        image, name = (
            read_photo(photo, truncated=settings.truncated, max_pixels=settings.max_pixels).image,
            f"{photo}: ",
        )
    found = detect_faces(image, settings.options)
    count = len(found.probabilities)
    if not count:
        raise ImageError(f"{name}no face was found in this photo")
    if number is not None and (number := whole_number("face", number)) > count:
        raise OptionError(f"{name}face is {number}, expected 1 to {count}")
    index = int(np.argmax(area(found.bounding_boxes))) if number is None else number - 1
    assert found.images
    crop = found.images[index]
    picture = thumbnail(crop, found.bounding_boxes[index], float(found.rolls[index]))
    return Probe(encode_faces(crop, weights()), index + 1, count, picture)


def thumbnail(crop: Image.Image, box: Array, angle: float) -> bytes:
    """Return a small JPEG of the face, with the proportions that it has in the photo: a crop is stretched to a
    square."""
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    if abs(math.sin(angle)) > abs(math.cos(angle)):
        width, height = height, width
    width = round(_THUMBNAIL * min(max(width / max(height, 1.0), 0.5), 2.0))
    file = io.BytesIO()
    crop.resize((width, _THUMBNAIL), Image.Resampling.LANCZOS).save(file, "JPEG", quality=80)
    return file.getvalue()

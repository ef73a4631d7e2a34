"""What is done with each photo: opened, searched for faces, each of them encoded. It may happen in any process."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageError
from ..facenet import load
from ..facenet.encode import encode_faces
from ..facenet.network import InceptionResNetV1
from ..images import date_taken, open_image
from ..mtcnn.detect import detect_faces
from ..mtcnn.options import DetectionOptions
from ..nn.tree import Array

__all__ = ["Look", "Seen", "Settings", "look", "read", "thumbnail", "written"]

_THUMBNAIL = 128  # height in pixels


class Settings(NamedTuple):
    """How faces are found and encoded: embeddings that are compared with each other have these in common."""

    weights: str | Path
    """What `faceie.facenet.load` takes."""
    options: DetectionOptions


def written(weights: str | Path) -> str:
    """Return which weights these are, as it is stored: they have a name, or are in a file."""
    return json.dumps({"path": str(weights.absolute())} if isinstance(weights, Path) else {"name": weights})


def read(text: str) -> str | Path:
    """Return the weights that were written so."""
    source = json.loads(text)
    return Path(source["path"]) if "path" in source else str(source["name"])


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


def look(path: str, settings: Settings) -> Look:
    """Find and encode the faces in a photo. What is wrong with it is part of the answer, and not raised.

    Raises WeightsError, and OSError or MemoryError for what has to do with the machine rather than with the photo.
    """
    weights = _weights(settings.weights)
    try:
        image = open_image(path)
        taken = date_taken(path)
        found = detect_faces(image, **settings.options.keywords())
    except ImageError as error:
        cause = error.__cause__
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno):
            raise cause from None  # Pillow's own OSErrors have no number
        # Copies share this reason, so it names no path.
        return Look(error=str(error).removeprefix(f"{path}: ").replace(f" {path!r}", ""))
    crops = found.images or []
    embeddings = encode_faces(crops, weights)
    seen = [
        Seen(
            box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            landmarks=landmarks,
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
    return Look(image.width, image.height, taken, seen)


@cache
def _weights(source: str | Path) -> InceptionResNetV1:
    return load(source)


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

"""Analyze a photo: open it, detect its faces and encode them. Worker processes run this, too."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
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
from .records import NewFace, PhotoAnalysis, Probe
from .settings import Settings

__all__ = ["analyze_photo", "failed_analysis", "find_probe", "thumbnail"]

_THUMBNAIL = 128  # pixels, height


def analyze_photo(path: str, settings: Settings) -> PhotoAnalysis:
    """Detect and encode the faces in a photo. Errors are part of the result, except WeightsError."""
    weights = _load(settings.weights)
    try:
        return _analyze(path, settings, weights)
    except Exception as error:  # of decoders, or a bug of ours: the run goes on with the next photo
        return failed_analysis(error, path)


def failed_analysis(error: Exception, path: str) -> PhotoAnalysis:
    """Return the result for a photo that cannot be used because of an error."""
    cause = error.__cause__ if isinstance(error, ImageError) else error
    if isinstance(cause, MemoryError):
        return PhotoAnalysis(error="there is not enough memory for it", transient=True)
    if isinstance(cause, OSError) and cause.errno:  # Pillow's own OSErrors have no number
        return PhotoAnalysis(error=cause.strerror or str(cause), transient=True)
    text = str(error).removeprefix(f"{path}: ").replace(f" {path!r}", "")
    if isinstance(cause, Image.DecompressionBombError):  # the next run may have another limit
        return PhotoAnalysis(error=text, transient=True)
    if isinstance(error, ImageError):  # copies share this reason, so it names no path
        return PhotoAnalysis(error=text)
    return PhotoAnalysis(error=f"it cannot be analyzed ({type(error).__name__}: {error})")


def _analyze(path: str, settings: Settings, weights: InceptionResNetV1) -> PhotoAnalysis:
    photo = read_photo(path, truncated=settings.truncated, max_pixels=settings.max_pixels)
    image = photo.image
    scale = np.divide(photo.size, image.size).astype(np.float32)  # [2], 1 unless the photo was reduced
    found = detect_faces(image, settings.options)
    crops = found.images or []
    embeddings = encode_faces(crops, weights)
    faces = [
        NewFace(
            box=(
                float(box[0] * scale[0]),
                float(box[1] * scale[1]),
                float(box[2] * scale[0]),
                float(box[3] * scale[1]),
            ),
            landmarks=landmarks * scale,
            roll=float(roll),
            probability=float(probability),
            quality=float(quality),
            embedding=embedding,
            thumbnail=thumbnail(crop, box, float(roll)),
        )
        for probability, roll, box, landmarks, quality, crop, embedding in zip(
            *found[:4], found.qualities, crops, embeddings, strict=True
        )
    ]
    return PhotoAnalysis(*photo.size, photo.taken, faces, note=photo.note)


@cache
def _load(source: str | Path) -> InceptionResNetV1:
    return load(source)


def find_probe(
    photo: ImageLike, number: int | None, settings: Settings, weights: Callable[[], InceptionResNetV1]
) -> Probe:
    """Return the face to search for in a photo (see `Gallery.probe`)."""
    image, name = photo, ""
    if isinstance(photo, str | os.PathLike):
        image = read_photo(photo, truncated=settings.truncated, max_pixels=settings.max_pixels).image
        name = f"{photo}: "
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


def thumbnail(crop: Image.Image, box: Array, roll: float) -> bytes:
    """Return a small JPEG of a face, with its proportions in the photo, which the square crop has lost."""
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    if abs(math.sin(roll)) > abs(math.cos(roll)):
        width, height = height, width
    width = round(_THUMBNAIL * min(max(width / max(height, 1.0), 0.5), 2.0))
    file = io.BytesIO()
    crop.resize((width, _THUMBNAIL), Image.Resampling.LANCZOS).save(file, "JPEG", quality=80)
    return file.getvalue()

"""Analyze a photo: open it, detect its faces and encode them. Worker processes run this, too."""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ..boxes import area, iou
from ..checks import whole_number
from ..errors import ImageError, OptionError
from ..facenet import load
from ..facenet.encode import encode_faces
from ..facenet.network import InceptionResNetV1
from ..forks import Lock
from ..images import read_bytes, read_photo
from ..mtcnn.detect import crop_face, detect_faces
from ..mtcnn.detected import DetectedFaces
from ..nn.parallel import one_thread
from ..types import Array, ImageLike
from .records import NewFace, PhotoAnalysis, Probe
from .settings import Settings

__all__ = [
    "analyze_photo",
    "digest_of",
    "failed_analysis",
    "find_drawn_face",
    "find_named_faces",
    "find_probe",
    "find_probes",
    "hash_photo",
    "load_cached",
    "thumbnail",
]

_THUMBNAIL = 128  # pixels, height

# The second search, near a named region: someone has seen a face there.
_LOW_THRESHOLDS = (0.4, 0.5, 0.4)
_FINE = 0.84  # ratio of levels of the pyramid: twice as many as usual
_LOW_PROBABILITY = 0.02  # a user has seen a face there
_REGION_SIZES = (60.0, 240.0)  # pixels: regions outside this range are resized, by a factor of at most
_LARGEST_SCALE = 4.0
_SMALLEST = 0.35  # relative size of the smallest face in a region
_OVERLAP = 0.2  # least intersection over union of region and face

# A face that is not found in the box that the user has drawn.
_LANDMARKS = np.array([[0.31, 0.38], [0.69, 0.38], [0.5, 0.56], [0.34, 0.76], [0.66, 0.76]], np.float32)  # in the box
_UNSURE = 0.5  # factor of its quality: it joins similar faces, but no cluster is built on it


def analyze_photo(path: str, settings: Settings, content: bytes | None = None) -> PhotoAnalysis:
    """Hash a photo, detect its faces and encode them. Errors are part of the result, except WeightsError.

    `content`: bytes of the file, if they have been read already.
    """
    weights = load_cached(settings.weights)
    digest = None
    try:
        digest = digest_of(path) if content is None else hashlib.sha256(content).digest()
        with one_thread() if settings.one_thread else nullcontext():
            return _analyze(path, settings, weights, content)._replace(digest=digest)
    except Exception as error:  # of decoders, or a bug of ours: the run goes on with the next photo
        return failed_analysis(error, path)._replace(digest=digest)


def hash_photo(path: str, settings: Settings) -> PhotoAnalysis:
    """Only hash a photo, for one whose content may be known. `settings`: as for `analyze_photo`."""
    try:
        return PhotoAnalysis(digest=digest_of(path))
    except Exception as error:
        return failed_analysis(error, path)


def digest_of(path: str) -> bytes:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


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


def _analyze(path: str, settings: Settings, weights: InceptionResNetV1, content: bytes | None) -> PhotoAnalysis:
    photo = read_photo(path, truncated=settings.truncated, max_pixels=settings.max_pixels, content=content)
    image = photo.image
    scale = np.divide(photo.size, image.size).astype(np.float32)  # [2], 1 unless the photo was reduced
    found = detect_faces(image, settings.options)
    return PhotoAnalysis(*photo.size, photo.taken, _encoded(found, weights, scale), note=photo.note)


def _encoded(
    found: DetectedFaces, weights: InceptionResNetV1, scale: Array, offset: Array | float = 0.0
) -> list[NewFace]:
    """Encode faces. `scale`, `offset`: [2], from pixels of the searched image to those of the photo."""
    crops = found.images or []
    embeddings = encode_faces(crops, weights)
    corners = found.bounding_boxes.reshape(-1, 2, 2) * scale + offset  # [n, 2, 2]
    return [
        NewFace(
            box=(float(corner[0, 0]), float(corner[0, 1]), float(corner[1, 0]), float(corner[1, 1])),
            landmarks=landmarks * scale + offset,
            roll=float(roll),
            probability=float(probability),
            quality=float(quality),
            embedding=embedding,
            thumbnail=thumbnail(crop, box, float(roll)),
        )
        for probability, roll, box, landmarks, quality, crop, embedding, corner in zip(
            *found[:4], found.qualities, crops, embeddings, corners, strict=True
        )
    ]


def find_named_faces(path: str, regions: Array, settings: Settings, weights: InceptionResNetV1) -> list[NewFace | None]:
    """Search the surroundings of named regions of a photo again, at lower thresholds. Raises ImageError.

    `regions`: boxes, [n, 4], in pixels of the upright photo. Returns the face of each region, or None.
    """
    photo = read_photo(path, truncated=True, max_pixels=settings.max_pixels)
    reduced = np.divide(photo.image.size, photo.size)  # [2], 1 unless the photo was reduced
    return [
        _find_near(photo.image, np.reshape(region, (2, 2)) * reduced, reduced, settings, weights) for region in regions
    ]


def find_drawn_face(
    path: str, box: Array, settings: Settings, weights: InceptionResNetV1
) -> tuple[tuple[int, int], NewFace | None, NewFace]:
    """Encode the face in a box, (4,), that the user has drawn in a photo. Raises ImageError.

    Returns the size of the photo, the face that a search at lower thresholds finds there, if any, and the face in the
    box as it was drawn.
    """
    photo = read_photo(path, truncated=True, max_pixels=settings.max_pixels)
    reduced = np.divide(photo.image.size, photo.size)  # [2], 1 unless the photo was reduced
    region = np.reshape(box, (2, 2)) * reduced
    found = _find_near(photo.image, region, reduced, settings, weights)
    whole = region.reshape(1, 4).astype(np.float32)
    corner, size = whole[0, :2], whole[0, 2:] - whole[0, :2]
    crop = crop_face(photo.image, whole[0], settings.options)
    # A box without a detected face is taken for that of an upright one.
    drawn = DetectedFaces(
        np.ones(1, np.float32), np.zeros(1, np.float32), whole, (corner + _LANDMARKS * size)[None], [crop]
    )
    (face,) = _encoded(drawn, weights, (1 / reduced).astype(np.float32))
    return photo.size, found, face._replace(quality=face.quality * _UNSURE)


def _find_near(
    image: Image.Image, region: Array, reduced: Array, settings: Settings, weights: InceptionResNetV1
) -> NewFace | None:
    """Search an image near a region, [2, 2], in its pixels. `reduced`: [2], its size relative to the photo's."""
    side = float((region[1] - region[0]).max())
    start = np.maximum(np.floor(region[0] - side), 0).astype(int)
    end = np.minimum(np.ceil(region[1] + side), image.size).astype(int)
    if side < 1 or (end - start).min() < 1:
        return None
    smallest, largest = _REGION_SIZES
    scale = min(smallest / side, _LARGEST_SCALE) if side < smallest else min(largest / side, 1.0)
    size = np.maximum(np.round((end - start) * scale), 1).astype(int)
    crop = image.resize((int(size[0]), int(size[1])), Image.Resampling.LANCZOS, (*start.tolist(), *end.tolist()))
    options = replace(
        settings.options,
        thresholds=_LOW_THRESHOLDS,
        factor=_FINE,
        min_probability=_LOW_PROBABILITY,
        rotations="auto",
        min_face_size=max(_SMALLEST * side * scale, 12.0),
        min_face_share=0.0,
        crops=True,
    )
    found = detect_faces(crop, options)
    back = (end - start) / size  # [2], from pixels of the crop to those of the image
    boxes = found.bounding_boxes.reshape(-1, 2, 2) * back + start  # [n, 2, 2]
    overlaps = iou(boxes.reshape(-1, 4), region.reshape(1, 4))[:, 0]  # [n]
    if not len(overlaps) or overlaps.max() < _OVERLAP:
        return None
    best = int(overlaps.argmax())
    kept = slice(best, best + 1)
    images = found.images[kept] if found.images else None
    one = DetectedFaces(
        found.probabilities[kept], found.rolls[kept], found.bounding_boxes[kept], found.landmarks[kept], images
    )
    (face,) = _encoded(one, weights, back / reduced, start / reduced)
    # An enlarged face is as good as the pixels of the photo.
    return face._replace(quality=face.quality * min(1.0, float(back.mean())))


_loading = Lock()


def load_cached(source: str | Path) -> InceptionResNetV1:
    """Load weights once in a process, whose threads may start at the same time."""
    with _loading:
        return _load(source)


@cache
def _load(source: str | Path) -> InceptionResNetV1:
    return load(source)


def find_probe(
    photo: ImageLike, number: int | None, settings: Settings, weights: Callable[[], InceptionResNetV1]
) -> Probe:
    """Return the face to search for in a photo (see `Gallery.probe`)."""
    found, name = _detect_probes(photo, settings)
    count = len(found.probabilities)
    if not count:
        raise ImageError(f"{name}no face was found in this photo")
    if number is not None and (number := whole_number("face", number)) > count:
        raise OptionError(f"{name}face is {number}, expected 1 to {count}")
    index = int(np.argmax(area(found.bounding_boxes))) if number is None else number - 1
    return _probe(found, index, weights())


def find_probes(photo: ImageLike | bytes, settings: Settings, weights: Callable[[], InceptionResNetV1]) -> list[Probe]:
    """Return all faces in a photo (see `Gallery.probes`)."""
    image = read_bytes(photo, max_pixels=settings.max_pixels).image if isinstance(photo, bytes) else photo
    found, _ = _detect_probes(image, settings)
    return [_probe(found, index, weights()) for index in range(len(found.probabilities))]


def _detect_probes(photo: ImageLike, settings: Settings) -> tuple[DetectedFaces, str]:
    """Return the faces of a photo, and how an error begins that is about it."""
    if isinstance(photo, str | os.PathLike):
        image = read_photo(photo, truncated=settings.truncated, max_pixels=settings.max_pixels).image
        return detect_faces(image, settings.options), f"{photo}: "
    return detect_faces(photo, settings.options), ""


def _probe(found: DetectedFaces, index: int, weights: InceptionResNetV1) -> Probe:
    assert found.images
    crop = found.images[index]
    picture = thumbnail(crop, found.bounding_boxes[index], float(found.rolls[index]))
    return Probe(encode_faces(crop, weights), index + 1, len(found.probabilities), picture)


def thumbnail(crop: Image.Image, box: Array, roll: float) -> bytes:
    """Return a small JPEG of a face, with its proportions in the photo, which the square crop has lost."""
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    if abs(math.sin(roll)) > abs(math.cos(roll)):
        width, height = height, width
    width = round(_THUMBNAIL * min(max(width / max(height, 1.0), 0.5), 2.0))
    file = io.BytesIO()
    crop.resize((width, _THUMBNAIL), Image.Resampling.LANCZOS).save(file, "JPEG", quality=80)
    return file.getvalue()

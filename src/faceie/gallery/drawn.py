"""Faces that the user has drawn: encoded, stored, and moved to new versions of their photos.

The detector does not find them again, so a run cannot restore them. If a photo changes, each is searched and encoded at
the same place of the new version (`find_again`). If it is the same face, it moves there. Otherwise, it stays with the
former version, as all statements do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..boxes import iou
from ..errors import FaceieError, GalleryError, OptionError
from ..facenet.network import InceptionResNetV1
from ..types import Array
from . import people
from .analysis import find_drawn_face
from .records import Face, NewFace, Photo
from .settings import Settings
from .store import Store

__all__ = ["draw_face", "find_again", "store_drawn"]

_SMALLEST = 8.0  # pixels: least width and height of a box
_SAME_PLACE = 0.35  # intersection over union, above which two boxes are around one face: people draw loosely
_SAME_SHAPE = 0.02  # largest relative difference of the proportions of two versions


def draw_face(
    store: Store, photo: Photo, box: Sequence[float], settings: Settings, weights: Callable[[], InceptionResNetV1]
) -> int | NewFace:
    """Return the known face in a box, or else encode the one in it. Raises ImageError, OptionError and GalleryError."""
    region = _checked_box(box, photo.size)
    known = _known_faces(store, photo.id)
    boxes = _boxes(known)
    if (near := _nearest(region, boxes)) is not None:
        return known[near].id
    size, found, as_drawn = find_drawn_face(str(photo.path), region, settings, weights())
    if size != photo.size:
        raise GalleryError(f"{photo.path}: it has changed since it was indexed; index it again")
    return as_drawn if found is None or _nearest(_array(found.box), boxes) is not None else found


def store_drawn(store: Store, photo: int, face: int | NewFace, who: int | str | None) -> int:
    """Store a face that the user has drawn, and whose it is. Return its id."""
    if isinstance(face, NewFace):
        number = store.imports.next_number(photo)
        if number is None:
            raise GalleryError("the photo has just been deleted from the gallery")
        identifier = store.faces.insert(photo, number, face, drawn=True)
    else:
        identifier = store.faces.check_id(face)
        if identifier in store.people.ignored():
            people.notice(store, [identifier])
    if who is not None:
        store.imports.remove_person(photo, people.confirm(store, who, [identifier]))
    return identifier


def find_again(
    store: Store, settings: Settings, weights: Callable[[], InceptionResNetV1]
) -> dict[int, tuple[int, NewFace]]:
    """Return the drawn faces of photos that have changed: by their ids, the new version and the face there."""
    found = {}
    for former, successor in store.orphans():
        for face in store.faces.drawn_in(former):
            photo = successor or people.find_new_version(store, former)
            version = None if photo is None else store.find_photo(photo)
            if version and (new := _same_face(store, face, version, settings, weights())):
                found[face] = (version.id, new)
    return found


def _same_face(
    store: Store, face: int, version: Photo, settings: Settings, weights: InceptionResNetV1
) -> NewFace | None:
    """Return a drawn face as it is in the new version of its photo, or None if another one is there."""
    box, size = store.faces.box_and_frame(face)
    scale = np.divide(version.size, size)  # [2]
    if abs(scale[0] / scale[1] - 1) > _SAME_SHAPE:
        return None
    region = _array(box) * np.tile(scale, 2).astype(np.float32)
    try:
        _, found, as_drawn = find_drawn_face(str(version.path), region, settings, weights)
    except (FaceieError, MemoryError):  # the next run tries again
        return None
    candidates = [new for new in (found, as_drawn) if new is not None]
    former = store.faces.embedding(face)
    best = min(candidates, key=lambda new: float(np.linalg.norm(new.embedding - former)))
    return best if np.linalg.norm(best.embedding - former) <= people.SAME_FACE else None


def _checked_box(box: Sequence[float], size: tuple[int, int]) -> Array:
    """Return a box within the photo, (4,). Raises OptionError."""
    try:
        x1, y1, x2, y2 = (float(side) for side in box)
    except (TypeError, ValueError):
        raise OptionError(f"box is {box!r}, expected four numbers: x1, y1, x2, y2") from None
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        raise OptionError(f"box is {box!r}, expected finite numbers")
    width, height = size
    left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    if min(right - left, bottom - top) < _SMALLEST:
        raise OptionError(
            f"box is ({x1:g}, {y1:g}, {x2:g}, {y2:g}), expected x1 < x2 and y1 < y2, and at least {_SMALLEST:g} pixels"
            f" each way inside of the photo, which is {width} x {height}"
        )
    return _array((left, top, right, bottom))


def _known_faces(store: Store, photo: int) -> list[Face]:
    """Return the faces that a box may be around: all, except boxes that the user has drawn and removed."""
    return [face for face in store.faces.in_photo(photo) if not (face.drawn and face.ignored)]


def _boxes(faces: Sequence[Face]) -> Array:
    return np.array([face.box for face in faces], np.float32).reshape(-1, 4)


def _nearest(box: Array, boxes: Array) -> int | None:
    """Return the index of the box at the same place, or None."""
    overlaps = iou(box[None], boxes)[0]  # [n]
    return int(overlaps.argmax()) if len(overlaps) and overlaps.max() > _SAME_PLACE else None


def _array(box: Sequence[float]) -> Array:
    return np.array(box, np.float32)

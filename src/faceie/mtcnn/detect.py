"""`detect_faces`: the cascade, on any image, at any angle, with the faces cut out."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..boxes import area, non_maximum_suppression, overlaps
from ..images import upright
from ..nn.parallel import parallel, single_threaded_blas
from ..types import ImageLike
from .cascade import Faces, faces_among, find_faces, proposals, scales, scan
from .detected import DetectedFaces
from .loading import load
from .networks import MTCNN
from .options import DEFAULTS, DetectionOptions
from .orientation import UPRIGHT, Head, look_around, nines, tilts, votes
from .source import Source
from .tones import has_narrow_tones, stretched
from .views import View, closeup, composed, turned_view

__all__ = ["detect_faces"]

_SETTLED = np.float32(0.99)  # how probable a level face must be at the usual angle to stay as it was found there
# How probable a face must be that is at another angle than most; that is tilted at theirs; that is too small.
_ELSEWHERE, _TILTED, _SMALL = np.float32(0.97), np.float32(0.95), np.float32(0.9)
_SMALLER = 0.95  # by this factor
_STRETCHED = 2.0  # weight of a copy with stretched tones: its crops give better embeddings
_SAME_FACE = 0.5  # intersection over the smaller box, above which finds at different angles are the same face


class Found(NamedTuple):
    """The faces of one view."""

    view: View
    faces: Faces
    weight: float = 1.0  # of its votes for the main view; 0 for a closeup


def detect_faces(
    image: ImageLike,
    *,
    min_face_size: float = DEFAULTS.min_face_size,
    factor: float = DEFAULTS.factor,
    thresholds: tuple[float, float, float] = DEFAULTS.thresholds,
    nms_overlaps: tuple[float, float, float, float] = DEFAULTS.nms_overlaps,
    rotations: tuple[float, ...] | Literal["auto"] = DEFAULTS.rotations,
    crop_size: int = DEFAULTS.crop_size,
    margin: float = DEFAULTS.margin,
    crop_filter: Literal["lanczos", "bicubic", "bilinear", "box"] = DEFAULTS.crop_filter,
    crops: bool = DEFAULTS.crops,
) -> DetectedFaces:
    """Find the faces in an image, with five landmarks each, and cut them out.

    `image`: the path of a photo (opened upright by its EXIF orientation), a Pillow image of any mode, or an array of
    uint8, (h, w, 3) RGB; of any size. A Pillow image that still has an EXIF orientation is searched as it is meant to
    be seen, too; boxes and landmarks are always in the pixels of the image that was passed in.

    The other arguments are those of `DetectionOptions`, and described there: `min_face_size` in pixels, `factor` of the
    pyramid, `thresholds` of the three networks, `nms_overlaps`, `rotations` to search ("auto", or radians), `crop_size`
    and `margin` of the crops in pixels, `crop_filter` to resize them, and whether to make `crops`.

    Returns `DetectedFaces`, a named tuple of arrays, most probable face first; arrays of length 0 and an empty list
    when there is none.
    Raises ImageError for what is not an image and OptionError for an option out of range.

    With `rotations="auto"`, a photo whose tones fill a small part of the range (dark, faded, lit in one color) is
    searched twice: as it is, and with its tones stretched. Faces found in the stretched copy are cut out of it.

    The method is MTCNN, Zhang et al. 2016 (arXiv 1604.02878), with its published weights, as in facenet-pytorch.
    """
    options = DetectionOptions(
        min_face_size, factor, thresholds, nms_overlaps, rotations, crop_size, margin, crop_filter, crops
    )
    whole = View(*upright(image))
    weights = load()
    with single_threaded_blas():
        if options.rotations == "auto":
            found = _search_where_faces_are(whole, weights, options)
            if (copy := stretched(whole.image)) is not None:
                found += _search_stretched(copy, whole, weights, options)
        else:
            found = [_search(turned_view(whole, angle), weights, options) for angle in options.rotations]
        return _merge(found, options)


def _search(view: View, w: MTCNN, options: DetectionOptions) -> Found:
    return Found(view, find_faces(Source(view.image), w, options))


def _search_where_faces_are(whole: View, w: MTCNN, options: DetectionOptions) -> list[Found]:
    """Search the upright image; the turned image, too, if its faces seem to be turned as a whole; and have a closer
    look at single heads that are turned otherwise.
    """
    source = Source(whole.image)
    every_scale = list(scales(source, options))
    # The finest level takes half of the time, and is for upright faces only if there are any.
    coarse = scan(source, every_scale[1:], w.p_net, options)
    seen = look_around(source, proposals(coarse, options), w)
    angle, sure = seen.angle()
    found, searched = [], []
    if not (angle and sure):
        fine = scan(source, every_scale[:1], w.p_net, options)
        faces = faces_among(proposals(fine + coarse, options), source, w, options)
        found.append(Found(whole, faces))
        searched.append(0.0)
        seen = seen.and_faces(faces)
        angle, _ = seen.angle()
    if angle:
        found.append(_search(turned_view(whole, angle), w, options))
        searched.append(angle)
    return found + parallel(lambda head: _look_closer(whole, head, w, options), seen.heads(searched))


def _search_stretched(copy: Image.Image, whole: View, w: MTCNN, options: DetectionOptions) -> list[Found]:
    """Search a copy with stretched tones for the faces whose own tones are narrow in the photo.

    A well exposed face before a dark or white background is left to the search of the photo: it is clipped in the copy.
    """
    found = []
    for view, faces, weight in _search_where_faces_are(View(copy, np.eye(2, 3)), w, options):
        narrow = [has_narrow_tones(_part(whole.image, box)) for box in view.boxes(faces.boxes)]
        faces = faces.take(np.array(narrow, bool))
        found.append(Found(View(view.image, composed(whole.affine, view.affine)), faces, _STRETCHED * weight))
    return found


def _part(image: Image.Image, box: NDArray[np.float32]) -> Image.Image:
    """Return the part of an image in a box: one pixel at least."""
    left, top = (min(max(int(start), 0), side - 1) for start, side in zip(box[:2], image.size, strict=True))
    right, bottom = (min(int(end), side) for end, side in zip(box[2:], image.size, strict=True))
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _look_closer(whole: View, head: Head, w: MTCNN, options: DetectionOptions) -> Found:
    """Search what is around a head, turned so that it is upright, for its face."""
    view, scale = closeup(whole, head.square, head.angle)
    side = float(head.square[2] - head.square[0]) * scale
    smallest = max(options.min_face_size * scale, side / 2, 1.0)
    faces = _search(view, w, replace(options, min_face_size=smallest)).faces
    corner = (view.image.width - side) / 2
    middle = np.array([[corner, corner, corner + side, corner + side]], np.float32)
    return Found(view, faces.take(overlaps(faces.boxes, middle, "smaller")[:, 0] > _SAME_FACE), weight=0.0)


def _merge(found: list[Found], options: DetectionOptions) -> DetectedFaces:
    """Bring the faces of all views to the original pixels, take the best view of each, and cut it out there.

    The networks tolerate some turn, so a face is found at several angles. The best is the usual one, at which most are,
    if the face is level there, or else that where it is surest and its eyes are most level.
    """
    usual = int(np.argmax([item.weight * float(votes(item.faces).sum()) for item in found]))
    found = [item._replace(faces=item.faces.take(_credible(item, i == usual, options))) for i, item in enumerate(found)]
    of_view = np.repeat(np.arange(len(found)), [len(item.faces.boxes) for item in found])  # [n]
    view_boxes, probabilities, view_landmarks = map(np.concatenate, zip(*(item.faces for item in found), strict=True))
    boxes = np.concatenate([item.view.boxes(item.faces.boxes) for item in found])
    landmarks = np.concatenate([item.view.landmarks(item.faces.landmarks) for item in found])
    order = np.argsort(-probabilities, kind="stable")
    if len(found) > 1:
        tilt = tilts(view_landmarks)
        settled = (of_view == usual) & (probabilities >= _SETTLED) & (abs(tilt) < UPRIGHT)
        merits = nines(probabilities) * np.cos(tilt) + 10 * settled
        kept = non_maximum_suppression(boxes, merits, _SAME_FACE, over="smaller")
        order = order[np.isin(order, kept)]
    views = [found[of_view[i]].view for i in order]
    angles = np.array([view.angle for view in views], np.float32)
    images = None
    if options.crops:
        images = [crop_face(view.image, view_boxes[i], options) for view, i in zip(views, order, strict=True)]
    return DetectedFaces(probabilities[order], angles, boxes[order], landmarks[order], images)


def _credible(item: Found, usual: bool, options: DetectionOptions) -> NDArray[np.bool_]:
    """Tell which faces (n,) of a view to keep.

    At the usual angle, what is found rarely is none. Elsewhere, it must be surer to be kept; as must what is tilted,
    and what turns out smaller than was looked for.
    """
    faces = item.faces
    size = np.sqrt(area(faces.boxes))
    needed = np.full(len(size), 0 if usual else _ELSEWHERE, np.float32)
    if usual and options.rotations == "auto":  # otherwise, all that the reference finds
        needed[size < _SMALLER * options.min_face_size] = _SMALL
        needed[abs(tilts(faces.landmarks)) > UPRIGHT] = _TILTED
    credible: NDArray[np.bool_] = faces.probabilities >= needed
    return credible


def crop_face(image: Image.Image, box: NDArray[np.float32], options: DetectionOptions) -> Image.Image:
    """Cut out a face with some surroundings, and resize it.

    The box is widened so that it makes up all but `margin` of the `crop_size` pixels, cut at the border of the image,
    and stretched to a square: the encoder was trained on faces that were stretched so, with a margin of 32 pixels in
    182.
    """
    x1, y1, x2, y2 = (float(corner) for corner in box)
    margin = options.margin / (options.crop_size - options.margin) / 2  # on each side, as a part of the box
    wider, taller = margin * (x2 - x1), margin * (y2 - y1)
    left, top = int(max(x1 - wider, 0)), int(max(y1 - taller, 0))
    right, bottom = int(min(x2 + wider, image.width)), int(min(y2 + taller, image.height))
    # A face can lie outside of the image almost wholly; there is a pixel of it at least, then.
    left, top = min(left, image.width - 1), min(top, image.height - 1)
    crop = image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    return crop.resize((options.crop_size,) * 2, Image.Resampling[options.crop_filter.upper()])

"""`detect_faces`: the cascade, on any image, at any angle, with the faces cut out."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..boxes import non_maximum_suppression, turned
from ..images import Affine, ImageLike, upright
from ..nn.tree import Array
from .cascade import Faces, faces_among, find_faces, propose
from .detected import DetectedFaces
from .loading import load
from .networks import MTCNN
from .options import DEFAULTS, DetectionOptions
from .orientation import find_angles

__all__ = ["detect_faces"]

_GRAY = (127, 127, 127)  # of the corners that a turned image gains: close to zero for the networks
_SURE = np.float32(1e-4)  # from 1: probabilities that are closer to it are as good as equal
_SAME_FACE = 0.5  # intersection over the smaller box, above which finds at different angles are the same face


class View(NamedTuple):
    """An image turned so that faces of one angle are upright in it."""

    image: Image.Image
    affine: Affine  # from points of this view to points of the image that was passed in

    @property
    def angle(self) -> float:
        """How far what is upright in this view is turned in the image that was passed in, -pi to pi, counter-
        clockwise.
        """
        return math.atan2(self.affine[0, 1], self.affine[1, 1])


class Found(NamedTuple):
    """The faces of one view."""

    view: View
    faces: Faces


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

    The method is MTCNN, Zhang et al. 2016 (arXiv 1604.02878), with its published weights, as in facenet-pytorch.
    """
    options = DetectionOptions(
        min_face_size, factor, thresholds, nms_overlaps, rotations, crop_size, margin, crop_filter, crops
    )
    source, affine = upright(image)
    weights = load()
    if options.rotations == "auto":
        return _merge(_search_where_faces_are(source, affine, weights, options), options)
    views = (_view(source, affine, angle) for angle in options.rotations)
    return _merge([Found(view, find_faces(np.asarray(view.image), weights, options)) for view in views], options)


def _search_where_faces_are(image: Image.Image, affine: Affine, w: MTCNN, options: DetectionOptions) -> list[Found]:
    """Search the upright image, and those turned by angles at which it seems to have faces, too.
    Returns what was found at each angle.
    """
    pixels = np.asarray(image)
    proposals = propose(pixels, w.p_net, options)
    found = []
    for angle in find_angles(pixels, proposals, w):
        if angle:
            view = _view(image, affine, angle)
            found.append(Found(view, find_faces(np.asarray(view.image), w, options)))
        else:
            found.append(Found(View(image, affine), faces_among(proposals, pixels, w, options)))
    return found


def _view(image: Image.Image, affine: Affine, angle: float) -> View:
    """Return the image turned so that faces of this angle are upright."""
    quarters = angle / (math.pi / 2)
    if math.isclose(quarters, round(quarters), abs_tol=1e-6):
        turned_image, back = _turn_by_quarters(image, round(quarters) % 4)
    else:
        turned_image, back = _turn(image, angle)
    return View(turned_image, _compose(affine, back))


def _turn_by_quarters(image: Image.Image, quarters: int) -> tuple[Image.Image, Affine]:
    """Turn an image clockwise by right angles, exactly; return it and the way back."""
    w, h = image.size
    if quarters == 0:
        return image, np.eye(2, 3)
    method, back = {
        1: (Image.Transpose.ROTATE_270, [[0, 1, 0], [-1, 0, h]]),
        2: (Image.Transpose.ROTATE_180, [[-1, 0, w], [0, -1, h]]),
        3: (Image.Transpose.ROTATE_90, [[0, -1, w], [1, 0, 0]]),
    }[quarters]
    return image.transpose(method), np.array(back, np.float64)


def _turn(image: Image.Image, angle: float) -> tuple[Image.Image, Affine]:
    """Turn an image clockwise by `angle` radians, on a canvas that holds all of it; return it and the way back."""
    cos, sin = math.cos(angle), math.sin(angle)
    w, h = image.size
    width, height = (math.ceil(abs(a * w) + abs(b * h)) for a, b in ((cos, sin), (sin, cos)))
    # A point at (x, y) from the center of the canvas is at (cos x + sin y, -sin x + cos y) from that of the image (y
    # down).
    back = np.array([[cos, sin, 0], [-sin, cos, 0]])
    back[:, 2] = np.array([w, h]) / 2 - back[:, :2] @ (np.array([width, height]) / 2)
    canvas = image.transform(
        (width, height), Image.Transform.AFFINE, tuple(back.ravel()), Image.Resampling.BILINEAR, fillcolor=_GRAY
    )
    return canvas, back


def _compose(outer: Affine, inner: Affine) -> Affine:
    """Return the map that applies `inner`, then `outer`."""
    composed: Affine = outer[:, :2] @ inner
    composed[:, 2] += outer[:, 2]
    return composed


def _merge(found: list[Found], options: DetectionOptions) -> DetectedFaces:
    """Bring the faces of all views to the original pixels, take the best view of each, and cut it out there.

    The networks tolerate some turn, so a face is found at several angles. The best is where it is surest, and its eyes
    are most level.
    """
    views = [view for view, faces in found for _ in faces.boxes]  # n: the view of each face
    view_boxes, probabilities, view_landmarks = map(np.concatenate, zip(*(faces for _, faces in found), strict=True))
    boxes = np.concatenate([_boxes_to_original(faces.boxes, view.affine) for view, faces in found])
    landmarks = np.concatenate([_points_to_original(faces.landmarks, view.affine) for view, faces in found])
    order = np.argsort(-probabilities, kind="stable")
    if len(found) > 1:
        nines = -np.log10(np.maximum(1 - probabilities, _SURE))  # [n], 3 for 0.999
        merits = nines * _levelness(view_landmarks)
        kept = non_maximum_suppression(boxes, merits, _SAME_FACE, over="smaller")
        order = order[np.isin(order, kept)]
    angles = np.array([views[i].angle for i in order], np.float32)
    images = [crop_face(views[i].image, view_boxes[i], options) for i in order] if options.crops else None
    return DetectedFaces(probabilities[order], angles, boxes[order], landmarks[order], images)


def _boxes_to_original(boxes: Array, affine: Affine) -> Array:
    return boxes if np.array_equal(affine, np.eye(2, 3)) else turned(boxes, affine)


def _points_to_original(landmarks: Array, affine: Affine) -> Array:
    """Map landmarks (n, 5, 2); a mirrored image (EXIF has such) swaps left and right."""
    points: Array = (landmarks @ affine[:, :2].T + affine[:, 2]).astype(np.float32)
    mirrored = np.linalg.det(affine[:, :2]) < 0
    return points[:, [1, 0, 2, 4, 3]] if mirrored else points


def _levelness(landmarks: Array) -> Array:
    """Return the cosine of the angle between the line of the eyes (n, 5, 2) and the horizon: (n,), -1 to 1."""
    eyes = landmarks[:, 1] - landmarks[:, 0]  # [n, 2]
    cosine: Array = eyes[:, 0] / np.maximum(np.hypot(eyes[:, 0], eyes[:, 1]), np.float32(1e-6))
    return cosine


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

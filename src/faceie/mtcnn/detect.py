"""`detect_faces`: the cascade on any image, at any angle, with crops of the faces."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..boxes import iou, non_maximum_suppression, to_squares
from ..errors import WeightsError
from ..images import upright
from ..nn.parallel import parallel, single_threaded_blas
from ..types import ImageLike
from .cascade import Faces, faces_from, find_faces, find_faces_near, find_windows, merge_levels
from .credibility import LENIENCE, face_probabilities
from .detected import DetectedFaces
from .loading import load
from .networks import MTCNN
from .options import DetectionOptions, DetectionOverrides, with_overrides
from .orientation import (
    UPRIGHT,
    OrientationVotes,
    TurnedFace,
    eye_rolls,
    find_orientations,
    is_right_angle,
    surprisal,
    vote_weights,
)
from .pyramid import MipMap, scales
from .tones import has_narrow_tones, stretch_tones
from .views import View, close_up, compose, rotate_view

if sys.version_info >= (3, 11):
    from typing import Unpack
elif TYPE_CHECKING:
    from typing_extensions import Unpack  # type checkers know it without installation

__all__ = ["detect_faces"]

_SETTLED = np.float32(0.99)  # score from which a level face at the main angle is kept as it was found there
_STRETCHED = 2.0  # weight of a copy with stretched tones: its crops give better embeddings
_ENOUGH = 36.0  # pixels: the least size of the smallest face in a reduced copy of a large image
_JUST_ENOUGH = 18.0  # the same in a copy that is rotated
_SAME_FACE = 0.5  # intersection over the smaller box, above which faces of different views are the same


class ViewFaces(NamedTuple):
    """The faces of one view."""

    view: View
    faces: Faces
    weight: float = 1.0  # of its votes for the main view; 0 for a close-up

    def of_original(self, original: Image.Image, factor: int) -> ViewFaces:
        """Return the faces of a view of a reduced image in the same view of the original."""
        boxes, probabilities, landmarks = self.faces
        scale = np.float32(factor)
        faces = Faces(boxes * scale, probabilities, landmarks * scale)
        return ViewFaces(self.view.of_original(original, factor), faces, self.weight)


def detect_faces(
    image: ImageLike,
    options: DetectionOptions | None = None,
    *,
    weights: str | os.PathLike[str] | MTCNN | None = None,
    **overrides: Unpack[DetectionOverrides],
) -> DetectedFaces:
    """Detect the faces in an image, with five landmarks each, and crop them.

    Parameters
    ----------
    image : path, PIL.Image.Image or numpy.ndarray
        A photo on disk, a Pillow image of any mode, or an array of uint8, shape (height, width, 3) RGB, (height, width,
        4) RGBA or (height, width) gray. It may have any size. Photos and Pillow images are searched upright, by their
        EXIF orientation.
    options : DetectionOptions, optional
        The size of the smallest face, thresholds, angles, form of the crops and others. Default: those of
        `DetectionOptions`.
    weights : path or faceie.mtcnn.networks.MTCNN, optional
        A file made by ``faceie-convert-mtcnn-weights``, or the result of `faceie.mtcnn.load`. Default: the published
        weights.
    **overrides
        Single options by name, which replace those of `options`.

    Returns
    -------
    DetectedFaces
        A named tuple of arrays, most probable face first. For an image without faces, the arrays have length 0.
        Boxes and landmarks are in pixels of the image that was passed in; of a photo on disk, in upright ones.

    Raises
    ------
    ImageError
        If the image cannot be opened, or is not an image.
    OptionError
        If an option is out of range.
    WeightsError
        If the weights cannot be read, or are not those of MTCNN.
    TypeError
        For a keyword that is not an option.

    See Also
    --------
    encode_faces : Turns the crops into embeddings.

    Notes
    -----
    Except with a single angle, such as ``rotations=(0,)``, probabilities are calibrated, and finds with a probability
    below `min_probability` are left out. A telephone that O-Net gives a score of 0.92 has 0.16.

    With ``rotations="auto"``, dark, faded and color-lit photos are searched twice: as they are, and with their tones
    stretched. Faces that are found in the stretched copy are cropped from it.

    References
    ----------
    The method and the published weights are MTCNN: K. Zhang, Z. Zhang, Z. Li, Y. Qiao, "Joint Face Detection and
    Alignment using Multi-task Cascaded Convolutional Networks", IEEE Signal Processing Letters 23 (2016),
    arXiv 1604.02878.

    Examples
    --------
    >>> from faceie import DetectionOptions, detect_faces
    >>> faces = detect_faces("obama.jpg")
    >>> faces.bounding_boxes.shape, faces.landmarks.shape
    ((1, 4), (1, 5, 2))
    >>> print(faces.probabilities.round(2))
    [1.]
    >>> [image.size for image in faces.images]
    [(160, 160)]

    Options can be shared, and single ones replaced:

    >>> options = DetectionOptions(min_face_size=60, crops=False)
    >>> len(detect_faces("obama.jpg", options, rotations=(0,)).probabilities)
    1
    """
    options = with_overrides(options, overrides)
    whole = View(*upright(image))
    options = replace(options, min_face_size=options.smallest_face(whole.size), min_face_share=0.0)
    if not options.has_one_angle:
        p_net, r_net, o_net = options.thresholds
        options = replace(options, thresholds=(p_net, r_net, max(o_net - LENIENCE, 0)))
    w = _loaded(weights)
    with single_threaded_blas():
        if options.rotations == "auto":
            found = _search_reduced(whole, w, options)
            if (copy := stretch_tones(whole.image)) is not None:
                found += _search_stretched(copy, whole, w, options)
        else:
            found = [_search(rotate_view(whole, angle), w, options) for angle in options.rotations]
        return _merge(found, w, options)


def _loaded(weights: str | os.PathLike[str] | MTCNN | None) -> MTCNN:
    if isinstance(weights, MTCNN):
        return weights
    if weights is None:
        return load()
    if isinstance(weights, str | os.PathLike):
        return load(weights)
    raise WeightsError(
        f"weights is a {type(weights).__name__}, expected a path or what faceie.mtcnn.load(path) returns"
    )


def _search(view: View, w: MTCNN, options: DetectionOptions) -> ViewFaces:
    return ViewFaces(view, find_faces(MipMap(view), w, options))


def _search_reduced(whole: View, w: MTCNN, options: DetectionOptions) -> list[ViewFaces]:
    """Search a copy of the image that is as small as the smallest face allows. Crops are taken from the image itself.

    So the cost is bounded for images of any size.
    """
    factor = max(int(options.min_face_size / _ENOUGH), 1)
    copy = whole.reduced(factor)
    found = _search_main_angle(copy, w, _for_copy(options, factor))
    return [item.of_original(whole.image, factor) if item.view.image is copy.image else item for item in found]


def _for_copy(options: DetectionOptions, factor: int) -> DetectionOptions:
    """Return the options for a copy of an image that is smaller by this factor."""
    return replace(options, min_face_size=options.min_face_size / factor)


def _search_main_angle(whole: View, w: MTCNN, options: DetectionOptions) -> list[ViewFaces]:
    """Search an image at the angle of most faces, upright or not, and take close-ups of faces at other angles."""
    mipmap = MipMap(whole)
    every_scale = list(scales(mipmap, options))
    # The finest level takes half of the time. It is searched only if the image may have upright faces.
    coarse = find_windows(mipmap, every_scale[1:], w.p_net, options)
    votes = find_orientations(mipmap, merge_levels(coarse, options), w)
    angle, certain = votes.main_angle()
    found, searched = [], []
    if not (angle and certain):
        fine = find_windows(mipmap, every_scale[:1], w.p_net, options)
        faces = faces_from(merge_levels(fine + coarse, options), mipmap, w, options)
        found.append(ViewFaces(whole, faces))
        searched.append(0.0)
        votes = votes.with_faces(faces)
        angle, _ = votes.main_angle()
    del mipmap  # the next one takes as much memory
    if angle:
        found.append(_search_turned(whole, angle, votes, w, options, is_main_view=not searched))
        searched.append(angle)
    return found + parallel(lambda face: _search_close_up(whole, face, w, options), votes.turned_faces(searched))


def _search_turned(
    whole: View, angle: float, votes: OrientationVotes, w: MTCNN, options: DetectionOptions, *, is_main_view: bool
) -> ViewFaces:
    """Search an image at an angle: all of it at right angles, else a small copy, or where faces are probable.

    At other angles, the pixels are interpolated. That takes longer than the search.

    `is_main_view`: whether the photo is turned as a whole.
    """
    view = rotate_view(whole, angle)
    if is_right_angle(angle):
        return _search(view, w, options)
    squares = view.squares_at(votes.squares_near(angle))
    if abs(angle) > UPRIGHT:  # no search has seen these faces
        factor = max(int(options.min_face_size / _JUST_ENOUGH), 1)
        copy = _search(rotate_view(whole.reduced(factor), angle), w, _for_copy(options, factor))
        if is_main_view:
            return copy.of_original(whole.image, factor)
        squares = np.concatenate([squares, to_squares(copy.faces.boxes) * np.float32(factor)])
    return ViewFaces(view, find_faces_near(squares, view, w, options))


def _search_stretched(copy: Image.Image, whole: View, w: MTCNN, options: DetectionOptions) -> list[ViewFaces]:
    """Search a copy with stretched tones for the faces whose own tones are narrow in the photo.

    Well exposed faces before a dark or white background are clipped in the copy. The search of the photo finds them.
    """
    found = []
    for view, faces, weight in _search_reduced(View(copy, np.eye(2, 3)), w, options):
        narrow = [has_narrow_tones(_crop(whole.image, box)) for box in view.boxes(faces.boxes)]
        faces = faces.take(np.array(narrow, bool))
        stretched = view._replace(affine=compose(whole.affine, view.affine))
        found.append(ViewFaces(stretched, faces, _STRETCHED * weight))
    return found


def _crop(image: Image.Image, box: NDArray[np.float32]) -> Image.Image:
    """Crop a box, clipped to the image: one pixel at least."""
    left, top = (min(max(int(start), 0), side - 1) for start, side in zip(box[:2], image.size, strict=True))
    right, bottom = (min(int(end), side) for end, side in zip(box[2:], image.size, strict=True))
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _search_close_up(whole: View, face: TurnedFace, w: MTCNN, options: DetectionOptions) -> ViewFaces:
    """Search the surroundings of a probable face, rotated so that it is upright."""
    view, scale = close_up(whole, face.square, face.roll)
    side = float(face.square[2] - face.square[0]) * scale
    smallest = max(options.min_face_size * scale, side / 2, 1.0)
    faces = _search(view, w, replace(options, min_face_size=smallest)).faces
    corner = (view.size[0] - side) / 2
    middle = np.array([[corner, corner, corner + side, corner + side]], np.float32)
    return ViewFaces(view, faces.take(iou(faces.boxes, middle, "min")[:, 0] > _SAME_FACE), weight=0.0)


def _merge(found: list[ViewFaces], w: MTCNN, options: DetectionOptions) -> DetectedFaces:
    """Take the best view of each face, crop it there, and map it to the pixels of the image that was passed in.

    The networks tolerate some rotation, so a face may be found in several views. The best is the main view, which has
    most faces, if the face is level there. Otherwise it is the view with the highest score and most level eyes.
    """
    of_view = np.repeat(np.arange(len(found)), [len(item.faces.boxes) for item in found])  # [n]
    view_boxes, scores, view_landmarks = map(np.concatenate, zip(*(item.faces for item in found), strict=True))
    boxes = np.concatenate([item.view.boxes(item.faces.boxes) for item in found])
    landmarks = np.concatenate([item.view.landmarks(item.faces.landmarks) for item in found])
    probabilities, kept = scores, np.arange(len(scores))  # with one angle, all faces, as the reference does
    if not options.has_one_angle:
        main = int(np.argmax([item.weight * float(vote_weights(item.faces).sum()) for item in found]))
        probabilities = face_probabilities([item[:2] for item in found], found[main].view, w)
        kept = np.flatnonzero(probabilities >= options.min_probability)
        tilt = eye_rolls(view_landmarks)  # [n]
        settled = (of_view == main) & (scores >= _SETTLED) & (abs(tilt) < UPRIGHT)
        merits = surprisal(scores) * np.cos(tilt) + 10 * settled  # [n]
        kept = kept[non_maximum_suppression(boxes[kept], merits[kept], _SAME_FACE, mode="min")]
    order = kept[np.argsort(-probabilities[kept], kind="stable")]
    views = [found[of_view[i]].view for i in order]
    rolls = np.array([view.angle for view in views], np.float32)
    images = None
    if options.crops:
        images = [crop_face(view, view_boxes[i], options) for view, i in zip(views, order, strict=True)]
    return DetectedFaces(probabilities[order], rolls, boxes[order], landmarks[order], images)


def crop_face(image: Image.Image | View, box: NDArray[np.float32], options: DetectionOptions) -> Image.Image:
    """Crop a face with some surroundings, and resize it to a square.

    The box is widened until it fills all but `margin` of the `crop_size` pixels, and clipped at the border of the
    image. The result is stretched to a square, since the encoder was trained on faces that were stretched so, with a
    margin of 32 pixels in 182.
    """
    x1, y1, x2, y2 = (float(corner) for corner in box)
    margin = options.margin / (options.crop_size - options.margin) / 2  # on each side, relative to the box
    wider, taller = margin * (x2 - x1), margin * (y2 - y1)
    left, top = int(max(x1 - wider, 0)), int(max(y1 - taller, 0))
    width, height = image.size
    right, bottom = int(min(x2 + wider, width)), int(min(y2 + taller, height))
    # A face may lie almost wholly outside of the image: crop at least one pixel.
    left, top = min(left, width - 1), min(top, height - 1)
    crop = image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    return crop.resize((options.crop_size,) * 2, Image.Resampling[options.crop_filter.upper()])

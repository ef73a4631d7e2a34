"""The cascade of MTCNN (Zhang et al. 2016, section III and figure 1): pyramid, proposals, candidates, faces.

It finds what facenet-pytorch finds, so it keeps the conventions that this project took over from the authors' code.
Those that surprise are marked where they happen. Boxes are float32 in the pixels of the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..boxes import non_maximum_suppression, squared
from ..images import to_input
from ..nn.resample import AreaResampler, resample_area
from ..nn.tree import Array
from .networks import MTCNN, ONet, PNet, RNet, o_net, p_net, r_net
from .options import DetectionOptions

__all__ = ["Faces", "find_faces"]

Pixels = NDArray[np.uint8]

_FIELD = 12  # pixels of P-Net's window
_STRIDE = 2  # pixels between its windows
_TILE = 1 << 17  # pixels of a level that P-Net looks at at a time: what it computes on the way takes some 10 MB
_TILE_ROWS = 32  # P-Net's rows in a tile, at least: neighboring tiles share 10 rows of pixels
_CROPS = 64  # crops that R- and O-Net look at at a time


class Boxes(NamedTuple):
    """Boxes with scores and the corrections that a network proposes."""

    boxes: Array  # [n, 4]
    scores: Array  # [n]
    offsets: Array  # [n, 4], in units of the box

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Boxes:
        return Boxes(*(field[index] for field in self))


class Faces(NamedTuple):
    """The faces of an image, most probable first."""

    boxes: Array  # [n, 4]
    probabilities: Array  # [n]
    landmarks: Array  # [n, 5, 2]


def find_faces(image: Pixels, w: MTCNN, options: DetectionOptions) -> Faces:
    """Find the upright faces of an image (h, w, 3) uint8 RGB."""
    proposals = propose(image, w.p_net, options)
    candidates = refine(image, proposals, w.r_net, options)
    return output(image, candidates, w.o_net, options)


def scales(image: Pixels, options: DetectionOptions) -> Iterator[float]:
    """Yield the scales of the pyramid:

    from the one at which the smallest face fills P-Net's window, down to where the image does.
    """
    scale = _FIELD / options.min_face_size
    while min(image.shape[:2]) * scale >= _FIELD:
        yield scale
        scale *= options.factor


def propose(image: Pixels, w: PNet, options: DetectionOptions) -> Array:
    """Stage 1: return square boxes (n, 4) that may hold a face."""
    within_level, over_levels, _, _ = options.nms_overlaps
    levels = []
    for scale in scales(image, options):
        level = propose_at(image, scale, w, options.thresholds[0])
        levels.append(level.take(non_maximum_suppression(level.boxes, level.scores, within_level)))
    if not levels:
        return np.empty((0, 4), np.float32)
    proposals = Boxes(*map(np.concatenate, zip(*levels, strict=True)))
    proposals = proposals.take(non_maximum_suppression(proposals.boxes, proposals.scores, over_levels))
    return squared(_corrected(proposals, inclusive=False))


def propose_at(image: Pixels, scale: float, w: PNet, threshold: float) -> Boxes:
    """Return P-Net's windows of one level of the pyramid whose score is at least `threshold`.

    Every level is resized from the image itself. P-Net looks at it in tiles of rows, so that neither exists as a whole.
    """
    height, width = (int(side * scale + 1) for side in image.shape[:2])
    level = AreaResampler((image.shape[0], image.shape[1]), (height, width))
    rows = -(-(height - 2) // _STRIDE) - 4
    step = max(_TILE_ROWS, _TILE // (_STRIDE * width))
    found = []
    for top in range(0, rows, step):
        first = _STRIDE * top
        last = min(_STRIDE * (top + step) + _FIELD - _STRIDE, height)  # the level's last row may be half a window's
        tile = to_input(level.rows(image, first, last))[None]  # [1, rows of the tile, width, 3]
        scores, offsets = p_net(tile, w)  # [1, rows, columns], [1, rows, columns, 4]
        _, row, column = np.nonzero(scores >= np.float32(threshold))  # [n]
        corner = np.stack([column, row + top], 1).astype(np.float32) * _STRIDE  # [n, 2]
        # The reference counts pixels from 1, its right and bottom are inside the box, and it rounds both down.
        boxes = np.floor(np.concatenate([corner + 1, corner + _FIELD], 1) / np.float32(scale))  # [n, 4]
        found.append(Boxes(boxes, scores[0, row, column], offsets[0, row, column]))
    return Boxes(*map(np.concatenate, zip(*found, strict=True)))


def refine(image: Pixels, proposals: Array, w: RNet, options: DetectionOptions) -> Array:
    """Stage 2: return the square boxes (n, 4), corrected, of the proposals that R-Net takes for a face."""
    found = [
        Boxes(boxes, *r_net(to_input(crops), w))
        for boxes, crops in _crops(image, proposals, 24)  # [n, 24, 24, 3]
    ]
    if not found:
        return np.empty((0, 4), np.float32)
    candidates = Boxes(*map(np.concatenate, zip(*found, strict=True)))
    candidates = candidates.take(candidates.scores > np.float32(options.thresholds[1]))
    # The boxes that are compared are those from before the correction.
    candidates = candidates.take(non_maximum_suppression(candidates.boxes, candidates.scores, options.nms_overlaps[2]))
    return squared(_corrected(candidates))


def output(image: Pixels, candidates: Array, w: ONet, options: DetectionOptions) -> Faces:
    """Stage 3: return the faces among the candidates, with final boxes and landmarks."""
    found = [
        (boxes, *o_net(to_input(crops), w))
        for boxes, crops in _crops(image, candidates, 48)  # [n, 48, 48, 3]
    ]
    if not found:
        return Faces(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
    boxes, scores, offsets, points = map(np.concatenate, zip(*found, strict=True))
    passed = scores > np.float32(options.thresholds[2])
    faces = Boxes(boxes[passed], scores[passed], offsets[passed])
    # Landmarks are relative to the box before its correction, and count pixels from 0.
    size = faces.boxes[:, 2:] - faces.boxes[:, :2] + 1  # [n, 2]
    points = points[passed].reshape(-1, 2, 5).transpose(0, 2, 1)  # [n, 10] -> [n, 5, 2]
    landmarks = points * size[:, None] + (faces.boxes[:, None, :2] - 1)  # [n, 5, 2]
    final = _corrected(faces)
    closed = final + np.array([0, 0, 1, 1], np.float32)  # right and bottom are inside the box, here only
    kept = non_maximum_suppression(closed, faces.scores, options.nms_overlaps[3], over="smaller")
    return Faces(final[kept], faces.scores[kept], landmarks[kept])


def _corrected(found: Boxes, inclusive: bool = True) -> Array:
    """Move the corners of boxes by their offsets, which are in units of the size of the box.

    The size counts the right and bottom pixel as inside (`inclusive`) in all stages but the first: the reference is not
    consistent.
    """
    size = found.boxes[:, 2:] - found.boxes[:, :2] + np.float32(inclusive)  # [n, 2]
    boxes: Array = found.boxes + found.offsets * np.concatenate([size, size], 1)
    return boxes


def _crops(image: Pixels, boxes: Array, size: int) -> Iterator[tuple[Array, Array]]:
    """Yield boxes (n, 4), some at a time, and what is in them, resized to (n, size, size, 3) float32, 0 to 255.

    A box that reaches over the border is cut there, so what is left of it is stretched. Boxes with nothing left are
    dropped.
    """
    height, width = image.shape[:2]
    left, top = np.maximum(np.trunc(boxes[:, :2]).astype(int), 1).T - 1  # counted from 1 in the boxes
    right, bottom = np.minimum(np.trunc(boxes[:, 2:]).astype(int), (width, height)).T
    inside = np.flatnonzero((right > left) & (bottom > top))
    for start in range(0, len(inside), _CROPS):
        part = inside[start : start + _CROPS]
        crops = np.stack([resample_area(image[top[i] : bottom[i], left[i] : right[i]], size, size) for i in part])
        yield boxes[part], crops

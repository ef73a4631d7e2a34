"""The cascade of MTCNN (Zhang et al. 2016, section III and figure 1): pyramid, proposals, candidates, faces.

It finds what facenet-pytorch finds, so it keeps the conventions that this project took over from the authors' code.
Those that surprise are marked where they happen. Boxes are float32 in the pixels of the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..boxes import non_maximum_suppression, squared
from ..images import to_input
from ..nn.resample import AreaResampler, resample_area
from ..nn.threads import parallel
from ..nn.tree import Array
from .networks import MTCNN, ONet, PNet, RNet, o_net, p_net, r_net
from .options import DetectionOptions

__all__ = [
    "Faces",
    "Pixels",
    "crops_of",
    "faces_among",
    "find_faces",
    "inside",
    "proposals",
    "propose",
    "scales",
    "scan",
]

Pixels = NDArray[np.uint8]

_FIELD = 12  # pixels of P-Net's window
_STRIDE = 2  # pixels between its windows
_TILE = 1 << 17  # pixels of a level that P-Net looks at at a time: what it computes on the way takes some 10 MB
_TILE_ROWS = 32  # P-Net's rows in a tile, at least: neighboring tiles share 10 rows of pixels
_CROPS = 32  # crops that R- and O-Net look at at a time


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

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Faces:
        return Faces(*(field[index] for field in self))


def find_faces(image: Pixels, w: MTCNN, options: DetectionOptions) -> Faces:
    """Find the upright faces of an image (h, w, 3) uint8 RGB."""
    return faces_among(propose(image, w.p_net, options), image, w, options)


def faces_among(proposals: Array, image: Pixels, w: MTCNN, options: DetectionOptions) -> Faces:
    """Find the upright faces among what `propose` has returned."""
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
    """Stage 1: return square boxes (n, 4), most probable first, that may hold a face."""
    return proposals(scan(image, scales(image, options), w, options), options)


def scan(image: Pixels, scales: Iterable[float], w: PNet, options: DetectionOptions) -> list[Boxes]:
    """Return P-Net's windows of each level of the pyramid that may hold a face."""
    levels = [Level(image, scale) for scale in scales]
    tiles = [(level, top) for level in levels for top in level.tops()]
    found = parallel(lambda tile: look(*tile, w, options.thresholds[0]), tiles)
    kept = []
    for level in levels:
        windows = _joined(boxes for boxes, (other, _) in zip(found, tiles, strict=True) if other is level)
        kept.append(windows.take(non_maximum_suppression(windows.boxes, windows.scores, options.nms_overlaps[0])))
    return kept


def proposals(levels: list[Boxes], options: DetectionOptions) -> Array:
    """Return the square boxes (n, 4), corrected, of the windows of all levels, most probable first."""
    if not levels:
        return np.empty((0, 4), np.float32)
    windows = _joined(levels)
    windows = windows.take(non_maximum_suppression(windows.boxes, windows.scores, options.nms_overlaps[1]))
    return squared(_corrected(windows, inclusive=False))


class Level:
    """A level of the pyramid: the image, resized. It never exists as a whole, but is resized tile by tile.

    Every level is resized from the image itself.
    """

    def __init__(self, image: Pixels, scale: float) -> None:
        self.image = image
        self.scale = scale
        self.height, self.width = (int(side * scale + 1) for side in image.shape[:2])
        self.step = max(_TILE_ROWS, _TILE // (_STRIDE * self.width))  # rows of windows in a tile
        self._resampler = AreaResampler((image.shape[0], image.shape[1]), (self.height, self.width))

    def tops(self) -> range:
        """Return the first row of windows in each tile."""
        return range(0, -(-(self.height - 2) // _STRIDE) - 4, self.step)

    def tile(self, top: int) -> Array:
        """Return the pixels that the windows of a tile see: (rows, width, 3) float32, 0 to 255."""
        last = _STRIDE * (top + self.step) + _FIELD - _STRIDE
        return self._resampler.rows(self.image, _STRIDE * top, min(last, self.height))


def look(level: Level, top: int, w: PNet, threshold: float) -> Boxes:
    """Return P-Net's windows of one tile of a level whose score is at least `threshold`."""
    scores, offsets = p_net(to_input(level.tile(top))[None], w)  # [1, rows, columns], [1, rows, columns, 4]
    _, row, column = np.nonzero(scores >= np.float32(threshold))  # [n]
    corner = np.stack([column, row + top], 1).astype(np.float32) * _STRIDE  # [n, 2]
    # The reference counts pixels from 1, its right and bottom are inside the box, and it rounds both down.
    boxes = np.floor(np.concatenate([corner + 1, corner + _FIELD], 1) / np.float32(level.scale))  # [n, 4]
    return Boxes(boxes, scores[0, row, column], offsets[0, row, column])


def refine(image: Pixels, proposals: Array, w: RNet, options: DetectionOptions) -> Array:
    """Stage 2: return the square boxes (n, 4), corrected, of the proposals that R-Net takes for a face."""
    if not len(proposals := inside(proposals, image)):
        return proposals
    look = parallel(lambda part: Boxes(part, *r_net(to_input(crops_of(image, part, 24)), w)), _parts(proposals))
    candidates = _joined(look)
    candidates = candidates.take(candidates.scores > np.float32(options.thresholds[1]))
    # The boxes that are compared are those from before the correction.
    candidates = candidates.take(non_maximum_suppression(candidates.boxes, candidates.scores, options.nms_overlaps[2]))
    return squared(_corrected(candidates))


def output(image: Pixels, candidates: Array, w: ONet, options: DetectionOptions) -> Faces:
    """Stage 3: return the faces among the candidates, with final boxes and landmarks."""
    if not len(candidates := inside(candidates, image)):
        return Faces(candidates, np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
    found = parallel(lambda part: o_net(to_input(crops_of(image, part, 48)), w), _parts(candidates))
    scores, offsets, points = map(np.concatenate, zip(*found, strict=True))  # [n], [n, 4], [n, 10]
    passed = scores > np.float32(options.thresholds[2])
    faces = Boxes(candidates, scores, offsets).take(passed)
    # Landmarks are relative to the box before its correction, and count pixels from 0.
    size = faces.boxes[:, 2:] - faces.boxes[:, :2] + 1  # [n, 2]
    points = points[passed].reshape(-1, 2, 5).transpose(0, 2, 1)  # [n, 10] -> [n, 5, 2]
    landmarks = points * size[:, None] + (faces.boxes[:, None, :2] - 1)  # [n, 5, 2]
    final = _corrected(faces)
    closed = final + np.array([0, 0, 1, 1], np.float32)  # right and bottom are inside the box, here only
    kept = non_maximum_suppression(closed, faces.scores, options.nms_overlaps[3], over="smaller")
    return Faces(final[kept], faces.scores[kept], landmarks[kept])


def _joined(parts: Iterable[Boxes]) -> Boxes:
    return Boxes(*map(np.concatenate, zip(*parts, strict=True)))


def _corrected(found: Boxes, inclusive: bool = True) -> Array:
    """Move the corners of boxes by their offsets, which are in units of the size of the box.

    The size counts the right and bottom pixel as inside (`inclusive`) in all stages but the first: the reference is not
    consistent.
    """
    size = found.boxes[:, 2:] - found.boxes[:, :2] + np.float32(inclusive)  # [n, 2]
    boxes: Array = found.boxes + found.offsets * np.concatenate([size, size], 1)
    return boxes


def _corners(boxes: Array, image: Pixels) -> NDArray[np.intp]:
    """Return boxes (n, 4) in whole pixels, counted from 0, right and bottom exclusive, cut at the border of the
    image.
    """
    height, width = image.shape[:2]
    corners = np.trunc(boxes).astype(np.intp)
    corners[:, :2] = np.maximum(corners[:, :2], 1) - 1  # the reference counts pixels from 1, and its last is inside
    corners[:, 2:] = np.minimum(corners[:, 2:], (width, height))
    return corners


def inside(boxes: Array, image: Pixels) -> Array:
    """Return the boxes that have pixels of the image in them. (The reference fails where there are others.)"""
    left, top, right, bottom = _corners(boxes, image).T
    inside: Array = boxes[(right > left) & (bottom > top)]
    return inside


def _parts(boxes: Array) -> list[Array]:
    """Cut boxes into parts for the threads to work on."""
    return [boxes[start : start + _CROPS] for start in range(0, len(boxes), _CROPS)]


def crops_of(image: Pixels, boxes: Array, size: int) -> Array:
    """Return what is in boxes (n, 4), resized: (n, size, size, 3) float32, 0 to 255.

    A box that reaches over the border is cut there, so what is left of it is stretched.
    """
    crops = [
        resample_area(image[top:bottom, left:right], size, size) for left, top, right, bottom in _corners(boxes, image)
    ]
    return np.stack(crops)

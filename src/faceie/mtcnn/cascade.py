"""The cascade of MTCNN (Zhang et al. 2016, section III and figure 1): pyramid, proposals, candidates, faces.

It finds what facenet-pytorch finds, so it keeps the conventions that this project took over from the authors' code.
Those that surprise are marked where they happen. Boxes are float32 in the pixels of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..boxes import non_maximum_suppression, squared
from ..nn.parallel import parallel
from ..types import Array
from .crops import crops_of, inside
from .networks import MTCNN, ONet, PNet, RNet
from .options import DetectionOptions
from .planned import run_o_net, run_r_net
from .pyramid import FIELD, STRIDE, Level, Tile, levels
from .source import Source

__all__ = [
    "Faces",
    "ask",
    "faces_among",
    "find_faces",
    "proposals",
    "propose",
    "scales",
    "scan",
]


_CROPS = 32  # that a thread cuts out and shows to R-Net at a time: enough for plans of the best size
_CROPS_O = 8  # the same for O-Net, whose candidates are few


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


def find_faces(source: Source, w: MTCNN, options: DetectionOptions) -> Faces:
    """Find the upright faces of an image."""
    return faces_among(propose(source, w.p_net, options), source, w, options)


def faces_among(proposals: Array, source: Source, w: MTCNN, options: DetectionOptions) -> Faces:
    """Find the upright faces among what `propose` has returned."""
    candidates = refine(source, proposals, w.r_net, options)
    return output(source, candidates, w.o_net, options)


def scales(source: Source, options: DetectionOptions) -> Iterator[float]:
    """Yield the scales of the pyramid:

    from the one at which the smallest face fills P-Net's window, down to where the image does.
    """
    scale = FIELD / options.min_face_size
    while min(source.size) * scale >= FIELD:
        yield scale
        scale *= options.factor


def propose(source: Source, w: PNet, options: DetectionOptions) -> Array:
    """Stage 1: return square boxes (n, 4), most probable first, that may hold a face."""
    return proposals(scan(source, scales(source, options), w, options), options)


def scan(source: Source, scales: Iterable[float], w: PNet, options: DetectionOptions) -> list[Boxes]:
    """Return P-Net's windows of each level of the pyramid that may hold a face."""
    pyramid = levels(*source.size, tuple(scales))
    tiles = [(level, tile) for level in pyramid for tile in level.tiles]
    found = parallel(lambda item: look(source, *item, w, options.thresholds[0]), tiles)
    kept = []
    for level in pyramid:
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


def look(source: Source, level: Level, tile: Tile, w: PNet, threshold: float) -> Boxes:
    """Return P-Net's windows of one tile of a level whose score is at least `threshold`."""
    scores, offsets = level.look(source, tile, w)  # [rows, columns], [rows, 4, columns]
    new = scores[tile.first_row :, tile.first_column :] >= np.float32(threshold)
    row, column = (found + first for found, first in zip(np.nonzero(new), tile[2:], strict=True))  # [n]
    corner = np.stack([column + tile.left, row + tile.top], 1).astype(np.float32) * STRIDE  # [n, 2]
    # The reference counts pixels from 1, its right and bottom are inside the box, and it rounds both down.
    boxes = np.floor(np.concatenate([corner + 1, corner + FIELD], 1) / np.float32(level.scale))  # [n, 4]
    return Boxes(boxes, scores[row, column], offsets[row, :, column])


def refine(source: Source, proposals: Array, w: RNet, options: DetectionOptions) -> Array:
    """Stage 2: return the square boxes (n, 4), corrected, of the proposals that R-Net takes for a face."""
    if not len(proposals := inside(proposals, source)):
        return proposals
    scores, offsets = ask(lambda boxes: run_r_net(crops_of(source, boxes, 24), w), proposals)
    candidates = Boxes(proposals, scores, offsets)
    candidates = candidates.take(candidates.scores > np.float32(options.thresholds[1]))
    # The boxes that are compared are those from before the correction.
    candidates = candidates.take(non_maximum_suppression(candidates.boxes, candidates.scores, options.nms_overlaps[2]))
    return squared(_corrected(candidates))


def output(source: Source, candidates: Array, w: ONet, options: DetectionOptions) -> Faces:
    """Stage 3: return the faces among the candidates, with final boxes and landmarks."""
    if not len(candidates := inside(candidates, source)):
        return Faces(candidates, np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
    scores, offsets, points = ask(lambda boxes: run_o_net(crops_of(source, boxes, 48), w), candidates, _CROPS_O)
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


def ask(network: Callable[[Array], tuple[NDArray[Any], ...]], boxes: Array, crops: int = _CROPS) -> list[NDArray[Any]]:
    """Return what a network says of boxes (n, 4): arrays (n, ...). Each thread takes this many `crops` at a time."""
    order = np.argsort(boxes[:, 2] - boxes[:, 0], kind="stable")[::-1]  # large ones first: they take the longest
    found = parallel(lambda part: network(boxes[part]), np.split(order, range(crops, len(order), crops)))
    place = np.argsort(order)  # undoes the order
    return [np.concatenate(answers)[place] for answers in zip(*found, strict=True)]

"""The cascade of MTCNN (Zhang et al. 2016, section III and figure 1): P-Net, R-Net, O-Net.

P-Net makes *proposals*, R-Net keeps *candidates*, O-Net returns *faces*. The results are those of facenet-pytorch, so
the conventions are those that it took over from the authors' code. Comments mark the surprising ones. Boxes are float32
in pixels of the image. Offsets correct the corners of a box, in units of its size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..boxes import non_maximum_suppression, to_squares
from ..nn.parallel import parallel
from ..types import Array
from .batched import largest_first, run_in_batches, run_o_net, run_r_net
from .crops import crop_boxes, keep_inside
from .networks import MTCNN, ONet, PNet, RNet
from .options import DetectionOptions
from .pyramid import FIELD, STRIDE, Level, MipMap, Tile, levels, scales
from .views import View

__all__ = [
    "Faces", "faces_from", "find_faces", "find_faces_near", "find_windows", "merge_levels", "output", "propose",
    "refine",
]  # fmt: skip

_PROPOSALS = 32  # that a thread crops and runs R-Net on at a time: enough for the fastest batch size
# Sides of the surroundings of a probable face, in sides of the face: in which windows are searched, and are read.
_NEAR, _READ = 2.5, 3.0
_SIMILAR = 3.0  # ratio of the sides of a face and of a window that may show it, at most
_CANDIDATES = 8  # the same for O-Net, which gets few


class ScoredBoxes(NamedTuple):
    """Boxes with the outputs of a network."""

    boxes: Array  # [n, 4]
    scores: Array  # [n]
    offsets: Array  # [n, 4]

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> ScoredBoxes:
        return ScoredBoxes(*(field[index] for field in self))


class Faces(NamedTuple):
    """The faces of an image, most probable first."""

    boxes: Array  # [n, 4]
    probabilities: Array  # [n]
    landmarks: Array  # [n, 5, 2]

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Faces:
        return Faces(*(field[index] for field in self))


def find_faces(mipmap: MipMap, w: MTCNN, options: DetectionOptions) -> Faces:
    """Find the upright faces of an image."""
    return faces_from(propose(mipmap, w.p_net, options), mipmap, w, options)


def find_faces_near(squares: Array, image: Image.Image | View, w: MTCNN, options: DetectionOptions) -> Faces:
    """Find the upright faces at squares (n, 4) in which faces are probable.

    These faces are those that `find_faces` finds there.
    """
    mipmap = MipMap(image, widen(squares, _READ))
    of_levels = find_windows(mipmap, scales(mipmap, options), w.p_net, options, squares)
    return faces_from(merge_levels(of_levels, options), mipmap, w, options)


def faces_from(proposals: Array, mipmap: MipMap, w: MTCNN, options: DetectionOptions) -> Faces:
    """Run stages 2 and 3 on proposals (n, 4): return the upright faces among them."""
    return output(mipmap, refine(mipmap, proposals, w.r_net, options), w.o_net, options)


def propose(mipmap: MipMap, w: PNet, options: DetectionOptions) -> Array:
    """Stage 1: return proposals (n, 4), square boxes that may hold a face, most probable first."""
    return merge_levels(find_windows(mipmap, scales(mipmap, options), w, options), options)


def find_windows(
    mipmap: MipMap, at_scales: Iterable[float], w: PNet, options: DetectionOptions, near: Array | None = None
) -> list[ScoredBoxes]:
    """Return P-Net's windows that may hold a face, for each level of the pyramid.

    `near`: squares (n, 4). Only windows of similar place and size are returned.
    """
    pyramid = levels(*mipmap.size, tuple(at_scales), near is not None)
    wanted = None if near is None else [_surroundings(near, FIELD / level.scale) for level in pyramid]
    tiles = [
        (level, tile)
        for number, level in enumerate(pyramid)
        for tile in (level.tiles if wanted is None else level.tiles_with(wanted[number]))
    ]
    windows = parallel(lambda item: windows_of_tile(mipmap, *item, w, options.thresholds[0]), tiles)
    kept = []
    for number, level in enumerate(pyramid):
        parts = [boxes for boxes, (other, _) in zip(windows, tiles, strict=True) if other is level]
        if not parts:
            continue
        of_level = _concatenate(parts)
        if wanted is not None:
            of_level = of_level.take(_lie_in(of_level.boxes, wanted[number]))
        kept.append(of_level.take(non_maximum_suppression(of_level.boxes, of_level.scores, options.nms_overlaps[0])))
    return kept


def _surroundings(squares: Array, side: float) -> Array:
    """Return the surroundings (m, 4) of those squares (n, 4) whose faces P-Net may see in windows of this side."""
    sides = squares[:, 2] - squares[:, 0]
    return widen(squares[(sides < _SIMILAR * side) & (sides > side / _SIMILAR)], _NEAR)


def _lie_in(boxes: Array, areas: Array) -> NDArray[np.bool_]:
    """Tell which boxes (n, 4) lie within one of the areas (m, 4)."""
    corners = (boxes[:, None, :2] >= areas[:, :2]) & (boxes[:, None, 2:] <= areas[:, 2:])  # [n, m, 2]
    inside: NDArray[np.bool_] = np.any(np.all(corners, 2), 1)
    return inside


def widen(squares: Array, factor: float) -> Array:
    """Return squares (n, 4) of the same centers, larger by a factor."""
    more = (squares[:, 2:] - squares[:, :2]) * np.float32((factor - 1) / 2)
    return np.concatenate([squares[:, :2] - more, squares[:, 2:] + more], 1)


def windows_of_tile(mipmap: MipMap, level: Level, tile: Tile, w: PNet, threshold: float) -> ScoredBoxes:
    """Return P-Net's windows of one tile of a level whose score is at least `threshold`."""
    scores, offsets = level.run_p_net(mipmap, tile, w)  # [rows, columns], [rows, 4, columns]
    new = scores[tile.first_row :, tile.first_column :] >= np.float32(threshold)
    row, column = (index + first for index, first in zip(np.nonzero(new), tile[2:], strict=True))  # [n]
    corner = np.stack([column + tile.left, row + tile.top], 1).astype(np.float32) * STRIDE  # [n, 2]
    # The reference counts pixels from 1, its right and bottom are inside the box, and it rounds both down.
    boxes = np.floor(np.concatenate([corner + 1, corner + FIELD], 1) / np.float32(level.scale))  # [n, 4]
    return ScoredBoxes(boxes, scores[row, column], offsets[row, :, column])


def merge_levels(of_levels: list[ScoredBoxes], options: DetectionOptions) -> Array:
    """Return the proposals (n, 4) from the windows of all levels: corrected squares, most probable first."""
    if not of_levels:
        return np.empty((0, 4), np.float32)
    windows = _concatenate(of_levels)
    windows = windows.take(non_maximum_suppression(windows.boxes, windows.scores, options.nms_overlaps[1]))
    return to_squares(_apply_offsets(windows, inclusive=False))


def refine(mipmap: MipMap, proposals: Array, w: RNet, options: DetectionOptions) -> Array:
    """Stage 2: return the candidates (n, 4), corrected squares, that R-Net keeps of the proposals."""
    if not len(proposals := keep_inside(proposals, mipmap)):
        return proposals
    scores, offsets = run_in_batches(
        lambda index: run_r_net(crop_boxes(mipmap, proposals[index], 24), w), largest_first(proposals), _PROPOSALS
    )
    passed = scores > np.float32(options.thresholds[1])
    candidates = ScoredBoxes(proposals, scores, offsets).take(passed)
    # The boxes that are compared are those from before the correction.
    candidates = candidates.take(non_maximum_suppression(candidates.boxes, candidates.scores, options.nms_overlaps[2]))
    return to_squares(_apply_offsets(candidates))


def output(mipmap: MipMap, candidates: Array, w: ONet, options: DetectionOptions) -> Faces:
    """Stage 3: return the faces that O-Net keeps of the candidates, with final boxes and landmarks."""
    if not len(candidates := keep_inside(candidates, mipmap)):
        return Faces(candidates, np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
    scores, offsets, points = run_in_batches(
        lambda index: run_o_net(crop_boxes(mipmap, candidates[index], 48), w), largest_first(candidates), _CANDIDATES
    )
    passed = scores > np.float32(options.thresholds[2])
    faces = ScoredBoxes(candidates, scores, offsets).take(passed)
    # Landmarks are relative to the box before its correction, and count pixels from 0.
    size = faces.boxes[:, 2:] - faces.boxes[:, :2] + 1  # [n, 2]
    points = points[passed].reshape(-1, 2, 5).transpose(0, 2, 1)  # [n, 10] -> [n, 5, 2]
    landmarks = points * size[:, None] + (faces.boxes[:, None, :2] - 1)  # [n, 5, 2]
    final = _apply_offsets(faces)  # [n, 4]
    closed = final + np.array([0, 0, 1, 1], np.float32)  # right and bottom are inside the box, here only
    kept = non_maximum_suppression(closed, faces.scores, options.nms_overlaps[3], mode="min")
    return Faces(final[kept], faces.scores[kept], landmarks[kept])


def _concatenate(parts: Iterable[ScoredBoxes]) -> ScoredBoxes:
    return ScoredBoxes(*map(np.concatenate, zip(*parts, strict=True)))


def _apply_offsets(found: ScoredBoxes, inclusive: bool = True) -> Array:
    """Return the boxes (n, 4) with their corners moved by the offsets.

    The size counts the right and bottom pixel as inside (`inclusive`) in all stages except the first: the reference is
    not consistent.
    """
    size = found.boxes[:, 2:] - found.boxes[:, :2] + np.float32(inclusive)  # [n, 2]
    boxes: Array = found.boxes + found.offsets * np.concatenate([size, size], 1)
    return boxes

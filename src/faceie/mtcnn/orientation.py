"""At which angles an image has faces: so that only these need to be searched.

The cascade finds upright faces. But its first network, which sees no more than 12 x 12 pixels, proposes turned ones
nearly as often, and costs most of the time. So what it proposed for the upright image is looked at from all sides: with
R-Net at four angles and, what is left, with O-Net at the best of these and half-way to its neighbors. Each face that
this finds is a vote for its angle (to which the line of its eyes is added), weighted by O-Net's verdict and its size.
The votes gather at the angle of the photo, if it is turned as a whole; those for other angles tell of single heads.

Nothing of this is in the paper, whose faces are upright. Angles are radians, counter-clockwise as seen in the image.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..boxes import non_maximum_suppression, squared
from ..nn.parallel import parallel
from ..nn.resample import resample_area
from ..types import Array
from .cascade import Faces, ask
from .crops import crops_of, inside
from .networks import MTCNN
from .planned import run_o_net, run_r_net
from .source import Source

__all__ = ["UPRIGHT", "Glimpse", "Head", "look_around", "nines", "tilts", "votes"]

UPRIGHT = math.radians(22.5)
"""Heads that are turned by less than this are left to the search at the angle of the photo."""

_PROPOSALS = 96  # the most probable ones, which R-Net looks at
_CANDIDATES = 16  # those of them that O-Net looks at, at most
_R_SCORE, _O_SCORE = 0.7, 0.5  # scores, from which on the networks' verdicts count
_OVERLAP = 0.5  # intersection over union, above which candidates are the same
_SPREAD = 0.4  # standard deviation of a vote
_PART = 8  # candidates that a thread looks at at a time
_SURE = 100.0  # votes: about those of a certain face of 40 pixels
_NEARLY_RIGHT = math.radians(12.5)  # what is turned by a right angle, or not at all, but for this, is snapped to that
_CONTEXT = 1.5  # crops that are to be turned by 45 degrees hold that much more, for the corners


class Candidates(NamedTuple):
    """What may be faces."""

    squares: Array  # [n, 4]
    turns: NDArray[np.intp]  # [n], 0 to 3: by how many right angles


class Head(NamedTuple):
    """What may be the face of a head that is turned otherwise than the photo."""

    square: Array  # [4]
    angle: float


class Glimpse(NamedTuple):
    """What a first look tells: what seem to be faces, each with a vote for its angle."""

    squares: Array  # [n, 4]
    angles: Array  # [n]
    weights: Array  # [n]

    def and_faces(self, faces: Faces) -> Glimpse:
        """Return this with the votes of faces that were found upright, more or less, added."""
        more = (squared(faces.boxes), -tilts(faces.landmarks), votes(faces))
        return Glimpse(*(np.concatenate(pair) for pair in zip(self, more, strict=True)))

    def angle(self) -> tuple[float, bool]:
        """Return the angle of the photo: that at which votes gather; and whether it is sure. 0 without any."""
        if not self.weights.any():
            return 0.0, False
        grid = np.radians(np.arange(-180, 180, 5))
        apart = _wrapped(grid[:, None] - self.angles)  # [grid, n]
        density = np.exp(-((apart / _SPREAD) ** 2) / 2) @ self.weights
        best = int(density.argmax())
        return _snapped(float(grid[best])), bool(density[best] >= _SURE)

    def heads(self, searched: list[float]) -> list[Head]:
        """Return what may be faces at other angles than those at which the photo was searched."""
        return [
            Head(square, _snapped(float(angle)))
            for square, angle, weight in zip(*self, strict=True)
            if weight and min(abs(_wrapped(angle - other)) for other in searched) > UPRIGHT
        ]


def look_around(source: Source, proposals: Array, w: MTCNN) -> Glimpse:
    """Look for faces that are turned by any angle in an image.

    `proposals`: boxes (n, 4), squares, most probable first, as `cascade.proposals` returns them for the upright image.
    """
    candidates = _candidates(source, inside(proposals, source)[:_PROPOSALS], w)
    return Glimpse(candidates.squares, *_votes(source, candidates, w))


def votes(faces: Faces) -> Array:
    """Return the weights (n,) of faces as votes for the angle at which they are upright."""
    return _weights(faces.probabilities, (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(1, initial=0))


def tilts(landmarks: Array) -> Array:
    """Return the angle (n,) between the line of the eyes (n, 5, 2) and the horizon, clockwise, -pi to pi."""
    eyes = landmarks[:, 1] - landmarks[:, 0]  # [n, 2]
    tilts: Array = np.arctan2(eyes[:, 1], eyes[:, 0])
    return tilts


def nines(probabilities: Array) -> Array:
    """Return how many nines probabilities (n,) begin with: 3 for 0.999; 4 at most, what is closer to 1 is equal."""
    nines: Array = -np.log10(np.maximum(1 - probabilities, np.float32(1e-4)))
    return nines


def _weights(probabilities: Array, sizes: Array) -> Array:
    weights: Array = nines(probabilities) ** 2 * np.sqrt(sizes)
    return weights


def _candidates(source: Source, proposals: Array, w: MTCNN) -> Candidates:
    """Return, corrected, what R-Net takes for a face when turned by some right angle."""

    def look(part: Array) -> tuple[Array, Array, NDArray[np.intp]]:
        x = crops_of(source, part, 24, exact=False)  # [n, 24, 24, 3]
        found = run_r_net(np.concatenate([_turned(x, turns) for turns in range(4)]), w.r_net)
        scores, offsets = (answer.reshape(4, len(x), *answer.shape[1:]) for answer in found)  # [4, n], [4, n, 4]
        best = scores.argmax(0)  # [n]
        rows = np.arange(len(best))
        return scores[best, rows], _corrected(part, offsets[best, rows], best * (math.pi / 2)), best

    if not len(proposals):
        return Candidates(proposals, np.empty(0, np.intp))
    scores, squares, turns = ask(look, proposals)
    passed = np.flatnonzero(scores > _R_SCORE)
    kept = passed[non_maximum_suppression(squares[passed], scores[passed], _OVERLAP)[:_CANDIDATES]]
    return Candidates(squares[kept], turns[kept])


def _corrected(squares: Array, offsets: Array, angles: NDArray[np.floating[Any]]) -> Array:
    """Correct squares (n, 4) by offsets (n, 4) that are meant for the image turned by `angles` (n,)."""
    center, side = (squares[:, :2] + squares[:, 2:]) / 2, squares[:, 2:] - squares[:, :2]  # [n, 2]
    right, down = ((offsets[:, :2] + offsets[:, 2:]) / 2).T  # [n], of the center, in the turned image
    cos, sin = np.cos(angles), np.sin(angles)
    center = center + np.stack([cos * right + sin * down, cos * down - sin * right], 1) * side
    half = side * (1 + offsets[:, 2:] - offsets[:, :2]).max(1, keepdims=True) / 2
    return np.concatenate([center - half, center + half], 1).astype(np.float32)


def _votes(source: Source, candidates: Candidates, w: MTCNN) -> tuple[Array, Array]:
    """Ask O-Net at the angle of each candidate, and at 45 degrees to both sides: return angles and weights (n,)."""

    def look(part: slice) -> tuple[Array, Array]:
        squares, turns = candidates.squares[part], candidates.turns[part]
        around = _surroundings(source, squares, round(48 * _CONTEXT))  # [n, 72, 72, 3]
        wide = np.stack([np.rot90(crop, -by) for crop, by in zip(around, turns, strict=True)])
        edge = (wide.shape[1] - 48) // 2
        diagonal = _turned_by_45_degrees(wide, 48)
        views = (_turned(diagonal, -1), wide[:, edge:-edge, edge:-edge], diagonal)
        found = run_o_net(np.concatenate(views), w.o_net)
        scores, _, points = (answer.reshape(3, len(wide), *answer.shape[1:]) for answer in found)
        best = scores.argmax(0)  # [n]
        rows = np.arange(len(best))
        points = points[best, rows]  # [n, 10], x and y of landmarks
        eyes = tilts(points.reshape(-1, 2, 5).transpose(0, 2, 1))  # [n]
        score = scores[best, rows]
        weights = np.where(score > _O_SCORE, _weights(score, squares[:, 2] - squares[:, 0]), 0)
        return _wrapped((2 * turns + best - 1) * (math.pi / 4) - eyes), weights

    if not len(candidates.turns):
        return np.empty(0, np.float32), np.empty(0, np.float32)
    angles, weights = map(np.concatenate, zip(*parallel(look, _parts(len(candidates.turns))), strict=True))
    return angles, weights


def _parts(count: int) -> list[slice]:
    """Cut candidates into parts for the threads to work on."""
    return [slice(start, start + _PART) for start in range(0, count, _PART)]


def _wrapped(angle: Any) -> Any:
    """Return an angle, or an array of them, -pi to pi."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def _snapped(angle: float) -> float:
    """Return the right angle (or 0) for an angle close to it, since such turns lose nothing."""
    quarters = round(angle / (math.pi / 2))
    return quarters * math.pi / 2 if abs(angle - quarters * math.pi / 2) <= _NEARLY_RIGHT else angle


def _turned(crops: Array, turns: int) -> Array:
    """Turn crops (n, s, s, 3) clockwise by right angles: so faces turned by as many become upright."""
    return np.ascontiguousarray(np.rot90(crops, -turns, (1, 2)))


def _turned_by_45_degrees(crops: Array, size: int) -> Array:
    """Turn crops (n, s, s, 3) clockwise by 45 degrees about their center, of which (n, size, size, 3) is left."""
    last = crops.shape[1] - 1
    down, right = np.indices((size, size)) - (size - 1) / 2  # from the center
    cos = sin = math.sqrt(0.5)
    x, y = cos * right + sin * down + last / 2, cos * down - sin * right + last / 2
    column, row = (np.clip(np.floor(v).astype(np.intp), 0, last - 1) for v in (x, y))
    u, v = ((position - low)[..., None].astype(np.float32) for position, low in ((x, column), (y, row)))
    upper = crops[:, row, column] * (1 - u) + crops[:, row, column + 1] * u
    lower = crops[:, row + 1, column] * (1 - u) + crops[:, row + 1, column + 1] * u
    turned: Array = upper * (1 - v) + lower * v
    return turned


def _surroundings(source: Source, squares: Array, size: int) -> Array:
    """Return what is in squares (n, 4), widened for turning: (n, size, size, 3) float32; gray beyond the border."""
    crops = np.full((len(squares), size, size, 3), 127.5, np.float32)
    center, half = (squares[:, :2] + squares[:, 2:]) / 2, (squares[:, 2:] - squares[:, :2]) * (_CONTEXT / 2)
    for crop, corner, side in zip(crops, center - half, 2 * half[:, 0], strict=True):
        halvings = source.halvings(float(side) / size, exact=False)
        planes, corner, side = source.planes[halvings], corner / 2**halvings, float(side) / 2**halvings
        scale = size / max(side, 1)
        spans = []  # of the image, and of the crop, down and right
        for start, length in ((float(corner[1]), planes.shape[1]), (float(corner[0]), planes.shape[2])):
            first, last = max(int(start), 0), min(int(start + side), length)
            low, high = (min(max(round((edge - start) * scale), 0), size) for edge in (first, last))
            spans.append((slice(first, last), slice(low, high)))
        (rows, top), (columns, left) = spans
        if rows.start < rows.stop and columns.start < columns.stop and top.start < top.stop and left.start < left.stop:
            part = planes[:, rows, columns].transpose(1, 2, 0)
            crop[top, left] = resample_area(part, top.stop - top.start, left.stop - left.start)
    return crops

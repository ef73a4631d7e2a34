"""The angles at which an image has faces, so that only these are searched.

The cascade finds upright faces. Its first network sees no more than 12 x 12 pixels. So it proposes rotated faces nearly
as often as upright ones, and it takes most of the time. Therefore the proposals for the upright image are examined at
all angles: by R-Net at four right angles, then by O-Net at the best of these and 45 degrees to both sides.

Each face that this finds votes for its roll, which includes the slope of the line through its eyes. The weight of a
vote grows with O-Net's score and the size of the face. A photo that was rotated as a whole has most votes at its
angle. The votes for other angles are single rotated heads.

None of this is in the paper, which detects upright faces. Angles are radians, counter-clockwise as seen in the image.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..boxes import non_maximum_suppression, to_squares
from ..nn.resample import resample_area
from ..types import Array
from .batched import largest_first, run_in_batches, run_o_net, run_r_net
from .cascade import Faces
from .crops import crop_boxes, keep_inside
from .networks import MTCNN
from .pyramid import MipMap

__all__ = [
    "UPRIGHT",
    "OrientationVotes",
    "TurnedFace",
    "eye_rolls",
    "find_orientations",
    "is_right_angle",
    "surprisal",
    "vote_weights",
]

UPRIGHT = math.radians(22.5)
"""Faces within this angle of a searched angle are found by that search."""

_PROPOSALS = 96  # the most probable proposals, for R-Net
_CANDIDATES = 16  # the most probable candidates, for O-Net
_R_SCORE, _O_SCORE = 0.7, 0.5  # least scores that count
_OVERLAP = 0.5  # intersection over union, above which candidates are the same
_SPREAD = 0.4  # radians: the standard deviation of a vote
_R_BATCH, _O_BATCH = 32, 8  # proposals and candidates that a thread examines at a time
_LIKELY = 25.0  # votes: with fewer, close-ups of the probable faces are enough
_SURE = 100.0  # votes: about the weight of a certain face of 40 pixels
_NEARLY_RIGHT = math.radians(12.5)  # angles this close to a right angle, or to 0, are snapped to it
_CONTEXT = 1.5  # relative size of crops before a rotation by 45 degrees, which loses their corners


class Candidates(NamedTuple):
    """Boxes that R-Net takes for a face at one of four right angles."""

    squares: Array  # [n, 4]
    quarters: NDArray[np.intp]  # [n], 0 to 3: the roll in right angles


class TurnedFace(NamedTuple):
    """A probable face with another roll than the searched angles."""

    square: Array  # [4]
    roll: float


class OrientationVotes(NamedTuple):
    """Probable faces of an image, each with a vote for its roll."""

    squares: Array  # [n, 4]
    rolls: Array  # [n]
    weights: Array  # [n]

    def with_faces(self, faces: Faces) -> OrientationVotes:
        """Add the votes of faces that the search of the upright image found."""
        more = (to_squares(faces.boxes), -eye_rolls(faces.landmarks), vote_weights(faces))
        return OrientationVotes(*(np.concatenate(pair) for pair in zip(self, more, strict=True)))

    def main_angle(self) -> tuple[float, bool]:
        """Return the angle with most votes, and whether it is certain; 0 and False for few votes."""
        if not self.weights.any():
            return 0.0, False
        grid = np.radians(np.arange(-180, 180, 5))
        apart = _wrap(grid[:, None] - self.rolls)  # [grid, n]
        density = np.exp(-((apart / _SPREAD) ** 2) / 2) @ self.weights
        best = int(density.argmax())
        if density[best] < _LIKELY:
            return 0.0, False
        return _snap(float(grid[best])), bool(density[best] >= _SURE)

    def squares_near(self, angle: float) -> Array:
        """Return the squares (n, 4) of probable faces that a search at this angle may find."""
        squares: Array = self.squares[(self.weights > 0) & (abs(_wrap(self.rolls - angle)) <= 2 * UPRIGHT)]
        return squares

    def turned_faces(self, searched: list[float]) -> list[TurnedFace]:
        """Return the probable faces whose roll differs from all searched angles."""
        return [
            TurnedFace(square, _snap(float(roll)))
            for square, roll, weight in zip(*self, strict=True)
            if weight and min(abs(_wrap(roll - angle)) for angle in searched) > UPRIGHT
        ]


def find_orientations(mipmap: MipMap, proposals: Array, w: MTCNN) -> OrientationVotes:
    """Examine proposals (n, 4) for faces of any roll.

    `proposals`: squares, most probable first, as `cascade.merge_levels` returns them for the upright image.
    """
    candidates = _candidates(mipmap, keep_inside(proposals, mipmap)[:_PROPOSALS], w)
    return OrientationVotes(candidates.squares, *_votes(mipmap, candidates, w))


def vote_weights(faces: Faces) -> Array:
    """Return the weights (n,) of faces as votes for the angle at which they are upright."""
    return _weights(faces.probabilities, (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(1, initial=0))


def eye_rolls(landmarks: Array) -> Array:
    """Return the angles (n,), -pi to pi, clockwise, of the line through the eyes (n, 5, 2) with the horizon."""
    eyes = landmarks[:, 1] - landmarks[:, 0]  # [n, 2]
    rolls: Array = np.arctan2(eyes[:, 1], eyes[:, 0])
    return rolls


def surprisal(probabilities: Array) -> Array:
    """Return -log10(1 - p) of probabilities p (n,): 3 for 0.999, at most 4."""
    surprisal: Array = -np.log10(np.maximum(1 - probabilities, np.float32(1e-4)))
    return surprisal


def _weights(probabilities: Array, sizes: Array) -> Array:
    weights: Array = surprisal(probabilities) ** 2 * np.sqrt(sizes)
    return weights


def _candidates(mipmap: MipMap, proposals: Array, w: MTCNN) -> Candidates:
    """Return the proposals that R-Net takes for a face at one of four right angles, corrected."""

    def examine(index: NDArray[np.intp]) -> tuple[Array, Array, NDArray[np.intp]]:
        part = proposals[index]
        x = crop_boxes(mipmap, part, 24, exact=False)  # [n, 24, 24, 3]
        outputs = run_r_net(np.concatenate([_rotate_by_quarters(x, quarters) for quarters in range(4)]), w.r_net)
        scores, offsets = (array.reshape(4, len(x), *array.shape[1:]) for array in outputs)  # [4, n], [4, n, 4]
        best = scores.argmax(0)  # [n]
        rows = np.arange(len(best))
        return scores[best, rows], _apply_offsets(part, offsets[best, rows], best * (math.pi / 2)), best

    if not len(proposals):
        return Candidates(proposals, np.empty(0, np.intp))
    scores, squares, quarters = run_in_batches(examine, largest_first(proposals), _R_BATCH)
    passed = np.flatnonzero(scores > _R_SCORE)
    kept = passed[non_maximum_suppression(squares[passed], scores[passed], _OVERLAP)[:_CANDIDATES]]
    return Candidates(squares[kept], quarters[kept])


def _apply_offsets(squares: Array, offsets: Array, angles: NDArray[np.floating[Any]]) -> Array:
    """Correct squares (n, 4) by offsets (n, 4) that refer to the image rotated by `angles` (n,)."""
    center, side = (squares[:, :2] + squares[:, 2:]) / 2, squares[:, 2:] - squares[:, :2]  # [n, 2]
    right, down = ((offsets[:, :2] + offsets[:, 2:]) / 2).T  # [n], of the center, in the rotated image
    cos, sin = np.cos(angles), np.sin(angles)
    center = center + np.stack([cos * right + sin * down, cos * down - sin * right], 1) * side
    half = side * (1 + offsets[:, 2:] - offsets[:, :2]).max(1, keepdims=True) / 2
    return np.concatenate([center - half, center + half], 1).astype(np.float32)


def _votes(mipmap: MipMap, candidates: Candidates, w: MTCNN) -> tuple[Array, Array]:
    """Run O-Net at the angle of each candidate and 45 degrees to both sides: return rolls and weights (n,)."""

    def examine(index: NDArray[np.intp]) -> tuple[Array, Array]:
        squares, quarters = candidates.squares[index], candidates.quarters[index]
        around = _crop_context(mipmap, squares, round(48 * _CONTEXT))  # [n, 72, 72, 3]
        wide = np.stack([np.rot90(crop, -number) for crop, number in zip(around, quarters, strict=True)])
        edge = (wide.shape[1] - 48) // 2
        diagonal = _rotate_by_45_degrees(wide, 48)
        views = (_rotate_by_quarters(diagonal, -1), wide[:, edge:-edge, edge:-edge], diagonal)
        outputs = run_o_net(np.concatenate(views), w.o_net)
        scores, _, points = (array.reshape(3, len(wide), *array.shape[1:]) for array in outputs)
        best = scores.argmax(0)  # [n]
        rows = np.arange(len(best))
        points = points[best, rows]  # [n, 10]
        eyes = eye_rolls(points.reshape(-1, 2, 5).transpose(0, 2, 1))  # [n]
        score = scores[best, rows]
        weights = np.where(score > _O_SCORE, _weights(score, squares[:, 2] - squares[:, 0]), 0)
        return _wrap((2 * quarters + best - 1) * (math.pi / 4) - eyes), weights

    if not len(candidates.quarters):
        return np.empty(0, np.float32), np.empty(0, np.float32)
    rolls, weights = run_in_batches(examine, np.arange(len(candidates.quarters)), _O_BATCH)
    return rolls, weights


def _wrap(angle: Any) -> Any:
    """Return an angle, or an array of them, in the range -pi to pi."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def is_right_angle(angle: float) -> bool:
    """Tell whether an angle is a right one, or 0."""
    return math.isclose(angle, _nearest_right_angle(angle), abs_tol=1e-6)


def _snap(angle: float) -> float:
    """Return the right angle (or 0) close to an angle, since such rotations lose no pixels; else the angle itself."""
    right = _nearest_right_angle(angle)
    return right if abs(angle - right) <= _NEARLY_RIGHT else angle


def _nearest_right_angle(angle: float) -> float:
    return round(angle / (math.pi / 2)) * math.pi / 2


def _rotate_by_quarters(crops: Array, quarters: int) -> Array:
    """Rotate crops (n, s, s, 3) clockwise by right angles: faces with a roll of that angle become upright."""
    return np.ascontiguousarray(np.rot90(crops, -quarters, (1, 2)))


def _rotate_by_45_degrees(crops: Array, size: int) -> Array:
    """Rotate crops (n, s, s, 3) clockwise by 45 degrees about their center, and crop that: (n, size, size, 3)."""
    last = crops.shape[1] - 1
    down, right = np.indices((size, size)) - (size - 1) / 2  # from the center
    cos = sin = math.sqrt(0.5)
    x, y = cos * right + sin * down + last / 2, cos * down - sin * right + last / 2
    column, row = (np.clip(np.floor(v).astype(np.intp), 0, last - 1) for v in (x, y))
    u, v = ((position - low)[..., None].astype(np.float32) for position, low in ((x, column), (y, row)))
    upper = crops[:, row, column] * (1 - u) + crops[:, row, column + 1] * u
    lower = crops[:, row + 1, column] * (1 - u) + crops[:, row + 1, column + 1] * u
    rotated: Array = upper * (1 - v) + lower * v
    return rotated


def _crop_context(mipmap: MipMap, squares: Array, size: int) -> Array:
    """Crop widened squares (n, 4) and resize them: (n, size, size, 3) float32; gray beyond the border."""
    crops = np.full((len(squares), size, size, 3), 127.5, np.float32)
    center, half = (squares[:, :2] + squares[:, 2:]) / 2, (squares[:, 2:] - squares[:, :2]) * (_CONTEXT / 2)
    for crop, corner, side in zip(crops, center - half, 2 * half[:, 0], strict=True):
        level = mipmap.mip_level(float(side) / size, exact=False)
        planes, corner, side = mipmap.planes[level], corner / 2**level, float(side) / 2**level
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

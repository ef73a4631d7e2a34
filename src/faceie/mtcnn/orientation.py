"""At which angles an image has faces: so that only these need to be searched.

The cascade finds upright faces. But its first network, which sees no more than 12 x 12 pixels, proposes turned ones
nearly as often, and costs most of the time. So its proposals for the upright image are looked at from all sides, with
R-Net at four angles and, what is left, with O-Net at eight. Each face that this finds is a vote for its angle (to which
the line of its eyes is added), weighted by O-Net's verdict and its size. The votes gather at the angle of the photo, if
it is turned as a whole, and at those of heads that are.

Nothing of this is in the paper, whose faces are upright. Angles are radians, counter-clockwise as seen in the image.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..boxes import non_maximum_suppression
from ..images import to_input
from ..nn.resample import resample_area
from ..nn.threads import parallel
from ..nn.tree import Array
from .cascade import Pixels, crops_of, inside
from .networks import MTCNN, o_net, r_net

__all__ = ["UPRIGHT", "find_angles"]

UPRIGHT = math.radians(22.5)
"""Faces that are turned by less than this are left to the search for upright ones."""

_PROPOSALS = 96  # the most probable ones, which R-Net looks at
_CANDIDATES = 16  # those of them that O-Net looks at, at most
_R_SCORE, _O_SCORE = 0.7, 0.5  # scores, from which on the networks' verdicts count
_OVERLAP = 0.5  # intersection over union, above which candidates are the same
_SPREAD = 0.4  # standard deviation of a vote
_NEIGHBORS = math.radians(45)  # angles that are closer than this are not told apart
_PEAKS = 3  # that are looked for
_SEARCHES = 2  # of turned images, at most
_MANY, _SOME = 0.3, 0.1  # of the votes of the highest peak
_SURE = 100.0  # votes: about those of a certain face of 40 pixels
_NEARLY_RIGHT = math.radians(12.5)  # turned by a right angle, but for this
_CONTEXT = 1.5  # crops that are to be turned by 45 degrees hold that much more, for the corners


class Votes(NamedTuple):
    """What the candidates say."""

    angles: Array  # [n]
    weights: Array  # [n]
    upright: Array  # [n], the weights that votes for 0 would have had


def find_angles(image: Pixels, proposals: Array, w: MTCNN) -> list[float]:
    """Return the angles at which to search an image (h, w, 3) uint8 RGB.

    `proposals`: boxes (n, 4), squares, as `cascade.propose` returns them for the upright image. What is within
    `UPRIGHT` of 0 is told as 0, and so is that there is nothing at all.
    """
    candidates = _candidates(image, inside(proposals, image)[:_PROPOSALS], w)
    return _peaks(_votes(image, candidates, w)) if len(candidates) else [0.0]


def _candidates(image: Pixels, proposals: Array, w: MTCNN) -> Array:
    """Return the squares (n, 4), corrected, of what R-Net takes for a face when turned by some right angle."""
    if not len(proposals):
        return proposals
    x = to_input(crops_of(image, proposals, 24))  # [n, 24, 24, 3]
    found = parallel(lambda turns: r_net(_turned(x, turns), w.r_net), range(4))
    scores, offsets = map(np.stack, zip(*found, strict=True))  # [4, n], [4, n, 4]
    best = scores.argmax(0)  # [n]
    rows = np.arange(len(best))
    score = scores[best, rows]
    squares = _corrected(proposals, offsets[best, rows], best * (math.pi / 2))
    passed = score > _R_SCORE
    squares, score = squares[passed], score[passed]
    kept: Array = squares[non_maximum_suppression(squares, score, _OVERLAP)[:_CANDIDATES]]
    return kept


def _corrected(squares: Array, offsets: Array, angles: NDArray[np.float64]) -> Array:
    """Correct squares (n, 4) by offsets (n, 4) that are meant for the image turned by `angles` (n,)."""
    center, side = (squares[:, :2] + squares[:, 2:]) / 2, squares[:, 2:] - squares[:, :2]  # [n, 2]
    right, down = ((offsets[:, :2] + offsets[:, 2:]) / 2).T  # [n], of the center, in the turned image
    cos, sin = np.cos(angles), np.sin(angles)
    center = center + np.stack([cos * right + sin * down, cos * down - sin * right], 1) * side
    half = side * (1 + offsets[:, 2:] - offsets[:, :2]).max(1, keepdims=True) / 2
    return np.concatenate([center - half, center + half], 1).astype(np.float32)


def _votes(image: Pixels, squares: Array, w: MTCNN) -> Votes:
    """Ask O-Net at eight angles; each square votes for the best."""
    wide = _surroundings(image, squares, round(48 * _CONTEXT))  # [n, 72, 72, 3]
    edge = (wide.shape[1] - 48) // 2
    upright, diagonal = wide[:, edge:-edge, edge:-edge], _turned_by_45_degrees(wide, 48)
    views = [to_input(_turned(crops, turns)) for turns in range(4) for crops in (upright, diagonal)]
    found = parallel(lambda view: o_net(view, w.o_net), views)
    scores = np.stack([scores for scores, _, _ in found])  # [8, n]
    best = scores.argmax(0)  # [n]
    rows = np.arange(len(best))
    points = np.stack([points for _, _, points in found])[best, rows].reshape(-1, 2, 5)  # x, y of landmarks
    eyes = points[:, :, 1] - points[:, :, 0]  # [n, 2]
    nines = -np.log10(1 - np.minimum(scores, 0.9999))  # [8, n], 3 for 0.999
    weights = np.where(scores > _O_SCORE, nines**2, 0) * np.sqrt(squares[:, 2] - squares[:, 0])
    return Votes(best * (math.pi / 4) - np.arctan2(eyes[:, 1], eyes[:, 0]), weights[best, rows], weights[0])


def _peaks(votes: Votes) -> list[float]:
    """Return the angles at which votes gather: the first, the next if it has many votes, too; and 0 if some face may be
    upright, or if nothing else has many.
    """
    grid = np.radians(np.arange(-180, 180, 5))
    angles, weights, _ = votes
    heights: dict[float, float] = {}  # of the peaks
    while weights.sum() > 0 and len(heights) < _PEAKS:
        apart = (grid[:, None] - angles + math.pi) % (2 * math.pi) - math.pi  # [grid, n], -pi to pi
        density = np.exp(-((apart / _SPREAD) ** 2) / 2) @ weights
        best = int(density.argmax())
        heights.setdefault(_snapped(float(grid[best])), float(density[best]))
        far = abs(apart[best]) > _NEIGHBORS
        angles, weights = angles[far], weights[far]
    highest = max(heights.values(), default=0.0)
    turned = [angle for angle, height in heights.items() if angle and height >= _MANY * highest][:_SEARCHES]
    upright = highest < _SURE or votes.upright.sum() >= _SOME * highest
    return [0.0] * bool(upright) + turned


def _snapped(angle: float) -> float:
    """Return 0 for an angle close to it, and the right angle for one close to that, since such turns lose nothing."""
    if abs(angle) <= UPRIGHT:
        return 0.0
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


def _surroundings(image: Pixels, squares: Array, size: int) -> Array:
    """Return what is in squares (n, 4), widened for turning: (n, size, size, 3) float32; gray beyond the border."""
    height, width = image.shape[:2]
    crops = np.full((len(squares), size, size, 3), 127.5, np.float32)
    center, half = (squares[:, :2] + squares[:, 2:]) / 2, (squares[:, 2:] - squares[:, :2]) * (_CONTEXT / 2)
    for crop, corner, side in zip(crops, center - half, 2 * half[:, 0], strict=True):
        scale = size / max(float(side), 1)
        spans = []  # of the image, and of the crop, down and right
        for start, length in ((float(corner[1]), height), (float(corner[0]), width)):
            first, last = max(int(start), 0), min(int(start + side), length)
            low, high = (min(max(round((edge - start) * scale), 0), size) for edge in (first, last))
            spans.append((slice(first, last), slice(low, high)))
        (rows, top), (columns, left) = spans
        if rows.start < rows.stop and columns.start < columns.stop and top.start < top.stop and left.start < left.stop:
            crop[top, left] = resample_area(image[rows, columns], top.stop - top.start, left.stop - left.start)
    return crops

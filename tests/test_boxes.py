"""Geometry of boxes, against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceie.boxes import non_maximum_suppression, overlaps, squared, turned

from .conftest import assert_close


def overlap_of_two(a: np.ndarray, b: np.ndarray, over: str) -> float:
    """The slow twin of `overlaps`, for one pair."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    intersection = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    whole = min(areas) if over == "smaller" else sum(areas) - intersection
    return intersection / whole if whole else 0


def greedy(boxes: np.ndarray, scores: np.ndarray, overlap: float, over: str) -> list[int]:
    """The slow twin of `non_maximum_suppression`."""
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(overlap_of_two(boxes[i], boxes[j], over) <= overlap for j in kept):
            kept.append(i)
    return kept


def random_boxes(count: int, seed: int) -> np.ndarray:
    """Boxes with whole corners, so that overlaps are exact: many overlap, some are equal, some are empty."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 40, (count, 2))
    return np.concatenate([corner, corner + rng.integers(0, 20, (count, 2))], 1).astype(np.float32)


@pytest.mark.parametrize("over", ["union", "smaller"])
def test_overlaps_equal_their_twin(over: str) -> None:
    """Every pair overlaps as the loop says; empty boxes overlap nothing."""
    a, b = random_boxes(30, 0), random_boxes(20, 1)
    expected = np.array([[overlap_of_two(x, y, over) for y in b] for x in a])
    assert_close(overlaps(a, b, over), expected, 1e-6)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 700),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["union", "smaller"]),
    st.sampled_from([0, 0.5, 0.7, 1]),
)
def test_suppression_equals_its_twin(count: int, seed: int, over: str, overlap: float) -> None:
    """The same boxes are kept, in the same order; more than one block of them, and equal scores, included."""
    boxes = random_boxes(count, seed)
    scores = np.random.default_rng(seed).integers(0, 50, count).astype(np.float32)
    assert non_maximum_suppression(boxes, scores, overlap, over).tolist() == greedy(boxes, scores, overlap, over)


def test_squared() -> None:
    """The longer side stays, and so does the center."""
    assert squared(np.array([[0, 0, 10, 4], [2, 2, 3, 9]], np.float32)).tolist() == [[0, -3, 10, 7], [-1, 2, 6, 9]]


def test_turned_by_a_right_angle_is_exact() -> None:
    """A quarter turn swaps the sides; the identity changes nothing."""
    boxes = np.array([[1, 2, 5, 4]], np.float32)
    assert turned(boxes, np.array([[0.0, 1, 0], [-1, 0, 10]])).tolist() == [[2, 5, 4, 9]]
    assert turned(boxes, np.eye(2, 3)).tolist() == boxes.tolist()


@given(st.floats(-math.pi, math.pi))
def test_turned_holds_the_superellipse(angle: float) -> None:
    """The turned box is the bounding box of the turned superellipse, found here by walking around it."""
    boxes = np.array([[-3, -5, 3, 5]], np.float32)
    t = np.linspace(0, 2 * math.pi, 3601)
    cos, sin = np.cos(t), np.sin(t)
    outline = np.stack([3 * np.sign(cos) * np.sqrt(np.abs(cos)), 5 * np.sign(sin) * np.sqrt(np.abs(sin))], 1)
    affine = np.array([[math.cos(angle), math.sin(angle), 7], [-math.sin(angle), math.cos(angle), 0]])
    points = outline @ affine[:, :2].T + affine[:, 2]
    expected = np.concatenate([points.min(0), points.max(0)])[None]
    assert_close(turned(boxes, affine), expected, 1e-3)

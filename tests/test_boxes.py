"""Geometry of boxes, against plain loops."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceie.boxes import iou, non_maximum_suppression, to_squares, transform_boxes

from .conftest import ROOT, assert_close


def iou_of_two(a: Sequence[float], b: Sequence[float], mode: str) -> float:
    """The slow twin of `iou`, for one pair."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    intersection = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    whole = min(areas) if mode == "min" else sum(areas) - intersection
    return intersection / whole if whole else 0


def greedy(boxes: np.ndarray, scores: np.ndarray, threshold: float, mode: str) -> list[int]:
    """The slow twin of `non_maximum_suppression`."""
    kept: list[int] = []
    rows = boxes.tolist()  # Python's numbers, ten times as fast
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(iou_of_two(rows[i], rows[j], mode) <= threshold for j in kept):
            kept.append(i)
    return kept


def random_boxes(count: int, seed: int) -> np.ndarray:
    """Boxes with whole corners, so that overlaps are exact: many overlap, some are equal, some are empty."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 40, (count, 2))
    return np.concatenate([corner, corner + rng.integers(0, 20, (count, 2))], 1).astype(np.float32)


def _around(center: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Boxes with whole corners, with about this center (n, 2) and size (n, 1) or (n, 2)."""
    corner = np.round(center - size / 2)
    return np.concatenate([corner, corner + np.round(size)], 1).astype(np.float32)


def arranged_boxes(how: str, count: int, seed: int) -> np.ndarray:
    """Boxes in common and in difficult arrangements; some coordinates are negative."""
    rng = np.random.default_rng(seed)
    width = 12 * math.sqrt(count)  # of the area: each box overlaps a few
    center = rng.uniform(-width / 2, width / 2, (count, 2))
    size = rng.uniform(10, 40, (count, 1))
    if how == "spread":
        return _around(center, size)
    if how == "in clusters":
        return _around(center[rng.integers(0, count // 50, count)] + rng.normal(0, 3, (count, 2)), size)
    if how == "on top of each other":
        return np.repeat(_around(center[:1], size[:1]), count, 0)
    if how == "nested":
        return _around(np.zeros((count, 2)), rng.integers(1, 300, (count, 1)) * 2)
    if how == "of all sizes":
        return _around(center, 2 ** rng.uniform(0, 9, (count, 1)))
    if how == "long and thin":
        return _around(center, rng.permuted(np.full((count, 2), [2.0, 200.0]), axis=1))
    assert how == "without area"  # points, lines, and boxes turned inside out
    return _around(center, rng.integers(-1, 2, (count, 2)) * size)


ARRANGEMENTS = [
    "spread",
    "in clusters",
    "on top of each other",
    "nested",
    "of all sizes",
    "long and thin",
    "without area",
]


@pytest.mark.parametrize("mode", ["union", "min"])
def test_iou_equals_its_twin(mode: str) -> None:
    """The overlap of every pair is that of the loop; empty boxes overlap nothing."""
    a, b = random_boxes(30, 0), random_boxes(20, 1)
    expected = np.array([[iou_of_two(x, y, mode) for y in b] for x in a])
    assert_close(iou(a, b, mode), expected, 1e-6)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 700),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["union", "min"]),
    st.sampled_from([0, 0.5, 0.7, 1]),
)
def test_suppression_equals_its_twin(count: int, seed: int, mode: str, threshold: float) -> None:
    """The same boxes are kept in the same order, with several blocks and with equal scores, too."""
    boxes = random_boxes(count, seed)
    scores = np.random.default_rng(seed).integers(0, 50, count).astype(np.float32)
    assert non_maximum_suppression(boxes, scores, threshold, mode).tolist() == greedy(boxes, scores, threshold, mode)


@pytest.mark.parametrize("different", [1, 20, 10_000])
@pytest.mark.parametrize("mode", ["union", "min"])
@pytest.mark.parametrize("how", ARRANGEMENTS)
def test_suppression_of_many(how: str, mode: str, different: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In all arrangements, the same boxes are kept in the same order, with all, many or few equal scores."""
    monkeypatch.setattr("faceie.boxes._BLOCK", 8)  # so that some hundred are many
    monkeypatch.setattr("faceie.boxes._PAIRS", 64)
    boxes = arranged_boxes(how, 250, 1)
    scores = np.random.default_rng(2).integers(0, different, len(boxes)).astype(np.float32)
    for threshold in (0, 0.3, 0.7):
        assert non_maximum_suppression(boxes, scores, threshold, mode).tolist() == greedy(
            boxes, scores, threshold, mode
        )


@pytest.mark.parametrize("threshold", [0, 0.5])
def test_suppression_of_very_many(threshold: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """30,000 boxes of all kinds, with corners between pixels, give the result of comparing each with each."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from suppression import in_blocks

    parts = [arranged_boxes(how, 30_000 // len(ARRANGEMENTS) + 1, number) for number, how in enumerate(ARRANGEMENTS)]
    boxes = np.concatenate(parts)
    boxes += np.random.default_rng(0).random(boxes.shape, np.float32)
    scores = np.random.default_rng(1).random(len(boxes), np.float32)
    kept = non_maximum_suppression(boxes, scores, threshold)
    assert 2000 < len(kept) < 25_000
    assert np.array_equal(kept, in_blocks(boxes, scores, threshold))


def test_many_boxes_take_little_memory() -> None:
    """30,000 boxes, spread or not, are compared without large temporary arrays."""
    for how in ("spread", "in clusters", "on top of each other"):
        boxes = arranged_boxes(how, 30_000, 0)
        scores = np.random.default_rng(1).random(len(boxes), np.float32)
        tracemalloc.start()
        non_maximum_suppression(boxes, scores, 0.5)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 6e6, how


def test_squared() -> None:
    """The longer side stays, and so does the center."""
    assert to_squares(np.array([[0, 0, 10, 4], [2, 2, 3, 9]], np.float32)).tolist() == [[0, -3, 10, 7], [-1, 2, 6, 9]]


def test_turned_by_a_right_angle_is_exact() -> None:
    """A quarter turn swaps the sides; the identity changes nothing."""
    boxes = np.array([[1, 2, 5, 4]], np.float32)
    assert transform_boxes(boxes, np.array([[0.0, 1, 0], [-1, 0, 10]])).tolist() == [[2, 5, 4, 9]]
    assert transform_boxes(boxes, np.eye(2, 3)).tolist() == boxes.tolist()


@given(st.floats(-math.pi, math.pi))
def test_turned_holds_the_superellipse(angle: float) -> None:
    """The new box is the bounding box of the rotated superellipse, found here by walking around it."""
    boxes = np.array([[-3, -5, 3, 5]], np.float32)
    t = np.linspace(0, 2 * math.pi, 3601)
    cos, sin = np.cos(t), np.sin(t)
    outline = np.stack([3 * np.sign(cos) * np.sqrt(np.abs(cos)), 5 * np.sign(sin) * np.sqrt(np.abs(sin))], 1)
    affine = np.array([[math.cos(angle), math.sin(angle), 7], [-math.sin(angle), math.cos(angle), 0]])
    points = outline @ affine[:, :2].T + affine[:, 2]
    expected = np.concatenate([points.min(0), points.max(0)])[None]
    assert_close(transform_boxes(boxes, affine), expected, 1e-3)

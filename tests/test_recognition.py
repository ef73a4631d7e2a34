"""Distances of embeddings, and what they are good for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceie import OptionError, detect_faces, distance, encode_faces, pairwise_distances, recognition

from .conftest import assert_close


def unit(count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, 512))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_distance() -> None:
    """One with one, one with many, and row by row."""
    a, b = unit(3, 0), unit(3, 1)
    expected = np.array([[np.sqrt(((x.astype(float) - y) ** 2).sum()) for y in b] for x in a])
    assert distance(a[0], b[1]) == pytest.approx(expected[0, 1])
    assert_close(distance(a[0], b), expected[0], 1e-6)
    assert_close(distance(a, b), expected.diagonal(), 1e-6)
    assert_close(pairwise_distances(a, b), expected, 1e-6)


def test_pairwise_distances_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of rows, the last shorter, give what `distance` gives; equal embeddings are at distance 0, not nearly."""
    a = unit(50, 2)
    a[7] = a[3]
    expected = np.stack([distance(x, a) for x in a])
    for block in (1, 50, 120, 1 << 22):
        monkeypatch.setattr(recognition, "_BLOCK", block)
        result = pairwise_distances(a)
        assert result.dtype == np.float32
        assert_close(result, expected, 1e-6)
    assert pairwise_distances(np.empty((0, 512)), a).shape == (0, 50)


@pytest.mark.parametrize(
    ("a", "b"), [((512,), (128,)), ((3, 512), (4, 512)), ((), (512,)), ((4, 512), (3, 128))], ids=str
)
def test_shapes_that_do_not_fit(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """The error names both shapes."""
    with pytest.raises(OptionError, match="shapes"):
        distance(np.zeros(a), np.zeros(b))
    if a != (3, 512):
        with pytest.raises(OptionError, match="shapes"):
            pairwise_distances(np.zeros(a), np.zeros(b))


def test_the_same_person_is_closer(photos: Path) -> None:
    """On real photos: three of one person are closer to each other than to two other people."""
    names = ["obama", "obama-congress", "obama-standing", "biden", "astronaut"]
    faces = [detect_faces(photos / f"{name}.jpg").images for name in names]
    distances = pairwise_distances(encode_faces([images[0] for images in faces if images]))
    same = distances[:3, :3][np.triu_indices(3, 1)]
    different = np.concatenate([distances[:3, 3:].ravel(), distances[3, 4:]])
    assert same.max() < recognition.SAME_PERSON < different.min()

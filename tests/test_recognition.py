"""Distances of embeddings, and probabilities of matches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceie import (
    OptionError,
    detect_faces,
    distance,
    encode_faces,
    pairwise_distances,
    recognition,
    same_person_probability,
    thresholds,
)

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
    """Blocks of rows, the last one shorter, give the results of `distance`; equal embeddings have a distance of 0."""
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
    limits = thresholds()
    assert same.max() < limits.fmr1000 < limits.fmr100 < different.min()
    assert same_person_probability(same).min() > 0.99
    assert same_person_probability(different).max() < 0.01


@pytest.mark.parametrize("weights", ["vggface2", "casia-webface"])
def test_probability(weights: str) -> None:
    """It falls with the distance, is one half where both kinds of pairs are equally frequent, and is never 0 or 1."""
    d = np.linspace(0, 2, 201)
    p = same_person_probability(d, weights=weights)
    assert p.shape == d.shape
    assert p.dtype == np.float64
    assert (np.diff(p) <= 0).all()
    assert 0 < p.min() < 1e-5
    assert 1 - 1e-5 < p.max() < 1
    assert same_person_probability(recognition._CALIBRATIONS[weights].even, weights=weights) == pytest.approx(0.5)
    assert isinstance(same_person_probability(np.float32(1), weights=weights), float)
    limits = thresholds(weights)
    assert limits.fmr10000 < limits.fmr1000 < limits.fmr100


@pytest.mark.parametrize("prior", [0.001, 0.3, 0.9])
def test_prior(prior: float) -> None:
    """Bayes' rule: the odds after the comparison are the prior odds times those of the distance."""
    evidence = same_person_probability(1.0) / (1 - same_person_probability(1.0))
    odds = evidence * prior / (1 - prior)
    assert same_person_probability(1.0, prior=prior) == pytest.approx(odds / (1 + odds))


def test_invalid_arguments() -> None:
    """Priors, distances and weights out of range are refused."""
    for prior in (0, 1, -1, float("nan")):
        with pytest.raises(OptionError, match="prior"):
            same_person_probability(1.0, prior=prior)
    for d in (-0.1, float("nan"), [0.5, -1]):
        with pytest.raises(OptionError, match="distance"):
            same_person_probability(d)
    with pytest.raises(OptionError, match="'mine', for which there is no calibration, expected one of"):
        same_person_probability(1.0, weights="mine")
    with pytest.raises(OptionError, match="there is no calibration"):
        thresholds("mine")

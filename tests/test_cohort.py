"""Offsets of faces among a cohort, beside a slow twin, and the probabilities that follow from them."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceie import Cohort, OptionError, cohort, distance, same_person_probability

from .conftest import assert_close


def units(count: int, seed: int = 0) -> np.ndarray:
    """Return embeddings (count, 512) with cosines like those of faces."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((count, 512)) * (np.arange(512) < 40)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def twin(face: np.ndarray, own: int | None, faces: np.ndarray, people: np.ndarray) -> float:
    """Apply the definition in the docstring of `faceie.cohort` to one face, in float64."""
    cosines = {i: float(face.astype(np.float64) @ other) for i, other in enumerate(faces.astype(np.float64))}
    left_out = {own} if own is not None else {int(people[i]) for i, c in cosines.items() if c > 1 - 0.84**2 / 2}
    others = sorted((c for i, c in cosines.items() if people[i] not in left_out), reverse=True)
    nearest = others[: max(30, -(-len(faces) // 100))]
    if not nearest:
        return 0.0
    share = len(nearest) / len(others)
    normal = NormalDist()
    tail = normal.pdf(normal.inv_cdf(1 - share)) / share if share < 1 else 0.0
    return float(np.mean(nearest) - 0.047 - 0.153 * tail) * len(faces) / (len(faces) + 500)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([1, 2, 29, 31, 200]), known=st.booleans())
def test_offsets_are_those_of_the_twin(seed: int, size: int, known: bool) -> None:
    """For cohorts of any size, with and without known people."""
    rng = np.random.default_rng(seed)
    faces, people = units(size, seed), rng.integers(0, max(size // 3, 1), size)
    probes = np.concatenate([units(5, seed + 1), faces[:2]])
    own = rng.integers(0, max(size // 3, 1), len(probes)) if known else None
    result = Cohort(faces, people).offsets(probes, own)
    expected = [twin(probe, None if own is None else int(own[i]), faces, people) for i, probe in enumerate(probes)]
    assert result.dtype == np.float32
    assert_close(result, np.array(expected), 1e-5)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of one face give the same offsets."""
    faces = units(300)
    expected = Cohort(faces).offsets(faces[:20])
    monkeypatch.setattr(cohort, "_BLOCK", 1)
    assert_close(Cohort(faces).offsets(faces[:20]), expected, 1e-6)


def test_the_order_of_the_cohort_makes_no_difference() -> None:
    """Offsets depend on the faces alone."""
    faces = units(300)
    assert_close(Cohort(faces[::-1]).offsets(faces[:20]), Cohort(faces).offsets(faces[:20]), 1e-6)


def test_a_face_with_many_likes_is_judged_strictly() -> None:
    """Among strangers who resemble a face, a pair at the same distance is less probable."""
    rng = np.random.default_rng(1)
    faces = units(1000)
    crowd = faces[0] + 1.1 * units(300, 7)
    crowd /= np.linalg.norm(crowd, axis=1, keepdims=True)
    judged = Cohort(np.concatenate([faces[2:], crowd]))
    hub, plain = judged.offsets(faces[:2])
    assert hub > plain + 0.1
    probes = faces[:2] + 0.8 * rng.standard_normal((1, 512)) / 512**0.5
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    among = judged.probability(faces[:2], probes, prior=0.01)
    alone = same_person_probability(distance(faces[:2], probes), prior=0.01)
    assert abs(alone[0] - alone[1]) < 0.05
    assert among[0] < among[1]


def test_a_small_cohort_changes_little() -> None:
    """Without a cohort, the probability is that of the distance; with ten faces, it is close to it."""
    a, b = units(20, 1), units(20, 1) + 0.6 * units(20, 2)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    expected = same_person_probability(distance(a, b))
    assert_close(Cohort(np.empty((0, 512))).probability(a, b), expected, 1e-9)
    assert_close(Cohort(units(10, 3)).probability(a, b), expected, 0.05)


def test_invalid_arguments() -> None:
    """Other shapes are refused."""
    with pytest.raises(OptionError, match=r"embeddings have the shape \(512,\), expected \(n, 512\)"):
        Cohort(np.zeros(512))
    with pytest.raises(OptionError, match="people have the shape"):
        Cohort(np.zeros((3, 512)), people=[1])
    with pytest.raises(OptionError, match=r"embeddings have the shape \(2, 128\), expected \(n, 512\)"):
        Cohort(units(3)).offsets(np.zeros((2, 128)))
    with pytest.raises(OptionError, match="people have the shape"):
        Cohort(units(3)).offsets(units(2), people=[1, 2, 3])

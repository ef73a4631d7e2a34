"""The helpers that compare can fail."""

from __future__ import annotations

import numpy as np
import pytest

from .conftest import assert_close


@pytest.mark.parametrize(
    "other",
    [np.array([1.0, 2.1]), np.array([1.0, np.nan]), np.array([1.0]), np.array([[1.0, 2.0]])],
    ids=["too far", "nan", "shorter", "another shape"],
)
def test_assert_close_fails(other: np.ndarray) -> None:
    """Arrays that differ are told apart, from either side."""
    for pair in ((np.array([1.0, 2.0]), other), (other, np.array([1.0, 2.0]))):
        with pytest.raises(AssertionError):
            assert_close(*pair, tolerance=0.05)


def test_assert_close_passes() -> None:
    """Arrays that differ by less than the tolerance are close."""
    assert_close(np.array([1.0, 2.0]), np.array([1.0, 2.04]), tolerance=0.05)

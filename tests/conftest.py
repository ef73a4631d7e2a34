"""Fixtures that all tests share: the shipped photos, and golden values of the reference implementations."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceie import set_threads
from faceie.machine import available_cpus
from faceie.nn.parallel import get_threads

ROOT = Path(__file__).parent.parent
PHOTOS = ROOT / "examples" / "photos"
GOLDEN = ROOT / "tests" / "golden"


def on_disk(name: str) -> str:
    """Return the name of a file, which is UTF-8 on disk, as a program sees it in any locale."""
    return os.fsdecode(name.encode())


@pytest.hookimpl(optionalhook=True)  # pytest-xdist need not be there
def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes `pytest -n auto` starts: one for each processor, but four at most.

    Each of them holds networks, a PostgreSQL server and a browser, and many tests start processes of their own.
    """
    return min(available_cpus(), 4)


@pytest.fixture(scope="session", autouse=True)
def default_interrupts() -> None:
    """Have Ctrl-C interrupt: background processes of a shell ignore it, and so do the processes they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """Leave the number of threads as it was."""
    before = get_threads()
    yield
    if get_threads() != before:
        set_threads(before)


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of the shipped photos: five photos of three people."""
    return PHOTOS


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def golden(name: str) -> dict[str, np.ndarray]:
    """Return the golden values of ``tests/golden/<name>.npz``, which tools/make_golden.py made."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Assert that two arrays have one shape, and differ by `tolerance` at most, absolutely; NaN differs."""
    assert actual.shape == expected.shape
    difference = np.abs(np.asarray(actual, np.float64) - expected)
    assert np.all(difference <= tolerance), f"largest difference {difference.max():.3g}, tolerance {tolerance:g}"

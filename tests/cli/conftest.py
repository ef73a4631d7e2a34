"""Fixtures of the tests of the command line: photos that are searched quickly, and weights."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie.weights import registry

from ..conftest import PHOTOS

FAST = ["--min-face-size", "60"]

needs_weights = pytest.mark.skipif(registry.find("vggface2") is None, reason="the weights vggface2 are not installed")


@pytest.fixture
def astronaut() -> Path:
    """A photo of one face."""
    return PHOTOS / "astronaut.jpg"


@pytest.fixture
def album(tmp_path: Path, astronaut: Path) -> Path:
    """A folder with a photo of a face, a photo without a face, and a broken photo in a folder of its own."""
    folder = tmp_path / "album"
    (folder / "deep").mkdir(parents=True)
    (folder / "face.jpg").write_bytes(astronaut.read_bytes())
    Image.new("RGB", (120, 80), "teal").save(folder / "none.png")
    (folder / "deep" / "broken.jpg").write_bytes(astronaut.read_bytes()[:3000])
    return folder


def ordinary() -> dict[str, str]:
    """Return the environment without the variables of Python: users do not set PYTHONUNBUFFERED, for instance."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON") or name == "PYTHONPATH"}


def faceie(*arguments: str | bytes | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run ``python -m faceie`` as users do, in a process of its own."""
    command = [sys.executable, "-m", "faceie", *arguments]
    options = {"capture_output": True, "env": ordinary(), **options}
    return subprocess.run(command, check=False, timeout=60, **options)  # type: ignore[call-overload, no-any-return]


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start ``python -m faceie``, and end it with the test, so that a failure does not hang."""
    command = [sys.executable, "-m", "faceie", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ordinary()) as process:
        try:
            yield process
        finally:
            process.kill()


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))

"""Shared by the tests of batches: made-up analyses in this process and in new ones."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceie.batch import batches
from faceie.dataset import part_paths, read_rows
from faceie.gallery import alone
from faceie.gallery.records import PhotoAnalysis

from ..conftest import ROOT
from ..gallery.conftest import by_words, no_weights, small_photos

__all__ = ["no_weights", "small_photos"]  # fixtures

# Python runs a module of this name when it starts. "dies" ends the process; "slow" takes a while.
_CUSTOMIZE = """
import os, time
try:
    import numpy as np
    from faceie.batch import batches
    from faceie.gallery import alone, analysis, workers
    from tests.gallery.conftest import by_words
    import hashlib

    def analyze_photo(path, settings, content=None):
        text = open(path).read() if content is None else content.decode()
        if "dies" in text:
            os._exit(9)
        if "slow" in text:
            time.sleep(0.1)
        found = by_words(text.replace("slow", "").strip())
        return found._replace(digest=hashlib.sha256(text.encode()).digest())

    batches.analyze_photo = alone.analyze_photo = analysis.analyze_photo = workers.analyze_photo = analyze_photo
    batches.load = lambda source: source
    batches.answer = lambda weights: np.zeros(8, np.float32)
    batches.identify = lambda weights: "vggface2"
except ImportError:  # not a process of Faceie
    pass
"""


@pytest.fixture(scope="session")
def customized(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The value of PYTHONPATH with which new processes analyze fake photos."""
    folder = tmp_path_factory.mktemp("customize")
    (folder / "sitecustomize.py").write_text(_CUSTOMIZE)
    return os.pathsep.join([str(folder), *filter(None, sys.path), str(ROOT)])


def analyze_photo(path: str, settings: object, content: bytes) -> PhotoAnalysis:
    digest = hashlib.sha256(content).digest()
    return by_words(content.decode().replace("slow", "").strip())._replace(digest=digest)


@pytest.fixture
def made_up(customized: str, monkeypatch: pytest.MonkeyPatch, no_weights: None) -> None:
    """Fake photos of words (`by_words`) are analyzed without an encoder, in this process and in new ones."""
    monkeypatch.setenv("PYTHONPATH", customized)
    monkeypatch.setattr(batches, "analyze_photo", analyze_photo)
    monkeypatch.setattr(alone, "analyze_photo", analyze_photo)
    monkeypatch.setattr(batches, "load", lambda source: source)
    monkeypatch.setattr(batches, "answer", lambda weights: np.zeros(8, np.float32))
    monkeypatch.setattr(batches, "identify", lambda weights: "vggface2")
    batches.origin_of.cache_clear()


def rows_of(dataset: Path) -> list[tuple[Any, ...]]:
    """Return all rows of a dataset, in an order that does not depend on its files."""
    found = []
    for path in part_paths(dataset):
        for columns in read_rows(path, 100):
            # The last digits of made-up embeddings depend on where they lie in memory.
            columns["embedding"] = [one and np.frombuffer(one, "<f4").round(3).tolist() for one in columns["embedding"]]
            found += [tuple(map(repr, row)) for row in zip(*columns.values(), strict=True)]
    return sorted(found)


def words(count: int, **special: str) -> dict[str, str]:
    """Return fake photos with one face each, or other contents by their numbers."""
    photos = {f"{number:02}.jpg": f"{1 + number % 5}.{number}" for number in range(count)}
    return photos | {f"{number[1:]}.jpg": text for number, text in special.items()}

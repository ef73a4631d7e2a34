"""Shared by the tests of batches: made-up analyses in all processes, whoever starts them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ..conftest import ROOT
from ..gallery.conftest import by_words

# Python runs a module of this name when it starts. "dies" ends the process; "slow" takes a while.
_CUSTOMIZE = """
import os, time
try:
    import numpy as np
    from faceie.batch import batches
    from faceie.gallery import analysis, workers
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

    batches.analyze_photo = analysis.analyze_photo = workers.analyze_photo = analyze_photo
    batches.load = lambda source: source
    batches.answer = lambda weights: np.zeros(8, np.float32)
    batches.identify = lambda weights: "vggface2"
except ImportError:  # not a process of Faceie
    pass
"""


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_weights: None) -> None:
    """Fake photos of words (`by_words`) are analyzed without an encoder, in this process and in new ones."""
    import hashlib

    import numpy as np

    folder = tmp_path / "customize"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_CUSTOMIZE)
    path = os.pathsep.join([str(folder), *filter(None, sys.path), str(ROOT)])
    monkeypatch.setenv("PYTHONPATH", path)

    def analyze_photo(path: str, settings: object, content: bytes) -> object:
        digest = hashlib.sha256(content).digest()
        return by_words(content.decode().replace("slow", "").strip())._replace(digest=digest)

    monkeypatch.setattr("faceie.batch.batches.analyze_photo", analyze_photo)
    monkeypatch.setattr("faceie.batch.batches.load", lambda source: source)
    monkeypatch.setattr("faceie.batch.batches.answer", lambda weights: np.zeros(8, np.float32))
    monkeypatch.setattr("faceie.batch.batches.identify", lambda weights: "vggface2")
    from faceie.batch.batches import origin_of

    origin_of.cache_clear()

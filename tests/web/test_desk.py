"""Background work of the page: when faces are clustered."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from faceie import Gallery
from faceie.web import desk

from ..gallery.conftest import QUICK


def is_clustered(album: Path) -> bool:
    with Gallery(album, options=QUICK) as gallery:
        return gallery.is_clustered()


def test_no_clustering_while_the_user_names_people(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces are clustered in the background, but only after the user has said nothing for a while."""
    monkeypatch.setattr(desk, "_PAUSE", 0.02)
    monkeypatch.setattr(desk, "_SHARE", 1)
    with Gallery(album, options=QUICK) as gallery:
        gallery.ignore([1])
    kept = desk.Desk(album)
    kept.start()
    time.sleep(0.3)
    assert not is_clustered(album)
    monkeypatch.setattr(desk, "_QUIET", -1.0)
    for _ in range(1000):
        if is_clustered(album):
            break
        time.sleep(0.02)
    kept.close()
    assert is_clustered(album)

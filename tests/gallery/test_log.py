"""A log that a killed program left behind is applied to its gallery, and to no other state of it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from faceie import Gallery, GalleryError
from faceie.gallery import database, log
from faceie.gallery.log import log_of

from ..conftest import ROOT
from .conftest import QUICK, assert_intact, face_of, put

pytestmark = [
    pytest.mark.file_only,
    pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX"),
    pytest.mark.usefixtures("no_weights"),
]

# Writes many photos, and dies with its log unfinished; in several rounds of the log, if asked for.
_PROGRAM = """
import os, signal, sys
from faceie import Gallery
from tests.gallery.conftest import face_of, put

gallery = Gallery(sys.argv[1])
for number in range(int(sys.argv[2])):
    put(gallery, f"/{sys.argv[3]}-{number}.jpg", face_of(1, number), thumbnail=bytes(2000))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_PAUSE", 0.0)


def killed(path: Path, photos: int, name: str = "killed") -> None:
    """Have a program add photos, and die."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(ROOT)])}
    command = [sys.executable, "-c", _PROGRAM, path, str(photos), name]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert log_of(path).stat().st_size > 0


@pytest.fixture
def gallery(path: Path) -> Path:
    """The file of a gallery with three faces."""
    with Gallery(path, options=QUICK) as gallery:
        for number in range(3):
            put(gallery, f"/{number}.jpg", face_of(2, number))
    return path


@pytest.mark.parametrize("photos", [1, 5, 900])
def test_its_own_log_is_applied(gallery: Path, photos: int) -> None:
    """All rows written before a program was killed are there, even if its log was started again several times."""
    for round_ in range(3):
        killed(gallery, photos, str(round_))
    with Gallery(gallery) as again:
        assert len(again) == 3 + 3 * photos
    assert_intact(gallery)


@pytest.mark.parametrize("photos", [1, 5, 900])
@pytest.mark.parametrize("way", ["copied when closed", "copied two sessions before", "backup", "backup in use"])
def test_a_backup_over_a_killed_gallery(gallery: Path, tmp_path: Path, photos: int, way: str) -> None:
    """A backup that is copied over the gallery stays as it was, however it was made; the log is put aside."""
    copy = tmp_path / "copy.faceie"
    if way.startswith("copied"):
        shutil.copy(gallery, copy)
    else:
        with Gallery(gallery) as original:
            original.backup(copy)
            if way == "backup in use":
                put(original, "/later.jpg", face_of(4, 1))
                original.backup(copy)
    expected = 4 if way == "backup in use" else 3
    if way == "copied two sessions before":
        with Gallery(gallery) as original:
            put(original, "/between.jpg", face_of(3, 1))
    killed(gallery, photos)
    shutil.copy(copy, gallery)
    with pytest.warns(RuntimeWarning, match="belonged to another state of it"):
        restored = Gallery(gallery)
    with restored:
        assert len(restored) == expected
        put(restored, "/new.jpg", face_of(5, 1))
    assert gallery.with_name(f"{gallery.name}-old-log").exists()
    with Gallery(gallery) as restored:
        restored.forget_photo("/new.jpg")
    assert not gallery.with_name(f"{gallery.name}-old-log").exists()
    assert_intact(gallery)


def test_both_files_are_copied(gallery: Path, tmp_path: Path) -> None:
    """A gallery that is moved with its log keeps it."""
    killed(gallery, 5)
    for file in (gallery, log_of(gallery)):
        shutil.copy(file, tmp_path / file.name)
    with Gallery(tmp_path / gallery.name) as moved:
        assert len(moved) == 8


def test_a_session_that_had_to_wait_gets_its_mark(gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If another program writes at the start of a session, the mark is set as soon as that has finished."""
    monkeypatch.setattr(database, "_PATIENCE", 0.1)
    with Gallery(gallery) as waiting, closing(sqlite3.connect(gallery, isolation_level=None)) as other:
        (before,) = other.execute("PRAGMA user_version").fetchone()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(GalleryError, match="another program is writing"):
            waiting.confirm("Anna", [1])
        other.execute("ROLLBACK")
        waiting.confirm("Anna", [1])
        (after,) = other.execute("PRAGMA user_version").fetchone()
    assert after == before + 1

"""Other processes read a gallery, or index into it, while one writes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from faceie import Gallery

from ..conftest import ROOT
from .conftest import QUICK, assert_intact, face_of, fakes, person, put, rows

pytestmark = pytest.mark.file_only

# Writes photos of three faces each, until it is told to stop by its standard input.
_WRITER = """
import sys, threading
from faceie import Gallery
from tests.gallery.conftest import face_of, put

stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
faces = [[face_of(who, v) for who in (1, 2, 3)] for v in range(20)]
with Gallery(sys.argv[1], create=False) as gallery:
    print("ready", flush=True)
    count = 0
    while not stop.is_set():
        put(gallery, f"/{count:06}.jpg", *faces[count % 20], thumbnail=bytes(20_000))
        count += 1
print(count)
"""

# Indexes fake photos into a gallery, when it is told to begin.
_INDEXER = """
import sys
import numpy as np
import pytest
import faceie.gallery.settings as module
from faceie import Gallery
from tests.gallery.conftest import Prepared, by_words

module.load = lambda source: source
module.identify = lambda weights: "vggface2"
module.answer = lambda weights: np.zeros(8, np.float32)
print("ready", flush=True)
sys.stdin.readline()
with Gallery(sys.argv[1]) as gallery:
    report = gallery.index([sys.argv[2]], executor=Prepared(by_words), workers=1)
print(report.done, len(report.bad))
"""


@contextmanager
def running(program: str, *arguments: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a program, wait until it is ready, and see to it that it does not outlive the test."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(ROOT)])}
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_opens_while_another_process_writes(path: Path) -> None:
    """However busy a writer is, even while it moves its log into the file: the gallery opens."""
    Gallery(path, options=QUICK).close()
    with running(_WRITER, path) as writer:
        opened, end = 0, time.monotonic() + 1.5
        while time.monotonic() < end or opened < 50:
            Gallery(path, create=False).close()
            opened += 1
        out, _ = writer.communicate("\n", timeout=60)
    assert writer.returncode == 0
    assert int(out) > 100
    assert_intact(path)


def test_a_reader_sees_whole_photos(path: Path, no_weights: None) -> None:
    """Results read while another process writes are of one state of the gallery: whole photos, and a fitting search."""
    with Gallery(path, options=QUICK) as gallery:
        gallery._weights()
        counts = []
        with running(_WRITER, path) as writer:
            end = time.monotonic() + 1.0
            while time.monotonic() < end or len(counts) < 8:
                counts.append(len(gallery))
                found = gallery.search(person(1), limit=3)
                assert all(match.face.number == 1 for match in found if match.distance < 0.6)
                assert len(found) == min(3, len(found))
                faces = list(gallery.faces())
                assert len(faces) % 3 == 0
                assert len(faces) >= counts[-1]
                assert [face.number for face in faces] == [1, 2, 3] * (len(faces) // 3)
                gallery.thumbnail(faces[-1].id) if faces else None
            out, _ = writer.communicate("\n", timeout=60)
        assert all(count % 3 == 0 for count in counts)
        assert counts == sorted(counts)
        assert counts[-1] > counts[0], "nothing was written in between"
        assert len(gallery) == 3 * int(out)
        assert len(gallery.search(person(1), limit=None, min_probability=0)) == 3 * int(out)


def test_two_processes_index_the_same_folder_at_once(path: Path, tmp_path: Path) -> None:
    """Each photo is there once, with its faces, whichever process was quicker."""
    album = fakes(tmp_path / "album", {f"{i:03}.jpg": f"1.{i} 2.{i}" for i in range(80)})
    with running(_INDEXER, path, album) as one, running(_INDEXER, path, album) as two:
        for process in (one, two):
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=60)[0] for process in (one, two)]
        assert [process.returncode for process in (one, two)] == [0, 0]
    assert outputs == ["80 0\n"] * 2
    assert_intact(path)
    assert {table: len(rows(path)[table]) for table in ("photos", "files", "faces")} == {
        "photos": 80,
        "files": 80,
        "faces": 160,
    }


def test_a_reader_keeps_up_with_what_is_said(path: Path, no_weights: None) -> None:
    """An open gallery shows at once the changes that another connection makes to names, faces and photos."""
    with Gallery(path, options=QUICK) as one, Gallery(path) as two:
        one._weights()
        faces = put(one, "/a.jpg", face_of(1, 1), face_of(2, 1))
        assert [match.face.id for match in two.search(face_of(1, 1))] == faces
        one.confirm("Anna", faces[:1])
        assert [face.id for face in two.faces_of("Anna")] == faces[:1]
        two.forget_person("Anna")
        assert [match.face.id for match in one.search(face_of(1, 1))] == faces[1:]
        assert np.array_equal(one.embedding(faces[1]), face_of(2, 1))

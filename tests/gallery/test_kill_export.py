"""An export that is killed at any moment: files are the former or the new ones, and the next run ends as always."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from PIL import Image

from faceie import Gallery

from ..metadata.lists import read
from .conftest import Prepared, assert_intact
from .test_export_names import BOX, add, needs_exiftool
from .test_kill import running, wait_until_ready

pytestmark = [
    pytest.mark.file_only,
    pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX"),
]

_PROGRAM = """
import sys
from faceie import Gallery

with Gallery(sys.argv[1]) as gallery:
    print("ready", flush=True)
    report = gallery.export_names(**OPTIONS)
    assert not report.problems, report.problems
print("done", flush=True)
"""


def export(options: dict[str, object], gallery: Path, album: Path, seconds: float | None = None) -> float:
    """Export, in a process that is killed after some seconds, or runs to its end. Return how long that takes."""
    with running(_PROGRAM.replace("OPTIONS", repr(options)), gallery, album) as process:
        wait_until_ready(process)
        start = time.monotonic()
        if seconds is None:
            _, err = process.communicate(timeout=120)
            assert (process.returncode, err.decode()) == (0, "")
        else:
            time.sleep(seconds)
            os.killpg(process.pid, signal.SIGKILL)  # and exiftool, which would end a little later
            process.communicate()
        assert_intact(gallery)
        return time.monotonic() - start


def files(album: Path) -> dict[str, bytes]:
    """Return the files of a folder, without drafts of killed runs, which are a minute old."""
    for path in album.iterdir():
        if path.name.startswith("."):
            os.utime(path, (1, 1))
    return {path.name: path.read_bytes() for path in album.iterdir() if not path.name.startswith(".")}


def test_killed_while_it_writes_sidecars(gallery: Gallery, path: Path, tmp_path: Path) -> None:
    """Renamed people between two kills: each sidecar has a former or the new name, and is whole."""
    album, moments, times = tmp_path / "album", random.Random(0), set[int]()
    for number in range(60):
        gallery.confirm("Anna", add(gallery, album / f"{number:02}.jpg", BOX, color=f"rgb({4 * number}, 99, 99)"))
    seconds = export({}, path, album)
    for number in range(40):
        gallery.name("Anna" if number == 0 else f"Anna {number - 1}", f"Anna {number}")
        export({}, path, album, moments.uniform(0, seconds))
        found = files(album)
        new = 0
        for name, content in found.items():
            if name.endswith(".xmp"):
                (person,) = map(str, read(content)["PersonInImage"])
                assert person.startswith("Anna")
                new += person == f"Anna {number}"
        assert len(found) == 120
        times.add(new)
        if number >= 9 and len(times) >= 4:
            break
    assert len(times) >= 4, "the kills missed the writing"
    export({}, path, album)
    assert len(list(album.iterdir())) == 120
    assert {str(read(file.read_bytes())["subject"]) for file in album.glob("*.xmp")} == {f"['Anna {number}']"}


@needs_exiftool
def test_killed_while_it_writes_photos(gallery: Gallery, path: Path, tmp_path: Path) -> None:
    """Each photo is whole at any moment, and the gallery knows all of them without analyzing them again."""
    album, moments, times = tmp_path / "album", random.Random(1), set[int]()
    for number in range(4):
        gallery.confirm("Anna", add(gallery, album / f"{number}.jpg", BOX, color=f"rgb({4 * number}, 99, 99)"))
    pixels = {photo.name: Image.open(photo).tobytes() for photo in album.iterdir()}
    before = [(face.id, face.path, face.name) for face in gallery.faces()]
    spare = Path(shutil.copytree(album, tmp_path / "spare"))
    seconds = export({"embed": True}, path, album)
    for number in range(30):
        shutil.copytree(spare, album, dirs_exist_ok=True)
        export({"embed": True}, path, album, moments.uniform(0, seconds))
        found = files(album)
        times.add(sum(b"Anna" in content for content in found.values()))
        assert {name: Image.open(album / name).tobytes() for name in found} == pixels
        report = gallery.index([album], executor=Prepared({}))
        assert (report.analyzed, report.bad) == (0, [])
        assert [(face.id, face.path, face.name) for face in gallery.faces()] == before
        if number >= 5 and len(times) >= 3:
            break
    assert len(times) >= 3, "the kills missed the writing"
    export({"embed": True}, path, album)
    assert sorted(path.name for path in album.iterdir()) == sorted(pixels)

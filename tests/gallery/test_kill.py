"""A run that is killed, or interrupted, at any moment: the next one ends with the gallery of an undisturbed run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faceie import Gallery, set_threads
from faceie.gallery.workers import _ignore_interrupts
from faceie.nn.parallel import get_threads

from ..conftest import PHOTOS, ROOT
from .conftest import (
    QUICK,
    Prepared,
    assert_intact,
    assert_same,
    by_words,
    face_of,
    fakes,
    needs_proc,
    needs_weights,
    put,
    rows,
    small,
)

pytestmark = [
    pytest.mark.file_only,
    pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX"),
]

_MARK = "FACEIE_TEST_OF_KILLS"

# Indexes a folder of photos with two workers. An interruption ends it with the exit code 130.
_REAL = """
import sys
from faceie import Gallery

if __name__ == "__main__":
    try:
        with Gallery(sys.argv[1]) as gallery:
            print("ready", flush=True)
            gallery.index([sys.argv[2]], workers=2, progress=lambda *_: print("photo", flush=True))
    except KeyboardInterrupt:
        sys.exit(130)
    print("done", flush=True)
"""

# The same with fake photos, which takes less time; with a person that they join in the end.
_FAKE = """
import sys
import numpy as np
import faceie.gallery.settings as module
from faceie import Gallery
from tests.gallery.conftest import Prepared, by_words

module.load = lambda source: source
module.identify = lambda weights: "vggface2"
module.answer = lambda weights: np.zeros(8, np.float32)
print("ready", flush=True)
with Gallery(sys.argv[1]) as gallery:
    gallery.index([sys.argv[2]], executor=Prepared(by_words))
print("done", flush=True)
"""


@contextmanager
def running(program: str, gallery: Path, album: Path, mark: str = "-") -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a process group of its own, and see to it that it ends."""
    script = gallery.parent / "program.py"
    script.write_text(program)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(ROOT)]), _MARK: mark}
    environment.pop("COVERAGE_PROCESS_CONFIG", None)  # an interrupted measurement complains
    process = subprocess.Popen(
        [sys.executable, script, gallery, album],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(program: str, gallery: Path, album: Path) -> float:
    """Run a program to its end; return how long it took once it was ready, in seconds."""
    with running(program, gallery, album) as process:
        wait_until_ready(process)
        start = time.monotonic()
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err.decode()) == (0, "")
        assert out.endswith(b"done\n")
        return time.monotonic() - start


def finish(gallery: Path, album: Path) -> None:
    """Index again in this process, to the end: with one thread, as a worker has, the rows are the same to the bit."""
    threads = get_threads()
    set_threads(1)
    try:
        with Gallery(gallery) as again:
            again.index([album], workers=1)
    finally:
        set_threads(threads)


def wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"


def marked(mark: str) -> list[str]:
    """Return the command lines of the processes that have this mark in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if f"{_MARK}={mark}\0".encode() in process.joinpath("environ").read_bytes() + b"\0":
                    found.append(process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:  # it has ended, or is not ours
                continue
    return [line for line in found if line]  # that of a zombie is empty


def assert_none_is_left(mark: str) -> None:
    """Assert that no process with this mark is there, within some seconds."""
    end = time.monotonic() + 10
    while left := marked(mark):
        assert time.monotonic() < end, f"still running: {left}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small photos, two copies of one, and one that is broken."""
    folder = tmp_path_factory.mktemp("kills") / "album"
    names = [photo.name for photo in sorted(PHOTOS.glob("*.jpg"))]
    for number in range(12):
        small(names[number % len(names)], folder / f"{number:02}.jpg", change=number)
    shutil.copy(folder / "03.jpg", folder / "07 copy.jpg")
    shutil.copy(folder / "03.jpg", folder / "10 copy.jpg")
    (folder / "05 broken.jpg").write_bytes((folder / "05.jpg").read_bytes()[:300])
    return folder


@pytest.fixture(scope="module")
def undisturbed(album: Path) -> tuple[Any, float]:
    """The rows after an undisturbed run, and the seconds it takes once the workers are ready."""
    gallery = album.parent / "undisturbed.faceie"
    Gallery(gallery, options=QUICK).close()
    seconds = run(_REAL, gallery, album)
    expected = rows(gallery)
    assert len(expected["photos"]) == 13
    assert len(expected["faces"]) >= 12
    return expected, seconds


@needs_weights
@needs_proc
@pytest.mark.parametrize("tenth", [0.2, 4, 6, 7.5, 8.5, 9.5])
def test_killed_at_any_moment(path: Path, album: Path, undisturbed: tuple[Any, float], tenth: float) -> None:
    """Killed at a moment of its run, and started again: no worker is left, and the rows are the same, ids included."""
    expected, seconds = undisturbed
    Gallery(path, options=QUICK).close()
    with running(_REAL, path, album, mark=f"killed {tenth}") as process:
        wait_until_ready(process)
        time.sleep(seconds * tenth / 10)
        process.kill()
        process.communicate()
        assert_none_is_left(f"killed {tenth}")
    assert_intact(path)
    finish(path, album)
    assert_same(rows(path), expected)
    assert_intact(path)


@needs_weights
@needs_proc
def test_killed_again_and_again(path: Path, album: Path, undisturbed: tuple[Any, float]) -> None:
    """Killed after each photo or two, and started again until it ends: the rows are the same, ids included."""
    expected, _ = undisturbed
    Gallery(path, options=QUICK).close()
    for kills in range(20):
        with running(_REAL, path, album, mark="again") as process:
            assert process.stdout
            wait_until_ready(process)
            new = 0
            while line := process.stdout.readline():
                new += line == b"photo\n"
                if line == b"done\n" or new > kills * 3 + 2:
                    break
            if line == b"done\n":
                break
            process.kill()
            process.communicate()
            assert_none_is_left("again")
    assert 3 <= kills < 19
    assert_same(rows(path), expected)


@needs_weights
@needs_proc
@pytest.mark.parametrize(("tenth", "to"), [(1, "all"), (2, "one"), (3, "all"), (4, "one")])
def test_interrupted(path: Path, album: Path, undisturbed: tuple[Any, float], tenth: float, to: str) -> None:
    """Ctrl-C, which a terminal sends to all processes, ends a run as KeyboardInterrupt, soon and without a word from
    the workers; none of them is left, and the next run goes on.
    """
    expected, seconds = undisturbed
    Gallery(path, options=QUICK).close()
    mark = f"interrupted {tenth} {to}"
    with running(_REAL, path, album, mark) as process:
        wait_until_ready(process)
        time.sleep(seconds * tenth / 10)
        start = time.monotonic()
        (os.killpg if to == "all" else os.kill)(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - start < 10
        assert err.decode() == ""
        # A run that is quicker than the one that was measured may be over by then, or Python's own handler may be gone.
        assert process.returncode == 130 or (tenth > 1 and process.returncode in (0, -signal.SIGINT))
        assert_none_is_left(mark)
    assert_intact(path)
    finish(path, album)
    assert_same(rows(path), expected)


def test_interrupted_while_workers_start() -> None:
    """Ctrl-C waits until the workers have all that they need: those that are given half of it complain."""
    started = False

    def start() -> None:
        nonlocal started
        with _ignore_interrupts():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # as in other threads, which may receive it
            signal.raise_signal(signal.SIGINT)
            started = True

    with pytest.raises(KeyboardInterrupt):
        start()
    assert started
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_killed_while_it_writes(path: Path, tmp_path: Path, no_weights: None) -> None:
    """After twenty or more kills within the writing, nothing is half written, and the rows end the same."""
    words = {f"{i:03}.jpg": " ".join(f"{1 + (i + k) % 9}.{i}" for k in range(1 + i % 3)) for i in range(300)}
    photos = fakes(tmp_path / "album", words)
    expected, seconds = _of_fakes(tmp_path / "undisturbed", photos)
    moments = random.Random(0)
    _with_anna(path)
    stored = set[int]()
    for number in range(100):
        _kill_after(moments.uniform(0, seconds / 4), path, photos)
        stored.add(len(rows(path)["photos"]))
        if number >= 19 and len(stored) >= 5:  # a busy machine may need more
            break
    assert len(stored) >= 5, "the kills missed the writing"
    run(_FAKE, path, photos)
    assert rows(path) == expected
    assert_intact(path)


def _kill_after(seconds: float, path: Path, photos: Path) -> None:
    with running(_FAKE, path, photos) as process:
        wait_until_ready(process)
        time.sleep(seconds)
        process.kill()
        process.communicate()
    assert_intact(path)


def _with_anna(path: Path) -> None:
    """Make a gallery in which a person is known."""
    with Gallery(path, options=QUICK) as gallery:
        gallery.confirm("Anna", put(gallery, "/anna.jpg", face_of(1, 500)))


def _of_fakes(folder: Path, photos: Path) -> tuple[Any, float]:
    """Return the rows of an undisturbed run over fake photos, and how long it takes, in seconds."""
    folder.mkdir()
    gallery = folder / "family.faceie"
    _with_anna(gallery)
    seconds = run(_FAKE, gallery, photos)
    expected = rows(gallery)
    assert len(expected["photos"]) == 301
    return expected, seconds


def test_killed_while_photos_change_places(path: Path, tmp_path: Path, no_weights: None) -> None:
    """Renumbered photos keep the user's statements, even if the run that finds them is killed several times."""
    album = fakes(tmp_path / "album", {f"{i:03}.jpg": f"{1 + i % 9}.{i}" for i in range(200)})
    with Gallery(path, options=QUICK) as gallery:
        gallery.index([album], executor=Prepared(by_words))
        for face in list(gallery.faces())[::7]:
            gallery.confirm(f"person {face.id % 9}", [face.id])
        before = {face.id: (face.path, face.name) for face in gallery.faces()}
    for i in reversed(range(200)):
        (album / f"{i:03}.jpg").rename(album / f"{i + 1:03}.jpg")
    fakes(album, {"000.jpg": "1.999", "050.jpg": "2.999"})  # of which the latter replaces one
    (tmp_path / "undisturbed").mkdir()
    undisturbed = Path(shutil.copy(path, tmp_path / "undisturbed" / path.name))
    seconds = run(_FAKE, undisturbed, album)
    moments = random.Random(1)
    for _ in range(8):
        _kill_after(moments.uniform(0, seconds / 3), path, album)
    run(_FAKE, path, album)
    assert rows(path) == rows(undisturbed)
    with Gallery(path) as gallery:
        after = {face.id: (face.path, face.name) for face in gallery.faces()}
    expected = {
        face: (album / f"{int(photo.stem) + 1:03}.jpg", name)
        for face, (photo, name) in before.items()
        if photo.stem != "049"
    }
    assert {face: after[face] for face in expected} == expected
    assert len(after) == 201

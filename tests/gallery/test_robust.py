"""One bad thing never stops a run, and errors name the culprit."""

from __future__ import annotations

import errno
import os
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceie import Gallery, GalleryError, OptionError
from faceie.gallery import analysis, indexing, workers
from faceie.gallery.store import Store

from ..conftest import ROOT, on_disk
from .conftest import (
    QUICK,
    Prepared,
    assert_intact,
    by_words,
    face_of,
    fakes,
    needs_weights,
    person,
    put,
    rows,
    small,
    units,
)

posix = pytest.mark.skipif(os.name != "posix", reason="files are those of POSIX")


# One photo


@posix
@pytest.mark.parametrize("seconds", [13_569_465_600, -(10**9), 0, 10**10, -(2**33), 2**40], ids=str)
def test_times_of_files(seconds: int, gallery: Gallery, tmp_path: Path) -> None:
    """A file of any time is a photo like any other, and known the next time."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1", "c.jpg": "3.1"})
    try:
        os.utime(album / "b.jpg", (seconds, seconds))
    except (OSError, OverflowError):
        pytest.skip("this file system knows no such time")
    assert gallery.index([album], executor=Prepared(by_words)).analyzed == 3
    assert gallery.index([album], executor=Prepared(by_words)).unchanged == 3


ERRORS = [
    OSError(errno.EIO, "Input/output error"),
    PermissionError(errno.EACCES, "Permission denied"),
    FileNotFoundError(errno.ENOENT, "No such file or directory"),
    MemoryError(),
    RuntimeError("odd"),
    RecursionError("deep"),
    ValueError("odd"),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    OverflowError("Python int too large to convert to SQLite INTEGER"),
    ZeroDivisionError(),
    KeyError("odd"),
    TypeError("odd"),
    AssertionError(),
    struct.error("odd"),
    sqlite3.DataError("string or blob too big"),
    sqlite3.IntegrityError("NOT NULL constraint failed"),
]

# The stages of an analysis, in order; in the worker, and in the coordinator with prepared analyses.
OF_A_WORKER = ["read_photo", "detect_faces", "encode_faces", "thumbnail"]
OF_THE_RUN: list[tuple[Any, str]] = [
    (indexing, "file_version"),
    (indexing, "digest_of"),
    (Store, "file"),
    (Store, "put_photo"),
    (Store, "put_file"),
]


def failing(function: Callable[..., Any], error: Exception, at: Callable[[tuple[Any, ...]], bool]) -> Any:
    """Return a function that raises an error if it is called with certain arguments."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        if at(arguments):
            raise error
        return function(*arguments, **keywords)

    return call


@needs_weights
@pytest.mark.parametrize(
    ("stage", "error"),
    [*((stage, RuntimeError("odd")) for stage in OF_A_WORKER), *(("detect_faces", error) for error in ERRORS)],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_stages_of_a_worker(
    stage: str, error: Exception, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of any kind, at any stage, is recorded for the photo, and the others are indexed."""
    calls = 0

    def second(_: Any) -> bool:
        nonlocal calls
        calls += 1
        return calls == 2

    album = tmp_path / "album"
    for number, name in enumerate(("biden.jpg", "astronaut.jpg", "obama-standing.jpg")):
        small(name, album / f"{number}.jpg")
    with monkeypatch.context() as patch, Gallery(path, options=QUICK) as gallery:
        patch.setattr(analysis, stage, failing(getattr(analysis, stage), error, second))
        report = gallery.index([album], workers=1)
        assert [entry.path.name for entry in report.bad] == ["1.jpg"]
        assert report.bad[0].reason
        assert report.analyzed == 2
        assert [entry.path.name for entry in gallery.bad_photos()] == ["1.jpg"]


@pytest.mark.parametrize("where", OF_THE_RUN, ids=lambda where: where[1])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.file_only
def test_stages_of_the_run(
    where: tuple[Any, str], error: Exception, gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is when the coordinator fails at one; and the next run indexes it."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1", "c.jpg": "3.1"})
    place, name = where
    digest = indexing.digest_of(str(album / "b.jpg"))

    def is_b(arguments: tuple[Any, ...]) -> bool:
        return any(argument == digest or str(argument).endswith("b.jpg") for argument in arguments)

    with monkeypatch.context() as patch:
        patch.setattr(place, name, failing(getattr(place, name), error, is_b))
        report = gallery.index([album], executor=Prepared(by_words))
    assert [entry.path.name for entry in report.bad] == ["b.jpg"]
    assert report.bad[0].reason
    assert [face.path.name for face in gallery.faces()] == ["a.jpg", "c.jpg"]
    assert_intact(gallery.path)
    assert gallery.index([album], executor=Prepared(by_words)).analyzed == 1
    assert len(gallery) == 3


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk is full"), sqlite3.DatabaseError("malformed")])
def test_errors_of_the_gallery_end_the_run(
    error: Exception, gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or a damaged gallery is not the fault of a photo."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1"})
    monkeypatch.setattr(Store, "put_photo", failing(Store.put_photo, error, lambda _: True))
    with pytest.raises(GalleryError):
        gallery.index([album], executor=Prepared(by_words))


@posix
def test_pipes_and_devices(gallery: Gallery, tmp_path: Path) -> None:
    """A pipe in a folder is passed over; one that is given is reported, and the run does not wait for it."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1"})
    os.mkfifo(album / "pipe.jpg")
    report = gallery.index([album, album / "pipe.jpg", Path("/dev/zero")], executor=Prepared(by_words))
    assert [(entry.path.name, entry.reason) for entry in report.bad] == [
        ("pipe.jpg", "this is a named pipe, expected a file"),
        ("zero", "this is a device, expected a file"),
    ]
    assert report.analyzed == 1


@posix
def test_longest_names(gallery: Gallery, tmp_path: Path) -> None:
    """Photos and folders whose names are as long as can be are photos like any other."""
    name = on_disk("ä" * 125 + ".jpg")  # 254 bytes
    album = fakes(tmp_path / ("b" * 255), {name: "1.1"})
    assert gallery.index([album], executor=Prepared(by_words)).analyzed == 1
    assert [face.path.name for face in gallery.faces()] == [name]


@posix
def test_the_longest_name_of_a_gallery(tmp_path: Path, no_weights: None) -> None:
    """One for which SQLite has room beside it works; a longer one is refused with words."""
    with Gallery(tmp_path / ("g" * 247), options=QUICK) as gallery:
        put(gallery, "/a.jpg", person(1))
        assert len(gallery.search(person(1))) == 1
        gallery.forget_photo("/a.jpg")
        gallery.forget_all()
    assert not [*tmp_path.iterdir()]
    with pytest.raises(GalleryError, match="this name is too long for a gallery: expected at most 247 bytes"):
        Gallery(tmp_path / ("g" * 248))


# Numbers of NumPy


def test_numbers_of_numpy(gallery: Gallery) -> None:
    """They are numbers everywhere; other values are refused as options."""
    (one,), (two,) = put(gallery, "/a.jpg", face_of(1, 1)), put(gallery, "/b.jpg", face_of(1, 2))
    assert gallery.face(np.int64(one)).id == one  # type: ignore[arg-type]
    assert gallery.embedding(np.uint8(one)).shape == (512,)  # type: ignore[arg-type]
    assert gallery.thumbnail(np.array(one)) == b"JPEG"  # type: ignore[arg-type]
    anna = gallery.confirm("Anna", np.array([one, two]))
    assert gallery.person(np.int32(anna)).faces == 2  # type: ignore[arg-type]
    new = gallery.split(np.int64(anna), np.array([two]))  # type: ignore[arg-type]
    assert gallery.merge(np.int64(anna), np.int64(new)) == anna  # type: ignore[arg-type]
    gallery.deny(np.int64(anna), [np.int64(two)])  # type: ignore[arg-type, list-item]
    assert len(gallery.search(person(1), limit=np.int64(1))) == 1  # type: ignore[arg-type]
    for bad in (1.5, "1", None, True):
        with pytest.raises(OptionError, match="the id of a face is"):
            gallery.face(bad)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="the number of a person or cluster is"):
        gallery.person(1.5)  # type: ignore[arg-type]
    for absent in (99, -1, 10**30):
        with pytest.raises(GalleryError, match=f"there is no face {absent}"):
            gallery.face(absent)
        with pytest.raises(GalleryError, match=f"there is no cluster {absent}"):
            gallery.person(absent)
    with pytest.raises(OptionError, match="workers is"):
        gallery.index([], workers=1.5)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="limit is"):
        gallery.search(person(1), limit=1.5)  # type: ignore[arg-type]


# Others' errors


class Own(OSError):
    """An error of the caller's own."""


@pytest.mark.parametrize("error", [Own("mine"), sqlite3.OperationalError("mine"), ValueError("mine")])
@pytest.mark.file_only
def test_errors_of_progress_are_the_callers(error: Exception, gallery: Gallery, tmp_path: Path) -> None:
    """They come out as they are, and all photos stored before stay."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})

    def progress(*_: object) -> None:
        raise error

    with pytest.raises(type(error), match="mine"):
        gallery.index([album], executor=Prepared(by_words), progress=progress)
    assert len(gallery) == 1


class Failing(Executor):
    """Fails, when it is given something or when it is asked for the answer."""

    def __init__(self, error: Exception, at_once: bool) -> None:
        self.error, self.at_once = error, at_once

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        if self.at_once:
            raise self.error
        future: Future[Any] = Future()
        future.set_exception(self.error)
        return future


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("error", [Own("mine"), sqlite3.OperationalError("mine"), RuntimeError("mine")])
@pytest.mark.file_only
def test_errors_of_an_executor_are_its_own(error: Exception, at_once: bool, gallery: Gallery, tmp_path: Path) -> None:
    """They are the cause of an error that names the executor; no photo is blamed."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})
    with pytest.raises(GalleryError, match=r"executor .* broken down .*mine") as caught:
        gallery.index([album], executor=Failing(error, at_once))
    assert caught.value.__cause__ is error
    assert gallery.bad_photos() == []


# Many faces


@pytest.mark.file_only
def test_all_matches_take_little_memory(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """All faces are compared and listed in blocks: by few queries, and in exact order."""
    import tracemalloc

    from faceie.gallery.matrix import Matrix, nearest

    embeddings = units(20_000)
    probe = person(7)
    tracemalloc.start()
    found, distances = nearest(Matrix(np.arange(20_000), embeddings), probe, 20_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6  # in float64 at once, it would be 82 MB and more
    expected = np.linalg.norm(embeddings.astype(np.float64) - probe, axis=1)
    assert np.array_equal(found, np.argsort(expected, kind="stable"))
    assert np.allclose(distances, np.sort(expected), atol=1e-7)

    for number in range(30):
        put(gallery, f"/{number}.jpg", *units(40, number))
    queries: list[str] = []
    gallery._store.db.set_trace_callback(queries.append)
    matches = gallery.search(probe, limit=None)
    gallery._store.db.set_trace_callback(None)
    assert len(matches) == 1200
    assert [match.distance for match in matches] == sorted(match.distance for match in matches)
    assert len(queries) < 20


# How many workers


@pytest.mark.parametrize(
    ("threads", "memory", "system", "expected"),
    [
        (8, None, "linux", 8),
        (8, 3_500_000_000, "linux", 3),
        (8, 100_000_000, "linux", 1),
        (128, None, "win32", 61),
        (2, 64_000_000_000, "darwin", 2),
    ],
)
def test_number_of_workers(
    threads: int, memory: int | None, system: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as threads, as far as memory suffices, and as Windows allows."""
    monkeypatch.setattr(workers, "get_threads", lambda: threads)
    monkeypatch.setattr(workers, "available_memory", lambda: memory)
    monkeypatch.setattr(workers.sys, "platform", system)
    assert workers.default_workers() == expected


def test_too_many_workers_for_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than Windows allows are an option out of range."""
    monkeypatch.setattr(workers.sys, "platform", "win32")
    with pytest.raises(OptionError, match="workers is 62, expected at most 61 on Windows"):
        workers.WorkerPool(62)
    workers.WorkerPool(61)


# Others at the same gallery

_INDEX = """
import sys
import numpy as np
import faceie.gallery.settings as module
from faceie import Gallery
from tests.gallery.conftest import Prepared, by_words

module.load = lambda source: source
module.identify = lambda weights: "vggface2"
module.answer = lambda weights: np.zeros(8, np.float32)
with Gallery(sys.argv[1]) as gallery:
    gallery.index([sys.argv[2]], executor=Prepared(by_words))
"""


def test_two_runs_at_once(path: Path, tmp_path: Path, no_weights: None) -> None:
    """Two commands that index the same folder at once both end well, with one row for each photo."""
    album = fakes(tmp_path / "album", {f"{i:03}.jpg": f"{1 + i % 9}.{i}" for i in range(150)})
    (tmp_path / "program.py").write_text(_INDEX)
    Gallery(path, options=QUICK).close()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(ROOT)])}
    command = [sys.executable, tmp_path / "program.py", path, album]
    runs = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) for _ in range(2)]
    for run in runs:
        _, err = run.communicate(timeout=60)
        assert (run.returncode, err) == (0, b"")
    tables = rows(path)
    assert (len(tables["photos"]), len(tables["files"]), len(tables["faces"])) == (150, 150, 150)
    assert_intact(path)


@pytest.mark.file_only
def test_a_newer_version_changes_an_open_gallery(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open gallery is not written any more; only the newer version can open it again."""
    (face,) = put(gallery, "/a.jpg", person(1))
    other = sqlite3.connect(gallery.path)
    with other:
        other.execute("INSERT INTO migrations VALUES ('m999_aura', '2030-01-01')")
        other.execute("ALTER TABLE people ADD COLUMN aura TEXT")
    other.close()
    with pytest.raises(GalleryError, match="newer version of Faceie has written this gallery"):
        gallery.confirm("Anna", [face])
    assert rows(gallery.path)["people"] == []


def test_a_gallery_is_used_while_it_is_compacted(gallery: Gallery) -> None:
    """Forgetting rewrites the file; what else has it open goes on."""
    faces = put(gallery, "/a.jpg", person(1)) + put(gallery, "/b.jpg", person(2))
    with Gallery(gallery.path) as other:
        gallery.forget_photo("/a.jpg")
        other.confirm("Anna", [faces[1]])
    assert gallery.person("Anna").faces == 1


def test_the_clock_goes_backwards(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that became older is another one; nothing else depends on the time of day."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1"})
    gallery.index([album], executor=Prepared(by_words))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    (album / "a.jpg").write_text("2.1")
    os.utime(album / "a.jpg", (1000, 1000))
    assert gallery.index([album], executor=Prepared(by_words)).analyzed == 1


@pytest.mark.file_only
@posix
def test_a_link_to_a_gallery(path: Path, tmp_path: Path, no_weights: None) -> None:
    """A gallery that is opened by a link is the one that it leads to: all files are beside that."""
    link = tmp_path / "elsewhere" / "link.faceie"
    link.parent.mkdir()
    Gallery(path, options=QUICK).close()
    link.symlink_to(path)
    with Gallery(link) as gallery:
        put(gallery, "/a.jpg", person(1))
        assert gallery.search(person(1))
    assert [*link.parent.iterdir()] == [link]
    assert link.is_symlink()
    with Gallery(link) as gallery:
        gallery.forget_all()
    assert not [*path.parent.iterdir()]


# Names


def test_names_in_any_case(gallery: Gallery) -> None:
    """Names that differ by case or Unicode form are one person; the spelling that was given stays."""
    one, two, three = (put(gallery, f"/{n}.jpg", face_of(n, 1))[0] for n in (1, 2, 3))
    anna = gallery.confirm("Anna", [one])
    assert gallery.confirm("anna", [two]) == anna
    assert gallery.person("ANNA")[:3] == (anna, "Anna", 2)
    zoe = gallery.confirm("Zoe\u0308", [three])
    assert gallery.person("ZO\u00cb").number == zoe
    assert gallery.person(zoe).name == "Zo\u00eb"
    with pytest.raises(GalleryError, match="is the name of another person"):
        gallery.name(zoe, "aNNa")
    assert gallery.name(anna, "ANNA") == anna
    assert gallery.person(anna).name == "ANNA"
    assert gallery.confirm("Stra\u00dfe", [three]) == gallery.person("STRASSE").number


@pytest.mark.parametrize(
    "name",
    [
        "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
        "ශ්\u200dරී",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "שרה",
        "Łukasz",
        "王芳",
        "O'Neill-Ünal",
    ],
)
def test_names_of_any_script(name: str, gallery: Gallery) -> None:
    """Letters, marks and joiners of all scripts are names."""
    (face,) = put(gallery, "/a.jpg", person(1))
    gallery.confirm(name, [face])
    assert gallery.face(face).name == name


@pytest.mark.parametrize("name", ["", " ", "\u200d", "12", "٣", "a\x07b", "a\u202eb", "\udcff", "\ue000"])
@pytest.mark.file_only
def test_what_is_no_name(name: str, gallery: Gallery) -> None:
    """An empty name, a number, or a name with hidden characters is refused."""
    (face,) = put(gallery, "/a.jpg", person(1))
    with pytest.raises(OptionError, match="is not a name"):
        gallery.confirm(name, [face])
    with pytest.raises(GalleryError, match="no person is called"):
        gallery.person(name)


def test_two_spellings_of_an_older_version(path: Path, no_weights: None) -> None:
    """A gallery in which an older version told "Anna" from "anna" keeps both; each is found by its own spelling."""
    with Gallery(path, options=QUICK) as gallery:
        one, two = (put(gallery, f"/{n}.jpg", face_of(n, 1))[0] for n in (1, 2))
        anna = gallery.confirm("Anna", [one])
        other = gallery.confirm("Ben", [two])
        gallery._store.db.execute("UPDATE people SET name = 'anna', key = 'anna' WHERE id = ?", (other,))
        assert (gallery.person("Anna").number, gallery.person("anna").number) == (anna, other)
        assert gallery.merge("Anna", "anna") == anna
        assert gallery.person("anna").number == anna


# Absence


def absent_names(gallery: Gallery, *folders: Path) -> list[str]:
    return [path.name for path in gallery.absent(folders)]


@posix
@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ETIMEDOUT], ids=errno.errorcode.get)
def test_what_cannot_be_listed_is_not_gone(
    error: int, gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos below a folder that cannot be read are kept, and told; those of others are pruned."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})
    fakes(album / "trip" / "day", {"c.jpg": "3.1"})
    gallery.index([album], executor=Prepared(by_words))
    (album / "a.jpg").unlink()

    def failing_below(function: Callable[..., Any]) -> Any:
        def call(path: Any, *rest: Any, **more: Any) -> Any:
            if isinstance(path, str | os.PathLike) and "trip" in os.fspath(path):
                raise OSError(error, os.strerror(error), os.fspath(path))
            return function(path, *rest, **more)

        return call

    with monkeypatch.context() as patch:
        for name in ("stat", "lstat", "scandir"):
            patch.setattr(os, name, failing_below(getattr(os, name)))
        assert absent_names(gallery, album) == ["a.jpg"]
        report = gallery.index([album], executor=Prepared(by_words), prune=True)
    assert report.pruned == 1
    assert any("1 known photos below folders that cannot be read" in problem for problem in report.problems)
    assert [face.path.name for face in gallery.faces()] == ["b.jpg", "c.jpg"]


def test_an_empty_folder_may_be_a_disk(gallery: Gallery, tmp_path: Path) -> None:
    """Photos below an empty folder stay known; photos below a missing folder do not."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1"})
    fakes(album / "disk", {"b.jpg": "2.1"})
    fakes(album / "old" / "deep", {"c.jpg": "3.1"})
    gallery.index([album], executor=Prepared(by_words))
    (album / "disk").rename(tmp_path / "unplugged")
    (album / "disk").mkdir()
    (album / "old").rename(tmp_path / "moved")
    assert absent_names(gallery, album) == ["c.jpg"]
    assert absent_names(gallery, album / "old") == []  # it is missing, and its parent was not listed


def test_pruning_most_is_refused(gallery: Gallery, tmp_path: Path) -> None:
    """More than half of many photos are not removed without being asked twice."""
    album = fakes(tmp_path / "album", {f"{i:02}.jpg": f"{i % 9}.{i}" for i in range(30)})
    gallery.index([album], executor=Prepared(by_words))
    for i in range(20):
        (album / f"{i:02}.jpg").unlink()
    report = gallery.index([album], executor=Prepared(by_words), prune=True)
    assert report.pruned == 0
    assert "20 of 30 known photos are gone, which is more than 50%" in report.problems[0]
    assert len(gallery) == 30
    assert gallery.index([album], executor=Prepared(by_words), prune=True, prune_limit=1).pruned == 20
    assert len(gallery) == 10


def test_photos_that_come_back_keep_what_was_said(gallery: Gallery, tmp_path: Path) -> None:
    """A pruned photo is not listed, counted or found; if it comes back, so do the statements about it."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "1.2", "c.jpg": "2.1"})
    gallery.index([album], executor=Prepared(by_words))
    ids = {face.path.name: face.id for face in gallery.faces()}
    gallery.confirm("Anna", [ids["a.jpg"]])
    gallery.deny("Anna", [ids["b.jpg"]])
    for name in ("a.jpg", "b.jpg"):
        (album / name).rename(tmp_path / name)
    assert gallery.index([album], executor=Prepared(by_words), prune=True).pruned == 2
    assert gallery.people()[0][:4] == (gallery.person("Anna").number, "Anna", 0, 0)
    assert gallery.photos_of("Anna") == []
    assert (len(gallery), [face.path.name for face in gallery.faces()]) == (1, ["c.jpg"])
    assert [match.path.name for match in gallery.search(person(1), limit=1)] == ["c.jpg"]
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).rename(album / name)
    assert gallery.index([album], executor=Prepared(by_words)).analyzed == 0
    assert {face.path.name: face.name for face in gallery.faces()} == {"a.jpg": "Anna", "b.jpg": None, "c.jpg": None}
    gallery.cluster()
    assert gallery.face(ids["b.jpg"]).name is None


def test_renamed_and_edited_in_one_go(gallery: Gallery, tmp_path: Path) -> None:
    """The new version gets the statements about the old one, once that is pruned."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})
    gallery.index([album], executor=Prepared(by_words))
    ids = {face.path.name: face.id for face in gallery.faces()}
    gallery.confirm("Anna", [ids["a.jpg"]])
    (album / "a.jpg").unlink()
    (album / "new.jpg").write_text(" 1.1 ")  # the same face, in another file
    gallery.index([album], executor=Prepared(by_words), prune=True)
    assert {face.path.name: (face.name, face.confirmed) for face in gallery.faces()} == {
        "b.jpg": (None, False),
        "new.jpg": ("Anna", True),
    }


@posix
def test_edited_keeping_size_and_time(gallery: Gallery, tmp_path: Path) -> None:
    """A tool that keeps size and time does not keep the time of change; and `verify` reads everything."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})
    gallery.index([album], executor=Prepared(by_words))
    about = (album / "a.jpg").stat()
    (album / "a.jpg").write_text("3.1")
    os.utime(album / "a.jpg", ns=(about.st_atime_ns, about.st_mtime_ns))
    assert gallery.index([album], executor=Prepared(by_words)).analyzed == 1
    gallery._store.db.execute("UPDATE files SET changed = NULL")  # as in a gallery of an older version
    (album / "b.jpg").write_text("4.1")
    about = gallery._store.file(str(album / "b.jpg"))
    assert about
    os.utime(album / "b.jpg", ns=(about.modified, about.modified))
    assert gallery.index([album], executor=Prepared(by_words)).analyzed == 0
    assert gallery.index([album], executor=Prepared(by_words), verify=True).analyzed == 1


# Where nothing can be written, and copies


@pytest.fixture
def read_only(path: Path, no_weights: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery with a person and a cluster, where nothing can be written."""
    with Gallery(path, options=QUICK) as gallery:
        gallery._weights()
        gallery.confirm("Anna", put(gallery, "/a.jpg", face_of(1, 1)))
        put(gallery, "/b.jpg", face_of(2, 1), face_of(3, 1))
        put(gallery, "/c.jpg", face_of(2, 2))
        assert len(gallery.people()) == 2
        put(gallery, "/d.jpg", face_of(3, 2))
    path.with_name(f"{path.name}.matrix").unlink(missing_ok=True)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    return path


@pytest.mark.file_only
def test_a_gallery_that_can_only_be_read(read_only: Path) -> None:
    """It is searched, and lists the last clusters; methods that would write raise an error with the reason."""
    before = read_only.read_bytes()
    with Gallery(read_only) as gallery:
        assert gallery.is_read_only
        assert not gallery.is_clustered()
        assert [person_.name for person_ in gallery.people()] == ["Anna", None]
        assert gallery.search(person(1))[0].face.name == "Anna"
        assert len(gallery.photos_of("Anna")) == 1
        for write in (
            lambda: gallery.confirm("Ben", [1]),
            lambda: gallery.index([read_only.parent]),
            lambda: gallery.forget_person("Anna"),
            gallery.cluster,
        ):
            with pytest.raises(GalleryError, match="can only be read here"):
                write()
    assert read_only.read_bytes() == before


@pytest.mark.file_only
def test_people_are_listed_while_another_program_writes(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing does not need the write lock: the list shows the last clusters, soon, and the next one is clustered."""
    gallery.confirm("Anna", put(gallery, "/a.jpg", face_of(1, 1)))
    gallery.people()
    put(gallery, "/b.jpg", face_of(2, 1), face_of(3, 1))
    put(gallery, "/c.jpg", face_of(2, 2))
    monkeypatch.setattr("faceie.gallery.assignment._PATIENCE", 0.1)
    with closing(sqlite3.connect(gallery.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        before = time.monotonic()
        assert [person_.name for person_ in gallery.people()] == ["Anna"]
        assert time.monotonic() - before < 10
        assert not gallery.is_clustered()
        other.execute("ROLLBACK")
    assert [person_.name for person_ in gallery.people()] == ["Anna", None]
    assert gallery._store.db.execute("PRAGMA busy_timeout").fetchone() == (30_000,)


def test_people_are_listed_on_a_full_disk(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list shows the last clusters, and the next one with room is clustered; clustering itself tells the reason."""
    gallery.confirm("Anna", put(gallery, "/a.jpg", face_of(1, 1)))
    gallery.people()
    put(gallery, "/b.jpg", face_of(2, 1), face_of(3, 1))
    put(gallery, "/c.jpg", face_of(2, 2))

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(gallery._store.people, "assign", full)
        assert [person_.name for person_ in gallery.people()] == ["Anna"]
        with pytest.raises(GalleryError, match="the disk is full"):
            gallery.cluster()
    assert [person_.name for person_ in gallery.people()] == ["Anna", None]


def test_people_are_listed_while_others_keep_changing_them(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a list shows the last clusters; only `cluster`, which was asked for, raises an error."""
    from faceie.gallery import assignment

    faces = [put(gallery, f"/{v}.jpg", face_of(1, v))[0] for v in range(3)]
    compare = assignment.cluster

    def meddling(*given: Any, **more: Any) -> Any:
        with Gallery(gallery.path) as other:
            name = "Anna" if other.face(faces[0]).name == "Ben" else "Ben"
            other.confirm(name, faces[:1])
        return compare(*given, **more)

    monkeypatch.setattr(assignment, "cluster", meddling)
    assert {person_.name for person_ in gallery.people()} == {"Anna", "Ben"}
    assert not gallery.is_clustered()
    with pytest.raises(GalleryError, match="keep changing this gallery"):
        gallery.cluster()


@pytest.mark.file_only
def test_a_copy_while_it_is_in_use(gallery: Gallery, tmp_path: Path) -> None:
    """A backup is the gallery of one moment, in one file, and replaces another one with all that was beside it."""
    gallery.confirm("Anna", put(gallery, "/a.jpg", face_of(1, 1)))
    target = tmp_path / "backups" / "copy.faceie"
    gallery.backup(target)
    put(gallery, "/b.jpg", face_of(2, 1))
    with Gallery(target) as copy:
        assert (len(copy), copy.person("Anna").faces) == (1, 1)
        copy.search(person(1))
    target.with_name("copy.faceie-wal").write_bytes(b"of another one")
    gallery.backup(target)
    assert [file.name for file in target.parent.iterdir()] == ["copy.faceie"]
    assert os.name != "posix" or target.stat().st_mode & 0o777 == 0o600
    with Gallery(target) as copy:
        assert len(copy) == 2
    with pytest.raises(OptionError, match="this is the gallery itself"):
        gallery.backup(gallery.path)


# Clustering beside others


def test_nobody_waits_while_faces_are_compared(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs write during that: new faces are kept, and new statements make it start again."""
    from faceie.gallery import assignment

    faces = [put(gallery, f"/{v}.jpg", face_of(1, v))[0] for v in range(4)]
    compare, calls = assignment.cluster, 0

    def meddling(*given: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        with Gallery(gallery.path) as other:
            if calls == 1:
                other.confirm("Ben", [faces[3]])
            elif calls == 2:
                put(other, "/new.jpg", face_of(5, 1))
        return compare(*given, **more)

    monkeypatch.setattr(assignment, "cluster", meddling)
    gallery.people()
    assert calls == 2
    assert gallery.person("Ben").faces == 4
    assert len(gallery) == 5
    assert not gallery.is_clustered()  # since there is a new face


# Excluded files


def test_patterns_are_kept(gallery: Gallery, tmp_path: Path) -> None:
    """Excluded files stay excluded in later runs, until other patterns are given; known photos stay."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.png": "2.1"})
    fakes(album / "Screenshots", {"c.jpg": "3.1"})
    assert gallery.index([album], executor=Prepared(by_words), exclude=["*.png", "Screenshots/"]).analyzed == 1
    assert gallery.index([album], executor=Prepared(by_words)).analyzed == 0
    with Gallery(gallery.path) as again:
        again._weights()
        assert again.index([album], executor=Prepared(by_words), exclude=["Screenshots/"]).analyzed == 1
    assert gallery.index([album], executor=Prepared(by_words), exclude=[""]).analyzed == 1
    assert gallery.index([album], executor=Prepared(by_words), exclude=["*.jpg"], prune=True).pruned == 0
    assert len(gallery) == 3


# Where there can be no workers


@needs_weights
def test_a_script_on_standard_input(path: Path, tmp_path: Path, no_weights: None) -> None:
    """It does the work itself; asked for workers, it gives the reason why it cannot have any, in one sentence."""
    album = fakes(tmp_path / "album", {"a.txt.jpg": "no photo"})
    program = f"""
from faceie import Gallery, GalleryError
with Gallery({str(path)!r}) as gallery:
    print(len(gallery.index([{str(album)!r}]).bad))
    try:
        gallery.index([{str(album)!r}], workers=2)
    except GalleryError as error:
        print(error)
"""
    environment = {**os.environ, "FACEIE_THREADS": "2"}
    run = subprocess.run(
        [sys.executable, "-"], input=program, capture_output=True, text=True, env=environment, check=False
    )
    assert run.stderr == ""
    assert run.stdout.splitlines() == [
        "1",
        "workers import the running script, but this one cannot be imported (<stdin>); pass workers=1, or an executor",
    ]


def test_workers_are_silent(capfd: pytest.CaptureFixture[str]) -> None:
    """Lines that C libraries write to standard error of a worker are discarded."""
    with workers._processes(1) as executor:
        assert executor.submit(os.write, 2, b"TIFFFetchNormalTag\n").result() == 19
    assert capfd.readouterr() == ("", "")

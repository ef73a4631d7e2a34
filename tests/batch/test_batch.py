"""Datasets from folders: whole files, runs that go on, photos that end a process, and URLs."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faceie
from faceie import DetectionOptions, FaceieError, Gallery, OptionError
from faceie.batch import analyze_batches, analyze_folders
from faceie.dataset import part_paths
from faceie.gallery.records import PhotoAnalysis

from ..gallery.conftest import QUICK, fakes, needs_weights, person
from .conftest import analyze_photo, rows_of, words

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    return fakes(tmp_path / "album", words(12, _03="1.1 2.2", _04=""))


# The function that engines call


@needs_weights
def test_batches(small_photos: Path) -> None:
    """Paths or contents become the faces that `detect_faces` and `encode_faces` find."""
    photos = sorted(small_photos.glob("*.jpg"))[:2]
    by_path = pa.RecordBatch.from_pydict({"path": [str(photo) for photo in photos]})
    contents = pa.table({"bytes": [photo.read_bytes() for photo in photos], "path": ["a.jpg", "b.jpg"]})
    one, other = (list(analyze_batches([batch], options=QUICK)) for batch in (by_path, contents))
    assert len(one) == len(other) == 1
    for name in ("sha256", "face", "x1", "embedding", "thumbnail", "width"):
        assert one[0][name].equals(other[0][name])
    found = faceie.detect_faces(photos[0], options=QUICK)
    embedding = one[0]["embedding"][0].values.to_numpy(zero_copy_only=False)
    assert found.images
    assert np.abs(embedding - faceie.encode_faces(found.images)[0]).max() < 1e-5


def test_bad_photos_are_rows(made_up: None, tmp_path: Path) -> None:
    """A missing photo is a row with its error; no photo stops the others."""
    fakes(tmp_path, {"a.jpg": "1.1"})
    batch = pa.RecordBatch.from_pydict({"path": [str(tmp_path / "gone.jpg"), str(tmp_path / "a.jpg")]})
    (found,) = analyze_batches([batch])
    assert found["error"].to_pylist() == ["No such file or directory", None]
    assert found["face"].to_pylist() == [None, 1]


# Runs


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_and_the_next(made_up: None, album: Path, tmp_path: Path, workers: int) -> None:
    """All photos are in files of some size; the next run adds new and changed photos only."""
    seen = []
    report = analyze_folders(
        [album], tmp_path / "dataset", workers=workers, photos_per_file=5, progress=lambda *of: seen.append(of[:2])
    )
    assert (report.photos, report.known, report.faces, report.files, report.bad) == (12, 0, 12, 3, [])
    assert seen[-1] == (12, 12)
    assert len(part_paths(tmp_path / "dataset")) == 3
    assert [path for path in (tmp_path / "dataset").iterdir() if path.name.startswith(".")] == []
    if os.name == "posix":
        assert all(path.stat().st_mode & 0o77 == 0 for path in part_paths(tmp_path / "dataset"))
    (album / "new.jpg").write_text("5.5")
    (album / "00.jpg").write_text("6.6 7.7")
    report = analyze_folders([album], tmp_path / "dataset", workers=1)
    assert (report.photos, report.known, report.faces) == (2, 11, 3)
    with Gallery(tmp_path / "g.faceie", options=None) as gallery:
        assert gallery.add(tmp_path / "dataset").faces == 15
        assert gallery.search(person(7))[0].distance < 0.6


def test_a_killed_run_goes_on(made_up: None, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interruption at any file, the rows end as those of an undisturbed run. Drafts are ignored."""
    analyze_folders([album], tmp_path / "whole", workers=1, photos_per_file=3)
    for stop in range(4):
        dataset = tmp_path / str(stop)
        dataset.mkdir()
        (dataset / ".part-0.parquet-12345678").write_bytes(b"PAR1")

        def interrupt(done: int, total: int, report: Any, stop: int = stop) -> None:
            if report.files > stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            analyze_folders([album], dataset, workers=1, photos_per_file=3, progress=interrupt)
        report = analyze_folders([album], dataset, workers=1, photos_per_file=3)
        assert report.known == 3 * (stop + 1)
        assert rows_of(dataset) == rows_of(tmp_path / "whole")


def test_a_damaged_file_is_made_anew(made_up: None, album: Path, tmp_path: Path) -> None:
    """A file that is cut off is put aside, with a note, and its photos are analyzed again."""
    analyze_folders([album], tmp_path / "dataset", workers=1, photos_per_file=6)
    whole = rows_of(tmp_path / "dataset")
    path = part_paths(tmp_path / "dataset")[0]
    path.write_bytes(path.read_bytes()[:-50])
    report = analyze_folders([album], tmp_path / "dataset", workers=1, photos_per_file=6)
    assert (report.photos, report.known) == (6, 6)
    assert len(report.problems) == 1
    assert "damaged" in report.problems[0]
    assert rows_of(tmp_path / "dataset") == whole


def test_photos_that_end_their_process(made_up: None, tmp_path: Path) -> None:
    """Each is found, noted and skipped; the photos around it are analyzed."""
    album = fakes(tmp_path / "album", words(9, _02="dies", _07="dies too"))
    report = analyze_folders([album], tmp_path / "dataset", workers=2, photos_per_file=5)
    assert (report.photos, report.faces) == (9, 7)
    assert sorted(photo.path.name for photo in report.bad) == ["02.jpg", "07.jpg"]
    assert {photo.reason.partition(":")[0] for photo in report.bad} == {"the process that analyzed it died"}
    assert analyze_folders([album], tmp_path / "dataset", workers=2).known == 9


def test_two_runs_at_once(made_up: None, tmp_path: Path) -> None:
    """Two coordinators that write the same dataset make the same files."""
    album = fakes(tmp_path / "album", {name: f"slow {text}" for name, text in words(12).items()})
    run = functools.partial(analyze_folders, [album], tmp_path / "dataset", workers=1, photos_per_file=2)
    others = [threading.Thread(target=run) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert len(part_paths(tmp_path / "dataset")) == 6
    analyze_folders([album], tmp_path / "alone", workers=1, photos_per_file=2)
    assert rows_of(tmp_path / "dataset") == rows_of(tmp_path / "alone")


def test_two_programs_at_once_of_which_one_is_killed(made_up: None, tmp_path: Path) -> None:
    """The other one ends with the rows of an undisturbed run, wherever the first one was."""
    album = fakes(tmp_path / "album", {name: f"slow {text}" for name, text in words(16).items()})
    script = (
        "import sys; from faceie.batch import analyze_folders; "
        "analyze_folders([sys.argv[1]], sys.argv[2], workers=1, photos_per_file=4)"
    )
    command = [sys.executable, "-c", script, str(album), str(tmp_path / "dataset")]
    programs = [subprocess.Popen(command) for _ in range(2)]
    deadline = time.monotonic() + 60
    while not list((tmp_path / "dataset").glob(".part-*")) and time.monotonic() < deadline:
        time.sleep(0.05)  # until the first photos are analyzed
    time.sleep(0.2)
    programs[0].kill()
    assert programs[0].wait(60) != 0
    assert programs[1].wait(60) == 0
    analyze_folders([album], tmp_path / "alone", workers=1, photos_per_file=4)
    assert rows_of(tmp_path / "dataset") == rows_of(tmp_path / "alone")
    assert analyze_folders([album], tmp_path / "dataset", workers=1).known == 16


def test_files_of_a_run_of_spark_that_was_killed(made_up: None, album: Path, tmp_path: Path) -> None:
    """Files in folders whose names begin with an underscore or a dot are not part of a dataset."""
    analyze_folders([album], tmp_path / "dataset", workers=1)
    for name in ("_temporary/0/task_1", ".hive-staging"):
        (tmp_path / "dataset" / name).mkdir(parents=True)
        (tmp_path / "dataset" / name / "part-0.parquet").write_bytes(b"PAR1 half")
    report = analyze_folders([album], tmp_path / "dataset", workers=1)
    assert (report.known, report.problems) == (12, [])
    with Gallery(tmp_path / "g.faceie", options=None) as gallery:
        assert gallery.add(tmp_path / "dataset").faces == 12


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("file:/photos/a 100%.jpg", "/photos/a 100%.jpg"),
        ("file:///photos/a.jpg", "/photos/a.jpg"),
        ("file://server/photos/a.jpg", "file://server/photos/a.jpg"),
        ("s3://bucket/a.jpg", "s3://bucket/a.jpg"),
        ("/photos/file:/a.jpg", "/photos/file:/a.jpg"),
    ],
)
def test_paths_as_spark_writes_them(made_up: None, given: str, stored: str) -> None:
    """A path with the scheme of files is a path, so that the gallery can open the photo."""
    (found,) = analyze_batches([pa.table({"path": [given], "content": [b"1.1"]})])
    assert found["path"].to_pylist() == [stored]


def test_a_photo_is_tried_again_as_often_as_asked(made_up: None, tmp_path: Path) -> None:
    """Files of earlier attempts do not stand for a new one, though they have the same photos."""
    album = fakes(tmp_path / "album", words(4))
    asked = functools.partial(analyze_folders, [album], tmp_path / "dataset", workers=1, retry=True)
    failed = PhotoAnalysis(error="no decoder", digest=bytes(32))

    def analyze(path: str, settings: object, content: bytes) -> PhotoAnalysis:
        return failed if path.endswith("02.jpg") else analyze_photo(path, settings, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faceie.batch.batches.analyze_photo", analyze)
        assert asked().photos == 4
        for _ in range(2):
            report = asked()
            assert (report.photos, report.known, len(report.bad)) == (1, 3, 1)
    report = asked()
    assert (report.photos, report.faces, report.bad) == (1, 1, [])
    assert asked().known == 4


def test_another_encoder_or_other_options_are_refused(
    made_up: None, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dataset is never mixed."""
    analyze_folders([album], tmp_path / "dataset", workers=1)
    before = rows_of(tmp_path / "dataset")
    with pytest.raises(FaceieError, match=r"other options: .*min_face_size"):
        analyze_folders([album], tmp_path / "dataset", workers=1, options=DetectionOptions(min_face_size=99))
    monkeypatch.setattr("faceie.batch.batches.answer", lambda weights: np.ones(8, np.float32))
    with pytest.raises(FaceieError, match="another encoder"):
        analyze_folders([album], tmp_path / "dataset", workers=1, weights="casia-webface")
    assert rows_of(tmp_path / "dataset") == before
    with pytest.raises(OptionError, match="photos_per_file"):
        analyze_folders([album], tmp_path / "dataset", photos_per_file=0)


class Broken(Executor):
    """An executor whose processes have died."""

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        from concurrent.futures import BrokenExecutor

        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor("A process died"))
        return future


def test_a_broken_executor(made_up: None, album: Path, tmp_path: Path) -> None:
    """Its error says what to do."""
    with pytest.raises(FaceieError, match=r"has broken down .* run it again with a new one"):
        analyze_folders([album], tmp_path / "dataset", executor=Broken())


def test_a_dataset_that_cannot_be_written(made_up: None, album: Path, tmp_path: Path) -> None:
    """The error names the file, in this process and in workers."""
    (tmp_path / "file").write_text("in the way")
    for workers in (1, 2):
        with pytest.raises(FaceieError, match=r"dataset.part-\w+.parquet: it cannot be written"):
            analyze_folders([album], tmp_path / "file" / "dataset", workers=workers)


# URLs


def test_photos_in_another_file_system(made_up: None, tmp_path: Path) -> None:
    """Photos that fsspec finds are analyzed, without those that are excluded, and known in the next run."""
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    for name, text in {"a.jpg": "1.1", "deep/b.jpg": "2.1 3.1", "deep/c.png": "4.1", "note.txt": "no"}.items():
        system.pipe_file(f"/album/{name}", text.encode())
    try:
        for known in (0, 2):
            report = analyze_folders(["memory://album"], tmp_path / "dataset", workers=1, exclude=["*.png"])
            assert (report.known, report.photos, report.faces, report.bad) == (
                known,
                2 - known,
                3 - 3 * (known > 0),
                [],
            )
        paths = {row[0] for row in rows_of(tmp_path / "dataset")}
        assert paths == {"'memory:///album/a.jpg'", "'memory:///album/deep/b.jpg'"}
    finally:
        system.rm("/album", recursive=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine, with photos."""
    fakes(tmp_path / "web", {"a.jpg": "1.1", "b.jpg": "2.1"})

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "web"))
    ) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


def test_photos_on_a_web_server(made_up: None, server: str, tmp_path: Path) -> None:
    """A list of photos, single photos and missing ones, over HTTP."""
    pytest.importorskip("aiohttp")
    report = analyze_folders([f"{server}/", f"{server}/gone.jpg"], tmp_path / "dataset", workers=1)
    assert (report.photos, report.faces) == (2, 2)
    assert len(report.problems) == 1
    assert "gone.jpg: this URL cannot be listed" in report.problems[0]
    assert analyze_folders([f"{server}/a.jpg"], tmp_path / "other", workers=1).faces == 1


def test_unknown_kinds_of_urls(made_up: None, tmp_path: Path) -> None:
    """fsspec's complaint is an error of ours."""
    with pytest.raises(FaceieError, match="fsspec cannot open it"):
        analyze_folders(["nowhere://a/b.jpg"], tmp_path / "dataset", workers=1)

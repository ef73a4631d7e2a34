"""A run over folders: new, changed, copied, moved, missing and broken photos, and the processes of the run."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from faceie import DetectionOptions, Gallery, GalleryError, OptionError, detect_faces, encode_faces
from faceie.gallery import IndexReport, analysis
from faceie.gallery.analysis import hash_photo
from faceie.gallery.records import PhotoAnalysis
from faceie.gallery.settings import Settings
from faceie.images import read_photo

from ..conftest import PHOTOS, assert_close
from .conftest import (
    QUICK,
    Prepared,
    an_analysis,
    assert_intact,
    assert_same,
    by_words,
    fakes,
    needs_weights,
    person,
    rows,
    small,
)

not_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")


def index(
    gallery: Gallery, *folders: Path, answer: Callable[[str], PhotoAnalysis] = by_words, **options: Any
) -> IndexReport:
    """Index fake photos."""
    return gallery.index(folders, executor=Prepared(answer), **options)


def counts(report: IndexReport) -> dict[str, int]:
    """Return the counters of a report that are not 0."""
    numbers = {name: value for name, value in asdict(report).items() if isinstance(value, int) and value}
    return {**numbers, **({"bad": len(report.bad)} if report.bad else {})}


def paths(gallery: Gallery) -> list[str]:
    """Return the names of the photos of all faces."""
    return [face.path.name for face in gallery.faces()]


def forbidden(*arguments: Any, **keywords: Any) -> Any:
    raise AssertionError("this must not happen")


# With real photos


@needs_weights
def test_first_run(path: Path, small_photos: Path) -> None:
    """Every face that `detect_faces` finds is stored with all that is known of it, and its embedding."""
    with Gallery(path, options=QUICK) as gallery:
        report = gallery.index([small_photos], workers=1)
        photos = sorted(small_photos.iterdir())
        assert counts(report) == {"analyzed": len(photos), "faces": len(gallery)}
        assert report.seconds > 0
        stored = list(gallery.faces())
        for photo in photos:
            found = detect_faces(photo, QUICK)
            faces = [face for face in stored if face.path == photo]
            assert [face.number for face in faces] == list(range(1, len(found.probabilities) + 1))
            assert_close(np.array([face.box for face in faces]), found.bounding_boxes, 1e-4)
            assert_close(np.array([face.landmarks for face in faces]), found.landmarks, 1e-4)
            assert_close(np.array([face.probability for face in faces]), found.probabilities, 1e-6)
            assert_close(np.array([face.quality for face in faces]), found.qualities, 1e-6)
            embeddings = np.array([gallery.embedding(face.id) for face in faces])
            assert_close(embeddings, encode_faces(found.images or []), 1e-6)
        assert [face.id for face in stored] == sorted(face.id for face in stored)
        assert {(face.person, face.name, face.confirmed) for face in stored} == {(None, None, False)}


@needs_weights
def test_thumbnails_are_small_jpegs(path: Path, small_photos: Path) -> None:
    """Of each face there is a JPEG, 128 pixels high, with the proportions of its box."""
    import io

    with Gallery(path, options=QUICK) as gallery:
        gallery.index([small_photos / "astronaut.jpg"], workers=1)
        (face,) = gallery.faces()
        with Image.open(io.BytesIO(gallery.thumbnail(face.id))) as picture:
            x1, y1, x2, y2 = face.box
            assert (picture.format, picture.height) == ("JPEG", 128)
            assert abs(picture.width - 128 * (x2 - x1) / (y2 - y1)) <= 1


@needs_weights
def test_who_looks_makes_no_difference(tmp_path: Path, small_photos: Path) -> None:
    """One process, two workers, and an executor of the caller's give the same rows, ids included. Only embeddings of
    photos with one face differ, in their last digits: such a face is left to the threads of BLAS (docs/numbers.md).
    """
    album = tmp_path / "album"
    shutil.copytree(small_photos, album / "first")
    small("obama.jpg", album / "second" / "obama.jpg", change=1)
    shutil.copy(album / "first" / "astronaut.jpg", album / "second" / "again.jpg")
    (album / "second" / "text.jpg").write_text("This is no photo.")
    (album / "broken.jpg").write_bytes((album / "first" / "obama.jpg").read_bytes()[:300])

    def run(name: str, **who: Any) -> Any:
        with Gallery(tmp_path / name, options=QUICK) as gallery:
            report = gallery.index([album], **who)
        assert report.done == 5 + 1 + 1 + 2
        assert len(report.bad) == 2
        return rows(tmp_path / name)

    assert len(run("alone", workers=1)["faces"]) >= 6
    assert_same(run("two", workers=2), run("alone again", workers=1))
    with ThreadPoolExecutor(3) as threads:
        assert_same(run("threads", executor=threads), run("at once", executor=AtOnce()))
    assert_same(rows(tmp_path / "alone"), rows(tmp_path / "threads"))


class AtOnce(Executor):
    """Looks at photos in the order in which they come, within `submit`."""

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*arguments, **keywords))
        return future


@needs_weights
def test_orientation_and_date(path: Path, tmp_path: Path) -> None:
    """A photo that lies on its side is turned by its EXIF orientation; when it was taken is known."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8769] = {0x9003: "2019:06:01 12:30:00"}
    upright = small("astronaut.jpg", tmp_path / "upright.png")
    with Image.open(upright) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    with Gallery(path, options=QUICK) as gallery:
        gallery.index([tmp_path / "turned.png", upright], workers=1)
        turned, same = gallery.faces()
        assert (turned.taken, same.taken) == ("2019-06-01T12:30:00", None)
        assert_close(np.array(turned.box), np.array(same.box), 1e-3)
        assert_close(gallery.embedding(turned.id), gallery.embedding(same.id), 1e-5)
        sizes = gallery._store.db.execute("SELECT width, height FROM photos").fetchall()
        assert sizes == [sizes[0]] * 2


@needs_weights
def test_heic(path: Path, tmp_path: Path) -> None:
    """A photo of an iPhone is indexed as any other, with its date."""
    heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x8769] = {0x9003: "2020:01:02 03:04:05"}
    with Image.open(small("astronaut.jpg", tmp_path / "astronaut.jpg")) as image:
        heif.from_pillow(image).save(tmp_path / "photo.heic", quality=90, exif=exif.tobytes())
    with Gallery(path, options=QUICK) as gallery:
        report = gallery.index([tmp_path / "photo.heic"], workers=1)
        assert report.bad == []
        (face,) = gallery.faces()
        assert (face.path.name, face.taken) == ("photo.heic", "2020-01-02T03:04:05")


@needs_weights
@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
@pytest.mark.parametrize("workers", [1, 2])
def test_any_name_is_a_name(path: Path, tmp_path: Path, workers: int) -> None:
    """Names that are not UTF-8, or have newlines and quotes, are kept as they are, and found again."""
    photo = small("astronaut.jpg", tmp_path / "photo.jpg")
    names = [b"caf\xe9 \xff.jpg", b"two\nlines.jpg", b'it\'s "100%".jpg', "çà et là 😀.jpg".encode(), b" .jpg"]
    folder = tmp_path / os.fsdecode(b"d\xe9j\xe0 vu")
    folder.mkdir()
    for change, name in enumerate(names):
        small("astronaut.jpg", folder / os.fsdecode(name), change=change + 1)
    bad = folder / os.fsdecode(b"bad\xfe.jpg")
    bad.write_text("This is no photo.")
    with Gallery(path, options=QUICK) as gallery:
        report = gallery.index([folder, photo], workers=workers)
        assert counts(report) == {"analyzed": 6, "faces": 6, "bad": 1}
        assert [entry.path for entry in gallery.bad_photos()] == [bad] == [entry.path for entry in report.bad]
        assert {os.fsencode(name) for name in paths(gallery)} == {*names, b"photo.jpg"}
        assert {face.path.parent for face in gallery.faces()} == {folder, tmp_path}
        assert counts(gallery.index([folder, photo], workers=1)) == {"unchanged": 7}
        path_of = {os.fsencode(face.path.name): face.path for face in gallery.faces()}
        assert gallery.forget_photo(path_of[names[0]]).faces == 1
        path_of[names[1]].unlink()
        assert counts(gallery.index([folder], workers=1, prune=True, forgotten=True)) == {
            "unchanged": 4,
            "analyzed": 1,
            "faces": 1,
            "pruned": 1,
        }


# Changed photos


def test_a_second_run_opens_nothing(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos that have not changed, by size and times, are not opened, and no worker is started."""
    album = fakes(tmp_path / "album", {f"{i}.jpg": f"1.{i}" for i in range(5)})
    (album / "bad.jpg").write_text("bad")
    answer = lambda text: PhotoAnalysis(error="it is bad") if text == "bad" else by_words(text)  # noqa: E731
    assert counts(index(gallery, album, answer=answer)) == {"analyzed": 5, "faces": 5, "bad": 1}
    before = rows(gallery.path)
    monkeypatch.setattr("faceie.gallery.indexing.digest_of", forbidden)
    monkeypatch.setattr("faceie.gallery.workers._processes", forbidden)
    report = gallery.index([album], workers=2)
    assert counts(report) == {"unchanged": 6}
    assert report.bad == []
    assert rows(gallery.path) == before


def test_a_changed_photo_is_analyzed_again(gallery: Gallery, tmp_path: Path) -> None:
    """The faces of a photo that has changed replace those that it had."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1 2.1", "b.jpg": "3.1"})
    index(gallery, album)
    (album / "a.jpg").write_text("4.1")
    assert counts(index(gallery, album)) == {"analyzed": 1, "faces": 1, "unchanged": 1}
    assert sorted(paths(gallery)) == ["a.jpg", "b.jpg"]
    assert gallery.search(person(4))[0].distance < 0.6
    assert gallery.search(person(1))[0].distance > 1
    assert len(rows(gallery.path)["photos"]) == 2


def test_a_touched_photo_is_not_searched_again(gallery: Gallery, tmp_path: Path) -> None:
    """A photo with another time but the same content is read, but not analyzed; nor does it count as a copy."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1"})
    index(gallery, album)
    os.utime(album / "a.jpg", ns=(1, 1_000_000_000_000))
    assert counts(index(gallery, album, answer=forbidden)) == {"unchanged": 1}
    assert counts(index(gallery, album, answer=forbidden)) == {"unchanged": 1}


def test_what_changes_while_it_is_analyzed_waits_for_the_next_run(gallery: Gallery, tmp_path: Path) -> None:
    """A photo that is overwritten during its analysis is not stored half old, half new; the next run has it."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})

    def meddle(text: str) -> PhotoAnalysis:
        if text == "1.1":
            (album / "a.jpg").write_text("3.1 4.1")
        return by_words(text)

    report = index(gallery, album, answer=meddle)
    assert counts(report) == {"analyzed": 1, "faces": 1, "bad": 1}
    assert "changed during the analysis" in report.bad[0].reason
    assert gallery.bad_photos() == []
    assert counts(index(gallery, album)) == {"analyzed": 1, "faces": 2, "unchanged": 1}
    assert paths(gallery) == ["b.jpg", "a.jpg", "a.jpg"]


def test_what_goes_away_while_it_is_analyzed_stops_nothing(gallery: Gallery, tmp_path: Path) -> None:
    """A photo that is deleted during the run is reported, and the others are indexed."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})

    def meddle(text: str) -> PhotoAnalysis:
        (album / "a.jpg").unlink(missing_ok=True)
        return by_words(text)

    report = index(gallery, album, answer=meddle)
    assert counts(report) == {"analyzed": 1, "faces": 1, "bad": 1}
    assert "No such file" in report.bad[0].reason
    assert paths(gallery) == ["b.jpg"]


# Copied, moved and missing photos


def test_copies_and_moves_are_recognized_by_content(gallery: Gallery, tmp_path: Path) -> None:
    """A copy, a photo with another name and one in another folder are not analyzed again, and keep their faces."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1", "c.jpg": "3.1"})
    index(gallery, album)
    ids = {face.path.name: face.id for face in gallery.faces()}
    gallery.confirm("Anna", [ids["a.jpg"]])
    shutil.copy(album / "a.jpg", album / "a2.jpg")
    (album / "b.jpg").rename(album / "renamed.jpg")
    (tmp_path / "elsewhere").mkdir()
    (album / "c.jpg").rename(tmp_path / "elsewhere" / "c.jpg")
    report = index(gallery, tmp_path, answer=forbidden)
    assert counts(report) == {"unchanged": 1, "copies": 3, "moved": 2}
    assert {face.path.name: face.id for face in gallery.faces()} == {
        "a.jpg": ids["a.jpg"],
        "renamed.jpg": ids["b.jpg"],
        "c.jpg": ids["c.jpg"],
    }
    known = {row[0].decode() for row in rows(gallery.path)["files"]}
    assert known == {str(path) for path in tmp_path.rglob("*.jpg")}


def test_a_photo_stays_as_long_as_it_has_a_copy(gallery: Gallery, tmp_path: Path) -> None:
    """When one of two copies changes, the other keeps the faces."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "1.1"})
    assert counts(index(gallery, album)) == {"analyzed": 1, "faces": 1, "copies": 1}
    (face,) = gallery.faces()
    gallery.confirm("Anna", [face.id])
    (album / "a.jpg").write_text("2.1")
    index(gallery, album)
    assert [(face.path.name, face.name) for face in gallery.faces()] == [("b.jpg", "Anna"), ("a.jpg", None)]


@pytest.mark.parametrize("in_flight", [1, 16])
@pytest.mark.parametrize(
    "moves",
    [
        {"a": "b", "b": "a"},
        {"a": "b", "b": "c", "c": "a"},
        {"a": "b", "b": "c", "c": "d"},
        {"c": "b", "b": "a"},
        {"b": "c", "c": "b"},
    ],
    ids=["swapped", "in a ring", "one up", "one down", "two swapped"],
)
def test_photos_that_change_places_keep_what_is_said(
    gallery: Gallery, tmp_path: Path, moves: dict[str, str], in_flight: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos that are numbered anew, or swap their names, are recognized by content, and keep their people."""
    album = fakes(tmp_path / "album", {f"{name}.jpg": f"{number}.1" for number, name in enumerate("abc", 1)})
    index(gallery, album)
    for face in gallery.faces():
        gallery.confirm(f"person of {face.path.stem}", [face.id])
    before = {face.path.stem: (face.id, face.name) for face in gallery.faces()}
    texts = {name: (album / f"{name}.jpg").read_text() for name in "abc"}
    for name in moves:
        (album / f"{name}.jpg").unlink()
    for name, target in moves.items():
        (album / f"{target}.jpg").write_text(texts[name])
    if "a" in moves and "a" not in moves.values():
        (album / "a.jpg").write_text("9.1")  # that is why the others moved up
    monkeypatch.setattr("faceie.gallery.workers._IN_FLIGHT", in_flight)
    report = gallery.index([album], executor=Prepared(by_words), workers=1)
    assert report.bad == []
    after = {face.path.stem: (face.id, face.name) for face in gallery.faces() if face.name}
    assert after == {moves.get(name, name): said for name, said in before.items()}


def test_what_is_gone_stays_unless_it_is_pruned(gallery: Gallery, tmp_path: Path) -> None:
    """Photos that have vanished keep their faces, until a run is told to prune; then nothing is left of them."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})
    fakes(album / "deep", {"c.jpg": "3.1"})
    other = fakes(tmp_path / "album two", {"d.jpg": "4.1"})
    index(gallery, album, other)
    (album / "a.jpg").unlink()
    shutil.rmtree(album / "deep")
    (other / "d.jpg").unlink()
    assert counts(index(gallery, album)) == {"unchanged": 1}
    assert len(gallery) == 4
    assert counts(index(gallery, album, prune=True)) == {"unchanged": 1, "pruned": 2}
    assert paths(gallery) == ["b.jpg", "d.jpg"]
    assert len(rows(gallery.path)["photos"]) == 2


def test_a_folder_that_is_empty_is_not_pruned(gallery: Gallery, tmp_path: Path) -> None:
    """Nothing is pruned where nothing is found: the disk may just not be mounted."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})
    index(gallery, album)
    for photo in album.iterdir():
        photo.unlink()
    report = index(gallery, album, prune=True)
    assert counts(report) == {}
    assert "no photo in this folder" in report.problems[0]
    assert paths(gallery) == ["a.jpg", "b.jpg"]


def test_a_folder_that_is_missing_is_not_pruned(gallery: Gallery, tmp_path: Path) -> None:
    """The same goes for a folder that is not there at all; it is no bad photo, either."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})
    index(gallery, album)
    shutil.rmtree(album)
    report = index(gallery, album, prune=True)
    assert report.pruned == 0
    assert [entry.path for entry in report.bad] == [album]
    assert paths(gallery) == ["a.jpg", "b.jpg"]
    index(gallery, album)
    assert gallery.bad_photos() == []


def test_a_photo_by_itself_can_be_pruned(gallery: Gallery, tmp_path: Path) -> None:
    """A photo that is named, and is gone from a folder that is there, is pruned; its neighbors are not."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})
    index(gallery, album)
    (album / "a.jpg").unlink()
    (album / "b.jpg").unlink()
    assert index(gallery, album / "a.jpg", prune=True).pruned == 1
    assert paths(gallery) == ["b.jpg"]


# What cannot be used


@needs_weights
@pytest.mark.parametrize("workers", [1, 2])
def test_bad_photos_are_noted_and_not_tried_again(
    path: Path, tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo that cannot be used stops nothing, is listed with its reason, and is tried again only if asked for."""
    album = tmp_path / "album"
    good = small("astronaut.jpg", album / "good.jpg")
    (album / "broken.jpg").write_bytes(good.read_bytes()[:300])
    (album / "text.jpg").write_text("This is no photo.")
    (album / "empty.jpg").touch()
    with Gallery(path, options=QUICK) as gallery:
        report = gallery.index([album], workers=workers)
        assert counts(report) == {"analyzed": 1, "faces": 1, "bad": 3}
        bad = gallery.bad_photos()
        assert sorted(report.bad) == bad
        assert [entry.path.name for entry in bad] == ["broken.jpg", "empty.jpg", "text.jpg"]
        assert all(entry.reason and str(album) not in entry.reason for entry in bad)
        assert "ends within its header" in bad[0].reason
        assert counts(gallery.index([album], workers=1)) == {"unchanged": 4}
        assert gallery.bad_photos() == bad
        assert counts(gallery.index([album], workers=1, retry=True)) == {"unchanged": 1, "bad": 3}
        assert gallery.bad_photos() == bad
        small("biden.jpg", album / "broken.jpg")
        assert counts(gallery.index([album], workers=1)) == {"analyzed": 1, "faces": 1, "unchanged": 3}
        assert [entry.path.name for entry in gallery.bad_photos()] == ["empty.jpg", "text.jpg"]


def test_a_bad_photo_is_tried_again_if_asked_for(gallery: Gallery, tmp_path: Path) -> None:
    """With `retry`, a photo that a newer decoder can read becomes as good as any, and its copies, too."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "1.1", "c.jpg": "2.1"})
    report = index(
        gallery, album, answer=lambda text: PhotoAnalysis(error="no decoder") if text == "1.1" else by_words(text)
    )
    assert [entry.reason for entry in report.bad] == ["no decoder"] * 2
    assert [entry.path.name for entry in gallery.bad_photos()] == ["a.jpg", "b.jpg"]
    assert counts(index(gallery, album, answer=forbidden)) == {"unchanged": 3}
    report = index(gallery, album, retry=True)
    assert (report.analyzed, report.faces, report.bad) == (1, 1, [])
    assert gallery.bad_photos() == []
    assert paths(gallery) == ["c.jpg", "a.jpg"]


def test_what_the_machine_lacks_is_no_fault_of_the_photo(gallery: Gallery, tmp_path: Path) -> None:
    """Lack of memory, of open files, of permission: reported, and tried again in the next run without being asked."""
    album = fakes(tmp_path / "album", {f"{name}.jpg": f"{number}.1" for number, name in enumerate("abcd")})
    lacks = {
        "0.1": MemoryError(),
        "1.1": OSError(errno.EMFILE, "Too many open files"),
        "2.1": PermissionError(errno.EACCES, "Permission denied"),
    }

    def answer(text: str) -> PhotoAnalysis:
        if text in lacks:
            raise lacks[text]
        return by_words(text)

    report = index(gallery, album, answer=answer)
    assert counts(report) == {"analyzed": 1, "faces": 1, "bad": 3}
    reasons = ["there is not enough memory for it", "Too many open files", "Permission denied"]
    assert [entry.reason for entry in report.bad] == reasons
    assert [entry.reason for entry in gallery.bad_photos()] == reasons
    assert not rows(gallery.path)["photos"][1:]
    assert counts(index(gallery, album)) == {"analyzed": 3, "faces": 3, "unchanged": 1}
    assert gallery.bad_photos() == []


def test_a_known_photo_that_cannot_be_read_now_keeps_its_faces(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier results for a photo stay if it cannot be read for a while."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1"})
    index(gallery, album)
    os.utime(album / "a.jpg", ns=(1, 1))

    def unreadable(path: str) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr("faceie.gallery.indexing.digest_of", unreadable)
        report = index(gallery, album)
    assert [entry.reason for entry in report.bad] == ["Permission denied"]
    assert paths(gallery) == ["a.jpg"]
    assert index(gallery, album, answer=forbidden).bad == []


@not_root
def test_a_photo_that_may_not_be_read(gallery: Gallery, tmp_path: Path) -> None:
    """A photo without permission is reported, and read as soon as there is one."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})
    (album / "a.jpg").chmod(0)
    assert [entry.reason for entry in index(gallery, album).bad] == ["Permission denied"]
    (album / "a.jpg").chmod(0o600)
    assert counts(index(gallery, album)) == {"analyzed": 1, "faces": 1, "unchanged": 1}


# Options


def test_overlapping_folders_count_once(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders within folders, the same one twice, relative ones, and single photos: every photo counts once."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "2.1"})
    fakes(album / "deep", {"c.jpg": "3.1"})
    monkeypatch.chdir(album)
    seen = []
    report = index(
        gallery,
        album,
        album / "deep",
        album / "a.jpg",
        Path("deep/.."),
        Path("b.jpg"),
        progress=lambda done, count, report: seen.append((done, count)),
    )
    assert counts(report) == {"analyzed": 3, "faces": 3}
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert {face.path for face in gallery.faces()} == {album / "a.jpg", album / "b.jpg", album / "deep" / "c.jpg"}


def test_a_single_photo_may_have_any_name(gallery: Gallery, tmp_path: Path) -> None:
    """A photo that is named is taken for one, whatever its suffix; in a folder, others are passed over."""
    album = fakes(tmp_path / "album", {"a.photo": "1.1", "b.jpg": "2.1", ".c.jpg": "3.1", "d.txt": "4.1"})
    assert counts(index(gallery, album / "a.photo")) == {"analyzed": 1, "faces": 1}
    assert counts(index(gallery, album)) == {"analyzed": 1, "faces": 1}
    assert paths(gallery) == ["a.photo", "b.jpg"]


def test_a_path_is_not_taken_for_its_letters(gallery: Gallery, tmp_path: Path) -> None:
    """A path instead of a list of paths is an error: as a list, "/home/anna" would include all of "/"."""
    fakes(tmp_path / "album", {"a.jpg": "1.1"})
    with pytest.raises((OptionError, TypeError)):
        gallery.index("nowhere")  # none of its letters is a folder, if this goes wrong


def test_progress_adds_up(gallery: Gallery, tmp_path: Path) -> None:
    """Progress is reported after each photo, whatever came of it, up to all of them."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "1.1", "c.jpg": "bad", "d.jpg": "2.1", "e.jpg": "3.1"})
    index(gallery, album / "d.jpg")
    answer = lambda text: PhotoAnalysis(error="it is bad") if text == "bad" else by_words(text)  # noqa: E731
    seen = []
    report = index(gallery, album, answer=answer, progress=lambda done, count, report: seen.append((done, count)))
    assert [count for _, count in seen] == [5] * 5
    assert sorted(done for done, _ in seen) == [1, 2, 3, 4, 5]
    assert counts(report) == {"analyzed": 2, "faces": 2, "copies": 1, "unchanged": 1, "bad": 1}
    assert report.done == 5


def test_newest_first(gallery: Gallery, tmp_path: Path) -> None:
    """Photos are analyzed by the time of their last change, the newest first; by default, by name."""
    words = {"a.jpg": "1.1", "b.jpg": "2.1", "c.jpg": "3.1"}
    album = fakes(tmp_path / "album", words)
    for name, time in (("a.jpg", 2e9), ("b.jpg", 1e9), ("c.jpg", 3e9)):
        os.utime(album / name, (time, time))
    asked = Prepared(by_words)
    gallery.index([tmp_path / "missing.jpg", album], executor=asked, newest_first=True)
    assert [Path(path).name for path in asked.asked] == ["c.jpg", "a.jpg", "b.jpg"]
    with Gallery(tmp_path / "by-name.faceie", options=QUICK) as other:
        asked.asked.clear()
        other.index([album], executor=asked)
    assert [Path(path).name for path in asked.asked] == sorted(words)


@pytest.mark.parametrize("workers", [0, -1])
@pytest.mark.file_only
def test_workers_are_one_or_more(gallery: Gallery, workers: int) -> None:
    """An invalid number of workers is an OptionError."""
    with pytest.raises(OptionError, match=f"workers is {workers}, expected 1 or more"):
        gallery.index([], workers=workers)


def test_nothing_to_do(gallery: Gallery, tmp_path: Path) -> None:
    """An empty folder, or none, is no error."""
    (tmp_path / "album").mkdir()
    assert counts(index(gallery)) == {}
    assert index(gallery, tmp_path / "album").problems
    assert list(gallery.faces()) == []


# Which settings


def test_crops_are_made_for_the_encoder(path: Path) -> None:
    """Options without crops would leave nothing to encode."""
    for _ in range(2):
        with Gallery(path, options=replace(QUICK, crops=False)) as gallery:
            assert gallery._settings.options == QUICK


def test_smallest_face_of_a_gallery(tmp_path: Path) -> None:
    """A new gallery leaves out faces that are small for their photo. One made before there was a share has none."""
    with Gallery(tmp_path / "new.faceie") as new:
        assert new._settings.options == DetectionOptions(min_face_share=0.01)
        stored = json.loads(new._store.setting("options") or "")
        assert stored.pop("min_face_share") == 0.01
        with new._store.transaction():
            new._store.set("options", json.dumps(stored))  # as an earlier version wrote it
    with Gallery(tmp_path / "new.faceie") as old:
        assert old._settings.options == DetectionOptions()


def test_other_options_are_refused(gallery: Gallery) -> None:
    """A gallery keeps the options that it was made with, and says which of others differ."""
    gallery.close()
    with Gallery(gallery.path) as same:
        assert same._settings.options == QUICK
    Gallery(gallery.path, options=DetectionOptions(min_face_size=40, rotations=(0,))).close()
    before = rows(gallery.path)
    with pytest.raises(GalleryError, match=r"other options: min_face_size 40\.0, not 50\.0\. Leave"):
        Gallery(gallery.path, options=DetectionOptions(min_face_size=50, rotations=(0,)))
    with pytest.raises(GalleryError, match=r"other options: .*rotations"):
        Gallery(gallery.path, options=DetectionOptions())
    assert rows(gallery.path) == before


def test_another_encoder_is_refused(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that give another answer than those of the gallery are refused before any photo is analyzed."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1"})
    before = rows(gallery.path)
    gallery.close()
    monkeypatch.setattr("faceie.gallery.settings.answer", lambda weights: np.full(8, 0.001, np.float32))
    refused = pytest.raises(GalleryError, match=r"other weights than .*other\.weights made .*namely vggface2")
    with Gallery(gallery.path, weights=tmp_path / "other.weights") as other, refused:
        index(other, album, answer=forbidden)
    assert rows(gallery.path) == before
    monkeypatch.setattr("faceie.gallery.settings.answer", lambda weights: np.full(8, 0.00001, np.float32))
    with Gallery(gallery.path, weights=tmp_path / "moved.weights") as same:
        assert index(same, album).analyzed == 1


def test_the_first_run_decides_which_weights(path: Path, tmp_path: Path, no_weights: None) -> None:
    """The weights that are stored are those that made the first embeddings, and not those of an earlier opening."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1"})
    Gallery(path).close()
    with Gallery(path, weights="casia-webface") as gallery:
        index(gallery, album)
    assert json.loads(dict(rows(path)["settings"])[b"weights"]) == {"name": "casia-webface"}


@needs_weights
def test_weights_are_told_apart_by_their_answer(path: Path, tmp_path: Path) -> None:
    """With the real encoder: an answer that differs by more than rounding refuses it, and the gallery stays."""
    photo = small("astronaut.jpg", tmp_path / "a.jpg")
    with Gallery(path, options=QUICK) as gallery:
        gallery.index([photo], workers=1)
        answer = json.loads(gallery._store.setting("answer") or "")
        gallery._store.set("answer", json.dumps([number + 0.001 for number in answer]))
    with Gallery(path) as gallery:
        with pytest.raises(GalleryError, match="cannot be compared"):
            gallery.index([photo], workers=1)
        with pytest.raises(GalleryError, match="cannot be compared"):
            gallery.search(photo)
        gallery._store.set("answer", json.dumps([number + 0.00001 for number in answer]))
        assert gallery.index([photo], workers=1).unchanged == 1
        assert gallery.search(photo)[0].distance < 1e-5


# Who breaks down


class Broken(Executor):
    """Breaks down at one photo, as a pool does whose process has died: at once, or in the answer."""

    def __init__(self, at: int, at_once: bool) -> None:
        self.at, self.at_once, self.count = at, at_once, 0

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        self.count += function is not hash_photo
        future: Future[Any] = Future()
        if self.count > self.at:
            if self.at_once:
                raise BrokenExecutor("A process died")
            future.set_exception(BrokenExecutor("A process died"))
        else:
            future.set_result(by_words(Path(arguments[0]).read_text()))
        return future


@pytest.mark.parametrize("at_once", [False, True])
def test_a_broken_executor_of_the_caller(gallery: Gallery, tmp_path: Path, at_once: bool) -> None:
    """A broken executor of the caller is an error of its own; all photos stored before stay."""
    album = fakes(tmp_path / "album", {f"{i}.jpg": f"1.{i}" for i in range(6)})
    with pytest.raises(GalleryError, match=r"executor that was passed in has broken down .*index again with a new one"):
        gallery.index([album], executor=Broken(3, at_once), workers=1)
    assert paths(gallery) == ["0.jpg", "1.jpg", "2.jpg"]
    assert gallery.bad_photos() == []
    assert counts(index(gallery, album)) == {"unchanged": 3, "analyzed": 3, "faces": 3}


def test_an_executor_that_was_passed_in_is_not_shut_down(gallery: Gallery, tmp_path: Path) -> None:
    """The executor belongs to the caller, who may go on using it."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1"})
    with ThreadPoolExecutor(1) as threads:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "faceie.gallery.workers.analyze_photo", lambda path, settings: by_words(Path(path).read_text())
            )
            assert gallery.index([album], executor=threads).analyzed == 1
        assert threads.submit(int, "7").result() == 7


# The analysis in a worker is replaced by this; each worker imports it.
_ANALYZER = """
import os, sys, time
from pathlib import Path
from faceie.gallery import workers
from tests.gallery.conftest import by_words

def analyze_photo(path, settings):
    text = Path(path).read_text()
    if text == "dies":
        os._exit(9)
    if text == "dies once":
        Path(path + ".died").touch()
        Path(path).write_text("7.7")
        os._exit(9)
    return by_words(text)

analyze_photo.__module__ = "analyzer"
workers.analyze_photo = analyze_photo
"""


@pytest.mark.file_only  # about workers
def test_a_worker_that_dies_costs_one_photo(path: Path, tmp_path: Path, no_weights: None) -> None:
    """A photo at which a process dies is marked as bad; those that were under way at the same time are not."""
    album = fakes(
        tmp_path / "album", {f"{i:02}.jpg": "dies" if i in (4, 5, 11) else f"{1 + i % 2}.{i}" for i in range(14)}
    )
    (tmp_path / "analyzer.py").write_text(_ANALYZER)
    program = (
        "import sys; import analyzer; from faceie import Gallery; import faceie.gallery.settings as module\n"
        "import numpy as np\n"
        "module.load = lambda source: source; module.identify = lambda weights: 'vggface2'\n"
        "module.answer = lambda weights: np.zeros(8, np.float32)\n"
        "if __name__ == '__main__':\n"
        "    with Gallery(sys.argv[1]) as gallery:\n"
        "        report = gallery.index([sys.argv[2]], workers=2)\n"
        "        print(report.analyzed, len(report.bad), report.bad == gallery.bad_photos())\n"
        "        print(*(entry.path.name for entry in report.bad)); print({entry.reason for entry in report.bad})\n"
    )
    (tmp_path / "program.py").write_text(program)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(tmp_path), str(root)])}
    command = [sys.executable, tmp_path / "program.py", path, album]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.stderr == ""
    numbers, names, reasons = run.stdout.splitlines()
    assert numbers == "11 3 True"
    assert names == "04.jpg 05.jpg 11.jpg"
    assert "the process that analyzed it died" in reasons
    assert_intact(path)
    with Gallery(path) as gallery:
        assert paths(gallery) == [f"{i:02}.jpg" for i in range(14) if i not in (4, 5, 11)]
        assert counts(gallery.index([album], workers=1)) == {"unchanged": 14}


# How much memory


@pytest.mark.file_only  # about workers
def test_memory_does_not_grow_with_the_photos(gallery: Gallery, tmp_path: Path) -> None:
    """Stored analyses are released: a thousand additional photos take no more memory."""
    album = fakes(tmp_path / "album", {f"{i:04}.jpg": str(i) for i in range(1000)})
    embedding, thumbnail = person(1), bytes(20_000)

    def answer(text: str) -> PhotoAnalysis:
        return an_analysis(embedding + np.float32(0), thumbnail=thumbnail + text.encode())

    used = {}

    def progress(done: int, count: int, report: IndexReport) -> None:
        if done in (200, 900):
            used[done] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        index(gallery, album, answer=answer, progress=progress)
    finally:
        tracemalloc.stop()
    assert len(gallery) == 1000
    assert used[900] - used[200] < 700 * 1000  # bytes, where the photos have 22 times as much


def test_no_more_is_handed_out_than_is_needed(gallery: Gallery, tmp_path: Path) -> None:
    """However many photos there are, few answers wait to be stored."""
    album = fakes(tmp_path / "album", {f"{i:03}.jpg": f"1.{i}" for i in range(100)})
    executor = Prepared(by_words)
    waiting = []
    gallery.index(
        [album],
        workers=2,
        executor=executor,
        progress=lambda done, count, report: waiting.append(len(executor.asked) - done),
    )
    assert len(waiting) == 100
    assert max(waiting) <= 8


@needs_weights
def test_reduced_and_incomplete_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes of a reduced photo are in pixels of the whole one; a photo that ends early is used, with a note."""
    settings = Settings("vggface2", replace(QUICK, crops=True))
    path = tmp_path / "photo.jpg"
    content = (PHOTOS / "astronaut.jpg").read_bytes()
    path.write_bytes(content)
    whole = analysis.analyze_photo(str(path), settings)
    path.write_bytes(content[:-1000])
    assert (analysis.analyze_photo(str(path), settings).note, whole.note) == ("incomplete: the file ends early", None)
    path.write_bytes(content)
    monkeypatch.setattr(analysis, "read_photo", partial(read_photo, reduce_above=1000))
    reduced = analysis.analyze_photo(str(path), settings)
    assert (reduced.width, reduced.height) == (whole.width, whole.height)
    assert np.abs(np.subtract(reduced.faces[0].box, whole.faces[0].box)).max() < 10
    assert np.abs(reduced.faces[0].landmarks - whole.faces[0].landmarks).max() < 10
    too_large = analysis.analyze_photo(str(path), settings._replace(max_pixels=1000))
    assert too_large.transient  # it is tried again, perhaps with another limit

"""Folders of links and copies: kept up to date, safe on any file system, and never at the cost of other files."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from faceie import FaceieError, Gallery, GalleryError
from faceie.gallery.links import _Run, safe_name

from .test_export_names import BOX, add, know

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")

LIST = ".faceie-links.json"


def tree(folder: Path) -> list[str]:
    """Return the files and links below a folder, without the list of links."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(name for name in found if name != LIST)


@pytest.fixture
def album(gallery: Gallery, tmp_path: Path) -> Path:
    """Three photos: Anna in two, Berta in one of them."""
    first = add(gallery, tmp_path / "album" / "1" / "a.jpg", BOX, (40.0, 12.0, 56.0, 36.0))
    second = add(gallery, tmp_path / "album" / "2" / "a.jpg", BOX, color="red")
    add(gallery, tmp_path / "album" / "none.jpg", BOX, color="blue")
    gallery.confirm("Anna", [first[0], *second])
    gallery.confirm("Berta", first[1:])
    return tmp_path / "album"


@pytest.mark.parametrize("copy", [False, True])
def test_folders_follow_the_gallery(gallery: Gallery, album: Path, tmp_path: Path, copy: bool) -> None:
    people = tmp_path / "people"
    report = gallery.link_people(people, copy=copy)
    assert report == (2, 3, 0, 0, [])
    assert tree(people) == ["Anna/a (2).jpg", "Anna/a.jpg", "Berta/a.jpg"]
    assert (people / "Anna" / "a.jpg").read_bytes() == (album / "1" / "a.jpg").read_bytes()
    assert (people / "Anna" / "a (2).jpg").read_bytes() == (album / "2" / "a.jpg").read_bytes()
    assert (people / "Anna" / "a.jpg").is_symlink() is not copy
    assert gallery.link_people(people, copy=copy) == (2, 0, 0, 3, [])
    gallery.name("Berta", "Clara")
    gallery.deny("Anna", [1])
    assert gallery.link_people(people, copy=copy) == (2, 1, 2, 1, [])
    assert tree(people) == ["Anna/a (2).jpg", "Clara/a.jpg"]  # a name stays as long as its photo is there
    assert not (people / "Berta").exists()
    gallery.forget_person("Anna")
    gallery.forget_person("Clara")
    assert gallery.link_people(people, copy=copy) == (0, 0, 2, 0, [])
    assert list(people.iterdir()) == []


def test_links_become_copies(gallery: Gallery, album: Path, tmp_path: Path) -> None:
    gallery.link_people(tmp_path / "people")
    assert gallery.link_people(tmp_path / "people", copy=True) == (2, 3, 3, 0, [])
    assert not any(path.is_symlink() for path in (tmp_path / "people").rglob("*"))
    assert gallery.link_people(tmp_path / "people") == (2, 3, 3, 0, [])


@pytest.mark.parametrize("copy", [False, True])
def test_other_files_are_never_touched(gallery: Gallery, album: Path, tmp_path: Path, copy: bool) -> None:
    people = tmp_path / "people"
    (people / "Anna").mkdir(parents=True)
    (people / "Anna" / "a.jpg").write_text("mine")
    (people / "Berta").write_text("mine, too")
    report = gallery.link_people(people, copy=copy)
    assert (report.made, len(report.problems)) == (2, 1)
    assert tree(people) == ["Anna/a (2).jpg", "Anna/a (3).jpg", "Anna/a.jpg", "Berta"]
    (people / "Anna" / "a (2).jpg").unlink()
    (people / "Anna" / "a (2).jpg").write_text("an edited copy")
    (people / "Anna" / "notes.txt").write_text("notes")
    gallery.link_people(people, copy=copy)
    gallery.forget_person("Anna")
    gallery.forget_person("Berta")
    gallery.link_people(people, copy=copy)
    kept = {name: (people / name).read_text() for name in tree(people)}
    assert kept == {
        "Anna/a.jpg": "mine",
        "Anna/a (2).jpg": "an edited copy",
        "Anna/notes.txt": "notes",
        "Berta": "mine, too",
    }


def test_a_changed_photo_is_copied_again(gallery: Gallery, album: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    gallery.link_people(people, copy=True)
    photo = album / "2" / "a.jpg"
    photo.write_bytes(photo.read_bytes() + b"more")
    assert gallery.link_people(people, copy=True)[1:4] == (1, 1, 2)
    assert (people / "Anna" / "a (2).jpg").read_bytes() == photo.read_bytes()


def test_copies_in_an_indexed_folder_are_no_source(gallery: Gallery, album: Path) -> None:
    people = album / "0 people"
    gallery.link_people(people, copy=True)
    for path in people.rglob("*.jpg"):
        know(gallery, path)
    assert gallery.link_people(people, copy=True) == (2, 0, 0, 3, [])


def test_missing_photos_keep_their_links(gallery: Gallery, album: Path, tmp_path: Path) -> None:
    """Their drive may not be mounted."""
    people = tmp_path / "people"
    gallery.link_people(people)
    (album / "2" / "a.jpg").unlink()
    assert gallery.link_people(people) == (2, 0, 0, 3, [])
    report = gallery.link_people(tmp_path / "others")
    assert [(problem.path, problem.reason) for problem in report.problems] == [
        (album / "2" / "a.jpg", "No such file or directory")
    ]


def test_a_dry_run(gallery: Gallery, album: Path, tmp_path: Path) -> None:
    assert gallery.link_people(tmp_path / "people", dry_run=True) == (2, 3, 0, 0, [])
    assert not (tmp_path / "people").exists()


def test_a_full_disk(gallery: Gallery, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No copy is half, and the next run makes those that are missing."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    people = tmp_path / "people"
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfileobj", full)
        report = gallery.link_people(people, copy=True)
    assert (report.made, len(report.problems)) == (0, 3)
    assert tree(people) == []
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(GalleryError, match="No space left"):
            gallery.link_people(tmp_path / "others", copy=True)
    assert gallery.link_people(people, copy=True) == (2, 3, 0, 0, [])


def test_file_systems_without_links(
    gallery: Gallery, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("os.symlink", no)
    report = gallery.link_people(tmp_path / "people")
    assert {problem.reason for problem in report.problems} == {
        "Operation not permitted; where links are impossible, copies may work: copy=True"
    }


@pytest.mark.parametrize("step", ["_write_list", "_make", "_remove"])
@pytest.mark.parametrize("copy", [False, True])
def test_killed_at_any_step(
    gallery: Gallery, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, copy: bool
) -> None:
    """The next run ends as an undisturbed one, and knows its own links."""

    class Killed(BaseException):
        pass

    people, function = tmp_path / "people", getattr(_Run, step)
    gallery.link_people(people, copy=copy)
    gallery.merge("Berta", "Anna")
    for number, is_done in enumerate((False, True)):
        gallery.name(gallery.face(1).person or 0, f"Clara {number}")

        def kill(*arguments: object, is_done: bool = is_done) -> None:
            if is_done:
                function(*arguments)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(_Run, step, kill)
            with pytest.raises(Killed):
                gallery.link_people(people, copy=copy)
    assert gallery.link_people(people, copy=copy).problems == []
    assert tree(people) == ["Clara 1/a (2).jpg", "Clara 1/a.jpg"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"links": 3}', '{"links": {"a/b": 3}}', "\0"])
def test_a_damaged_list_is_told(gallery: Gallery, album: Path, tmp_path: Path, content: str) -> None:
    people = tmp_path / "people"
    gallery.link_people(people)
    (people / LIST).write_text(content)
    with pytest.raises(FaceieError, match="this list of links is damaged"):
        gallery.link_people(people)
    assert len(tree(people)) == 3


def test_a_list_that_leads_elsewhere(gallery: Gallery, album: Path, tmp_path: Path) -> None:
    """A list names files in the people's folders only."""
    people = tmp_path / "people"
    gallery.link_people(people)
    victim = tmp_path / "victim"
    victim.symlink_to("target")
    names = ["../victim", "..", f"{victim}", "x/../../victim"]
    (people / LIST).write_text(json.dumps({"links": {name: ["target", None] for name in names}}))
    gallery.link_people(people)
    assert victim.is_symlink()


NAMES = {
    "Anna": "Anna",
    "A/B": "A_B",
    "../..": ".._",
    "..": "_",
    ".": "_",
    "Anna. ": "Anna",
    'a<b>c:d"e\\f|g?h*i': "a_b_c_d_e_f_g_h_i",
    "con": "con_",
    "COM1.jpg": "COM1.jpg_",
    "Conny": "Conny",
    "a\x00b\nc\x7f": "a_b_c_",
    "Jose\u0301": "José",
    "b\udcff.jpg": "b_.jpg",
    "李": "李",
}


@pytest.mark.parametrize("name", NAMES)
def test_safe_names(name: str) -> None:
    assert safe_name(name) == NAMES[name]


@pytest.mark.parametrize("name", ["a" * 500, "é" * 300, "a" * 500 + ".jpeg", "." * 400 + "x", "x." + "y" * 400])
def test_long_names_are_cut(name: str) -> None:
    short = safe_name(name)
    assert 0 < len(short.encode()) <= 200
    assert not name.endswith(".jpeg") or short.endswith("aaa.jpeg")


def test_people_whose_names_become_equal(gallery: Gallery, tmp_path: Path) -> None:
    for name, color in (("a/b", "red"), ("a:b", "blue"), ("A?B", "teal"), ("../x", "white")):
        gallery.confirm(name, add(gallery, tmp_path / "album" / f"{color}.jpg", BOX, color=color))
    gallery.link_people(tmp_path / "people")
    assert tree(tmp_path / "people") == [
        ".._x/white.jpg",
        "A_B (3)/teal.jpg",
        "a_b (2)/blue.jpg",
        "a_b/red.jpg",
    ]

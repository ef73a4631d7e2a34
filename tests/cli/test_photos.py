"""Photos in folders, and names for files of results."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceie.cli.results import Results
from faceie.photos import Photo, find_photos, photo_suffixes


def _make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_folders(tmp_path: Path) -> None:
    """Folders are searched at any depth, in order, for photos; what is hidden or something else is left out."""
    _make(tmp_path, "b.jpg", "a.JPEG", "c/d.png", "c/b/e.webp", "notes.txt", "film.mpg", "paper.pdf")
    _make(tmp_path, ".hidden.jpg", ".folder/x.jpg", "c/.thumbnails/y.png", "noise")
    (tmp_path / "folder.jpg").mkdir()
    photos, problems = find_photos([tmp_path])
    assert [photo.place.as_posix() for photo in photos] == ["a.JPEG", "b.jpg", "c/d.png", "c/b/e.webp"]
    assert all(photo.path == tmp_path / photo.place for photo in photos)
    assert problems == []


def test_given_paths(tmp_path: Path) -> None:
    """What is given is tried, whatever it is called, and in the order of the arguments."""
    _make(tmp_path, ".x", "folder/z.jpg")
    paths = [tmp_path / "missing", tmp_path / "folder", tmp_path / ".x"]
    photos, _ = find_photos(paths)
    assert photos == [
        Photo(paths[0], Path("missing")),
        Photo(tmp_path / "folder" / "z.jpg", Path("z.jpg")),
        Photo(paths[2], Path(".x")),
    ]


def test_hidden_folder_that_is_given(tmp_path: Path) -> None:
    """A hidden folder is searched if it is asked for."""
    _make(tmp_path, ".album/x.jpg")
    assert len(find_photos([tmp_path / ".album"])[0]) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let everyone make links")
def test_links(tmp_path: Path) -> None:
    """Links to photos are photos; loops, dangling links, links to folders and pipes do no harm."""
    _make(tmp_path, "album/x.jpg")
    album = tmp_path / "album"
    (album / "link.jpg").symlink_to("x.jpg")
    (album / "loop.jpg").symlink_to("loop.jpg")
    (album / "dangling.jpg").symlink_to("nowhere.jpg")
    (album / "up").symlink_to("..")
    os.mkfifo(album / "pipe.jpg")
    photos, problems = find_photos([album])
    assert [photo.path.name for photo in photos] == ["link.jpg", "x.jpg"]
    assert problems == ["1 link to a folder was not followed; to follow links: follow_links=True"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_locked_folder(tmp_path: Path) -> None:
    """A folder that cannot be read is a problem; the others are searched."""
    _make(tmp_path, "locked/x.jpg", "open/y.jpg")
    (tmp_path / "locked").chmod(0)
    try:
        photos, problems = find_photos([tmp_path])
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert [photo.path.name for photo in photos] == ["y.jpg"]
    assert problems == [f"{tmp_path / 'locked'}: Permission denied"]


def test_long_name() -> None:
    """A name that no file can have is no trouble here: opening it will tell."""
    name = Path("x" * 5000)
    assert find_photos([name]) == ([Photo(name, name)], [])


def test_suffixes() -> None:
    """Photos are what Pillow reads; not what it only writes, and not films."""
    assert {".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".bmp"} <= photo_suffixes()
    assert not {".pdf", ".mpg", ".mpeg", ".eps", ".txt", ""} & photo_suffixes()


def test_results_have_names_of_their_own(tmp_path: Path) -> None:
    """No result is called like another, or like a photo, even by another path or in other letters."""
    _make(tmp_path, "a.jpg")
    (tmp_path / "folder").mkdir()
    results = Results([Photo(tmp_path / "a.jpg", Path("a.jpg"))])
    paths = [
        tmp_path / "folder/../a.jpg",
        tmp_path / "b.jpg",
        tmp_path / "B.jpg",
        tmp_path / "b.jpg",
        tmp_path / "b.png",
    ]
    names = [results.name(path).name for path in paths]
    assert names == ["a (2).jpg", "b.jpg", "B (2).jpg", "b (3).jpg", "b.png"]

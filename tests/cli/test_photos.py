"""Photos in folders, and the paths of output files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from faceie.cli import main
from faceie.cli.outputs import OutputPaths
from faceie.errors import OptionError
from faceie.images.folders import Photo, photo_suffixes, search_folders


def _make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found_in(*paths: Path) -> tuple[list[Photo], list[str]]:
    """Return the photos, and all problems and omissions."""
    photos, problems, passed_over = search_folders(paths)
    return photos, [*problems, *passed_over]


def test_folders(tmp_path: Path) -> None:
    """Folders are searched for photos at any depth, in order. Hidden and other files are left out."""
    _make(tmp_path, "b.jpg", "a.JPEG", "c/d.png", "c/b/e.webp", "notes.txt", "film.mpg", "paper.pdf")
    _make(tmp_path, ".hidden.jpg", ".folder/x.jpg", "c/.thumbnails/y.png", "noise")
    (tmp_path / "folder.jpg").mkdir()
    photos, problems = found_in(tmp_path)
    assert [photo.relative.as_posix() for photo in photos] == ["a.JPEG", "b.jpg", "c/d.png", "c/b/e.webp"]
    assert all(photo.path == tmp_path / photo.relative for photo in photos)
    assert problems == []


def test_given_paths(tmp_path: Path) -> None:
    """Given paths are tried, under any name, in the order of the arguments."""
    _make(tmp_path, ".x", "folder/z.jpg")
    paths = [tmp_path / "missing", tmp_path / "folder", tmp_path / ".x"]
    photos, _ = found_in(*paths)
    assert photos == [
        Photo(paths[0], Path("missing")),
        Photo(tmp_path / "folder" / "z.jpg", Path("z.jpg")),
        Photo(paths[2], Path(".x")),
    ]


def test_hidden_folder_that_is_given(tmp_path: Path) -> None:
    """A hidden folder is searched if it is given."""
    _make(tmp_path, ".album/x.jpg")
    assert len(found_in(tmp_path / ".album")[0]) == 1


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
    photos, problems = found_in(album)
    assert [photo.path.name for photo in photos] == ["link.jpg", "x.jpg"]
    assert problems == ["1 link to a folder was not followed; to follow links: follow_links=True"]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let everyone make links")
def test_links_are_followed_on_request(tmp_path: Path) -> None:
    """Each real folder is searched once, under its real path if it has one below the top; loops end."""
    _make(tmp_path, "top/b/x.jpg", "disk/y.jpg", "disk/deep/z.jpg")
    top = tmp_path / "top"
    (top / "a").symlink_to("b")
    (top / "loop").symlink_to(top)
    (top / "disk").symlink_to(tmp_path / "disk")
    (top / "disk again").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "back").symlink_to(top)
    found = search_folders([top], follow_links=True)
    assert [photo.relative.as_posix() for photo in found.photos] == ["b/x.jpg", "disk/y.jpg", "disk/deep/z.jpg"]
    assert found[1:] == ([], [])
    photos, problems, passed_over = search_folders([top])
    assert [photo.relative.as_posix() for photo in photos] == ["b/x.jpg"]
    assert problems == []
    assert passed_over == ["4 links to folders were not followed; to follow links: follow_links=True"]


SYSTEM_FOLDERS = [
    "@eaDir/party.jpg",
    "#recycle",
    "@Recycle",
    "$RECYCLE.BIN/S-1-5-21",
    "lost+found",
    "__MACOSX",
    "System Volume Information",
    "Catalog Previews.lrdata/1",
    "Mac.photoslibrary/resources/derivatives",
    "Mac.photoslibrary/private",
    "Mac.photoslibrary/internal",
    "Old.photolibrary/Thumbnails",
    "Album/CaptureOne/Cache",
]


@pytest.mark.parametrize("folder", SYSTEM_FOLDERS)
def test_folders_of_systems(folder: str, tmp_path: Path) -> None:
    """Bins, thumbnails and derivatives are passed over and reported, unless they are given by themselves."""
    _make(tmp_path, "party.jpg", f"{folder}/x.jpg", "Mac.photoslibrary/originals/0/a.jpg")
    photos, problems, (line,) = search_folders([tmp_path])
    assert [photo.path.name for photo in photos] == ["party.jpg", "a.jpg"]
    assert problems == []
    assert line.startswith("1 folder was passed over that systems and programs keep for themselves (")
    assert [photo.path.name for photo in search_folders([tmp_path / folder]).photos] == ["x.jpg"]


def test_nomedia(tmp_path: Path) -> None:
    """A folder with a file .nomedia is passed over with all below it, unless it is given by itself."""
    _make(tmp_path, "a.jpg", "private/.nomedia", "private/b.jpg", "private/deep/c.jpg")
    photos, problems, passed_over = search_folders([tmp_path])
    assert ([photo.path.name for photo in photos], problems) == (["a.jpg"], [])
    assert "(.nomedia)" in passed_over[0]
    assert len(search_folders([tmp_path / "private"]).photos) == 2


FAMILIES = {
    "heif": ["a.heic", "b.HEIF", "c.hif", "d.heics"],
    "raw": ["a.dng", "b.CR2", "c.cr3", "d.NEF", "e.arw", "f.orf", "g.rw2", "h.RAF", "i.x3f", "j.3fr"],
}


@pytest.mark.parametrize(("family", "package"), [("heif", "pillow_heif"), ("raw", "rawpy")])
def test_formats_of_optional_packages(
    family: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the package, these are photos. Without it, they are counted, and the message names the package."""
    pytest.importorskip(package)
    names = FAMILIES[family]
    _make(tmp_path, *names)
    assert [photo.path.name for photo in found_in(tmp_path)[0]] == names
    monkeypatch.setitem(sys.modules, package, None)
    photos, problems, passed_over = search_folders([tmp_path])
    assert photos == []
    assert problems == [f"{tmp_path}: there is no photo that can be read in this folder"]
    kind, command = {"heif": ("HEIC", "pillow-heif"), "raw": ("RAW", "rawpy")}[family]
    (line,) = passed_over
    assert line.startswith(f"{len(names)} {kind} photos were passed over; ")
    assert line.endswith(f": pip install {command}")
    _make(tmp_path, "z.mpo")
    assert [photo.path.name for photo in search_folders([tmp_path]).photos] == ["z.mpo"]


def test_files_that_are_counted(tmp_path: Path) -> None:
    """Videos and unreadable formats are counted, and are not an error."""
    _make(tmp_path, "a.jpg", "b.mov", "c.MP4", "d.psb", "e.txt", "f")
    photos, problems, passed_over = search_folders([tmp_path])
    assert ([photo.path.name for photo in photos], problems) == (["a.jpg"], [])
    assert passed_over == [
        "1 Photoshop file was passed over; save it as JPEG to search it",
        "2 videos were passed over; only photos are searched",
    ]
    assert found_in(tmp_path) == (photos, passed_over)


def test_halves_of_one_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A RAW file beside a JPEG or HEIC, and the video of a live photo, belong to the photo with that name."""
    _make(tmp_path, "1.JPG", "1.cr2", "2.nef", "3.heic", "3.MOV", "4.mov", "deep/1.cr2")
    _make(tmp_path, "PXL_1.RAW-01.COVER.jpg", "PXL_1.RAW-02.ORIGINAL.dng")
    pytest.importorskip("pillow_heif")
    pytest.importorskip("rawpy")
    photos, _, passed_over = search_folders([tmp_path])
    names = ["1.JPG", "2.nef", "3.heic", "PXL_1.RAW-01.COVER.jpg", "1.cr2"]
    assert [photo.path.name for photo in photos] == names
    assert passed_over == ["1 video was passed over; only photos are searched"]
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    _make(tmp_path, "3.dng")
    assert "3.dng" in [photo.path.name for photo in search_folders([tmp_path]).photos]


def test_wrong_suffixes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos are found by their contents under unknown suffixes, none, and those of formats that cannot be read."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setitem(sys.modules, "rawpy", None)
    names = ["a.HEIC", "b.dng", "c.jpg_large", "d", "e.mov", "f.jpg~", "g.jxl"]
    for name in names:
        Image.new("RGB", (8, 8)).save(tmp_path / name, "JPEG")
    (tmp_path / "film.thm").write_bytes((tmp_path / "d").read_bytes())
    assert [photo.path.name for photo in search_folders([tmp_path]).photos] == names


ALL = "a.jpg b.png Screens/c.jpg d/Screens/e.jpg d/f.jpg d/g/h.jpg"


@pytest.mark.parametrize(
    ("patterns", "excluded"),
    [
        ([], ""),
        (["*.png"], "b.png"),
        (["Screens"], "Screens/c.jpg d/Screens/e.jpg"),
        (["Screens/"], "Screens/c.jpg d/Screens/e.jpg"),
        (["/Screens"], "Screens/c.jpg"),
        (["d/*.jpg"], "d/f.jpg"),
        (["d/**"], "d/Screens/e.jpg d/f.jpg d/g/h.jpg"),
        (["**/g"], "d/g/h.jpg"),
        (["d/**/h.jpg"], "d/g/h.jpg"),
        (["d/**/f.jpg"], "d/f.jpg"),
        (["[ab].*", "!b.png"], "a.jpg"),
        (["?.jpg", "!/a.jpg"], "Screens/c.jpg d/Screens/e.jpg d/f.jpg d/g/h.jpg"),
        (["d", "!d/f.jpg"], "d/Screens/e.jpg d/f.jpg d/g/h.jpg"),
        (["[!a].jpg"], "Screens/c.jpg d/Screens/e.jpg d/f.jpg d/g/h.jpg"),
        (["[a-c].???"], "a.jpg b.png Screens/c.jpg"),
        (["# a comment", "", "b.png/", "\\a.jpg"], "a.jpg"),
    ],
)
def test_patterns(patterns: list[str], excluded: str, tmp_path: Path) -> None:
    """Patterns exclude the paths that they would in .gitignore."""
    _make(tmp_path, *ALL.split())
    photos = search_folders([tmp_path], exclude=patterns).photos
    assert {photo.relative.as_posix() for photo in photos} == set(ALL.split()) - set(excluded.split())


@pytest.mark.parametrize("patterns", ["*.png", ["/"], [7], ["[z-a]"]])
def test_patterns_that_make_no_sense(patterns: Any) -> None:
    """An invalid pattern is an error that names the option."""
    with pytest.raises(OptionError, match="exclude"):
        search_folders([], exclude=patterns)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let everyone make links")
def test_commands_report_omissions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Omissions are reported once, with the option of the command, and are not a failure."""
    folder = tmp_path / "album"
    _make(folder, "a.mov", "out/b.jpg", "no.jpg")
    Image.new("RGB", (64, 64)).save(folder / "photo.png")
    (folder / "link").symlink_to(tmp_path)
    for command in (["detect"], ["index", "--workers", "1", "--gallery", str(tmp_path / "g.faceie")]):
        assert main([*command, str(folder), "--exclude", "out/", "--exclude", "no.*"]) == 0
        assert capsys.readouterr().err.splitlines() == [
            "faceie: 1 video was passed over; only photos are searched",
            "faceie: 1 link to a folder was not followed; to follow links: --follow-links",
        ]


def test_limit_is_named_as_an_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For photos that are too large, each command names its option. With a higher limit, they are indexed."""
    path, gallery = tmp_path / "photo.png", str(tmp_path / "g.faceie")
    Image.new("RGB", (64, 64)).save(path)
    commands = (["detect"], ["index", "--workers", "1", "--gallery", gallery], ["search", "--gallery", gallery])
    for command in commands:
        assert main([*command, str(path), "--max-pixels", "100"]) == 1
        assert "64 x 64 pixels, expected at most 100 in all" in (err := capsys.readouterr().err)
        assert err.endswith("raise the limit: --max-pixels NUMBER\n")
    assert main(["index", "--gallery", gallery, "--workers", "1", str(path)]) == 0


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_locked_folder(tmp_path: Path) -> None:
    """A folder that cannot be read is a problem, and the other folders are searched."""
    _make(tmp_path, "locked/x.jpg", "open/y.jpg")
    (tmp_path / "locked").chmod(0)
    try:
        photos, problems = found_in(tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert [photo.path.name for photo in photos] == ["y.jpg"]
    assert problems == [f"{tmp_path / 'locked'}: Permission denied"]


def test_long_name() -> None:
    """A name that is too long for a file is no error here, but when it is opened."""
    name = Path("x" * 5000)
    assert found_in(name) == ([Photo(name, name)], [])


def test_suffixes() -> None:
    """Photos are the still images that Pillow can read, not formats that it only writes."""
    assert {".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".bmp"} <= photo_suffixes()
    assert not {".pdf", ".mpg", ".mpeg", ".eps", ".txt", ""} & photo_suffixes()


def test_output_paths_are_unique(tmp_path: Path) -> None:
    """No output has the path of another one or of a photo, even by another spelling."""
    _make(tmp_path, "a.jpg")
    (tmp_path / "folder").mkdir()
    outputs = OutputPaths([Photo(tmp_path / "a.jpg", Path("a.jpg"))])
    paths = [
        tmp_path / "folder/../a.jpg",
        tmp_path / "b.jpg",
        tmp_path / "B.jpg",
        tmp_path / "b.jpg",
        tmp_path / "b.png",
    ]
    names = [outputs.reserve(path).name for path in paths]
    assert names == ["a (2).jpg", "b.jpg", "B (2).jpg", "b (3).jpg", "b.png"]

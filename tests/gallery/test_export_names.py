"""Names that are written into sidecars and photos: the right ones, in the right files, and nothing else."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from faceie import FaceieError, Gallery, OptionError
from faceie.gallery.indexing import digest_of, file_version
from faceie.gallery.records import PhotoAnalysis
from faceie.metadata.merge import NamedFace, merge

from ..conftest import PHOTOS, on_disk
from ..metadata.lists import read, written
from ..metadata.test_frames import with_xmp
from .conftest import QUICK, Prepared, an_analysis, contents, face_of, needs_weights

needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")

SIZE = (64, 48)
BOX = (16.0, 12.0, 32.0, 36.0)
ANNA = NamedFace("Anna", (0.25, 0.25, 0.5, 0.75))  # at BOX

# The method of Pillow that stores an upright photo with this orientation.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def save(image: Image.Image, path: Path, orientation: int = 1) -> Path:
    """Save an upright image as a photo that is stored with an orientation."""
    method = STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    (image.transpose(method) if method is not None else image).save(path, exif=exif, quality=95)
    return path


def add(
    gallery: Gallery, path: Path, *boxes: tuple[float, ...], color: str = "teal", orientation: int = 1
) -> list[int]:
    """Make a photo, and write it with faces at these boxes into a gallery. Return the ids of the faces."""
    save(Image.new("RGB", SIZE, color), path, orientation)
    return know(gallery, path, *boxes)


def know(gallery: Gallery, path: Path, *boxes: tuple[float, ...]) -> list[int]:
    """Write a file with faces at these boxes into a gallery, as if it had been indexed."""
    store = gallery._store
    faces = an_analysis(*(face_of(len(path.name), k) for k in range(len(boxes)))).faces
    found = [face._replace(box=box) for face, box in zip(faces, boxes, strict=True)]  # type: ignore[arg-type]
    with store.transaction():
        photo = store.put_photo(digest_of(str(path)), PhotoAnalysis(*SIZE, None, found))
        store.put_file(str(path), photo, *file_version(str(path)))
    return store.faces.of_photo(photo)


def names(paths: Iterable[Path]) -> list[str]:
    return [path.name for path in paths]


# Sidecars


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sidecars_of_all_orientations(gallery: Gallery, tmp_path: Path, orientation: int) -> None:
    photo = tmp_path / "album" / "photo.jpg"
    gallery.confirm("Anna", add(gallery, photo, BOX, orientation=orientation))
    before = photo.read_bytes()
    report = gallery.export_names()
    assert (names(report.written), report.names, report.problems) == (["photo.jpg.xmp"], 1, [])
    sidecar = photo.with_name("photo.jpg.xmp")
    (name, area), *_ = read(sidecar.read_bytes())["regions"]  # type: ignore[misc]
    assert name == "Anna"
    with Image.open(photo) as stored:  # draw it where the sidecar says, and look at it upright
        size = stored.size
        pixels = np.zeros(size[::-1], np.uint8)
        left, top, right, bottom = (round(side * whole) for side, whole in zip(area, size * 2, strict=True))
        pixels[top:bottom, left:right] = 255
        drawn = Image.fromarray(pixels)
        drawn.info["exif"] = stored.info["exif"]
        drawn.getexif()[0x0112] = orientation
    inverse = STORED[{6: 8, 8: 6}.get(orientation, orientation)]
    assert (drawn.transpose(inverse) if inverse is not None else drawn).getbbox() == BOX
    assert photo.read_bytes() == before


def test_nothing_is_written_twice(gallery: Gallery, tmp_path: Path) -> None:
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", BOX))
    gallery.export_names()
    sidecar = tmp_path / "album" / "photo.jpg.xmp"
    before = sidecar.stat()
    report = gallery.export_names()
    assert (report.written, report.unchanged, report.names) == ([], 1, 1)
    assert (sidecar.stat().st_ino, sidecar.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_names_follow_the_gallery(gallery: Gallery, tmp_path: Path) -> None:
    """Renamed people, new faces and faces that were taken back reach the sidecar. The last name takes it away."""
    anna, other = add(gallery, tmp_path / "album" / "photo.jpg", BOX, (40.0, 12.0, 56.0, 36.0))
    gallery.confirm("Anna", [anna])
    sidecar = tmp_path / "album" / "photo.jpg.xmp"
    gallery.export_names()
    gallery.name("Anna", "Hannah")
    gallery.confirm("Berta", [other])
    assert names(gallery.export_names().written) == ["photo.jpg.xmp"]
    assert read(sidecar.read_bytes())["PersonInImage"] == ["Hannah", "Berta"]
    gallery.deny("Hannah", [anna])
    gallery.export_names()
    assert read(sidecar.read_bytes())["PersonInImage"] == ["Berta"]
    gallery.deny("Berta", [other])
    report = gallery.export_names()
    assert (report.written, names(report.removed)) == ([], ["photo.jpg.xmp"])
    assert names((tmp_path / "album").iterdir()) == ["photo.jpg"]


def test_other_programs_keep_their_sidecar(gallery: Gallery, tmp_path: Path) -> None:
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", BOX))
    sidecar = tmp_path / "album" / "photo.jpg.xmp"
    foreign = b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\r\n<!-- mine -->\r\n</rdf:RDF>"
    sidecar.write_bytes(foreign)
    sidecar.chmod(0o640)
    gallery.export_names()
    assert read(sidecar.read_bytes()) == written(ANNA)
    assert stat.S_IMODE(sidecar.stat().st_mode) == 0o640
    assert names(gallery.export_names(remove=True).removed) == ["photo.jpg.xmp"]
    assert sidecar.read_bytes() == foreign
    assert gallery.export_names(remove=True).removed == []


def test_a_sidecar_behind_a_link(gallery: Gallery, tmp_path: Path) -> None:
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", BOX))
    (tmp_path / "album" / "photo.jpg.xmp").symlink_to(tmp_path / "real.xmp")
    (tmp_path / "real.xmp").write_bytes(b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/>")
    assert len(gallery.export_names().written) == 1
    assert (tmp_path / "album" / "photo.jpg.xmp").is_symlink()
    assert b"Anna" in (tmp_path / "real.xmp").read_bytes()


def test_two_photos_of_one_stem(gallery: Gallery, tmp_path: Path) -> None:
    album = tmp_path / "album"
    gallery.confirm("Anna", add(gallery, album / "a.jpg", BOX))
    gallery.confirm("Berta", add(gallery, album / "a.png", BOX, color="red"))
    assert names(gallery.export_names().written) == ["a.jpg.xmp", "a.png.xmp"]
    assert read((album / "a.jpg.xmp").read_bytes())["subject"] == ["Anna"]
    assert read((album / "a.png.xmp").read_bytes())["subject"] == ["Berta"]


def test_copies_of_a_photo(gallery: Gallery, tmp_path: Path) -> None:
    photo = tmp_path / "album" / "photo.jpg"
    gallery.confirm("Anna", add(gallery, photo, BOX))
    copy = Path(shutil.copy(photo, tmp_path / "album" / "copy.jpg"))
    know(gallery, copy)
    assert names(gallery.export_names().written) == ["copy.jpg.xmp", "photo.jpg.xmp"]


def test_names_that_are_not_text(gallery: Gallery, tmp_path: Path) -> None:
    """Names of files that are not UTF-8, and names of people that older galleries may hold."""
    if os.name != "posix":
        pytest.skip("names of files are text here")
    photo = tmp_path / "album" / on_disk("Fotos für Zoë.jpg")
    other = tmp_path / "album" / os.fsdecode(b"b\xff\n.jpg")
    gallery.confirm("Anna", add(gallery, photo, BOX))
    try:
        gallery.confirm("Berta", add(gallery, other, BOX, color="red"))
    except OSError:
        pytest.skip("this file system allows no such names")
    with gallery._store.transaction():
        gallery._store.db.execute("UPDATE people SET name = ? WHERE name = 'Berta'", ("Ber\x07ta <&>",))
    assert not gallery.export_names().problems
    assert read(other.with_name(f"{other.name}.xmp").read_bytes())["PersonInImage"] == ["Berta <&>"]


# Which names


def test_only_names_that_are_sure(gallery: Gallery, tmp_path: Path) -> None:
    """Recognized faces are written if they are asked for, from a probability upward."""
    sure, near = add(gallery, tmp_path / "album" / "photo.jpg", BOX, (40.0, 12.0, 56.0, 36.0))
    (far,) = add(gallery, tmp_path / "album" / "stranger's.jpg", BOX, color="red")
    number = gallery.confirm("Anna", [sure])
    with gallery._store.transaction():
        gallery._store.people.assign([(near, number), (far, number)])
    assert gallery.export_names(dry_run=True).names == 1
    assert gallery.export_names(dry_run=True, recognized=0.9).names == 2
    assert gallery.export_names(dry_run=True, recognized=0).names == 3
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(OptionError, match="probability"):
            gallery.export_names(recognized=wrong)


def test_boxes_beyond_the_border_are_cut(gallery: Gallery, tmp_path: Path) -> None:
    boxes = [(-8.0, -8.0, 32.0, 24.0), (40.0, 40.0, 100.0, 100.0), (70.0, 10.0, 90.0, 20.0)]
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", *boxes))
    gallery.export_names()
    found = read((tmp_path / "album" / "photo.jpg.xmp").read_bytes())
    assert found["regions"] == [("Anna", (0, 0, 0.5, 0.5)), ("Anna", (0.625, 0.8333, 1, 1))]
    assert found["PersonInImage"] == ["Anna"]


def test_people_whose_faces_were_not_found(gallery: Gallery, tmp_path: Path) -> None:
    add(gallery, tmp_path / "album" / "photo.jpg")
    store = gallery._store
    with store.transaction():
        store.imports.add_person(1, store.people.insert("Anna"))
    gallery.export_names()
    found = read((tmp_path / "album" / "photo.jpg.xmp").read_bytes())
    assert (found["regions"], found["PersonInImage"]) == ([], ["Anna"])


def test_a_face_with_another_name_in_the_file(gallery: Gallery, tmp_path: Path) -> None:
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", BOX))
    gallery.export_names()
    sidecar = tmp_path / "album" / "photo.jpg.xmp"
    sidecar.write_bytes(sidecar.read_bytes().replace(b"<mwg-rs:Name>Anna", b"<mwg-rs:Name>Clara"))
    report = gallery.export_names()
    assert report.conflicts == [(sidecar, "Anna", "Clara")]
    assert "Clara" in str(read(sidecar.read_bytes())["regions"])


def test_names_in_the_photo_are_not_hidden(gallery: Gallery, tmp_path: Path) -> None:
    """Readers that find a list in the sidecar ignore that in the photo. So the sidecar has both."""
    photo = tmp_path / "album" / "photo.jpg"
    gallery.confirm("Berta", add(gallery, photo, (40.0, 12.0, 56.0, 36.0)))
    inside = tmp_path / "inside.xmp"
    gallery.export_names()
    inside.write_bytes(photo.with_name("photo.jpg.xmp").read_bytes().replace(b"urn:faceie", b"urn:other"))
    photo.with_name("photo.jpg.xmp").unlink()
    gallery.forget_all()
    with Gallery(gallery.path, options=QUICK) as new:
        Image.new("RGB", SIZE).save(photo)
        with_xmp(photo, inside.read_bytes())
        new.confirm("Anna", know(new, photo, BOX))
        new.export_names()
        assert sorted(map(str, read(photo.with_name("photo.jpg.xmp").read_bytes())["PersonInImage"])) == [
            "Anna",
            "Berta",
        ]


# Where


def test_a_mirror_tree(gallery: Gallery, tmp_path: Path) -> None:
    """`to` repeats the folders, and the photos' own folders stay as they are."""
    album, mirror = tmp_path / "album", tmp_path / "mirror"
    gallery.confirm("Anna", add(gallery, album / "1" / "photo.jpg", BOX))
    gallery.confirm("Berta", add(gallery, album / "2" / "deep" / "photo.jpg", BOX, color="red"))
    report = gallery.export_names(to=mirror)
    assert [path.relative_to(mirror).as_posix() for path in report.written] == [
        "1/photo.jpg.xmp",
        "2/deep/photo.jpg.xmp",
    ]
    assert not list(album.rglob("*.xmp"))
    assert gallery.export_names(to=mirror).unchanged == 2
    assert [p.relative_to(mirror).as_posix() for p in gallery.export_names([album / "2"], to=mirror).written] == [
        "deep/photo.jpg.xmp"
    ]
    assert len(gallery.export_names(to=mirror, remove=True).removed) == 2


def test_some_photos(gallery: Gallery, tmp_path: Path) -> None:
    album = tmp_path / "album"
    for name, color in (("1/a.jpg", "red"), ("10/a.jpg", "blue"), ("2/a.jpg", "teal")):
        gallery.confirm("Anna", add(gallery, album / name, BOX, color=color))
    report = gallery.export_names([album / "1", album / "2" / "a.jpg", tmp_path / "elsewhere"])
    assert [path.parent.name for path in report.written] == ["1", "2"]
    assert names(path for path, _ in report.problems) == ["elsewhere"]


def test_a_dry_run_changes_nothing(gallery: Gallery, tmp_path: Path) -> None:
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", BOX))
    before = contents(tmp_path / "album")
    assert names(gallery.export_names(dry_run=True).written) == ["photo.jpg.xmp"]
    assert contents(tmp_path / "album") == before
    gallery.export_names()
    assert names(gallery.export_names(dry_run=True, remove=True).removed) == ["photo.jpg.xmp"]
    assert len(list((tmp_path / "album").iterdir())) == 2


# Bad input


@pytest.mark.parametrize("content", [b"", b"no XML", b"<html/>", bytes(100)])
def test_a_sidecar_that_cannot_be_parsed_is_left_alone(gallery: Gallery, tmp_path: Path, content: bytes) -> None:
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "a.jpg", BOX))
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "b.jpg", BOX, color="red"))
    sidecar = tmp_path / "album" / "a.jpg.xmp"
    sidecar.write_bytes(content)
    report = gallery.export_names()
    assert names(report.written) == ["b.jpg.xmp"]
    assert names(path for path, _ in report.problems) == ["a.jpg.xmp"]
    assert sidecar.read_bytes() == content


def break_photo(photo: Path) -> None:
    photo.write_bytes(photo.read_bytes()[:-10] + b"0123456789")


def make_folder(photo: Path) -> None:
    photo.with_name(f"{photo.name}.xmp").mkdir()


def make_pipe(photo: Path) -> None:
    os.mkfifo(photo.with_name(f"{photo.name}.xmp"))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (break_photo, "changed since it was indexed"),
        (Path.unlink, "No such file"),
        (make_folder, "this is a folder"),
        (make_pipe, "this is a named pipe"),
    ],
)
def test_one_bad_photo_is_told(gallery: Gallery, tmp_path: Path, spoil: Callable[[Path], None], reason: str) -> None:
    if os.name != "posix" and spoil is make_pipe:
        pytest.skip("there are no named pipes in folders")
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "a.jpg", BOX))
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "b.jpg", BOX, color="red"))
    spoil(tmp_path / "album" / "a.jpg")
    report = gallery.export_names()
    assert names(report.written) == ["b.jpg.xmp"]
    assert [reason in problem.reason for problem in report.problems] == [True]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_cannot_be_written(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """The former sidecar stays, and no draft is left."""
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", BOX))
    gallery.export_names()
    before = contents(tmp_path / "album")
    gallery.name("Anna", "Hannah")

    def full(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        report = gallery.export_names()
    assert [problem.reason for problem in report.problems] == [os.strerror(error)]
    assert contents(tmp_path / "album") == before
    assert gallery.export_names().problems == []


def test_write_protected_files_stay(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", BOX))
    gallery.export_names()
    sidecar = tmp_path / "album" / "photo.jpg.xmp"
    before = sidecar.read_bytes()
    sidecar.chmod(0o444)
    gallery.name("Anna", "Hannah")
    real = os.access
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != sidecar and real(path, mode))  # root may write
    assert [problem.reason for problem in gallery.export_names().problems] == ["it is write-protected"]
    assert sidecar.read_bytes() == before


def test_another_program_writes_the_sidecar_at_the_same_time(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", BOX))
    sidecar = tmp_path / "album" / "photo.jpg.xmp"
    for before in (None, b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/>"):
        if before:
            sidecar.write_bytes(before)

        def merge_late(*arguments: Any) -> Any:
            sidecar.write_bytes(b"written by another program")
            return merge(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr("faceie.metadata.sidecars.merge", merge_late)
            report = gallery.export_names()
        assert [problem.reason for problem in report.problems] == [
            "another program has changed it; run the command again"
        ]
        assert contents(tmp_path / "album").keys() == {"photo.jpg", "photo.jpg.xmp"}
        assert sidecar.read_bytes() == b"written by another program"


def test_drafts_of_killed_runs_are_removed(gallery: Gallery, tmp_path: Path) -> None:
    """Those of other files stay, and those that may be in use."""
    album = tmp_path / "album"
    gallery.confirm("Anna", add(gallery, album / "photo.jpg", BOX))
    old, new = album / ".photo.jpg.xmp-0123abcd", album / ".photo.jpg.xmp-0123abce"
    others = [album / ".photo.jpg.xmp-", album / ".notes-0123abcd", album / ".other.jpg.xmp-0123abcd"]
    for path in (old, new, *others):
        path.touch()
    for path in (old, *others):
        os.utime(path, (1, 1))
    gallery.export_names()
    assert not old.exists()
    assert all(path.exists() for path in (new, *others))


# In photos


@pytest.fixture
def fake_exiftool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a program instead of exiftool; `copy` and `packet` are its files."""

    def install(program: str) -> None:
        path = tmp_path / "bin" / "exiftool"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"#!{shutil.which('python3')}\nimport sys, pathlib\ncopy = pathlib.Path(sys.argv[-1])\n"
            f"packet = pathlib.Path('names.xmp')\n{program}\n"
        )
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")

    return install


needs_scripts = pytest.mark.skipif(os.name != "posix", reason="scripts are those of POSIX")


def test_without_exiftool_nothing_happens(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", BOX))
    before = contents(tmp_path / "album")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FaceieError, match="exiftool is not installed"):
        gallery.export_names(embed=True)
    assert contents(tmp_path / "album") == before


def test_embed_and_to_contradict(gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="one of them"):
        gallery.export_names(embed=True, to=tmp_path)


@needs_scripts
@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("print('Error: Not a valid JPG - photo.jpg', file=sys.stderr); sys.exit(1)", "it: Not a valid JPG;"),
        ("sys.exit(9)", "cannot write it: exit code 9;"),
        ("pass", "its format cannot hold names"),
        ("copy.unlink()", "would change its pixels"),
        ("copy.write_bytes(b'')", "would change its pixels"),
        ("copy.write_bytes(copy.read_bytes()[:-60] + bytes(60))", "would change its pixels"),
    ],
)
def test_an_exiftool_that_fails_changes_nothing(
    gallery: Gallery, tmp_path: Path, fake_exiftool: Callable[[str], None], program: str, reason: str
) -> None:
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", BOX))
    before = contents(tmp_path / "album")
    fake_exiftool(program)
    report = gallery.export_names(embed=True)
    assert [reason in problem.reason for problem in report.problems] == [True], report.problems
    assert contents(tmp_path / "album") == before
    assert gallery._store.exports.embedded_photos() == set()


def rows_of(gallery: Gallery) -> Any:
    return [(face.id, face.path, face.name, face.box) for face in gallery.faces()]


def index_again(gallery: Gallery, album: Path) -> None:
    """Index the folder. No photo may be analyzed."""
    report = gallery.index([album], executor=Prepared({}))
    assert (report.analyzed, report.bad) == (0, [])


@pytest.mark.file_only  # about photos
@needs_exiftool
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_names_in_photos(gallery: Gallery, tmp_path: Path, suffix: str, orientation: int) -> None:
    """The pixels stay, and the gallery knows the photo: by its path at once, by its content anywhere."""
    album = tmp_path / "100%d album"
    photo = album / f"-photo %f.{suffix}"
    gallery.confirm("Anna", add(gallery, photo, BOX, orientation=orientation))
    photo.chmod(0o640)
    before, pixels, content = rows_of(gallery), Image.open(photo).tobytes(), photo.read_bytes()
    report = gallery.export_names(embed=True)
    assert (names(report.written), report.problems) == ([photo.name], [])
    assert list(album.iterdir()) == [photo]
    assert Image.open(photo).tobytes() == pixels
    assert stat.S_IMODE(photo.stat().st_mode) == 0o640
    index_again(gallery, album)
    assert rows_of(gallery) == before
    assert gallery.export_names(embed=True).unchanged == 1
    photo.rename(album / f"moved.{suffix}")
    index_again(gallery, album)
    assert [face[0] for face in rows_of(gallery)] == [face[0] for face in before]
    assert names(gallery.export_names(embed=True, remove=True).removed) == [f"moved.{suffix}"]
    index_again(gallery, album)
    assert [face[0] for face in rows_of(gallery)] == [face[0] for face in before]
    if orientation == 1 and suffix in ("jpg", "png", "webp"):
        assert (album / f"moved.{suffix}").read_bytes() == content


@needs_exiftool
@pytest.mark.parametrize("moment", ["add_hash", "replace", "put_file"])
def test_killed_while_a_photo_is_replaced(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """At any moment, the photo is the former or the new one, and the gallery knows both."""
    album = tmp_path / "album"
    gallery.confirm("Anna", add(gallery, album / "photo.jpg", BOX))
    before = rows_of(gallery)

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    place = {
        "add_hash": "faceie.gallery.store_exports.ExportStore.add_hash",
        "replace": "faceie.gallery.export_names.replace_photo",
        "put_file": "faceie.gallery.store.Store.put_file",
    }[moment]
    with monkeypatch.context() as patch:
        patch.setattr(place, kill)
        with pytest.raises(Killed):
            gallery.export_names(embed=True)
    assert (b"Anna" in (album / "photo.jpg").read_bytes()) == (moment == "put_file")
    index_again(gallery, album)
    assert rows_of(gallery) == before
    assert not gallery.export_names(embed=True).problems
    assert b"Anna" in (album / "photo.jpg").read_bytes()
    index_again(gallery, album)
    assert rows_of(gallery) == before


@needs_scripts
def test_a_full_disk_leaves_the_photo(
    gallery: Gallery, tmp_path: Path, fake_exiftool: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.confirm("Anna", add(gallery, tmp_path / "album" / "photo.jpg", BOX))
    before = contents(tmp_path / "album")
    fake_exiftool("pass")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("shutil.copyfile", full)
    report = gallery.export_names(embed=True)
    assert [problem.reason for problem in report.problems] == ["No space left on device"]
    assert contents(tmp_path / "album") == before


@needs_exiftool
def test_raw_photos_are_left_alone(gallery: Gallery, tmp_path: Path) -> None:
    photo = tmp_path / "album" / "photo.cr2"
    photo.parent.mkdir()
    Image.new("RGB", SIZE).save(photo, "JPEG")
    gallery.confirm("Anna", know(gallery, photo, BOX))
    before = photo.read_bytes()
    assert "it is a RAW photo" in gallery.export_names(embed=True).problems[0].reason
    assert photo.read_bytes() == before


# Round trips


def _named(gallery: Gallery, album: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return names and boxes by photo."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for face in gallery.faces():
        if face.name:
            found.setdefault(face.path.relative_to(album).as_posix(), []).append((face.name, face.box))
    return {path: sorted(faces) for path, faces in found.items()}


@pytest.mark.file_only
@needs_weights
def test_out_and_in_again(path: Path, tmp_path: Path) -> None:
    """Exported, and imported into an empty gallery: the same people on the same faces, in all eight orientations."""
    album, two = tmp_path / "album", Image.new("RGB", (560, 280))
    for x, name in ((0, "obama.jpg"), (280, "astronaut.jpg")):
        with Image.open(PHOTOS / name) as image:
            two.paste(ImageOps.fit(image.convert("RGB"), (280, 280)), (x, 0))
    for orientation in range(1, 9):
        save(two, album / f"{orientation}.jpg", orientation)
    with Gallery(path, options=QUICK) as gallery:
        gallery.index([album], workers=1)
        assert len(gallery) == 16
        for face in gallery.faces():
            gallery.confirm(f"Person {face.id}", [face.id])  # so that names cannot be guessed from other photos
        expected = _named(gallery, album)
        report = gallery.export_names()
        assert (report.names, report.problems) == (16, [])
    with Gallery(path.with_name("new.faceie"), options=QUICK) as new:
        new.index([album], workers=1)
        imported = new.import_names()
        assert (imported.faces, imported.found) == (16, 0)
        assert (imported.conflicts, imported.leftovers, imported.problems) == ([], [], [])
        assert _named(new, album) == expected
        again = new.export_names()
        assert (again.written, again.unchanged) == ([], 8)

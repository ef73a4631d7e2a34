"""Imported names: on which faces they end, who wins, and the report."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import Gallery, GalleryError
from faceie.gallery.import_match import match_regions
from faceie.gallery.records import NewFace

from ..conftest import PHOTOS
from ..metadata.packets import XMP, bag, insert_segments, mixed, mwg, packet, photo
from .conftest import QUICK, Prepared, an_analysis, by_words, face_of, needs_weights, put, rows, small

SIZE = (640, 480)
BOXES = [(10.0 * k, 20.0, 10.0 * k + 50, 80.0) for k in range(8)]  # those of `an_analysis`


def region(name: str, box: Sequence[float], size: tuple[int, int] = SIZE) -> str:
    """Return a region of MWG around a box of pixels."""
    x1, y1, x2, y2 = (side / length for side, length in zip(box, size * 2, strict=True))
    return mixed(name, ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1))


def regions(*faces: tuple[str, Sequence[float]]) -> bytes:
    return packet(mwg([region(name, box) for name, box in faces]))


def people(*names: str) -> bytes:
    return packet(f"<Iptc4xmpExt:PersonInImage>{bag(names)}</Iptc4xmpExt:PersonInImage>")


@pytest.fixture
def add(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Add a gray photo, said to have faces, to the gallery, and a sidecar with names. The second search finds none."""
    monkeypatch.setattr(
        "faceie.gallery.import_names.find_named_faces", lambda path, boxes, settings, weights: [None] * len(boxes)
    )

    def add(name: str, xmp: bytes | None, *embeddings: np.ndarray) -> list[int]:
        path = photo(tmp_path / name, size=SIZE)
        if xmp:
            path.with_name(f"{path.name}.xmp").write_bytes(xmp)
        return put(gallery, str(path), *embeddings)

    return add


def names(gallery: Gallery) -> dict[int, str | None]:
    return {face.id: face.name for face in gallery.faces()}


# On which faces


def test_regions_go_with_the_faces_that_they_overlap() -> None:
    """Each region goes with one face: the best pairs first, whatever the sizes that programs draw."""
    faces = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [100, 100, 110, 110]], np.float32)

    def partners(*boxes: Sequence[float]) -> list[int | None]:
        return match_regions(np.array(boxes, np.float32).reshape(-1, 4), faces)

    assert partners((21, 1, 31, 11), (1, 1, 11, 11)) == [1, 0]
    assert partners((0, 0, 10, 10), (1, 1, 11, 11)) == [0, None]
    assert partners((1, 1, 11, 11), (0, 0, 10, 10)) == [None, 0]
    assert partners((-8, -12, 20, 16)) == [0]  # with hair and shoulders
    assert partners((3, 3, 7, 7)) == [0]  # eyes only
    assert partners((10, 0, 20, 10), (50, 50, 60, 60)) == [None, None]
    assert partners((-200, -200, 200, 200)) == [None]  # the whole photo is not a face
    assert partners() == []
    assert match_regions(np.ones((1, 4), np.float32), np.empty((0, 4), np.float32)) == [None]


def test_names_end_on_their_faces(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """Regions name faces, which are confirmed; the report counts them; a second import changes nothing."""
    a, b = add("a.jpg", regions(("Ben", BOXES[5]), ("Anna", BOXES[0])), *(face_of(k, 0) for k in range(2)))[:2]
    (c,) = add("b.jpg", regions(("ANNA", BOXES[0])), face_of(1, 1))
    add("c.jpg", None, face_of(3, 3))
    gallery._store.db.execute("UPDATE faces SET x1 = 50, x2 = 100 WHERE id = ?", (b,))
    report = gallery.import_names()
    assert (report.photos, report.people, report.new_people) == (2, 2, 2)
    assert (report.faces, report.found, report.known, report.conflicts, report.leftovers) == (3, 0, 0, [], [])
    assert names(gallery) == {a: "Anna", b: "Ben", c: "Anna", 4: None}
    assert gallery.face(a).confirmed
    before = rows(gallery.path)
    again = gallery.import_names()
    assert (again.new_people, again.faces, again.known) == (0, 0, 3)
    assert rows(gallery.path) == before


def test_dry_run(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """A dry run reports the same and changes nothing, also where the gallery cannot be written."""
    add("a.jpg", regions(("Anna", BOXES[0]), ("Ben", (300, 300, 350, 350))), face_of(1, 1))
    before = rows(gallery.path)
    report = gallery.import_names(dry_run=True)
    assert (report.faces, len(report.leftovers)) == (1, 1)
    assert rows(gallery.path) == before
    assert gallery.import_names() == report


def test_names_differ_by_case_or_form(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """One person, whatever the case and the Unicode form of the name."""
    for number, name in enumerate(["Zo\u00eb", "ZOE\u0308", "zo\u00eb "]):
        add(f"{number}.jpg", regions((name, BOXES[0])), face_of(1, number))
    number = gallery.confirm("ZO\u00cb", [1])
    assert gallery.import_names().new_people == 0
    assert {face.person for face in gallery.faces()} == {number}


def test_texts_that_are_no_names(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """A number is told, and the other names count."""
    add("a.jpg", regions(("2024", BOXES[0]), ("Anna", BOXES[5])), face_of(1, 1), face_of(2, 1))
    report = gallery.import_names()
    assert len(report.problems) == 1
    assert "'2024' is not a name" in report.problems[0].reason
    assert report.people == 1


# Without a face


def test_names_without_a_face_are_kept(gallery: Gallery, add: Callable[..., list[int]], tmp_path: Path) -> None:
    """A person whose face is not found is found by name, alone and with others, and counted."""
    add("a.jpg", regions(("Anna", BOXES[0]), ("Ben", (300, 300, 350, 350))), face_of(1, 1))
    report = gallery.import_names()
    assert report.leftovers == [(tmp_path / "a.jpg", "Ben")]
    assert [photo.path.name for photo in gallery.photos_of("Ben")] == ["a.jpg"]
    assert gallery.photos_of("Ben")[0].faces == ()
    assert [len(photo.faces) for photo in gallery.photos_of("anna", "ben")] == [1]
    assert [(p.name, p.faces, p.photos) for p in gallery.people()] == [("Anna", 1, 1), ("Ben", 0, 1)]
    before = rows(gallery.path)
    assert gallery.import_names().leftovers == report.leftovers
    assert rows(gallery.path) == before


@pytest.mark.usefixtures("add")
def test_photos_of_are_sorted_by_date(gallery: Gallery, tmp_path: Path) -> None:
    """Photos with and without a face come in one order, the oldest first."""
    for name, date, face in (("c", "2003", True), ("a", "2001", False), ("b", "2002", True), ("d", None, False)):
        path = photo(tmp_path / f"{name}.jpg", size=SIZE)
        path.with_name(f"{name}.jpg.xmp").write_bytes(regions(("Anna", BOXES[0])))
        put(gallery, str(path), *([face_of(1, 1)] if face else []), taken=date)
    gallery.import_names()
    assert [photo.path.stem for photo in gallery.photos_of("Anna")] == ["d", "a", "b", "c"]


def test_a_kept_name_follows_merging_and_forgetting(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """Kept names go with their people: merged, renamed and forgotten."""
    add("a.jpg", regions(("Anna", (300, 300, 350, 350))), face_of(1, 1))
    add("b.jpg", regions(("Ann", (300, 300, 350, 350))), face_of(2, 1))
    gallery.import_names()
    number = gallery.merge("Anna", "Ann")
    assert len(gallery.photos_of("Anna")) == 2
    gallery.name(number, "Anna Example")
    report = gallery.import_names()
    assert report.new_people == 0  # the names in the files are still known as hers
    assert [person.name for person in gallery.people() if person.name] == ["Anna Example"]
    gallery.forget_person("Anna Example")
    assert not gallery._store.db.execute("SELECT count(*) FROM photo_people").fetchone()[0]
    assert not gallery._store.db.execute("SELECT count(*) FROM imported_names").fetchone()[0]


def test_kept_names_survive_changes_of_the_file(path: Path, tmp_path: Path, no_weights: None) -> None:
    """A photo without a face keeps its names when it is edited, or pruned and found again."""
    album = tmp_path / "album"
    album.mkdir()
    (album / "a.jpg").write_text("1.1")
    (album / "other.jpg").write_text("2.1")  # pruning takes an empty folder for a disk that is not mounted
    with Gallery(path, options=QUICK) as gallery:
        gallery.index([album], executor=Prepared(by_words))
        store = gallery._store
        with store.transaction():
            store.imports.add_person(1, store.people.insert("Anna"))
        (album / "a.jpg").write_text("1.2")
        gallery.index([album], executor=Prepared(by_words))
        assert [photo.path.name for photo in gallery.photos_of("Anna")] == ["a.jpg"]
        (album / "a.jpg").rename(tmp_path / "b.jpg")
        gallery.index([album], executor=Prepared(by_words), prune=True, prune_limit=1)
        assert gallery.photos_of("Anna") == []
        (tmp_path / "b.jpg").rename(album / "c.jpg")
        gallery.index([album], executor=Prepared(by_words))
        assert [photo.path.name for photo in gallery.photos_of("Anna")] == ["c.jpg"]


# Who wins


def test_the_user_wins(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """Confirmed and denied faces stay as the user has said, and conflicts are told."""
    a, b = add("a.jpg", regions(("Anna", BOXES[0]), ("Ben", BOXES[5])), *(face_of(k, 0) for k in (1, 2)))
    gallery._store.db.execute("UPDATE faces SET x1 = 50, x2 = 100 WHERE id = ?", (b,))
    gallery.confirm("Clara", [a])
    gallery.confirm("Ben", add("b.jpg", None, face_of(5, 5)))
    gallery.deny("Ben", [b])
    report = gallery.import_names()
    assert [(one.name, one.face) for one in report.conflicts] == [("Anna", a), ("Ben", b)]
    assert "Clara" in report.conflicts[0].reason
    assert (report.faces, report.leftovers) == (0, [])
    assert names(gallery)[a] == "Clara"
    assert names(gallery)[b] is None


def test_what_the_user_says_after_an_import_wins(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """A corrected import is not imported again."""
    a, b = add("a.jpg", regions(("Anna", BOXES[0])), face_of(1, 0)) + add(
        "b.jpg", regions(("Anna", BOXES[0])), face_of(2, 0)
    )
    gallery.import_names()
    gallery.deny("Anna", [a])
    gallery.confirm("Ben", [b])
    report = gallery.import_names()
    assert len(report.conflicts) == 2
    assert names(gallery) == {a: None, b: "Ben"}


def test_imports_win_over_clusters(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """A face that was recognized as someone else gets its imported name."""
    gallery.confirm("Ben", add("a.jpg", None, face_of(1, 1)))
    (face,) = add("b.jpg", regions(("Anna", BOXES[0])), face_of(1, 2))
    gallery.cluster()
    assert names(gallery)[face] == "Ben"
    gallery.import_names()
    assert names(gallery)[face] == "Anna"
    gallery.cluster()
    assert names(gallery)[face] == "Anna"


def test_similar_faces_follow(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """The other faces of a person's cluster join the person in the next listing."""
    for number in range(6):
        add(f"{number}.jpg", regions(("Anna", BOXES[0])) if number < 2 else None, face_of(1, number))
    gallery.people()
    gallery.import_names()
    assert [(person.name, person.faces) for person in gallery.people()] == [("Anna", 6)]
    assert sum(face.confirmed for face in gallery.faces()) == 2


def test_an_import_names_a_confirmed_cluster(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """Faces that the user has put together get a name together. Another name for one of them is a conflict."""
    a, b, c = (add(f"{k}.jpg", regions((name, BOXES[0])) if name else None, face_of(k, 1))[0]
               for k, name in enumerate(["Anna", "", "Ben"]))  # fmt: skip
    gallery.confirm("X", [a, b, c])
    gallery._store.db.execute("UPDATE people SET name = NULL, key = NULL")  # as after `split`
    report = gallery.import_names()
    assert names(gallery) == {a: "Anna", b: "Anna", c: "Anna"}
    assert [(one.name, one.face) for one in report.conflicts] == [("Ben", c)]


def test_a_new_name_in_the_file_counts(gallery: Gallery, add: Callable[..., list[int]], tmp_path: Path) -> None:
    """A later import replaces an earlier one. A name that is gone from the file stays."""
    (a,) = add("a.jpg", regions(("Ann", BOXES[0])), face_of(1, 0))
    gallery.import_names()
    (tmp_path / "a.jpg.xmp").write_bytes(regions(("Anna", BOXES[0])))
    assert gallery.import_names().conflicts == []
    assert names(gallery) == {a: "Anna"}
    (tmp_path / "a.jpg.xmp").unlink()
    gallery.import_names()
    assert names(gallery) == {a: "Anna"}


# Names without regions


def test_one_face_and_one_name(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """One face and one name that are left over belong together. Two of either are kept for the photo."""
    (a,) = add("a.jpg", people("Anna"), face_of(1, 1))
    add("b.jpg", people("Clara"), face_of(2, 1), face_of(3, 1))
    add("c.jpg", people("Dora", "Emil"), face_of(4, 1))
    both = packet(mwg([region("Fritz", BOXES[0])]) + f"<dc:subject>{bag(['People|Gina', 'People|Fritz'])}</dc:subject>")
    f, g = add("d.jpg", both, face_of(6, 1), face_of(7, 1))
    gallery._store.db.execute("UPDATE faces SET x1 = 50, x2 = 100 WHERE id = ?", (g,))
    report = gallery.import_names()
    named = {face: name for face, name in names(gallery).items() if name}
    assert named == {a: "Anna", f: "Fritz", g: "Gina"}
    assert sorted(one.name for one in report.leftovers) == ["Clara", "Dora", "Emil"]
    assert [photo.path.name for photo in gallery.photos_of("Dora", "Emil")] == ["c.jpg"]


def test_known_people_are_found_among_several(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """A name goes with the only face that resembles the person; that leaves the other face for the other name."""
    gallery.confirm("Anna", [face for k in range(3) for face in add(f"{k}.jpg", None, face_of(1, k))])
    a, b = add("a.jpg", people("Anna", "Ben"), face_of(2, 9), face_of(1, 9))
    gallery.import_names()
    assert (names(gallery)[a], names(gallery)[b]) == ("Ben", "Anna")


def test_a_recognized_face_takes_its_name(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """A face that was recognized as a person of a name in the photo is confirmed."""
    gallery.confirm("Anna", add("0.jpg", None, face_of(1, 0)))
    a, b, c = add("a.jpg", people("Anna", "Ben"), face_of(2, 9), face_of(1, 9), face_of(3, 9))
    gallery.cluster()
    report = gallery.import_names()
    assert names(gallery) == {1: "Anna", a: None, b: "Anna", c: None}
    assert gallery.face(b).confirmed
    assert [one.name for one in report.leftovers] == ["Ben"]


def test_names_and_faces_that_occur_together(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """Names are told apart by the photos in which they occur with a cluster; a couple always together is not."""
    faces = {"Anna": 1, "Ben": 2, "Clara": 3, "Dora": 4, "Emil": 5}
    photos = [
        ("Anna", "Ben"),
        ("Anna", "Clara"),
        ("Ben", "Clara"),
        ("Anna", "Ben"),
        ("Anna", "Clara"),
        ("Ben", "Clara"),
    ]
    photos += [("Dora", "Emil")] * 4
    expected = {}
    for number, shown in enumerate(photos):
        ids = add(f"{number}.jpg", people(*reversed(shown)), *(face_of(faces[name], number) for name in shown))
        expected.update(zip(ids, shown, strict=True))
    report = gallery.import_names()
    assert names(gallery) == {face: name if faces[name] < 4 else None for face, name in expected.items()}
    assert len(report.leftovers) == 8
    before = rows(gallery.path)
    again = gallery.import_names()
    assert (again.faces, again.known, again.leftovers) == (0, report.faces, report.leftovers)
    assert rows(gallery.path) == before


def test_strangers_get_no_name(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """A name whose person is never found does not end on a stranger who is often there."""
    for number in range(4):
        add(f"{number}.jpg", people("Anna"), face_of(1, number), face_of(2, number))
    for number in range(4, 8):
        add(f"{number}.jpg", people("Ben"), face_of(1, number), face_of(3, number))
    gallery.import_names()
    named = {face.id: face.name for face in gallery.faces() if face.name}
    assert set(named.values()) <= {"Anna", "Ben"}
    odd = {face.id for face in gallery.faces() if face.id % 2}  # those of person 1, who is in all photos
    assert not odd & set(named)


def test_a_face_that_the_second_search_finds(
    gallery: Gallery, add: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It becomes a face of the photo, with its name; a face that was known already is not doubled."""
    (a,) = add("a.jpg", regions(("Ben", (300, 300, 350, 360)), ("Anna", (60, 90, 90, 130))), face_of(1, 1))
    new = an_analysis(face_of(2, 1)).faces[0]._replace(box=(301.0, 302.0, 349.0, 361.0))
    known = an_analysis(face_of(1, 1)).faces[0]._replace(box=(11.0, 21.0, 60.0, 79.0))
    asked: list[int] = []

    def find(path: str, boxes: np.ndarray, settings: object, weights: object) -> list[NewFace | None]:
        asked.append(len(boxes))
        return [new, known][: len(boxes)]

    monkeypatch.setattr("faceie.gallery.import_names.find_named_faces", find)
    report = gallery.import_names()
    assert (report.faces, report.found, report.leftovers) == (2, 1, [])
    assert [(face.number, face.name) for face in gallery.faces()] == [(1, "Anna"), (2, "Ben")]
    assert gallery.face(2).box == (301.0, 302.0, 349.0, 361.0)
    gallery.import_names()
    assert (asked, len(gallery), a) == ([2], 2, 1)


# Files and paths


def test_paths(gallery: Gallery, add: Callable[..., list[int]], tmp_path: Path) -> None:
    """Only the photos below the given paths are read. A path without known photos is told."""
    (tmp_path / "deep").mkdir()
    a, b, c = (add(name, regions(("Anna", BOXES[0])), face_of(k, 1))[0]
               for k, name in enumerate(["a.jpg", "b.jpg", "deep/c.jpg"]))  # fmt: skip
    report = gallery.import_names([tmp_path / "deep", tmp_path / "b.jpg", tmp_path / "unknown"])
    assert {face for face, name in names(gallery).items() if name} == {b, c}
    assert [problem.path.name for problem in report.problems] == ["unknown"]
    assert names(gallery)[a] is None


def test_copies_count_once(gallery: Gallery, add: Callable[..., list[int]], tmp_path: Path) -> None:
    """Of a photo and its copies, the first one with names counts."""
    (a,) = add("b.jpg", regions(("Anna", BOXES[0])), face_of(1, 1))
    for name, xmp in (("a.jpg", None), ("c.jpg", regions(("Ben", BOXES[0])))):
        copy = photo(tmp_path / name, size=SIZE)
        if xmp:
            copy.with_name(f"{name}.xmp").write_bytes(xmp)
        gallery._store.put_file(str(copy), 1, 1, 1)
    report = gallery.import_names()
    assert (report.photos, names(gallery)) == (1, {a: "Anna"})


def test_bad_files_are_told(gallery: Gallery, add: Callable[..., list[int]], tmp_path: Path) -> None:
    """Broken sidecars, missing photos and photos that have changed are told, and the others are imported."""
    add("a.jpg", b"<!DOCTYPE x><x/>", face_of(1, 1))
    add("b.jpg", regions(("Ben", BOXES[0])), face_of(2, 1))
    (tmp_path / "b.jpg").unlink()
    add("c.jpg", regions(("Clara", BOXES[0])), face_of(3, 1))
    photo(tmp_path / "c.jpg", size=(480, 640))
    (d,) = add("d.jpg", regions(("Dora", BOXES[0])), face_of(4, 1))
    report = gallery.import_names()
    assert [(problem.path.name, bool(problem.reason)) for problem in report.problems] == [
        ("a.jpg.xmp", True),
        ("b.jpg", True),
        ("c.jpg", True),
    ]
    assert "document type" in report.problems[0].reason
    assert "index it again" in report.problems[2].reason
    assert {face: name for face, name in names(gallery).items() if name} == {d: "Dora"}


@pytest.mark.file_only
def test_ten_thousand_regions(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """A file with ten thousand regions takes seconds, not minutes."""
    many = [region(f"Person {i}", (300 + i % 50, 300, 340 + i % 50, 350)) for i in range(9_999)]
    add("a.jpg", packet(mwg([*many, region("Anna", BOXES[0])])), *(face_of(k, 1) for k in range(8)))
    report = gallery.import_names()
    assert (report.people, report.faces, len(report.leftovers)) == (10_000, 1, 9_999)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the owner may write everything")
def test_folders_that_cannot_be_listed(gallery: Gallery, add: Callable[..., list[int]], tmp_path: Path) -> None:
    """Nothing is written beside photos, so folders may be read-only. One that cannot be read is told."""
    add("a.jpg", regions(("Anna", BOXES[0])), face_of(1, 1))
    tmp_path.chmod(0o500)
    try:
        assert gallery.import_names().faces == 1
    finally:
        tmp_path.chmod(0o700)


def test_nothing_is_written_beside_photos(gallery: Gallery, add: Callable[..., list[int]], tmp_path: Path) -> None:
    """The files beside the photos, and the photos, stay as they are."""
    add("a.jpg", regions(("Anna", BOXES[0]), ("Ben", (300, 300, 350, 350))), face_of(1, 1))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.glob("*.*")}
    gallery.import_names()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.glob("*.*")} == before


def test_another_program_changes_a_face(gallery: Gallery, add: Callable[..., list[int]]) -> None:
    """A face that is named during the import is left alone, and told."""
    a, b = add("a.jpg", regions(("Anna", BOXES[0])), face_of(1, 1)) + add(
        "b.jpg", regions(("Ben", BOXES[0])), face_of(2, 1)
    )

    def progress(done: int, total: int) -> None:
        if done == total:
            with Gallery(gallery.path) as other:
                other.confirm("Clara", [a])

    report = gallery.import_names(progress=progress)
    assert names(gallery) == {a: "Clara", b: "Ben"}
    assert [one.name for one in report.conflicts] == ["Anna"]


def test_a_failed_import_changes_nothing(
    gallery: Gallery, add: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All names are stored, or none."""
    add("a.jpg", regions(("Anna", BOXES[0])), face_of(1, 1))
    add("b.jpg", regions(("Ben", BOXES[0])), face_of(2, 1))
    before = rows(gallery.path)
    original = type(gallery._store.imports).label

    def label(store: object, face: int, person: int) -> None:
        if face == 2:
            raise OSError(28, "No space left on device")
        original(store, face, person)  # type: ignore[arg-type]  # as it is called

    monkeypatch.setattr("faceie.gallery.store_imports.ImportStore.label", label)
    with pytest.raises(GalleryError, match="No space left"):
        gallery.import_names()
    assert rows(gallery.path) == before


# Real photos


METHODS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # from upright to stored: the inverse of EXIF's


@needs_weights
@pytest.mark.parametrize("form", ["embedded", "sidecar"])
def test_all_orientations(path: Path, tmp_path: Path, form: str) -> None:
    """Two faces of one photo keep their names in all eight orientations, by regions of the photo as stored."""
    album = tmp_path / "album"
    album.mkdir()
    upright = Image.open(PHOTOS / "more" / "biden-and-obama.jpg").convert("RGB")
    upright.thumbnail((400, 400))
    with Gallery(tmp_path / "first.faceie", options=QUICK) as first:
        upright.save(album / "upright.jpg", quality=95)
        first.index([album], workers=1)
        boxes = sorted(face.box for face in first.faces())
    (album / "upright.jpg").unlink()
    assert len(boxes) == 2
    expected = dict(zip(("left", "right"), boxes, strict=True))
    for orientation in range(1, 9):
        marked = {}
        for name, box in expected.items():
            mask = Image.new("L", upright.size)
            mask.paste(255, tuple(round(side) for side in box))
            if orientation > 1:
                mask = mask.transpose(Image.Transpose(METHODS[orientation]))
            marked[name] = mask.getbbox()
            size = mask.size
        stored = upright.transpose(Image.Transpose(METHODS[orientation])) if orientation > 1 else upright
        exif = Image.Exif()
        exif[0x0112] = orientation
        xmp = packet(mwg([region(name, box, size) for name, box in marked.items() if box]))
        target = album / f"{orientation}.jpg"
        stored.save(target, quality=95, exif=exif)
        if form == "embedded":
            insert_segments(target, XMP + xmp)
        else:
            target.with_name(f"{target.name}.xmp").write_bytes(xmp)
    with Gallery(path, options=QUICK) as gallery:
        gallery.index([album], workers=1)
        report = gallery.import_names()
        assert (report.faces + len(report.leftovers), report.conflicts, report.problems) == (16, [], [])
        assert report.leftovers == []
        for name, box in expected.items():
            faces = gallery.faces_of(name)
            assert sorted(face.path.stem for face in faces) == [str(number) for number in range(1, 9)]
            for face in faces:
                assert face.box == pytest.approx(box, abs=0.1 * (box[2] - box[0]))


@needs_weights
def test_the_second_search_on_a_real_photo(path: Path, tmp_path: Path) -> None:
    """A face that is too small for the gallery's search is found by its region, encoded, and recognized."""
    target = small("obama-congress.jpg", tmp_path / "album" / "a.jpg", 400)
    with Image.open(PHOTOS / "obama.jpg") as image:
        tiny = image.convert("RGB")
    tiny.thumbnail((72, 72))
    with Image.open(target) as image:
        scene = Image.new("RGB", (800, 600), "gray")
        scene.paste(tiny, (500, 300))
        scene.paste(image.convert("RGB"), (50, 50))
    scene.save(target, quality=95)
    box = (500 + 0.404 * tiny.width, 300 + 0.075 * tiny.height, 500 + 0.672 * tiny.width, 300 + 0.367 * tiny.height)
    target.with_name("a.jpg.xmp").write_bytes(packet(mwg([region("Barack", box, (800, 600))])))
    with Gallery(path, options=QUICK) as gallery:
        gallery.index([tmp_path / "album"], workers=1)
        assert len(gallery) == 1
        report = gallery.import_names()
        assert (report.faces, report.found) == (1, 1)
        (face,) = gallery.faces_of("Barack")
        overlap = np.clip(np.minimum(face.box[2:], box[2:]) - np.maximum(face.box[:2], box[:2]), 0, None).prod()
        assert overlap > 0.5 * (box[2] - box[0]) * (box[3] - box[1])
        assert np.linalg.norm(gallery.embedding(face.id) - gallery.embedding(1)) < 1.0  # of two people: 1.3
        assert gallery.thumbnail(face.id)[:2] == b"\xff\xd8"
        assert gallery.import_names().known == 1

"""Datasets of a gallery: out and in without loss, merged, refused, interrupted, large."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceie import FaceieError, Gallery, GalleryError
from faceie.dataset import Columns, Origin, options_text, write_part

from .conftest import QUICK, an_analysis, assert_intact, face_of, person, put, rows

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

# All that a gallery knows, by content and name instead of numbers.
_STATE = {
    "photos": "SELECT hash, width, height, taken, error, note FROM photos",
    "files": "SELECT hash, CAST(path AS BLOB), size, modified, changed, files.error FROM files"
    " LEFT JOIN photos ON photos.id = photo",
    "contents": "SELECT hashes.hash, photos.hash FROM hashes JOIN photos ON photos.id = photo",
    "faces": "SELECT hash, number, x1, y1, x2, y2, landmarks, angle, probability, quality, embedding, thumbnail, name,"
    " confirmed, ignored, drawn FROM faces JOIN photos ON photos.id = photo JOIN portraits ON face = faces.id"
    " LEFT JOIN people ON people.id = person",
    "people": "SELECT name, key, born, (SELECT hash FROM faces JOIN photos ON photos.id = photo"
    " WHERE faces.id = cover), (SELECT number FROM faces WHERE faces.id = cover) FROM people WHERE name IS NOT NULL",
    "denials": "SELECT hash, number, name FROM denials JOIN faces ON faces.id = face JOIN photos ON photos.id = photo"
    " JOIN people ON people.id = denials.person",
    "photo_people": "SELECT hash, name FROM photo_people JOIN photos ON photos.id = photo"
    " JOIN people ON people.id = person",
    "imported": "SELECT imported_names.key, name FROM imported_names JOIN people ON people.id = person",
    "faces of people": "SELECT person, hash, number FROM faces JOIN photos ON photos.id = photo"
    " WHERE person IS NOT NULL",
}


def state(gallery: Gallery) -> dict[str, list[Any]]:
    found = {name: gallery._store.db.execute(query).fetchall() for name, query in _STATE.items()}
    people: dict[int, list[Any]] = {}
    for number, *face in sorted(found.pop("faces of people")):
        people.setdefault(number, []).append(face)
    found["clusters"] = list(people.values())
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def rich(gallery: Gallery) -> dict[str, int]:
    """Fill a gallery with everything that a user can say. Return faces by name of their photo."""
    faces = {}
    for number in range(1, 5):
        for variant in range(4):
            (faces[f"{number}.{variant}"],) = put(gallery, f"/p/{number}.{variant}.jpg", face_of(number, variant))
    faces["two"], faces["three"] = put(gallery, "/p/group.jpg", face_of(5, 1), face_of(6, 1), taken="2019-06-01")
    put(gallery, "/p/empty.jpg")
    odd = os.fsdecode(b"/p/\xe4.jpg")
    put(gallery, odd, face_of(7, 1))
    store = gallery._store
    with store.transaction():
        photo = store.photo(b"/p/1.0.jpg")
        assert photo is not None
        store.put_file("/copy/1.0.jpg", photo, 1, 1, 5)
        store.exports.add_hash(photo, b"with names")
        store.put_file("/p/unreadable.jpg", None, 0, 0, error="Permission denied")
        bad = store.put_photo(b"bad", an_analysis()._replace(error="it is bad"))
        store.put_file("/p/bad.jpg", bad, 3, 4)
    anna = gallery.confirm("Anna", [faces["1.0"], faces["1.1"]])
    gallery.confirm("Zoë", [faces["2.0"]])
    gallery.people()  # clusters all
    gallery.deny("Anna", [faces["2.1"], faces["two"]])
    gallery.ignore([faces["3.0"]])
    gallery.ignore([faces["three"]], "not a face")
    gallery.cover("Anna", faces["1.1"])
    gallery.born("Anna", "2001-05")
    with store.transaction():
        store.imports.remember("anna s.", anna)
        store.faces.insert(photo, 2, an_analysis(face_of(8, 1)).faces[0], drawn=True)
        store.imports.add_person(store.photo(b"/p/empty.jpg"), anna)  # type: ignore[arg-type]
    return faces


@pytest.fixture
def other(tmp_path: Path, no_weights: None) -> Any:
    with Gallery(tmp_path / "other.faceie", options=QUICK) as gallery:
        yield gallery


def test_out_and_in_without_loss(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    """A gallery goes out and in: photos, files, faces, people, statements. A second import changes nothing."""
    rich(gallery)
    assert gallery.export_dataset(tmp_path / "dataset") == 20
    report = other.add(tmp_path / "dataset")
    assert (report.photos, report.faces, report.people, report.conflicts) == (20, 20, 2, [])
    assert [photo.path.name for photo in report.bad] == ["unreadable.jpg", "bad.jpg"]
    assert state(other) == state(gallery)
    assert_intact(other.path)
    before = rows(other.path)
    again = other.add(tmp_path / "dataset")
    assert (again.photos, again.faces, again.named, again.people, again.conflicts) == (0, 0, 0, 0, [])
    assert rows(other.path) == before
    other.export_dataset(tmp_path / "again")
    with Gallery(tmp_path / "third.faceie", options=QUICK) as third:
        third.add(tmp_path / "again")
        assert state(third) == state(gallery)


def test_a_drawn_face_is_added_to_a_known_photo(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    """A drawn face is a statement. It is added to the photo in a gallery that does not have the face, and only once."""
    for one in (gallery, other):
        put(one, "/1.jpg", face_of(1, 1))
    drawn = an_analysis(face_of(2, 1)).faces[0]._replace(box=(500.0, 400.0, 560.0, 480.0))
    with other._store.transaction():
        other._store.faces.insert(1, 2, drawn, drawn=True)
    other.confirm("Anna", [2])
    other.export_dataset(tmp_path / "dataset")
    for _ in range(2):
        gallery.add(tmp_path / "dataset")
        assert [(face.name, face.drawn) for face in gallery.faces_in(1)] == [(None, False), ("Anna", True)]


def test_two_galleries_are_merged(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    """People of one name become one. The gallery's own word wins; the other's fills the gaps."""
    both = [put(one, f"/{n}.jpg", face_of(n, 1))[0] for one in (gallery, other) for n in (1, 2, 3)]
    mine, theirs = both[:3], both[3:]
    (extra,) = put(other, "/extra.jpg", face_of(1, 2))
    gallery.confirm("Anna", [mine[0]])
    gallery.confirm("Eve", [mine[1]])
    other.confirm("anna", [theirs[0], extra])
    other.confirm("Zoë", [theirs[1], theirs[2]])
    other.export_dataset(tmp_path / "dataset")
    report = gallery.add(tmp_path / "dataset")
    assert (report.photos, report.known, report.people) == (1, 3, 1)
    assert {face.path.name: face.name for face in gallery.faces()} == {
        "1.jpg": "Anna",
        "2.jpg": "Eve",
        "3.jpg": "Zoë",
        "extra.jpg": "Anna",
    }
    assert [photo.path.name for photo in report.conflicts] == ["2.jpg"]
    assert all(face.confirmed for face in gallery.faces())


def test_a_rejection_is_not_overruled(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    """A face that is not Anna here does not become Anna, and a face that is Anna here is not rejected."""
    mine = [put(gallery, f"/{n}.jpg", face_of(n, 1))[0] for n in (1, 2)]
    theirs = [put(other, f"/{n}.jpg", face_of(n, 1))[0] for n in (1, 2)]
    gallery.confirm("Anna", [mine[0]])
    gallery.deny("Anna", [mine[1]])
    other.confirm("Anna", [theirs[1]])
    other.deny("Anna", [theirs[0]])
    other.export_dataset(tmp_path / "dataset")
    assert len(gallery.add(tmp_path / "dataset").conflicts) == 1
    assert [gallery.face(face).name for face in mine] == ["Anna", None]


def test_forgotten_photos_stay_forgotten(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    """A photo that was deleted here is not added, unless that is asked for."""
    put(other, "/a.jpg", person(1))
    put(gallery, "/a.jpg", person(1))
    gallery.forget_photo("/a.jpg")
    other.export_dataset(tmp_path / "dataset")
    assert gallery.add(tmp_path / "dataset").forgotten == 1
    assert len(gallery) == 0
    assert gallery.add(tmp_path / "dataset", forgotten=True).faces == 1


def test_a_name_without_its_face(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    """A person whose face is not known here stays a person of the photo."""
    put(gallery, "/a.jpg")
    (face,) = put(other, "/a.jpg", person(1))
    other.confirm("Anna", [face])
    other.export_dataset(tmp_path / "dataset")
    gallery.add(tmp_path / "dataset")
    assert [(one.name, one.faces, one.photos) for one in gallery.people()] == [("Anna", 0, 1)]


def test_an_import_that_is_killed_goes_on(
    gallery: Gallery, other: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that ends at any transaction leaves a sound gallery, and the next one completes it."""
    rich(gallery)
    gallery.export_dataset(tmp_path / "dataset")
    monkeypatch.setattr("faceie.gallery.import_dataset._ROWS", 5)
    for stop in range(1, 7):
        with Gallery(tmp_path / f"{stop}.faceie", options=QUICK) as target:
            count = 0
            transaction = target._store.transaction

            def failing(patience: float | None = None) -> Any:
                nonlocal count
                count += 1
                if count == stop:  # noqa: B023  # used within the loop
                    raise KeyboardInterrupt
                return transaction(patience)  # noqa: B023

            with monkeypatch.context() as patch:
                patch.setattr(target._store, "transaction", failing)
                with pytest.raises(KeyboardInterrupt):
                    target.add(tmp_path / "dataset")
            assert_intact(target.path)
            target.add(tmp_path / "dataset")
            assert state(target) == state(gallery)


# Bad input


def part(folder: Path, /, **changes: Any) -> Path:
    """Write a dataset with one face, some of whose columns have other values."""
    columns = Columns(Origin('{"name": "vggface2", "answer": [0, 0, 0, 0, 0, 0, 0, 0]}', options()))
    row = {
        "sha256": b"1" * 32,
        "size": 1,
        "modified": 1,
        "width": 9,
        "height": 9,
        "face": 1,
        **dict.fromkeys(("x1", "y1", "angle"), 0.0),
        **dict.fromkeys(("x2", "y2", "probability", "quality"), 1.0),
        "landmarks": bytes(40),
        "embedding": person(1).tobytes(),
        "thumbnail": b"JPEG",
    }
    columns.add("/a.jpg", row)
    for name_of_column, value in changes.items():
        columns._values[name_of_column] = [value]
    write_part(folder / "part.parquet", [columns.to_batch()])
    return folder


def options() -> str:
    return options_text(replace(QUICK, crops=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"weights": '{"name": "casia-webface", "answer": [1, 0, 0, 0, 0, 0, 0, 0]}'},
            "another encoder .* casia-webface",
        ),
        ({"weights": None}, "another encoder"),
        ({"options": "{}"}, "other options"),
        ({"faceie": 99}, "format is 99, expected at most 1"),
        ({"embedding": None}, "embedding, landmarks or thumbnail is missing"),
        ({"thumbnail": None}, "embedding, landmarks or thumbnail is missing"),
        ({"embedding": bytes(2048)}, "not of unit length"),
        ({"x1": None}, "its x1 is None, expected a number"),
        ({"quality": float("nan")}, "its quality is nan, expected a number"),
        ({"person": 3, "name": "Anna\x07"}, "is not a name"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_refused(changes: dict[str, Any], message: str, gallery: Gallery, tmp_path: Path) -> None:
    """A dataset of another encoder, of other options or a newer format is refused, and one with bad values."""
    before = rows(gallery.path)
    with pytest.raises(FaceieError, match=message):
        gallery.add(part(tmp_path / "dataset", **changes))
    assert rows(gallery.path) == before


def test_damaged_files(gallery: Gallery, tmp_path: Path) -> None:
    """Missing, empty, cut and foreign files are refused; files that begin with a dot are left out."""
    for make in (lambda path: None, lambda path: path.mkdir(), lambda path: (path.mkdir(), (path / "a.txt").touch())):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        make(folder)
        with pytest.raises(FaceieError, match="there is no dataset here"):
            gallery.add(folder)
    folder = part(tmp_path / "dataset")
    whole = (folder / "part.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FaceieError, match=r"cut\.parquet: this file is damaged"):
        gallery.add(folder)
    (folder / "cut.parquet").rename(folder / ".cut.parquet")
    assert gallery.add(folder).faces == 1
    parquet.write_table(pa.table({"path": ["a"]}), tmp_path / "foreign.parquet")
    with pytest.raises(FaceieError, match="no dataset of Faceie: the column sha256 is missing"):
        gallery.add(tmp_path / "foreign.parquet")


def test_an_export_is_whole(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with something in it is left alone; a failed export leaves nothing."""
    put(gallery, "/a.jpg", person(1))
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").touch()
    with pytest.raises(GalleryError, match="something is here already"):
        gallery.export_dataset(full)
    with monkeypatch.context() as patch:
        patch.setattr("faceie.gallery.export_dataset._add", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gallery.export_dataset(tmp_path / "dataset")
    assert {path.name for path in tmp_path.iterdir()} <= {"full", "gallery"}
    (tmp_path / "empty").mkdir()
    assert gallery.export_dataset(tmp_path / "empty") == 1
    if os.name == "posix":
        assert (tmp_path / "empty").stat().st_mode & 0o77 == 0


def test_without_pyarrow(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, an error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for use in (lambda: gallery.add(tmp_path), lambda: gallery.export_dataset(tmp_path / "new")):
        with pytest.raises(FaceieError, match="pip install pyarrow"):
            use()


def test_other_writers_of_parquet(gallery: Gallery, tmp_path: Path) -> None:
    """Engines may write lists of a fixed length, other integers, in several files, and leave out empty columns."""
    folder = part(tmp_path / "dataset")
    table = parquet.read_table(folder / "part.parquet")
    for name, length in (("embedding", 512), ("landmarks", 10)):
        at = table.schema.names.index(name)
        table = table.set_column(at, name, table[name].cast(pa.list_(pa.float32(), length)))
    at = table.schema.names.index("face")
    table = table.set_column(at, "face", table["face"].cast(pa.int64())).drop_columns(["rejected", "path_bytes"])
    (folder / "part.parquet").unlink()
    (folder / "deep").mkdir()
    parquet.write_table(table, folder / "deep" / "000.snappy.parquet")
    assert gallery.add(folder).faces == 1
    assert np.array_equal(gallery.embedding(1), person(1))

"""Faces that the user has drawn stay as said: through runs, changed photos, pruning, export and import, and undo."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceie import Gallery, GalleryError, ImageError, OptionError
from faceie.gallery.records import NewFace, PhotoAnalysis

from .conftest import QUICK, Prepared, assert_intact, by_words, face_of, fakes, needs_weights, put, rows

BOX = (300.0, 100.0, 380.0, 200.0)  # apart from those of `an_analysis`


def detected(text: str) -> PhotoAnalysis:
    """Answer for a fake photo, as `by_words` does, without the faces that only the user sees: "1.0 !2.0"."""
    return by_words(" ".join(word for word in text.split() if word[0] != "!"))


def drawn_face(path: str, box: Sequence[float], *_: Any) -> tuple[tuple[int, int], None, NewFace]:
    """Return the face that only the user sees in a fake photo, or another one, wherever the box is."""
    word = next((word[1:] for word in Path(path).read_text().split() if word[0] == "!"), "99.0")
    x1, y1, x2, y2 = map(float, box)
    landmarks = np.zeros((5, 2), np.float32)
    embedding = face_of(*map(int, word.split(".")))
    return (640, 480), None, NewFace((x1, y1, x2, y2), landmarks, 0.0, 1.0, 0.95, embedding, b"JPEG")


@pytest.fixture(autouse=True)
def no_search(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Tests without weights draw in fake photos."""
    if "gallery" in request.fixturenames:
        monkeypatch.setattr("faceie.gallery.drawn.find_drawn_face", drawn_face)
        monkeypatch.setattr("faceie.gallery.indexing.load_cached", lambda source: source)


def index(gallery: Gallery, folder: Path, **options: Any) -> None:
    gallery.index([folder], executor=Prepared(detected), workers=1, **options)


def named(gallery: Gallery) -> list[tuple[str, str, bool]]:
    """Return the photos and names of the drawn faces, and whether they are confirmed."""
    return [(face.path.name, face.name or "", face.confirmed) for face in gallery.faces() if face.drawn]


# Photos


def test_photos_by_id_path_and_date(gallery: Gallery) -> None:
    """Photos are listed by date, in parts, with or without faces, and known by id and by path."""
    put(gallery, "/b.jpg", face_of(1, 1), taken="2020-05-01T10:00:00")
    put(gallery, "/a.jpg", face_of(1, 2), face_of(2, 1), taken="2021-01-01T10:00:00")
    put(gallery, "/none.jpg")
    assert [(photo.path.name, photo.faces) for photo in gallery.photos()] == [
        ("none.jpg", 0),
        ("b.jpg", 1),
        ("a.jpg", 2),
    ]
    assert [photo.path.name for photo in gallery.photos(since="2020-06")] == ["a.jpg"]
    assert [photo.path.name for photo in gallery.photos(until="2020")] == ["b.jpg"]
    assert [photo.path.name for photo in gallery.photos(limit=1, offset=1)] == ["b.jpg"]
    photo = gallery.photo("/a.jpg")
    assert (gallery.photo(photo.id), photo.size) == (photo, (640, 480))
    gallery.ignore([3])
    assert [face.ignored for face in gallery.faces_in(photo.id)] == [None, "stranger"]
    assert gallery.photo(photo.id).faces == 1
    assert {face.photo for face in gallery.faces_in("/a.jpg")} == {photo.id}
    gallery.confirm("Anna", [1, 2])
    assert [match.photo for match in gallery.photos_of("Anna")] == [gallery.photo("/b.jpg").id, photo.id]


@pytest.mark.parametrize("photo", [0, -1, 99, 2**80, "/nowhere.jpg", "", Path("/bad.jpg")])
def test_unknown_photos(gallery: Gallery, photo: int | str | Path) -> None:
    """A photo that is not in the gallery, or cannot be used, is an error of its own."""
    put(gallery, "/a.jpg", face_of(1, 1))
    store = gallery._store
    store.db.execute("BEGIN")
    store.put_file("/bad.jpg", store.put_photo(b"bad", PhotoAnalysis(error="it is broken")), 1, 1)
    store.db.execute("COMMIT")
    for ask in (gallery.photo, gallery.faces_in, gallery.picture, lambda photo: gallery.add_face(photo, BOX)):
        with pytest.raises(GalleryError, match="not in this gallery"):
            ask(photo)
    with pytest.raises(OptionError):
        gallery.photo(1.5)  # type: ignore[arg-type]


# Drawing


def test_a_drawn_face_is_a_face_like_others(gallery: Gallery, tmp_path: Path) -> None:
    """It is stored with its box, belongs to the person, and is found by a search."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "1.0 !2.0", "b.jpg": "2.1"})
    index(gallery, folder)
    number = gallery.add_face(folder / "a.jpg", BOX, "Ben")
    face = gallery.face(number)
    assert (face.box, face.name, face.confirmed, face.drawn, face.number) == (BOX, "Ben", True, True, 2)
    assert gallery.search(face_of(2, 0))[0].face.id == number
    assert [photo.path.name for photo in gallery.photos_of("Ben")] == ["a.jpg"]


def test_without_a_name_it_is_recognized(gallery: Gallery, tmp_path: Path) -> None:
    """A face that is similar to those of a person is recognized at once, as by a run."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "1.0 !2.0", "b.jpg": "2.1", "c.jpg": "2.2"})
    index(gallery, folder)
    gallery.confirm("Ben", [2, 3])
    face = gallery.face(gallery.add_face(folder / "a.jpg", BOX))
    assert (face.name, face.confirmed) == ("Ben", False)


def test_a_box_around_a_known_face_adds_none(gallery: Gallery) -> None:
    """Then the known face is meant: it is named, and no longer ignored."""
    (face,) = put(gallery, "/a.jpg", face_of(1, 0))
    around = (-5.0, 10.0, 60.0, 90.0)
    assert gallery.add_face("/a.jpg", around, "Anna") == face
    assert gallery.face(face).name == "Anna"
    gallery.ignore([face])
    assert gallery.add_face("/a.jpg", around) == face
    assert gallery.face(face).ignored is None
    assert len(gallery) == 1


def test_a_removed_box_can_be_drawn_again(gallery: Gallery, tmp_path: Path) -> None:
    """A drawn face that is "not a face" is out of the way: the same box is another face."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "!2.0"})
    index(gallery, folder)
    first = gallery.add_face(folder / "a.jpg", BOX)
    gallery.ignore([first], "not a face")
    assert gallery.add_face(folder / "a.jpg", BOX, "Ben") != first
    index(gallery, folder)
    assert [(face.ignored, face.name) for face in gallery.faces_in(folder / "a.jpg")] == [
        ("not a face", None),
        (None, "Ben"),
    ]


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 5, 50),
        (50, 50, 40, 90),
        (-50, 0, 4, 50),
        (700, 0, 800, 50),
        (0, 0, float("nan"), 50),
        (0, 0, float("inf"), 50),
        (1, 2, 3),
        ("a", 0, 50, 50),
        7,
    ],
)
def test_bad_boxes(gallery: Gallery, box: Any) -> None:
    """A box without sides or outside of the photo is refused before the photo is opened."""
    put(gallery, "/a.jpg", face_of(1, 0))
    with pytest.raises(OptionError, match="box is"):
        gallery.add_face("/a.jpg", box)


def test_errors_store_nothing(gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an invalid name, an unknown number, or a photo that has changed, the gallery is as before."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "1.0 !2.0"})
    index(gallery, folder)
    before = rows(gallery.path)
    for who, error in (("12", OptionError), ("", OptionError), (77, GalleryError)):
        with pytest.raises(error):
            gallery.add_face(folder / "a.jpg", BOX, who)
    monkeypatch.setattr("faceie.gallery.drawn.find_drawn_face", lambda *given: ((320, 240), *drawn_face(*given)[1:]))
    with pytest.raises(GalleryError, match="changed since"):
        gallery.add_face(folder / "a.jpg", BOX, "Ben")
    assert rows(gallery.path) == before


# It stays


def test_it_stays_through_runs_and_clustering(gallery: Gallery, tmp_path: Path) -> None:
    """Runs, also those that read all photos again, and clustering leave it alone."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "1.0 !2.0", "b.jpg": "1.1 2.1"})
    index(gallery, folder)
    gallery.add_face(folder / "a.jpg", BOX, "Ben")
    for options in ({}, {"verify": True}, {"retry": True}, {"prune": True}):
        index(gallery, folder, **options)
        gallery.cluster()
        assert named(gallery) == [("a.jpg", "Ben", True)]


@pytest.mark.parametrize("who", ["Ben", None])
def test_it_moves_to_the_new_version_of_its_photo(gallery: Gallery, tmp_path: Path, who: str | None) -> None:
    """If the photo changes, the face is drawn again at the same place, with its name, and undo knows it."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "1.0 !2.0"})
    index(gallery, folder)
    first = gallery.add_face(folder / "a.jpg", BOX, who)
    fakes(folder, {"a.jpg": "1.1 !2.0"})
    index(gallery, folder)
    (face,) = [face for face in gallery.faces() if face.drawn]
    assert (face.id != first, face.box, face.name, face.path.name) == (True, BOX, who, "a.jpg")
    assert len(rows(gallery.path)["photos"]) == 1
    assert gallery.undo().name == "add_face"
    assert len(gallery) == 1
    assert_intact(gallery.path)


def test_it_moves_to_a_face_that_is_found(gallery: Gallery, tmp_path: Path) -> None:
    """If the detector finds the face in the new version, that one has the name, and undo takes the name only."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "1.0 !2.0"})
    index(gallery, folder)
    gallery.add_face(folder / "a.jpg", BOX, "Ben")
    fakes(folder, {"a.jpg": "1.1 2.0"})
    index(gallery, folder)
    assert [(face.name, face.drawn) for face in gallery.faces()] == [(None, False), ("Ben", False)]
    gallery.undo()
    assert [face.name for face in gallery.faces()] == [None, None]


def test_it_waits_if_another_face_is_there(gallery: Gallery, tmp_path: Path) -> None:
    """If someone else is at its place, or nothing can be read, it is kept until its photo comes back."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "1.0 !2.0"})
    index(gallery, folder)
    gallery.add_face(folder / "a.jpg", BOX, "Ben")
    fakes(folder, {"a.jpg": "1.1 !3.0"})
    index(gallery, folder)
    assert named(gallery) == []
    fakes(folder, {"a.jpg": "1.0 !2.0"})
    index(gallery, folder)
    assert named(gallery) == [("a.jpg", "Ben", True)]


def test_it_moves_to_a_photo_that_is_renamed_and_edited(gallery: Gallery, tmp_path: Path) -> None:
    """A photo that is gone, while another has the same other faces, is the same photo."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "1.0 !2.0"})
    index(gallery, folder)
    gallery.add_face(folder / "a.jpg", BOX, "Ben")
    (folder / "a.jpg").unlink()
    fakes(folder, {"new.jpg": "1.0 !2.0  "})
    index(gallery, folder, prune=True)
    assert named(gallery) == [("new.jpg", "Ben", True)]


def test_it_comes_back_after_pruning(gallery: Gallery, tmp_path: Path) -> None:
    """A pruned photo keeps it, named or not, in case the photo comes back."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "!2.0", "b.jpg": "!3.0"})
    index(gallery, folder)
    gallery.add_face(folder / "a.jpg", BOX, "Ben")
    gallery.add_face(folder / "b.jpg", BOX)
    folder.rename(tmp_path / "away")
    folder.mkdir()
    (folder / "c.jpg").write_text("1.0")
    index(gallery, folder, prune=True)
    assert named(gallery) == []
    index(gallery, tmp_path / "away")
    assert named(gallery) == [("a.jpg", "Ben", True), ("b.jpg", "", False)]


def test_it_is_not_ignored_as_a_stranger(gallery: Gallery, tmp_path: Path) -> None:
    """Runs ignore new faces that match a stranger, but not those that the user has drawn."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "2.0", "b.jpg": "1.0 !2.0"})
    index(gallery, folder)
    gallery.cluster()
    gallery.ignore([1])
    face = gallery.add_face(folder / "b.jpg", BOX)
    (folder / "c.jpg").write_text("2.0 ")
    index(gallery, folder)
    assert gallery.face(face).ignored is None


# Undo


def test_undo_removes_it(gallery: Gallery, tmp_path: Path) -> None:
    """Undo takes back the name first, then the face with all its rows. The imported name is as before."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "1.0 !2.0"})
    index(gallery, folder)
    store = gallery._store
    number = gallery.confirm("Ben", [1])
    store.imports.add_person(gallery.photo(folder / "a.jpg").id, number)
    before = rows(gallery.path)
    assert gallery.photo(folder / "a.jpg").without_face == ("Ben",)
    face = gallery.add_face(folder / "a.jpg", BOX, "Ben")
    assert gallery.photo(folder / "a.jpg").without_face == ()
    gallery.confirm("Clara", [face])
    gallery.undo()
    assert named(gallery) == [("a.jpg", "Ben", True)]
    gallery.undo()
    after = rows(gallery.path)
    for table in ("faces", "portraits", "photo_people", "people"):
        assert after[table] == before[table]
    assert_intact(gallery.path)


def test_questions_follow(gallery: Gallery, tmp_path: Path) -> None:
    """Questions that are kept while the gallery is open know a drawn face, and forget it after undo."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "1.0 !2.0", "b.jpg": "2.1", "c.jpg": "2.2"})
    index(gallery, folder)
    gallery.confirm("Ben", [2, 3])
    before = gallery.suggestions(limit=None, min_probability=0.0)
    face = gallery.add_face(folder / "a.jpg", BOX, "Clara")
    gallery.suggestions(limit=None, min_probability=0.0)
    gallery.deny("Clara", [face])
    assert face in {one for question in gallery.suggestions(limit=None, min_probability=0.0) for one in question.faces}
    gallery.undo()
    gallery.undo()
    assert gallery.suggestions(limit=None, min_probability=0.0) == before


def test_undo_of_a_known_face(gallery: Gallery) -> None:
    """Undo of a box around a known face takes the name back, and the face stays."""
    (face,) = put(gallery, "/a.jpg", face_of(1, 0))
    gallery.add_face("/a.jpg", (0, 10, 60, 90), "Anna")
    gallery.undo()
    assert gallery.face(face).name is None


def test_forgetting(gallery: Gallery, tmp_path: Path) -> None:
    """A drawn face is deleted with its person, or with its photo."""
    folder = fakes(tmp_path / "photos", {"a.jpg": "1.0 !2.0"})
    index(gallery, folder)
    gallery.add_face(folder / "a.jpg", BOX, "Ben")
    gallery.forget_person("Ben")
    assert len(gallery) == 1
    gallery.add_face(folder / "a.jpg", BOX, "Ben")
    gallery.forget_photo(folder / "a.jpg")
    assert len(gallery) == 0


# Real photos


@needs_weights
def test_real_photos(tmp_path: Path, small_photos: Path) -> None:
    """A box without a face is encoded as drawn; one around a missed face has the face. Export keeps both."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(small_photos / "obama.jpg", folder)
    shutil.copy(small_photos / "astronaut.jpg", folder)
    with Gallery(tmp_path / "g.faceie", options=QUICK) as gallery:
        gallery.index([folder], workers=1)
        known = next(face for face in gallery.faces() if face.path.name == "obama.jpg")
        gallery.ignore([known.id], "not a face")
        store = gallery._store
        store.db.execute("UPDATE faces SET drawn = 1 WHERE id = ?", (known.id,))  # so that it is out of the way
        x1, y1, x2, y2 = known.box
        again = gallery.face(gallery.add_face(folder / "obama.jpg", (x1 - 9, y1 - 7, x2 + 5, y2 + 12), "Barack"))
        assert np.abs(np.subtract(again.box, known.box)).max() < 8  # the exact box, not the drawn one
        assert np.linalg.norm(gallery.embedding(again.id) - gallery.embedding(known.id)) < 0.4
        empty = gallery.face(gallery.add_face(folder / "astronaut.jpg", (100, 20, 140, 64), "Nobody"))
        assert (empty.box, empty.probability) == ((100, 20, 140, 64), 1.0)
        assert np.isclose(np.linalg.norm(gallery.embedding(empty.id)), 1, atol=1e-5)
        assert empty.quality < 0.5
        gallery.export_names(embed=True)
        gallery.index([folder], workers=1)
        before = rows(gallery.path)
        assert gallery.import_names().faces == 0
        assert rows(gallery.path) == before
        assert sorted(face.name or "" for face in gallery.faces() if face.drawn and not face.ignored) == [
            "Barack",
            "Nobody",
        ]


@needs_weights
def test_pictures(tmp_path: Path, small_photos: Path) -> None:
    """Photos and faces are shown at the size that is asked for; a photo that is gone is an error."""
    shutil.copy(small_photos / "obama.jpg", tmp_path)
    with Gallery(tmp_path / "g.faceie", options=QUICK) as gallery:
        gallery.index([tmp_path], workers=1)
        assert gallery.picture(tmp_path / "obama.jpg", 100)[:2] == b"\xff\xd8"
        assert gallery.close_up(1, 50)[:2] == b"\xff\xd8"
        with pytest.raises(OptionError):
            gallery.picture(1, 0)
        (tmp_path / "obama.jpg").unlink()
        for show in (gallery.picture, gallery.close_up):
            with pytest.raises(ImageError):
                show(1)


@needs_weights
def test_probes_from_memory(tmp_path: Path, small_photos: Path) -> None:
    """All faces of a photo are probes, from its file or its content; something else is an error."""
    content = (small_photos / "obama.jpg").read_bytes()
    with Gallery(tmp_path / "g.faceie", options=QUICK) as gallery:
        by_path, by_content = gallery.probes(small_photos / "obama.jpg"), gallery.probes(content)
        assert [probe.number for probe in by_content] == [1]
        assert np.array_equal(by_path[0].embedding, by_content[0].embedding)
        for bad in (b"", b"text", content[:300]):
            with pytest.raises(ImageError):
                gallery.probes(bad)

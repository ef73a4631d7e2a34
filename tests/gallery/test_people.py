"""People: the user's statements stay."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceie import Gallery, GalleryError, OptionError

from .conftest import QUICK, Prepared, by_words, face_of, fakes, near, person, put


def album(gallery: Gallery) -> dict[str, list[int]]:
    """Put three people into the gallery, of four, three and two photos, and one face alone."""
    faces: dict[str, list[int]] = {}
    for who, count in ((1, 4), (2, 3), (3, 2), (4, 1)):
        faces[str(who)] = [put(gallery, f"/{who}-{v}.jpg", face_of(who, v))[0] for v in range(count)]
    return faces


def test_clusters_are_listed_by_size(gallery: Gallery) -> None:
    """The largest first; single faces belong to no cluster."""
    faces = album(gallery)
    listed = gallery.people()
    assert [(one.name, one.faces, one.photos) for one in listed] == [(None, 4, 4), (None, 3, 3), (None, 2, 2)]
    assert {face.id for face in gallery.faces_of(listed[0].number)} == set(faces["1"])


def test_numbers_stay(gallery: Gallery) -> None:
    """When new faces come, clusters keep their numbers, and new ones get others."""
    album(gallery)
    before = {one.faces: one.number for one in gallery.people()}
    for v in range(5):
        put(gallery, f"/5-{v}.jpg", face_of(5, v))
    put(gallery, "/2-9.jpg", face_of(2, 9), face_of(5, 9))
    after = gallery.people()
    assert {one.number for one in after} > set(before.values())
    assert gallery.person(before[3]).faces == 4
    assert gallery.person(before[4]).faces == 4
    assert max(one.number for one in after) > max(before.values())


def test_names(gallery: Gallery) -> None:
    """A name is unique, can be changed, and is no number."""
    album(gallery)
    first, second, third = gallery.people()
    gallery.name(first.number, "  Anna   Lee ")
    assert gallery.people()[0].name == "Anna Lee"
    gallery.name("Anna Lee", "Anna")
    with pytest.raises(GalleryError, match=r"'Anna' is the name of another person"):
        gallery.name(second.number, "Anna")
    for bad in ("", " ", "12", "a\x07b"):
        with pytest.raises(OptionError, match="is not a name"):
            gallery.name(second.number, bad)
    with pytest.raises(GalleryError, match="no person is called 'Ben'"):
        gallery.name("Ben", "Bert")
    with pytest.raises(GalleryError, match="there is no cluster 99"):
        gallery.name(99, "Bert")
    assert gallery.person("Anna").number == first.number
    assert gallery.person(third.number).name is None


def test_merge_and_split(gallery: Gallery) -> None:
    """Both hold when faces are clustered again."""
    faces = album(gallery)
    one, two, three = (person_.number for person_ in gallery.people())
    gallery.name(two, "Anna")
    assert gallery.merge(one, two) == two
    assert gallery.person("Anna").faces == 7
    new = gallery.split(three, faces["3"][:1])
    gallery.cluster()
    assert gallery.person("Anna").faces == 7
    assert [face.id for face in gallery.faces_of(new)] == faces["3"][:1]
    assert [face.id for face in gallery.faces_of(three)] == faces["3"][1:]
    for wrong in (faces["3"][1:], [], faces["1"][:1]):
        with pytest.raises((OptionError, GalleryError)):
            gallery.split(three, wrong)
    with pytest.raises(OptionError, match="two clusters or people"):
        gallery.merge(three, three)


def test_yes_and_no(gallery: Gallery) -> None:
    """A face can be confirmed as a person, who may be new, or denied; the last statement counts."""
    faces = album(gallery)
    gallery.people()
    gallery.confirm("Dora", faces["4"])
    gallery.name(gallery.people()[1].number, "Anna")
    gallery.deny("Anna", faces["1"][:1])
    gallery.cluster()
    assert gallery.face(faces["1"][0]).name != "Anna"
    assert gallery.person("Anna").faces == 3
    gallery.confirm("Anna", faces["1"][:1])
    gallery.cluster()
    assert gallery.person("Anna").faces == 4
    assert [face.id for face in gallery.faces_of("Dora")] == faces["4"]
    with pytest.raises(GalleryError, match="there is no face 1234"):
        gallery.confirm("Anna", [1234])


def test_denied_of_a_cluster(gallery: Gallery) -> None:
    """A face that is not a cluster without a name does not come back to it."""
    faces = album(gallery)
    number = gallery.people()[0].number
    gallery.deny(number, faces["1"][:1])
    gallery.cluster()
    assert {face.id for face in gallery.faces_of(number)} == set(faces["1"][1:])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_what_the_user_says_stays(seed: int) -> None:
    """After any sequence of statements, new photos and clusterings, the last statement about each face holds."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder, Gallery(Path(folder) / "g", options=QUICK) as gallery:
        said: dict[int, str] = {}
        denied: set[tuple[int, str]] = set()
        faces: list[int] = []
        for step in range(25):
            faces += put(gallery, f"/{step}.jpg", *(face_of(int(who), step) for who in rng.integers(0, 4, 2)))
            face, name = int(rng.choice(faces)), str(rng.choice(["Anna", "Ben", "Cleo"]))
            exists = any(name == one.name for one in gallery.people())
            what = rng.integers(4)
            if what == 0:
                gallery.confirm(name, [face])
                said[face] = name
                denied.discard((face, name))
            elif what == 1 and exists:
                gallery.deny(name, [face])
                denied.add((face, name))
                if said.get(face) == name:
                    del said[face]
            elif what == 2 and exists:
                gallery.name(name, name)
                said.update({one.id: name for one in gallery.faces_of(name)})
            else:
                gallery.cluster()
            for one, who in said.items():
                assert (gallery.face(one).name, gallery.face(one).confirmed) == (who, True)
            assert not [pair for pair in denied if gallery.face(pair[0]).name == pair[1]]


def test_new_photos_join_people(gallery: Gallery, tmp_path: Path) -> None:
    """New faces are recognized during indexing; the report counts them; no clustering is needed."""
    folder = fakes(tmp_path / "album", {f"{v}.jpg": f"1.{v}" for v in range(3)})

    def index() -> Any:
        return gallery.index([folder], executor=Prepared(by_words))

    index()
    (cluster_,) = gallery.people()
    gallery.name(cluster_.number, "Anna")
    fakes(folder, {"new.jpg": "1.7 2.1"})
    assert index().recognized == 1
    assert [face.name for face in gallery.faces() if face.path.name == "new.jpg"] == ["Anna", None]
    assert not next(face for face in gallery.faces() if face.path.name == "new.jpg").confirmed


def test_a_changed_photo_keeps_what_was_said(gallery: Gallery, tmp_path: Path) -> None:
    """Statements move to the faces of the new version that look the same."""
    folder = fakes(tmp_path / "album", {"a.jpg": "1.1 2.1"})
    answers = {"a": by_words("1.1 2.1"), "b": by_words("2.1 1.1")}
    (folder / "a.jpg").write_text("a")
    gallery.index([folder], executor=Prepared(answers))
    first, second = gallery.faces()
    gallery.confirm("Anna", [first.id])
    gallery.confirm("Ben", [second.id])
    gallery.deny("Ben", [first.id])
    (folder / "a.jpg").write_text("b ")
    gallery.index([folder], executor=Prepared({"b ": answers["b"]}))
    assert [face.name for face in gallery.faces()] == ["Ben", "Anna"]
    assert gallery._store.db.execute("SELECT face FROM denials").fetchall() == [(list(gallery.faces())[1].id,)]


def test_a_person_without_faces(gallery: Gallery) -> None:
    """A name of which only a denial is known stays, and is listed with no face."""
    (face,) = put(gallery, "/a.jpg", person(1))
    gallery.confirm("Anna", [face])
    gallery.deny("Anna", [face])
    (anna,) = gallery.people()
    assert (anna.name, anna.faces, anna.example) == ("Anna", 0, None)


def test_faces_join_after_the_newest_were_forgotten(gallery: Gallery, tmp_path: Path) -> None:
    """New photos join people even if the last ones that came before are gone, by whichever way."""
    folder = fakes(tmp_path / "album", {"1.jpg": "1.1", "2.jpg": "1.2", "8.jpg": "3.1 4.1", "9.jpg": "5.1 6.1 7.1"})
    gallery.index([folder], executor=Prepared(by_words))
    gallery.name(gallery.people()[0].number, "Anna")
    gallery.forget_photo(folder / "9.jpg")
    (folder / "9.jpg").unlink()
    fakes(folder, {"new.jpg": "1.3"})
    assert gallery.index([folder], executor=Prepared(by_words)).recognized == 1
    (folder / "8.jpg").unlink()
    (folder / "new.jpg").unlink()
    gallery.index([folder], executor=Prepared(by_words), prune=True)
    fakes(folder, {"newer.jpg": "1.4"})
    assert gallery.index([folder], executor=Prepared(by_words)).recognized == 1
    assert gallery.person("Anna").faces == 3


def test_ids_of_faces_are_never_given_again(gallery: Gallery) -> None:
    """A face that is forgotten is not mistaken for one that comes later, as by a page that still shows it."""
    put(gallery, "/a.jpg", person(1))
    (second,) = put(gallery, "/b.jpg", person(2))
    gallery.forget_photo("/b.jpg")
    (third,) = put(gallery, "/c.jpg", person(3))
    assert third > second


def test_a_name_is_a_name_with_space_around_it(gallery: Gallery) -> None:
    """Who is confirmed as " Anna " is Anna, whether she is known or new."""
    first, second = put(gallery, "/a.jpg", person(1), person(2))
    number = gallery.confirm(" Anna ", [first])
    assert gallery.confirm(" Anna", [second]) == number
    assert [(one.name, one.faces) for one in gallery.people()] == [("Anna", 2)]


def test_nobody_is_left_where_no_face_is(gallery: Gallery) -> None:
    """When the last faces are forgotten, no cluster without a face is listed."""
    for v in range(2):
        put(gallery, f"/{v}.jpg", face_of(1, v))
    assert len(gallery.people()) == 1
    for v in range(2):
        gallery.forget_photo(f"/{v}.jpg")
    assert gallery.people() == []


def test_a_number_is_not_given_to_whom_it_was_denied(gallery: Gallery) -> None:
    """A face that was said not to be a cluster does not get its number when the cluster's own faces leave it."""
    a, b, c = (put(gallery, f"/{v}.jpg", face_of(1, v))[0] for v in range(3))
    number = gallery.people()[0].number
    gallery.deny(number, [a])
    other = near(face_of(1, 0), 0.3, 1)
    between = other + face_of(1, 1) + face_of(1, 2)  # like the cluster's own faces
    (alike,) = put(gallery, "/alike.jpg", other)
    gallery.confirm(number, [alike])
    (more,) = put(gallery, "/more.jpg", between / np.linalg.norm(between))
    gallery.cluster()
    assert gallery.face(more).person == number
    gallery.confirm("Anna", [b, c, alike])
    gallery.deny("Anna", [a, more])
    gallery.cluster()
    assert gallery.face(a).person == gallery.face(more).person
    assert gallery.face(a).person is not None
    assert gallery.face(a).person != number


class _Said:
    """The user's statements so far, in order."""

    def __init__(self) -> None:
        self.yes: dict[int, int] = {}
        """Faces, and who they are: numbers of people and clusters."""
        self.no: set[tuple[int, int]] = set()
        """Faces, and who they are not."""
        self.names: dict[int, str] = {}

    def is_(self, number: int, faces: list[int]) -> None:
        self.yes.update(dict.fromkeys(faces, number))
        self.no -= {(face, number) for face in faces}

    def is_not(self, number: int, faces: list[int]) -> None:
        for face in faces:
            if self.yes.get(face) == number:
                del self.yes[face]
            self.no.add((face, number))

    def assert_holds(self, gallery: Gallery) -> None:
        faces = {face.id: face for face in gallery.faces()}
        for face, number in self.yes.items():
            assert (faces[face].person, faces[face].confirmed) == (number, True)
        assert {face.id for face in faces.values() if face.confirmed} == set(self.yes)
        assert not [(face, number) for face, number in self.no if faces[face].person == number]
        for number in set(self.yes.values()):
            assert gallery.person(number).name == self.names.get(number)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_all_that_can_be_said_stays(seed: int) -> None:
    """Names, merges, splits, yes and no, of people and of clusters; new and forgotten photos: after each step, and each
    clustering, all statements hold, except those that were taken back.
    """
    rng = np.random.default_rng(seed)
    said = _Said()
    with tempfile.TemporaryDirectory() as folder, Gallery(Path(folder) / "g", options=QUICK) as gallery:
        for step in range(30):
            if step < 4 or rng.random() < 0.3:
                whom = rng.choice(4, int(rng.integers(1, 4)), replace=False)
                put(gallery, f"/{step}.jpg", *(face_of(int(who), step) for who in whom))
            if rng.random() < 0.4:
                gallery.cluster()
                said.assert_holds(gallery)
            _say_something(gallery, said, rng, step)
            said.assert_holds(gallery)
            there = {one.number for one in gallery.people()}  # which clusters if there are other faces
            said.no = {(face, number) for face, number in said.no if number in there}
            said.assert_holds(gallery)


def _say_something(gallery: Gallery, said: _Said, rng: np.random.Generator, step: int) -> None:
    """Say something at random that may be said, and note it."""
    faces = list(gallery.faces())
    people = gallery.people()
    chosen = [int(face) for face in rng.choice([face.id for face in faces], min(2, len(faces)), replace=False)]
    what = rng.choice(["yes", "new", "no", "name", "merge", "split", "forget"])
    if what == "new":
        number = gallery.confirm(name := f"Person {step}", chosen)
        said.names[number] = name
        said.is_(number, chosen)
        return
    if what == "forget" and len(faces) > 4:
        gone = [face.id for face in faces if face.path == faces[0].path]
        gallery.forget_photo(faces[0].path)
        said.yes = {face: number for face, number in said.yes.items() if face not in gone}
        said.no = {(face, number) for face, number in said.no if face not in gone}
        return
    if not people:
        return
    number = int(rng.choice([one.number for one in people]))
    members = [face.id for face in gallery.faces_of(number)]
    if what == "yes":
        gallery.confirm(number, chosen)
        said.is_(number, chosen)
    elif what == "no":
        gallery.deny(number, chosen)
        said.is_not(number, chosen)
        if number not in said.names:
            said.is_(number, [face for face in members if face not in chosen])
    elif what == "name":
        gallery.name(number, said.names.setdefault(number, f"Person {step}"))
        said.is_(number, members)
    elif what == "merge" and len(people) > 1:
        other = int(rng.choice([one.number for one in people if one.number != number]))
        everybody = members + [face.id for face in gallery.faces_of(other)]
        kept = gallery.merge(number, other)
        assert kept == (other if other in said.names and number not in said.names else number)
        said.no = {(face, kept if who in (other, number) else who) for face, who in said.no}
        said.is_(kept, everybody)
    elif what == "split" and len(members) > 1:
        new = gallery.split(number, members[:1])
        said.is_(number, members[1:])
        said.is_(new, members[:1])
        said.no.add((members[0], number))

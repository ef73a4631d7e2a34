"""Questions that a gallery keeps are those that it would find anew, whatever has happened since."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faceie import Gallery
from faceie.gallery import pairs

from .conftest import QUICK, near, person, put, units

_PEOPLE = 12


def doubtful_face(who: int, variant: int) -> np.ndarray:
    """Return one of many faces of a made-up person, who has two ages, and looks a little like the next person."""
    age = near(person(who), 0.8 + 0.05 * (who % 3), 50 + who) if variant % 2 else person(who)
    return near(age, 0.45, 100 * who + variant)


def fill(gallery: Gallery) -> None:
    for who in range(_PEOPLE):
        for variant in range(5):
            put(gallery, f"/{who}-{variant}.jpg", doubtful_face(who, variant), taken=f"20{10 + variant}-06-01")
    crowd = [doubtful_face(who, 7) for who in range(_PEOPLE)]
    put(gallery, "/crowd.jpg", *crowd, taken="2012-01-01")
    put(gallery, "/sheet.jpg", *(near(person(1), 0.4, 900 + k) for k in range(6)))  # a collage
    gallery.cluster()
    gallery._store.faces.put_offsets((face, 0.01 * (face % 5), face % 3 == 0) for face in gallery._store.faces.ids())


class Family:
    """Says something about the faces of a gallery, at random."""

    def __init__(self, gallery: Gallery, other: Gallery, seed: int) -> None:
        self.gallery, self.other = gallery, other
        self.random = random.Random(seed)
        self.photos = 0

    def act(self) -> str:
        """Do something, and return its name."""
        deeds: list[Callable[[], object]] = [
            self.answer, self.answer, self.answer, self.name, self.merge, self.split, self.confirm, self.deny,
            self.ignore, self.unignore, self.undo, self.add, self.born, self.forget, self.cluster,
        ]  # fmt: skip
        deed = self.random.choice(deeds)
        deed()
        return deed.__name__

    def who(self) -> int:
        return self.random.choice(self.gallery.people(cluster=False)).number

    def some(self, count: int = 3) -> list[int]:
        return self.random.sample(self.gallery._store.faces.ids(), count)

    def user(self) -> Gallery:
        return self.random.choice([self.gallery, self.other])

    def answer(self) -> None:
        questions = self.gallery.suggestions(limit=None, cluster=False)
        if questions:
            self.user().answer(self.random.choice(questions), self.random.random() < 0.5)

    def name(self) -> None:
        self.user().name(self.who(), f"Name {self.random.random()}")

    def merge(self) -> None:
        one, other = self.who(), self.who()
        if one != other:
            self.gallery.merge(one, other)

    def split(self) -> None:
        who = self.who()
        faces = [face.id for face in self.gallery.faces_of(who)]
        if len(faces) > 1:
            self.gallery.split(who, faces[: len(faces) // 2])

    def confirm(self) -> None:
        self.user().confirm(self.who(), self.some())

    def deny(self) -> None:
        self.gallery.deny(self.who(), self.some(1))

    def ignore(self) -> None:
        self.user().ignore(self.some(), self.random.choice(["stranger", "not a face"]))

    def unignore(self) -> None:
        ignored = [face.id for face in self.gallery.ignored_faces()]
        if ignored:
            self.gallery.unignore(ignored[:2])

    def undo(self) -> None:
        if self.gallery.actions():
            self.user().undo()

    def add(self) -> None:
        self.photos += 1
        who = self.random.randrange(_PEOPLE)
        faces = [doubtful_face(who, 20 + self.photos), near(person(1), 0.4, 990 + self.photos)]
        put(self.user(), f"/new-{self.photos}.jpg", *faces)

    def born(self) -> None:
        people = self.gallery.people(named=True, cluster=False)
        if people:
            self.gallery.born(people[0].number, "2012")

    def forget(self) -> None:
        if self.random.random() < 0.3:
            self.user().forget_person(self.who())

    def cluster(self) -> None:
        if self.random.random() < 0.3:
            self.user().cluster()


@pytest.mark.parametrize("seed", range(4))
def test_kept_questions_are_those_found_anew(
    gallery: Gallery, path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After anything that the user or another program does, the questions are those of a fresh comparison."""
    monkeypatch.setattr(pairs, "_TILE", 16)
    fill(gallery)
    asked = 0
    with Gallery(path, options=QUICK) as other:
        family = Family(gallery, other, seed)
        for _ in range(25):
            deed = family.act()
            kept = gallery.suggestions(limit=None, cluster=False)
            with Gallery(path, options=QUICK) as fresh:
                assert kept == fresh.suggestions(limit=None, cluster=False), deed
            asked += len(kept)
    assert asked > 20


def test_another_probability(gallery: Gallery, path: Path) -> None:
    """The kept pairs serve any probability: a lower one than before compares all again."""
    fill(gallery)
    for least in (0.5, 0.01, 0.1, 0.9):
        with Gallery(path, options=QUICK) as fresh:
            expected = fresh.suggestions(limit=None, min_probability=least, cluster=False)
        assert gallery.suggestions(limit=None, min_probability=least, cluster=False) == expected


def test_questions_about_one_person(gallery: Gallery) -> None:
    """They are those of all questions that are about this person."""
    fill(gallery)
    questions = gallery.suggestions(limit=None)
    person = questions[-1].person
    assert gallery.suggestions(person, limit=None) == [one for one in questions if one.person == person]


@pytest.mark.file_only  # in PostgreSQL, all groups are compared
def test_an_answer_compares_few(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an answer, only the groups in question are compared; without one, none are."""
    fill(gallery)
    compared: list[int] = []
    original = pairs.GroupPairs.add

    def add(self: pairs.GroupPairs, groups: list[pairs.Group], *rest: object) -> None:
        compared.append(len(groups))
        original(self, groups, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(pairs.GroupPairs, "add", add)
    question = gallery.suggestions()[0]
    gallery.suggestions()
    gallery.answer(question, True)
    gallery.suggestions()
    first, after = compared
    assert first > 10
    assert after == 1


def test_all_ignored(gallery: Gallery) -> None:
    """A gallery without faces, or with ignored ones only, has no questions."""
    assert gallery.suggestions() == []
    face, *_ = put(gallery, "/a.jpg", *units(2))
    assert gallery.suggestions() == []
    gallery.ignore([face, face + 1])
    assert gallery.suggestions(cluster=False) == []
    gallery.undo()
    assert gallery.suggestions(cluster=False) == []

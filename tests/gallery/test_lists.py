"""Parts of lists, counts, and people by the beginning of their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from faceie import Gallery, OptionError
from faceie.gallery import Counts

from .conftest import face_of, put, units


@pytest.fixture
def family(gallery: Gallery) -> Gallery:
    """A gallery of nine people with several faces, some named, some faces without dates, one photo without a file."""
    for who in range(9):
        for variant in range(2 + who % 4):
            taken = f"20{10 + (who * variant) % 7}-06-01" if variant else None
            quality = 0.5 + 0.05 * ((who + 3 * variant) % 8)
            put(gallery, f"/{who}-{variant}.jpg", face_of(who, variant), quality=quality, taken=taken)
    for number in range(7):
        put(gallery, f"/single-{number}.jpg", units(1, 500 + number)[0], quality=0.9 - 0.05 * (number % 3))
    gallery.cluster()
    for face, name in ((1, "Anna Maria"), (3, "maria"), (6, "Ännchen"), (10, "O'Mara_%")):
        gallery.name(gallery.face(face).person or 0, name)
    gallery.ignore([gallery.unassigned_faces()[0].id], "not a face")
    gallery.ignore([gallery.unassigned_faces()[0].id])
    gallery._store.remove_file("/8-0.jpg")
    gallery._store.remove_file("/single-6.jpg")
    return gallery


@pytest.mark.parametrize(
    "listed",
    [
        lambda gallery, **part: gallery.people(**part),
        lambda gallery, **part: gallery.people(named=True, **part),
        lambda gallery, **part: gallery.people(named=False, **part),
        lambda gallery, **part: gallery.faces_of(gallery.people()[-1].number, **part),
        lambda gallery, **part: gallery.faces_of("maria", by_date=True, **part),
        lambda gallery, **part: gallery.unassigned_faces(**part),
        lambda gallery, **part: gallery.ignored_faces(**part),
        lambda gallery, **part: gallery.ignored_faces("stranger", **part),
    ],
)
def test_parts_of_lists(family: Gallery, listed: Callable[..., list[Any]]) -> None:
    """Parts make up the whole list, in its order, and nothing comes after its end."""
    whole = listed(family)
    keys = [getattr(one, "id", None) or one.number for one in whole]
    assert keys
    for size in (1, 2, 5):
        parts = [listed(family, limit=size, offset=start) for start in range(0, len(keys), size)]
        assert [getattr(one, "id", None) or one.number for part in parts for one in part] == keys
        assert all(len(part) == size for part in parts[:-1])
    assert listed(family, limit=5, offset=len(keys)) == []
    assert len(listed(family, offset=1)) == len(keys) - 1
    for wrong in ({"limit": 0}, {"offset": -1}, {"limit": 1.5}, {"offset": None}):
        with pytest.raises(OptionError):
            listed(family, **wrong)


def test_people_are_counted_without_photos_that_are_gone(family: Gallery) -> None:
    """The numbers of a person are those of its faces, and equal wherever they are told."""
    people = family.people()
    for person in people:
        faces = family.faces_of(person.number)
        assert (person.faces, person.photos) == (len(faces), len({face.path for face in faces}))
        assert person.example == faces[0].id
        assert family.person(person.number) == person
    named = [person for person in people if person.name]
    assert [person.name for person in named] == ["Anna Maria", "O'Mara_%", "maria", "Ännchen"]
    assert family.people(named=True) == named
    sizes = [person.faces for person in family.people(named=False)]
    assert sizes == sorted(sizes, reverse=True)
    unassigned, ignored = len(family.unassigned_faces()), len(family.ignored_faces())
    assert family.counts() == Counts(4, len(people) - 4, len(family), unassigned, ignored)
    assert sum(person.faces for person in people) + unassigned + ignored == len(family)


def test_faces_by_date(family: Gallery) -> None:
    """The oldest face comes first, and those without a date last."""
    dates = [face.taken for face in family.faces_of("O'Mara_%", by_date=True)]
    known = [date for date in dates if date]
    assert None in dates
    assert dates == sorted(known) + [None] * (len(dates) - len(known))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ma", ["maria", "Anna Maria"]),
        ("MARIA", ["maria", "Anna Maria"]),
        ("anna  m", ["Anna Maria"]),
        ("a\u0308nn", ["Ännchen"]),
        ("o'", ["O'Mara_%"]),
        ("aria", []),
        ("%", []),
        ("_", []),
        ("\udcff", []),
    ],
)
def test_people_by_the_beginning_of_a_name(family: Gallery, text: str, names: list[str]) -> None:
    """Any of the names may begin so, in any spelling. First names come first."""
    assert [person.name for person in family.find_people(text)] == names
    assert [person.name for person in family.find_people(text, limit=1)] == names[:1]


def test_no_clustering_on_request(gallery: Gallery) -> None:
    """Lists and questions do not cluster if they are asked not to."""
    for variant in range(3):
        put(gallery, f"/{variant}.jpg", face_of(1, variant))
    assert gallery.people(cluster=False) == gallery.suggestions(cluster=False) == []
    assert not gallery.is_clustered()
    assert len(gallery.people()) == 1

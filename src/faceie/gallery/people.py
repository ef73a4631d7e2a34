"""Who the faces of a gallery are: what clustering finds, what the user says, and that the former respects the latter.

Each cluster and each person has a number, which it keeps as long as it exists; a person also has a name. A face belongs
to one of them or to none. That is *confirmed* if the user has said so; faces that were recognized as a person stay with
the name until the user says otherwise; all else may change when faces are clustered again. A name lives until its owner
deletes it. All functions but `find`, `listed` and `one` write, within a transaction of the caller's; `cluster_all` and
`join_new` have their own, since they compute outside of it.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..checks import whole_number
from ..errors import GalleryError, OptionError
from .clusters import Integers, Known, cluster, join
from .matrix import Matrix, nearest
from .names import checked_name, name_key
from .records import Person
from .schema import transaction
from .store import VISIBLE, Store, storable

__all__ = [
    "carry_over",
    "cluster_all",
    "confirm",
    "deny",
    "find",
    "join_new",
    "listed",
    "merge",
    "name",
    "new_version",
    "one",
    "remove_empty",
    "split",
]

_SAME_FACE = 0.5  # distance below which faces of two versions of a photo are one: less than most twins have
_EDITED = 0.25  # the same if only the face tells that they are versions of one photo
_TRIES = 5  # of comparing faces, while others change what is known of them
_CANDIDATES = 8  # nearest faces among which a new version is looked for

# The columns of `Person`. The example is the first face of the highest quality.
_PEOPLE = f"""
    SELECT people.id, name, count(seen.id) AS faces, count(DISTINCT photo),
        (SELECT id FROM faces WHERE person = people.id AND {VISIBLE} ORDER BY quality DESC, id LIMIT 1)
    FROM people LEFT JOIN (SELECT id, photo, person FROM faces WHERE {VISIBLE}) AS seen ON seen.person = people.id
    GROUP BY people.id
"""


class _Faces(NamedTuple):
    """All faces, in the order of the matrix, and what is known of them."""

    ids: Integers
    photos: Integers
    qualities: np.ndarray[tuple[int], np.dtype[np.float64]]
    people: Integers
    """The person or cluster of each, or -1."""
    confirmed: np.ndarray[tuple[int], np.dtype[np.bool_]]
    denials: dict[int, set[int]]
    """By the index of a face, the people that it is known not to be."""
    named: Integers
    """The numbers of people with a name."""

    @property
    def said(self) -> Integers:
        """The person of each face that stays with it, or -1: confirmed by the user, or recognized by its name."""
        return np.where(self.confirmed | np.isin(self.people, self.named), self.people, -1)

    def is_start_of(self, other: _Faces) -> bool:
        """Tell whether the other faces are these, with the same said of them, and perhaps new ones behind them."""
        count = len(self.ids)
        same = all(np.array_equal(a, b[:count]) for a, b in zip(self[:5], other[:5], strict=True))
        denials = {face: people for face, people in other.denials.items() if face < count}
        return same and denials == self.denials and np.array_equal(self.named, other.named)


def cluster_all(store: Store) -> None:
    """Cluster all faces. What the user has said stays, and so do the numbers of clusters that stay more or less.

    Faces are compared outside of any transaction, so that other programs need not wait. The result is written if
    nothing was said of them in between, and nothing removed; otherwise, it starts again.
    """
    for _ in range(_TRIES):
        faces, matrix, revision = _snapshot(store)
        if not len(faces.ids):
            return
        labels = cluster(matrix.embeddings, faces.qualities, Known(faces.photos, faces.said, faces.denials))
        with transaction(store.db):
            if faces.is_start_of(_faces(store)):
                _store_clusters(store, faces, labels)
                store.set("clustered", revision)
                return
    raise GalleryError(f"{store.path}: this gallery changes all the time; try again when other programs have finished")


def _store_clusters(store: Store, faces: _Faces, labels: Integers) -> None:
    people = _numbers(store, labels, faces)
    changed = np.flatnonzero(people != faces.people)
    store.db.executemany(
        "UPDATE faces SET person = ? WHERE id = ?",
        ((int(people[i]) if people[i] >= 0 else None, int(faces.ids[i])) for i in changed),
    )
    remove_empty(store)
    store.set("joined", max(int(faces.ids[-1]), int(store.setting("joined") or 0)))


def join_new(store: Store) -> int:
    """Let faces that have come since the last time join the people that they belong to; return how many did.

    As with `cluster_all`, other programs need not wait while faces are compared.
    """
    for _ in range(_TRIES):
        last = int(store.setting("joined") or 0)
        (newest,) = store.db.execute("SELECT coalesce(max(id), 0) FROM faces").fetchone()
        if newest <= last:
            return 0
        faces, matrix, _ = _snapshot(store)
        new = np.flatnonzero((faces.ids > last) & (faces.people < 0))
        people = np.full(len(new), -1)
        if (faces.people >= 0).any():
            people = join(matrix.embeddings, new, Known(faces.photos, faces.people, faces.denials))
        known = people >= 0
        with transaction(store.db):
            if faces.is_start_of(_faces(store)):
                store.db.executemany(
                    "UPDATE faces SET person = ? WHERE id = ?",
                    zip(people[known].tolist(), faces.ids[new[known]].tolist(), strict=True),
                )
                store.set("joined", int(faces.ids[-1]))
                return int(known.sum())
    return 0  # the next run, or the next clustering, does it


def _snapshot(store: Store) -> tuple[_Faces, Matrix, int]:
    """Return all faces with their embeddings, and the revision, of one state of the gallery."""
    with store.snapshot():
        return _faces(store), store.matrix(), store.revision()


def listed(store: Store) -> list[Person]:
    """Return the people by name, then the clusters, the largest first."""
    return [Person(*row) for row in store.db.execute(f"{_PEOPLE} ORDER BY name IS NULL, name, faces DESC, people.id")]


def one(store: Store, number: int) -> Person:
    """Return the person or cluster of this number, which must exist."""
    return Person(*store.db.execute(f"{_PEOPLE} HAVING people.id = ?", (number,)).fetchone())


def find(store: Store, who: int | str) -> int:
    """Return the number of a person or cluster that is given by number or name. Raises GalleryError."""
    if isinstance(who, str):
        number, what = _called(store, who), f"nobody is called {' '.join(who.split())!r}"
    else:
        number = whole_number("the number of a person or cluster", who, least=None)
        what = f"there is no cluster {number}"
        if number.bit_length() > 63 or not store.db.execute("SELECT 1 FROM people WHERE id = ?", (number,)).fetchone():
            number = None
    if number is None:
        raise GalleryError(f"{what} in this gallery; faceie people lists all")
    return number


def _called(store: Store, name: str) -> int | None:
    """Return the number of the person of this name, if there is one. Of several, as older versions allowed them, the
    one whose name is spelled like this.
    """
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    row = store.db.execute(
        "SELECT id FROM people WHERE key = ? ORDER BY name = ? DESC, id", (storable(name_key(name)), storable(name))
    ).fetchone()
    return None if row is None else int(row[0])


def name(store: Store, who: int | str, new_name: str) -> int:
    """Give a cluster a name, or a person another one, and confirm its faces. Returns its number."""
    number, new_name = find(store, who), checked_name(new_name)
    if _called(store, new_name) not in (None, number):
        raise GalleryError(f"{new_name!r} is somebody already; if they are one person: merge {new_name!r} {number}")
    store.db.execute("UPDATE people SET name = ?, key = ? WHERE id = ?", (new_name, name_key(new_name), number))
    _confirm_all(store, number)
    return number


def merge(store: Store, people: Sequence[int | str]) -> int:
    """Make one of several: of the name, or else of the number, that comes first. Returns its number."""
    numbers = list(dict.fromkeys(find(store, who) for who in people))
    if len(numbers) < 2:
        raise OptionError("to merge takes two clusters or people, or more")
    named = [number for number in numbers if _name(store, number) is not None]
    kept = (named or numbers)[0]
    for number in numbers:
        _confirm_all(store, number)
    for number in numbers:
        if number != kept:
            store.db.execute("UPDATE faces SET person = ? WHERE person = ?", (kept, number))
            store.db.execute("UPDATE OR IGNORE denials SET person = ? WHERE person = ?", (kept, number))
            store.db.execute("DELETE FROM people WHERE id = ?", (number,))
    # What was said later counts.
    store.db.execute(
        "DELETE FROM denials WHERE person = ? AND face IN (SELECT id FROM faces WHERE person = ?)", (kept, kept)
    )
    return kept


def split(store: Store, who: int | str, faces: Iterable[int]) -> int:
    """Make a cluster of its own of some faces of another, or of a person. Returns its number."""
    number, chosen = find(store, who), _existing(store, faces)
    members = {face for (face,) in store.db.execute("SELECT id FROM faces WHERE person = ?", (number,))}
    if strangers := sorted(set(chosen) - members):
        raise GalleryError(f"face {strangers[0]} does not belong to {who}")
    if not chosen or len(chosen) == len(members):
        raise OptionError(f"to split {who} takes some of its {len(members)} faces, not {len(chosen)}")
    _confirm_all(store, number)  # that the rest is one person is said, too
    new = _new(store)
    _assign(store, chosen, new)
    store.db.executemany("INSERT OR IGNORE INTO denials VALUES (?, ?)", ((face, number) for face in chosen))
    return new


def confirm(store: Store, who: int | str, faces: Iterable[int]) -> int:
    """Note that these faces are this person, who may be new. Returns its number."""
    chosen = _existing(store, faces)
    if isinstance(who, str) and _called(store, who := checked_name(who)) is None:
        number = _new(store, who)
    else:
        number = find(store, who)
    _assign(store, chosen, number)
    remove_empty(store)
    return number


def deny(store: Store, who: int | str, faces: Iterable[int]) -> None:
    """Note that these faces are not this person."""
    number, chosen = find(store, who), _existing(store, faces)
    for face in chosen:
        store.db.execute("UPDATE faces SET person = NULL, confirmed = 0 WHERE id = ? AND person = ?", (face, number))
        store.db.execute("INSERT OR IGNORE INTO denials VALUES (?, ?)", (face, number))
    if _name(store, number) is None:
        _confirm_all(store, number)  # or there would be nobody that the face is not
    remove_empty(store)


def new_version(store: Store, former: int) -> int | None:
    """Return the photo that a photo whose file is gone has become, if there is one: renamed and edited in one go, it
    has the same faces.
    """
    spoken = store.db.execute(
        "SELECT id FROM faces WHERE photo = ? ORDER BY quality DESC LIMIT 1", (former,)
    ).fetchone()
    matrix = store.matrix()
    for row, distance in zip(*nearest(matrix, store.embedding(spoken[0]), _CANDIDATES), strict=True):
        if distance > _EDITED:
            return None
        found = store.db.execute(
            f"SELECT photo FROM faces WHERE id = ? AND photo <> ? AND {VISIBLE}", (int(matrix.ids[row]), former)
        ).fetchone()
        if found:
            return int(found[0])
    return None


def carry_over(store: Store, former: int, photo: int) -> None:
    """Apply what the user has said of the faces of a photo to those of its new version, and take it from the former."""
    old = store.db.execute(
        "SELECT faces.id, person, confirmed FROM faces LEFT JOIN people ON people.id = person WHERE photo = ? AND"
        " (confirmed OR name IS NOT NULL OR EXISTS (SELECT 1 FROM denials WHERE face = faces.id)) ORDER BY faces.id",
        (former,),
    ).fetchall()
    new = [face for (face,) in store.db.execute("SELECT id FROM faces WHERE photo = ? ORDER BY id", (photo,))]
    for face, person, confirmed in old:
        if not new:
            return
        embeddings = np.stack([store.embedding(candidate) for candidate in new])  # [n, 512]
        distances = np.linalg.norm(embeddings - store.embedding(face), axis=1)  # [n]
        if distances.min() > _SAME_FACE:
            continue
        heir = new.pop(int(distances.argmin()))
        if person is not None:
            store.db.execute("UPDATE faces SET person = ?, confirmed = ? WHERE id = ?", (person, confirmed, heir))
        store.db.execute("INSERT OR IGNORE INTO denials SELECT ?, person FROM denials WHERE face = ?", (heir, face))
        store.db.execute("DELETE FROM denials WHERE face = ?", (face,))
        store.db.execute("UPDATE faces SET person = NULL, confirmed = 0 WHERE id = ?", (face,))


def _faces(store: Store) -> _Faces:
    rows = store.db.execute(
        "SELECT id, photo, quality, coalesce(person, -1), confirmed FROM faces ORDER BY id"
    ).fetchall()
    ids, photos, qualities, people, confirmed = zip(*rows, strict=True) if rows else ((),) * 5
    order = np.array(ids, np.int64)
    denials: dict[int, set[int]] = {}
    for face, person in store.db.execute("SELECT face, person FROM denials"):
        denials.setdefault(int(np.searchsorted(order, face)), set()).add(person)
    named = store.db.execute("SELECT id FROM people WHERE name IS NOT NULL ORDER BY id").fetchall()
    return _Faces(
        order,
        np.array(photos, np.int64),
        np.array(qualities, np.float64),
        np.array(people, np.int64),
        np.array(confirmed, np.bool_),
        denials,
        np.array([number for (number,) in named], np.int64),
    )


def _numbers(store: Store, labels: Integers, faces: _Faces) -> Integers:
    """Return the number of the person or cluster of each face, -1 for none: for each label one that there is, if any
    fits, or else a new one.
    """
    said = faces.said
    number_of: dict[int, int] = {}
    of_person = said >= 0
    number_of.update(zip(labels[of_person].tolist(), said[of_person].tolist(), strict=True))
    # Clusters that nobody has touched keep their numbers where most of their faces are.
    untouched = {number for (number,) in store.db.execute("SELECT id FROM people WHERE name IS NULL")}
    untouched -= set(said[of_person].tolist())
    was = np.isin(faces.people, list(untouched)) & (labels >= 0)
    denied = {(int(labels[face]), number) for face, numbers in faces.denials.items() for number in numbers}
    shared = Counter(zip(labels[was].tolist(), faces.people[was].tolist(), strict=True))
    for (label, number), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if label not in number_of and number in untouched and (label, number) not in denied:
            number_of[label] = number
            untouched.discard(number)
    sizes = Counter(labels[labels >= 0].tolist())
    for label in sorted(sizes, key=lambda label: (-sizes[label], label)):
        if label not in number_of:
            number_of[label] = _new(store)
    return np.array([number_of.get(label, -1) for label in labels.tolist()], np.int64)


def _new(store: Store, new_name: str | None = None) -> int:
    key = None if new_name is None else name_key(new_name)
    number = store.db.execute("INSERT INTO people (name, key) VALUES (?, ?)", (new_name, key)).lastrowid
    assert number is not None
    return number


def _name(store: Store, number: int) -> str | None:
    row: tuple[str | None] = store.db.execute("SELECT name FROM people WHERE id = ?", (number,)).fetchone()
    return row[0]


def _existing(store: Store, faces: Iterable[int]) -> list[int]:
    return [store.existing(face) for face in dict.fromkeys(faces)]


def _assign(store: Store, faces: Iterable[int], number: int) -> None:
    for face in faces:
        store.db.execute("UPDATE faces SET person = ?, confirmed = 1 WHERE id = ?", (number, face))
        store.db.execute("DELETE FROM denials WHERE face = ? AND person = ?", (face, number))


def _confirm_all(store: Store, number: int) -> None:
    store.db.execute("UPDATE faces SET confirmed = 1 WHERE person = ?", (number,))


def remove_empty(store: Store) -> None:
    """Remove clusters that no face belongs to any more. People stay: the user has named them."""
    store.db.execute(
        "DELETE FROM people WHERE name IS NULL AND id NOT IN (SELECT person FROM faces WHERE person IS NOT NULL)"
    )

"""The user's statements about faces: names, merged and split people, confirmed and rejected faces.

Each person or cluster has a number, which it keeps as long as it exists. A person also has a name, which lasts until
the user deletes it. A face belongs to at most one person or cluster. It is *confirmed* if the user has said so. Faces
that were recognized as a person stay with it until the user objects. All other faces may change when `assignment`
clusters them again.

Callers of all functions that write open the transaction.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..checks import checked_date, whole_number
from ..errors import GalleryError, OptionError
from . import strangers
from .matrix import load_matrix, nearest
from .names import checked_name
from .records import Action, NewFace, Suggestion
from .store import Store

__all__ = [
    "REASONS",
    "SAME_FACE",
    "answer",
    "confirm",
    "deny",
    "find_new_version",
    "find_number",
    "ignore",
    "merge",
    "move_labels",
    "name",
    "notice",
    "set_birth",
    "set_cover",
    "split",
    "undo",
]

#: Reasons to ignore a face.
REASONS = ("stranger", "not a face")

#: Distance below which faces in two versions of a photo are the same: less than most twins have.
SAME_FACE = 0.5
_EDITED = 0.25  # the same, if only the face tells that the photos are versions of each other
_CANDIDATES = 8  # nearest faces that are considered as a new version


def find_number(store: Store, who: int | str) -> int:
    """Return the number of a person or cluster, given by number or name. Raises GalleryError."""
    if isinstance(who, str):
        number = _number_of(store, who)
        if number is None:
            raise GalleryError(
                f"no person is called {' '.join(who.split())!r} in this gallery; faceie people lists all"
            )
        return number
    number = whole_number("the number of a person or cluster", who, least=None)
    if number.bit_length() > 63 or not store.people.exists(number):
        raise GalleryError(f"there is no cluster {number} in this gallery; faceie people lists all")
    return number


def _number_of(store: Store, name: str) -> int | None:
    return store.people.number_of(unicodedata.normalize("NFC", " ".join(name.split())))


def name(store: Store, who: int | str, new_name: str) -> int:
    """Name a cluster or rename a person, and confirm its faces. Return its number."""
    number, new_name = find_number(store, who), checked_name(new_name)
    if _number_of(store, new_name) not in (None, number):
        raise GalleryError(
            f"{new_name!r} is the name of another person. If they are the same: merge {new_name!r} {number}"
        )
    store.people.rename(number, new_name)
    store.people.confirm_all(number)
    return number


def merge(store: Store, people: Sequence[int | str]) -> int:
    """Make several people or clusters one: the first with a name, or else the first. Return its number."""
    numbers = list(dict.fromkeys(find_number(store, who) for who in people))
    if len(numbers) < 2:
        raise OptionError(f"merge takes at least two clusters or people, not {len(numbers)}")
    named = [number for number in numbers if store.people.name_of(number) is not None]
    kept = (named or numbers)[0]
    for number in numbers:
        store.people.confirm_all(number)
    for number in numbers:
        if number != kept:
            store.people.absorb(number, kept)
    store.people.drop_contradictions(kept)  # the later statement counts
    return kept


def split(store: Store, who: int | str, faces: Iterable[int]) -> int:
    """Move some faces of a person or cluster to a new cluster. Return its number."""
    number, chosen = find_number(store, who), _check_ids(store, faces)
    members = store.people.members(number)
    if strangers := sorted(set(chosen) - members):
        raise GalleryError(f"face {strangers[0]} does not belong to {who}")
    if not chosen or len(chosen) == len(members):
        raise OptionError(f"split takes some of the {len(members)} faces of {who}, not {len(chosen)}")
    store.people.confirm_all(number)  # the user also says that the other faces are one person
    new = store.people.insert()
    store.people.confirm(chosen, new)
    store.people.reject(chosen, number)
    return new


def confirm(store: Store, who: int | str, faces: Iterable[int]) -> int:
    """Record that faces are a person, who may be new. Return the person's number."""
    chosen = _check_ids(store, faces)
    if isinstance(who, str) and _number_of(store, who := checked_name(who)) is None:
        number = store.people.insert(who)
    else:
        number = find_number(store, who)
    store.people.confirm(chosen, number)
    store.people.delete_empty_clusters()
    return number


def deny(store: Store, who: int | str, faces: Iterable[int]) -> None:
    """Record that faces are not a person."""
    number, chosen = find_number(store, who), _check_ids(store, faces)
    store.people.reject(chosen, number)
    if store.people.name_of(number) is None:
        store.people.confirm_all(number)  # keeps the cluster, and with it the statement
    store.people.delete_empty_clusters()


def ignore(store: Store, faces: Iterable[int], reason: str) -> None:
    """Record that faces are to be ignored."""
    if reason not in REASONS:
        raise OptionError(f"reason is {reason!r}, expected {' or '.join(map(repr, REASONS))}")
    chosen = _check_ids(store, faces)
    if store.setting("watched") is None:  # only faces that are added later are compared with strangers
        store.set("watched", store.faces.newest_id())
    store.people.ignore(chosen, reason, confirmed=True)
    store.people.delete_empty_clusters()
    _reconsider(store)


def notice(store: Store, faces: Iterable[int]) -> int:
    """Record that faces are no longer to be ignored. Return how many were, with those that matched them only."""
    chosen = set(_check_ids(store, faces))
    ignored = set(store.people.ignored())
    if others := sorted(chosen - ignored):
        raise GalleryError(f"face {others[0]} is not ignored")
    store.people.notice(chosen)
    chosen.update(strangers.release_unmatched(store))
    _reconsider(store, chosen)
    return len(chosen)


def set_cover(store: Store, who: int | str, face: int | None) -> None:
    """Choose the face that stands for a person."""
    number = _find_named(store, who)
    if face is not None and (face := store.faces.check_id(face)) not in store.people.members(number):
        raise GalleryError(f"face {face} does not belong to {who}")
    store.people.set_cover(number, face)


def set_birth(store: Store, who: int | str, born: object) -> int:
    """Set the date of birth of a person. Return how many recognized faces in earlier photos are taken away."""
    number = _find_named(store, who)
    store.people.set_birth(number, None if born is None else checked_date("born", born))
    unborn = sorted(store.people.unborn().get(number, set()) & store.people.members(number, confirmed=False))
    store.people.assign((face, None) for face in unborn)
    _reconsider(store, unborn)
    return len(unborn)


def _find_named(store: Store, who: int | str) -> int:
    """Return the number of a person with a name: a cluster may vanish, with all that was said about it."""
    number = find_number(store, who)
    if store.people.name_of(number) is None:
        raise GalleryError(f"cluster {number} has no name. Name it first: name {number} NAME")
    return number


def answer(store: Store, question: Suggestion, yes: bool) -> int:
    """Record the answer to a question. Return the number of the person or cluster."""
    number, chosen = find_number(store, question.person), _check_ids(store, question.faces)
    if not yes:
        deny(store, number, chosen)
        return number
    if store.people.name_of(number) is None:  # the user has seen all faces of both clusters
        store.people.confirm_all(number)
    return confirm(store, number, chosen)


def _reconsider(store: Store, faces: Iterable[int] = ()) -> None:
    """Let faces be clustered again when people are listed; let the next run recognize these, with new ones."""
    store.unset("clustered")
    if faces := list(faces):
        store.set("joined", min(*faces, int(store.setting("joined") or 0) + 1) - 1)


def undo(store: Store) -> Action | None:
    """Take the last action of the user back, if there is one, and return it."""
    undone = store.history.undo()
    if undone is None:
        return None
    action, released = undone
    store.people.delete_empty_clusters()
    strangers.release_unmatched(store)
    _reconsider(store, released)
    return action


def _check_ids(store: Store, faces: Iterable[int]) -> list[int]:
    return [store.faces.check_id(face) for face in dict.fromkeys(faces)]


def find_new_version(store: Store, former: int) -> int | None:
    """Find the new version of a photo whose file is gone: renamed and edited in one go, it has the same faces."""
    best = store.faces.best_of_photo(former)
    matrix = load_matrix(store)
    for row, distance in zip(*nearest(matrix, store.faces.embedding(best), _CANDIDATES), strict=True):
        if distance > _EDITED:
            return None
        photo = store.faces.visible_photo(int(matrix.ids[row]))
        if photo not in (None, former):
            return photo
    return None


def move_labels(store: Store, former: int, photo: int, drawn: Mapping[int, tuple[int, NewFace]]) -> None:
    """Move the user's labels from the faces of a photo to the same faces in its new version.

    `drawn`: the faces that the user has drawn, as they are in new versions of their photos.
    """
    store.imports.move_people(former, photo)
    new = store.faces.of_photo(photo)
    for face, person, confirmed in store.people.labeled_faces(former):
        version, found = drawn.get(face, (None, None))
        heir = _heir(store, face, new)
        if heir is not None:
            new.remove(heir)
        elif found is not None and version == photo:
            heir = store.faces.insert(photo, store.imports.next_number(photo) or 1, found, drawn=True)
        else:
            continue
        store.people.move_labels(face, heir, person, confirmed)
        store.history.move(face, heir)


def _heir(store: Store, face: int, candidates: Sequence[int]) -> int | None:
    """Return the candidate that is the same face, or None."""
    if not candidates:
        return None
    embeddings = np.stack([store.faces.embedding(candidate) for candidate in candidates])  # [n, 512]
    distances = np.linalg.norm(embeddings - store.faces.embedding(face), axis=1)  # [n]
    return candidates[int(distances.argmin())] if distances.min() <= SAME_FACE else None

"""Add the photos, faces and people of a dataset to a gallery.

Rows are added some thousands at a time, each time in a transaction. So an import may be killed at any moment, and the
next one ends with the same gallery. A second import of the same dataset changes nothing.

The gallery's own statements always win. A statement of the dataset is taken over where the gallery has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..boxes import iou
from ..dataset import FORMAT, PEOPLE, open_part, read_rows
from ..errors import GalleryError, OptionError
from .names import checked_name
from .records import NewFace, PhotoAnalysis
from .reports import AddReport, BadPhoto
from .store import Store
from .store_datasets import KnownFace

__all__ = ["AddRun"]

_ROWS = 5000  # rows of a transaction: some 35 MB
_SAME_FACE = 0.7  # least intersection over union of boxes of one face
_REASONS = ("stranger", "not a face")

Row = Mapping[str, Any]


class AddRun:
    """A run of `Gallery.add`."""

    def __init__(self, store: Store, dataset: Path, parts: Sequence[Path], *, forgotten: bool) -> None:
        self.report = AddReport()
        self.path = store.path
        self._store = store
        self._parts = parts
        self._add_forgotten = forgotten
        self._people = _read_people(dataset / PEOPLE if dataset.is_dir() else None)
        self._numbers: dict[int | str, int] = {}  # the gallery's numbers of people of the dataset
        self._newest = store.datasets.newest_photo()
        self._rejections: list[tuple[int, int]] = []
        self._missing: list[tuple[int, int]] = []

    def work(self, progress: Callable[[int, int, AddReport], None] | None) -> None:
        """Add all files of the dataset."""
        with self._store.transaction():
            for person in self._people.values():
                if person["name"] is not None:
                    self._number(person["person"], person["name"])
        for number, part in enumerate(self._parts, 1):
            for photos in _photos(part):
                with self._store.transaction():
                    for rows in photos:
                        self._add(rows)
            if progress:
                progress(number, len(self._parts), self.report)
        with self._store.transaction():
            self._finish()

    def _finish(self) -> None:
        """Store the statements that need all faces and people."""
        store = self._store
        known = [
            (face, number)
            for face, person in self._rejections
            if (number := self._numbers.get(self._key(person, self._name(person)))) is not None
        ]
        store.datasets.reject(known)
        for photo, number in self._missing:
            if not store.datasets.has_face(photo, number):
                store.imports.add_person(photo, number)
        for person in self._people.values():
            found = self._numbers.get(self._key(person["person"], person["name"]))
            if found is not None:
                self._finish_person(person, found)

    def _finish_person(self, person: dict[str, Any], number: int) -> None:
        store = self._store
        for name in person["imported"] or ():
            store.imports.remember(name, number)
        for digest in person["photos"] or ():
            shown = store.photo(digest)
            if shown is not None and not store.datasets.has_face(shown, number):
                store.imports.add_person(shown, number)
        at = None if person["cover"] is None else store.photo(person["cover"])
        cover = None if at is None else store.datasets.face_of_photo(at, person["cover_face"], number)
        store.datasets.complete_person(number, person["born"], cover)

    # Photos

    def _add(self, rows: Sequence[Row]) -> None:
        """Add the rows of a photo, or of a file without one."""
        store, row = self._store, rows[0]
        digest = row["sha256"]
        if digest is None:
            self._add_unreadable(rows)
            return
        if store.is_forgotten(digest) and not self._add_forgotten:
            self.report.forgotten += 1
            return
        faces = [row for row in rows if row["face"] is not None]
        photo = store.photo(digest)
        if photo is None or (store.is_bad(photo) and row["error"] is None):
            analysis = PhotoAnalysis(row["width"], row["height"], row["taken"], (), row["error"], note=row["note"])
            photo = store.put_photo(digest, analysis)
            store.remove_forgotten(digest)
            self.report.photos += 1
            self._insert(photo, faces)
        else:
            self._merge(photo, faces)
        for content in {content for row in rows for content in row["contents"] or ()}:
            store.exports.add_hash(photo, content)
        for path, *version in {(row["path"], row["size"], row["modified"], row["changed"]) for row in rows}:
            if path is not None:
                self._put_file(path, photo, version[0] or 0, version[1] or 0, version[2])
        if row["error"] is not None and row["path"] is not None:
            self.report.bad.append(BadPhoto(Path(row["path"]), row["error"]))

    def _put_file(self, path: str, photo: int, size: int, modified: int, changed: int | None) -> None:
        """Record which photo a file holds, unless the gallery knows a version of it that is as new."""
        known = self._store.file(path)
        if known and known.photo is not None and known.modified >= modified:
            return
        self._store.put_file(path, photo, size, modified, changed)
        if known and known.photo not in (None, photo):
            self._store.set_successor(known.photo, photo)  # the next run moves the user's labels

    def _add_unreadable(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row["path"] is not None:
                reason = row["error"] or "it could not be read"
                self.report.bad.append(BadPhoto(Path(row["path"]), reason))
                if self._store.file(row["path"]) is None:
                    self._store.put_file(row["path"], None, 0, 0, error=reason)

    def _insert(self, photo: int, faces: Sequence[Row]) -> None:
        """Add faces to a photo that has no faces with these numbers."""
        for row in faces:
            self._insert_face(photo, row["face"], row)

    def _insert_face(self, photo: int, number: int, row: Row) -> None:
        face = self._store.faces.insert(photo, number, _new_face(row), drawn=bool(row["drawn"]))
        self.report.faces += 1
        self._label(KnownFace(face, number, (0, 0, 0, 0), None, 0, None), row, is_new=True)

    def _merge(self, photo: int, faces: Sequence[Row]) -> None:
        """Take over the statements of the dataset about the faces of a known photo."""
        if photo > self._newest and faces:  # added by this run, from other rows of the dataset
            numbers = {face.number for face in self._store.datasets.faces(photo)}
            self._insert(photo, [row for row in faces if row["face"] not in numbers])
            return
        self.report.known += 1
        stated = [row for row in faces if any(row[key] for key in ("person", "ignored", "rejected", "drawn"))]
        known = self._store.datasets.faces(photo) if stated else []
        for row in stated:
            face = _same_face(known, row)
            if face is not None:
                self._label(face, row, is_new=False)
            elif row["drawn"] and (number := self._store.imports.next_number(photo)) is not None:
                self._insert_face(photo, number, row)
            elif row["confirmed"] and row["name"] is not None:  # the name stays with the photo
                self._missing.append((photo, self._number(row["person"], row["name"])))

    # Statements

    def _label(self, face: KnownFace, row: Row, *, is_new: bool) -> None:
        """Take over the person of a face, or why it is ignored, unless the gallery has a statement about it."""
        confirmed, ignored = int(row["confirmed"] or 0), row["ignored"] if row["ignored"] in _REASONS else None
        self._rejections += [(face.id, person) for person in row["rejected"] or ()]
        name = self._name(row["person"]) or row["name"]
        if ignored is not None:
            if is_new or (confirmed and not face.confirmed):
                self._store.datasets.label(face.id, None, confirmed, ignored)
            elif confirmed and (face.person is not None or face.ignored != ignored):
                self._conflict(row)
            return
        if row["person"] is None and name is None:
            return
        if name is None and face.person is not None and self._store.people.name_of(face.person) is None:
            self._numbers.setdefault(row["person"], face.person)  # one cluster, of which a killed run has added a part
        if not is_new and not (confirmed and name is not None):
            if face.person is None and not face.confirmed and name is not None and face.ignored is None:
                self._assign(face, row, name, 0)
            return  # the program clusters the others anew
        if face.confirmed:
            same = face.person is not None and face.person == self._number(row["person"], name)
            if not same:
                self._conflict(row)
            return
        self._assign(face, row, name, confirmed)

    def _assign(self, face: KnownFace, row: Row, name: str | None, confirmed: int) -> None:
        number = self._number(row["person"], name)
        if self._store.datasets.is_rejected(face.id, number):
            self._conflict(row)
            return
        self._store.datasets.label(face.id, number, confirmed, None)
        self.report.named += name is not None

    def _conflict(self, row: Row) -> None:
        path = Path(row["path"] or "")
        self.report.conflicts.append(BadPhoto(path, f"face {row['face']}: this gallery says something else about it"))

    # People

    def _name(self, person: int | None) -> str | None:
        known = self._people.get(person)
        return known["name"] if known else None

    def _key(self, person: int | None, name: str | None) -> int | str:
        assert person is not None or name is not None
        return name if name is not None else person  # type: ignore[return-value]  # one of them is not None

    def _number(self, person: int | None, name: str | None) -> int:
        """Return the gallery's number of a person or cluster, who may be new."""
        key = self._key(person, name)
        number = self._numbers.get(key)
        if number is None:
            number = None if name is None else self._store.people.number_of(name)
            if number is None:
                number = self._store.people.insert(name)
                self.report.people += name is not None
            self._numbers[key] = number
        return number


def _read_people(path: Path | None) -> dict[int | None, dict[str, Any]]:
    """Return the people of a dataset by their numbers. Names that no person can have are refused."""
    if path is None or not path.exists():
        return {}
    with open_part(path) as part:
        rows = part.read().to_pylist()
    if any((row["faceie"] or FORMAT + 1) > FORMAT for row in rows):
        raise GalleryError(f"{path}: a newer version of Faceie has written it. Install a newer version to read it")
    for row in rows:
        _check(path, row["name"])
    return {row["person"]: row for row in rows}


def _check(path: Path, name: str | None) -> None:
    if name is None:
        return
    try:
        checked_name(name)
    except OptionError as error:
        raise GalleryError(f"{path}: {error}") from None


def _photos(part: Path) -> Iterator[list[list[Row]]]:
    """Yield the photos of a file of a dataset, some at a time: the rows of each, together."""
    rest: dict[Any, list[Row]] = {}
    for columns in read_rows(part, _ROWS):
        names = list(columns)
        for name in set(columns["name"]):
            _check(part, name)
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(names, values, strict=True))
            rest.setdefault(row["sha256"], []).append(row)
        last = row["sha256"] if columns["sha256"] else None
        yield [rows for digest, rows in rest.items() if digest != last]  # the last photo may go on
        rest = {last: rest[last]} if last in rest else {}
    yield list(rest.values())


def _new_face(row: Row) -> NewFace:
    if len(row["embedding"] or b"") != 2048 or len(row["landmarks"] or b"") != 40 or row["thumbnail"] is None:
        raise GalleryError(f"{_subject(row)}: its embedding, landmarks or thumbnail is missing")
    embedding = np.frombuffer(row["embedding"], "<f4")
    if not abs(float(embedding @ embedding) - 1) < 1e-3:  # also if it is NaN
        raise GalleryError(f"{_subject(row)}: its embedding is not of unit length")
    for name in ("x1", "y1", "x2", "y2", "angle", "probability", "quality"):
        if row[name] is None or not math.isfinite(row[name]):
            raise GalleryError(f"{_subject(row)}: its {name} is {row[name]}, expected a number")
    return NewFace(
        box=(row["x1"], row["y1"], row["x2"], row["y2"]),
        landmarks=np.frombuffer(row["landmarks"], "<f4").reshape(5, 2),
        roll=row["angle"],
        probability=row["probability"],
        quality=row["quality"],
        embedding=embedding,
        thumbnail=row["thumbnail"],
    )


def _subject(row: Row) -> str:
    return f"face {row['face']} of {row['path']}"


def _same_face(known: Sequence[KnownFace], row: Row) -> KnownFace | None:
    """Return the face of the gallery that a row is about."""
    with suppress(TypeError):  # no box
        box = np.array([[row["x1"], row["y1"], row["x2"], row["y2"]]], np.float32)
        overlaps = [float(iou(box, np.array([face.box], np.float32))[0, 0]) for face in known]
        best = max(
            range(len(known)), key=lambda index: (overlaps[index], known[index].number == row["face"]), default=0
        )
        if known and overlaps[best] >= _SAME_FACE:
            return known[best]
    return None

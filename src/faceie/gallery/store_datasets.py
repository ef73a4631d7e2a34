"""SQL for datasets: all rows of a gallery by photo, and statements about faces that come from another gallery."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from .database import AnyDatabase

__all__ = ["DatasetStore", "KnownFace", "PhotoRows"]

_FACE = (
    "number, x1, y1, x2, y2, landmarks, angle, probability, quality, embedding, thumbnail, faces.id, person,"
    " people.name, confirmed, ignored, drawn"
)


class PhotoRows(NamedTuple):
    """A photo with its files and faces."""

    sha256: bytes
    about: tuple[Any, ...]
    """Width, height, date, error, note."""
    contents: list[bytes]
    """SHA-256 of further contents."""
    files: list[tuple[str, int, int, int | None]]
    """Path, size, and times of change of contents and inode, in nanoseconds."""
    faces: list[tuple[Any, ...]]
    """Values of `DatasetStore.face_columns`."""


class KnownFace(NamedTuple):
    """A face in the gallery, about which a dataset may have a statement."""

    id: int
    number: int
    box: tuple[float, float, float, float]
    person: int | None
    confirmed: int
    ignored: str | None


class DatasetStore:
    """Rows for datasets in a gallery's database. Callers of methods that write open the transaction."""

    face_columns = tuple(name.strip().rpartition(".")[2] for name in _FACE.split(","))

    def __init__(self, db: AnyDatabase) -> None:
        self._db = db

    # Out

    def photos_after(self, photo: int, count: int) -> tuple[int, list[PhotoRows]]:
        """Return the next photos by id, and the last id. No photos come after the last ones."""
        rows = self._db.execute(
            "SELECT id, hash, width, height, taken, error, note FROM photos WHERE id > ? ORDER BY id LIMIT ?",
            (photo, count),
        ).fetchall()
        if not rows:
            return photo, []
        photos = {row[0]: PhotoRows(bytes(row[1]), tuple(row[2:]), [], [], []) for row in rows}
        between = (rows[0][0], rows[-1][0])
        for number, digest in self._db.execute("SELECT photo, hash FROM hashes WHERE photo BETWEEN ? AND ?", between):
            photos[number].contents.append(bytes(digest))
        for number, path, *about in self._db.execute(
            "SELECT photo, CAST(path AS BLOB), size, modified, changed FROM files WHERE photo BETWEEN ? AND ?"
            " ORDER BY photo, path",
            between,
        ):
            photos[number].files.append((os.fsdecode(path), *about))
        for number, *face in self._db.execute(
            f"SELECT photo, {_FACE} FROM faces JOIN portraits ON face = faces.id"
            " LEFT JOIN people ON people.id = person WHERE photo BETWEEN ? AND ? ORDER BY photo, number",
            between,
        ):
            photos[number].faces.append(tuple(face))
        return rows[-1][0], list(photos.values())

    def unreadable_files(self) -> list[tuple[str, str]]:
        """Return the files that could not be read, and the reasons."""
        rows = self._db.execute("SELECT CAST(path AS BLOB), error FROM files WHERE photo IS NULL ORDER BY path")
        return [(os.fsdecode(path), error) for path, error in rows]

    def rejections(self) -> dict[int, list[int]]:
        """Return, for faces, the people that they are not, according to the user."""
        found: dict[int, list[int]] = {}
        for face, person in self._db.execute("SELECT face, person FROM denials ORDER BY face, person"):
            found.setdefault(face, []).append(person)
        return found

    def people(self) -> list[dict[str, Any]]:
        """Return the people with a name, and clusters that are more than their faces, as rows of ``people.parquet``."""
        imported: dict[int, list[str]] = {}
        for key, person in self._db.execute("SELECT key, person FROM imported_names ORDER BY key"):
            imported.setdefault(person, []).append(key)
        photos: dict[int, list[bytes]] = {}
        for digest, person in self._db.execute(
            "SELECT hash, person FROM photo_people JOIN photos ON photos.id = photo ORDER BY photos.id"
        ):
            photos.setdefault(person, []).append(bytes(digest))
        rows = self._db.execute(
            "SELECT people.id, name, born, photos.hash, faces.number FROM people LEFT JOIN faces ON faces.id = cover"
            " LEFT JOIN photos ON photos.id = faces.photo ORDER BY people.id"
        )
        return [
            {
                "person": person,
                "name": name,
                "born": born,
                "cover": cover,
                "cover_face": face,
                "imported": imported.get(person, []),
                "photos": photos.get(person, []),
            }
            for person, name, born, cover, face in rows
            if name is not None or person in imported or person in photos
        ]

    # In

    def newest_photo(self) -> int:
        """Return the largest id of a photo, or 0."""
        (newest,) = self._db.execute("SELECT coalesce(max(id), 0) FROM photos").fetchone()
        return int(newest)

    def faces(self, photo: int) -> list[KnownFace]:
        """Return the faces in a photo, by number."""
        rows = self._db.execute(
            "SELECT id, number, x1, y1, x2, y2, person, confirmed, ignored FROM faces WHERE photo = ? ORDER BY number",
            (photo,),
        )
        return [KnownFace(face, number, (x1, y1, x2, y2), *rest) for face, number, x1, y1, x2, y2, *rest in rows]

    def is_rejected(self, face: int, person: int) -> bool:
        """Tell whether the user has said that a face is not a person."""
        row = self._db.execute("SELECT 1 FROM denials WHERE face = ? AND person = ?", (face, person)).fetchone()
        return row is not None

    def label(self, face: int, person: int | None, confirmed: int, ignored: str | None) -> None:
        """Set the person of a face, who says so, and why it is ignored."""
        self._db.execute(
            "UPDATE faces SET person = ?, confirmed = ?, ignored = ? WHERE id = ?", (person, confirmed, ignored, face)
        )

    def reject(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Record that faces are not people, except those that are confirmed as these."""
        self._db.executemany(
            "INSERT INTO denials SELECT id, ? FROM faces WHERE id = ? AND NOT (confirmed <> 0 AND person = ?)"
            " ON CONFLICT DO NOTHING",
            ((person, face, person) for face, person in pairs),
        )

    def complete_person(self, person: int, born: str | None, cover: int | None) -> None:
        """Set the date of birth and the cover of a person, if they are missing."""
        self._db.execute(
            "UPDATE people SET born = coalesce(born, ?), cover = coalesce(cover, ?) WHERE id = ?", (born, cover, person)
        )

    def face_of_photo(self, photo: int, number: int, person: int) -> int | None:
        """Return the face with this number in a photo, if it belongs to a person."""
        row = self._db.execute(
            "SELECT id FROM faces WHERE photo = ? AND number = ? AND person = ?", (photo, number, person)
        ).fetchone()
        return None if row is None else int(row[0])

    def has_face(self, photo: int, person: int) -> bool:
        """Tell whether a person has a face in a photo."""
        row = self._db.execute("SELECT 1 FROM faces WHERE photo = ? AND person = ?", (photo, person)).fetchone()
        return row is not None

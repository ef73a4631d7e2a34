"""SQL for imported names (tables ``photo_people`` and ``imported_names``, and the names of faces)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from .database import AnyDatabase
from .names import name_key

__all__ = ["BY_IMPORT", "BY_USER", "ImportStore", "NamedPhoto", "StoredFace"]

#: Values of ``faces.confirmed``: by the user in Faceie, or by an imported name.
BY_USER, BY_IMPORT = 1, 2


class NamedPhoto(NamedTuple):
    """A photo whose names are imported."""

    id: int
    size: tuple[int, int]
    """Width and height of the upright photo."""
    paths: list[Path]
    """Paths of the photo and its copies."""


class StoredFace(NamedTuple):
    """A face and its person, before an import."""

    id: int
    photo: int
    box: tuple[float, float, float, float]
    quality: float
    person: int | None
    confirmed: int
    """0, `BY_USER` or `BY_IMPORT`."""


class ImportStore:
    """Imported names in a gallery's database. Callers of methods that write open the transaction."""

    def __init__(self, db: AnyDatabase) -> None:
        self._db = db

    # Reading

    def photos(self, paths: Iterable[str] | None) -> list[NamedPhoto]:
        """Return the usable photos, or those of the files with these paths."""
        wanted = None if paths is None else set(paths)
        photos: dict[int, NamedPhoto] = {}
        rows = self._db.execute(
            "SELECT photos.id, width, height, CAST(path AS BLOB) FROM files JOIN photos ON photos.id = files.photo"
            " WHERE photos.error IS NULL ORDER BY path"
        )
        for photo, width, height, path in rows:
            name = os.fsdecode(path)
            if wanted is None or name in wanted:
                photos.setdefault(photo, NamedPhoto(photo, (width, height), [])).paths.append(Path(name))
        return list(photos.values())

    def faces(self, photo: int) -> list[StoredFace]:
        """Return the faces in a photo."""
        return self._faces("photo = ?", photo)

    def confirmed_faces(self, person: int) -> list[StoredFace]:
        """Return the confirmed faces of a person."""
        return self._faces("confirmed > 0 AND person = ?", person)

    def _faces(self, where: str, value: int) -> list[StoredFace]:
        rows = self._db.execute(
            f"SELECT id, photo, x1, y1, x2, y2, quality, person, confirmed FROM faces WHERE {where} ORDER BY id",
            (value,),
        )
        return [StoredFace(face, at, (x1, y1, x2, y2), *rest) for face, at, x1, y1, x2, y2, *rest in rows]

    def denials(self) -> dict[int, set[int]]:
        """Return, for faces, the people that they are not, according to the user."""
        found: dict[int, set[int]] = {}
        for face, person in self._db.execute("SELECT face, person FROM denials"):
            found.setdefault(face, set()).add(person)
        return found

    def person_called(self, name: str) -> int | None:
        """Return the number of the person that an import knows by a name, even if the user has renamed it."""
        row = self._db.execute("SELECT person FROM imported_names WHERE key = ?", (name_key(name),)).fetchone()
        return None if row is None else int(row[0])

    def people_of_photo(self, photo: int) -> set[int]:
        """Return the people in a photo whose faces were not found."""
        return {person for (person,) in self._db.execute("SELECT person FROM photo_people WHERE photo = ?", (photo,))}

    def photos_of(self, people: Sequence[int]) -> list[tuple[Path, str | None, int, int]]:
        """Return the photos of people whose faces were not found in them: path, date, person and photo."""
        marks = ", ".join("?" * len(people))
        rows = self._db.execute(
            "SELECT (SELECT CAST(path AS BLOB) FROM files WHERE photo = photos.id ORDER BY path LIMIT 1), taken,"
            " person, photos.id"
            f" FROM photo_people JOIN photos ON photos.id = photo_people.photo WHERE person IN ({marks})"
            " ORDER BY taken IS NOT NULL, taken, photos.id",
            tuple(people),
        )
        return [(Path(os.fsdecode(path)), *rest) for path, *rest in rows if path is not None]

    # Writing

    def remember(self, name: str, person: int) -> None:
        """Record which person an import knows by a name."""
        self._db.execute("INSERT INTO imported_names VALUES (?, ?) ON CONFLICT DO NOTHING", (name_key(name), person))

    def label(self, face: int, person: int) -> None:
        """Record that a face is a person, by an imported name."""
        self._db.execute(
            "UPDATE faces SET person = ?, confirmed = ?, ignored = NULL WHERE id = ?", (person, BY_IMPORT, face)
        )

    def next_number(self, photo: int) -> int | None:
        """Return the number for another face in a photo, or None if the photo is gone."""
        if self._db.execute("SELECT 1 FROM photos WHERE id = ?", (photo,)).fetchone() is None:
            return None
        (number,) = self._db.execute(
            "SELECT coalesce(max(number), 0) + 1 FROM faces WHERE photo = ?", (photo,)
        ).fetchone()
        return int(number)

    def add_person(self, photo: int, person: int) -> None:
        """Record that a photo shows a person whose face was not found."""
        self._db.execute(
            "INSERT INTO photo_people SELECT id, ? FROM photos WHERE id = ? ON CONFLICT DO NOTHING", (person, photo)
        )

    def remove_person(self, photo: int, person: int) -> None:
        """Delete the record that a face of a person was not found in a photo."""
        self._db.execute("DELETE FROM photo_people WHERE photo = ? AND person = ?", (photo, person))

    def move_people(self, photo: int, successor: int) -> None:
        """Give the people of a photo whose faces were not found to its new version."""
        self._db.execute(
            "INSERT INTO photo_people SELECT ?, person FROM photo_people WHERE photo = ? ON CONFLICT DO NOTHING",
            (successor, photo),
        )
        self._db.execute("DELETE FROM photo_people WHERE photo = ?", (photo,))

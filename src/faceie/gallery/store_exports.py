"""SQL for names that are written into files: named faces, the files that show them, and hashes of changed photos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from .database import AnyDatabase

__all__ = ["ExportStore", "NamedRow", "PhotoFile"]


class PhotoFile(NamedTuple):
    """A file of a usable photo."""

    path: Path
    photo: int
    size: int
    """In bytes."""
    modified: int
    """In nanoseconds."""
    frame: tuple[int, int]
    """Width and height of the upright photo."""


class NamedRow(NamedTuple):
    """A person in a photo."""

    photo: int
    person: int
    name: str
    face: int | None
    """None if the face was not found."""
    box: tuple[float, float, float, float] | None
    confirmed: bool
    """Whether the user or an imported name says so."""


class ExportStore:
    """Names to write, in a gallery's database. Callers of methods that write open the transaction."""

    def __init__(self, db: AnyDatabase) -> None:
        self._db = db

    def files(self) -> list[PhotoFile]:
        """Return the files of all usable photos, by path."""
        rows = self._db.execute(
            "SELECT CAST(path AS BLOB), photos.id, size, modified, width, height FROM files"
            " JOIN photos ON photos.id = files.photo WHERE photos.error IS NULL AND width > 0 AND height > 0"
            " ORDER BY path"
        )
        return [
            PhotoFile(Path(os.fsdecode(path)), photo, size, modified, (width, height))
            for path, photo, size, modified, width, height in rows
        ]

    def people(self) -> list[NamedRow]:
        """Return the people with a name in all photos, by face, then those whose faces were not found."""
        faces = self._db.execute(
            "SELECT photo, person, name, faces.id, x1, y1, x2, y2, confirmed FROM faces"
            " JOIN people ON people.id = person WHERE name IS NOT NULL ORDER BY faces.id"
        )
        rows = [
            NamedRow(photo, person, name, face, (x1, y1, x2, y2), bool(confirmed))
            for photo, person, name, face, x1, y1, x2, y2, confirmed in faces
        ]
        others = self._db.execute(
            "SELECT photo, person, name FROM photo_people JOIN people ON people.id = person"
            " WHERE name IS NOT NULL ORDER BY photo, person"
        )
        return rows + [NamedRow(photo, person, name, None, None, True) for photo, person, name in others]

    def add_hash(self, photo: int, digest: bytes) -> None:
        """Record another content of a photo, unless the gallery knows it as a photo already."""
        self._db.execute(
            "INSERT INTO hashes SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM photos WHERE hash = ?)"
            " ON CONFLICT DO NOTHING",
            (digest, photo, digest),
        )

    def embedded_photos(self) -> set[int]:
        """Return the photos into which names have been written."""
        return {photo for (photo,) in self._db.execute("SELECT photo FROM hashes")}

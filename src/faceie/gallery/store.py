"""SQL for settings, files and photos; `FaceStore`, `PeopleStore`, `ImportStore` and `ExportStore` have the rest."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from ..errors import GalleryError
from .database import AnyDatabase, back_up, connect, transaction, translate_errors
from .postgres import Postgres, connect_postgres, is_address, name_of
from .records import KnownFile, Photo, PhotoAnalysis
from .reports import BadPhoto
from .store_changes import ChangeStore
from .store_datasets import DatasetStore
from .store_exports import ExportStore
from .store_faces import FaceStore
from .store_history import HistoryStore
from .store_imports import ImportStore
from .store_people import PeopleStore, to_valid_text
from .store_vectors import VectorStore

__all__ = ["Store", "open_store"]


class Store:
    """A gallery's database. Callers of methods that write open the transaction."""

    def __init__(self, db: AnyDatabase, path: Path | str) -> None:
        self.db = db
        self.path = path
        """Path of the file, or address of the database, for messages."""
        self.vectors = VectorStore(db) if isinstance(db, Postgres) else None
        self.faces = FaceStore(db)
        self.people = PeopleStore(db)
        self.imports = ImportStore(db)
        self.exports = ExportStore(db)
        self.datasets = DatasetStore(db)
        self.history = HistoryStore(db)
        self.changes = ChangeStore(db)

    # The database

    @property
    def is_read_only(self) -> bool:
        """Whether the gallery cannot be written where it lies."""
        return self.db.read_only

    def close(self) -> None:
        """Close the database."""
        self.db.close()

    def transaction(self, patience: float | None = None) -> AbstractContextManager[None]:
        """Return a context in which all writes succeed together or not at all (see `schema.transaction`)."""
        return transaction(self.db, patience)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read from one state of the database, even while other programs write."""
        if self.db.in_transaction:
            yield
            return
        self.db.execute(self.db.snapshot_statement)
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):  # the connection may be lost
                self.db.execute("COMMIT")
            raise
        self.db.execute("COMMIT")

    def is_in_transaction(self) -> bool:
        """Tell whether a transaction or a snapshot is open."""
        return self.db.in_transaction

    def back_up(self, target: Path) -> None:
        """Copy the database to another file."""
        if isinstance(self.db, Postgres):
            raise GalleryError(f"{self.path}: this gallery is not a file; copy it with pg_dump")
        back_up(self.db, target)

    def compact(self) -> bool:
        """Rewrite the file without the pages of deleted rows, and empty the log. In PostgreSQL, free their space.

        Returns False if another program reads from the log, so that old bytes stay there.
        """
        if isinstance(self.db, Postgres):
            self.db.vacuum()
            return True
        self.db.execute("VACUUM")
        (busy, _, _) = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def check_owner(self) -> None:
        """Raise GalleryError for a gallery in a server whose tables belong to another role."""
        if isinstance(self.db, Postgres) and not (self.is_read_only or self.db.is_owner()):
            raise GalleryError(
                f"{self.path}: only the owner of its tables can delete this gallery; nothing was deleted"
            )

    def drop_tables(self) -> None:
        """Delete the tables of a gallery in a server. A file is deleted as a whole."""
        if isinstance(self.db, Postgres):
            self.db.drop()

    def build_index(self) -> None:
        """Make the index of a large gallery in a server, if it is missing. A file needs none."""
        if self.vectors:
            self.vectors.build_index()

    # Settings

    def setting(self, name: str) -> str | None:
        """Return the value of a setting."""
        row = self.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set(self, name: str, value: object) -> None:
        """Store a setting as text."""
        self.db.execute(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, str(value)),
        )

    def unset(self, name: str) -> None:
        """Delete a setting."""
        self.db.execute("DELETE FROM settings WHERE name = ?", (name,))

    def revision(self) -> int:
        """Return a number that grows whenever a face is added or deleted."""
        return int(self.setting("revision") or 0)

    # Files

    def file(self, path: str) -> KnownFile | None:
        """Return the record of a file."""
        row = self.db.execute(
            "SELECT photo, size, modified, changed FROM files WHERE path = CAST(? AS TEXT)", (os.fsencode(path),)
        ).fetchone()
        return KnownFile(*row) if row else None

    def file_count(self) -> int:
        """Count the files."""
        (count,) = self.db.execute("SELECT count(*) FROM files").fetchone()
        return int(count)

    def paths(self, photo: int) -> list[str]:
        """Return the paths of the files that hold a photo."""
        rows = self.db.execute("SELECT CAST(path AS BLOB) FROM files WHERE photo = ? ORDER BY path", (photo,))
        return [os.fsdecode(path) for (path,) in rows]

    def paths_below(self, folder: str) -> list[str]:
        """Return the paths of files in a folder, at any depth; or the path itself, if it is that of a file."""
        start = os.fsencode(os.path.join(folder, ""))  # noqa: PTH118  # with the separator at its end
        rows = self.db.execute(
            "SELECT CAST(path AS BLOB) FROM files"
            " WHERE path = CAST(? AS TEXT) OR substr(CAST(path AS BLOB), 1, ?) = ? ORDER BY path",
            (os.fsencode(folder), len(start), start),
        )
        return [os.fsdecode(path) for (path,) in rows]

    def put_file(
        self,
        path: str,
        photo: int | None,
        size: int,
        modified: int,
        changed: int | None = None,
        error: str | None = None,
    ) -> None:
        """Record which photo a file holds, or why it cannot be read."""
        self.db.execute(
            "INSERT INTO files (path, photo, size, modified, changed, error) VALUES (CAST(? AS TEXT), ?, ?, ?, ?, ?)"
            " ON CONFLICT (path) DO UPDATE SET photo = excluded.photo, size = excluded.size,"
            " modified = excluded.modified, changed = excluded.changed, error = excluded.error",
            (os.fsencode(path), photo, size, modified, changed, error and to_valid_text(error)),
        )
        self.db.execute("UPDATE photos SET successor = NULL WHERE id = ? AND successor IS NOT NULL", (photo,))

    def remove_file(self, path: str) -> None:
        """Delete the record of a file."""
        self.db.execute("DELETE FROM files WHERE path = CAST(? AS TEXT)", (os.fsencode(path),))

    def sizes(self) -> list[int]:
        """Return the sizes of all files, in bytes, without repetitions."""
        return [size for (size,) in self.db.execute("SELECT DISTINCT size FROM files WHERE photo IS NOT NULL")]

    def has_contents_without_files(self) -> bool:
        """Tell whether the gallery knows contents, by their SHA-256, that no file held in the last run."""
        return bool(self.orphans()) or any(
            self.db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in ("hashes", "forgotten")
        )

    # Photos

    def photo(self, digest: bytes) -> int | None:
        """Return the id of the photo with this SHA-256."""
        row = self.db.execute(
            "SELECT id FROM photos WHERE hash = ? UNION ALL SELECT photo FROM hashes WHERE hash = ?", (digest, digest)
        ).fetchone()
        return row[0] if row else None

    def error(self, photo: int) -> str | None:
        """Return the reason why a photo cannot be used, or None for a usable one."""
        row: tuple[str | None] = self.db.execute("SELECT error FROM photos WHERE id = ?", (photo,)).fetchone()
        return row[0]

    def is_bad(self, photo: int) -> bool:
        """Tell whether a photo cannot be used."""
        return self.error(photo) is not None

    def find_photo(self, photo: int) -> Photo | None:
        """Return the photo with this id. None if it is unknown, cannot be used, or is in no file."""
        found = self.list_photos("photos.id = ?", [photo], 1, 0)
        return found[0] if found else None

    def photos_by_date(self, since: str | None, until: str | None, limit: int, offset: int) -> list[Photo]:
        """Return the usable photos of a period, the oldest first. Those without a date come before all others."""
        if not (since or until):
            return self.list_photos("TRUE", [], limit, offset)
        return self.list_photos("taken >= ? AND taken <= ?", [since or "", f"{until or ''}~"], limit, offset)

    def list_photos(self, where: str, values: list[object], limit: int, offset: int) -> list[Photo]:
        """Return the usable photos under a condition, by date."""
        rows = self.db.execute(
            "SELECT id, (SELECT CAST(path AS BLOB) FROM files WHERE photo = photos.id ORDER BY path LIMIT 1), taken,"
            " width, height, (SELECT count(*) FROM faces WHERE photo = photos.id AND ignored IS NULL) FROM photos"
            f" WHERE {where} AND error IS NULL AND EXISTS (SELECT 1 FROM files WHERE photo = photos.id)"
            " ORDER BY taken IS NOT NULL, taken, id LIMIT ? OFFSET ?",
            (*values, limit, offset),
        ).fetchall()
        return [
            Photo(photo, Path(os.fsdecode(path)), taken, (width, height), faces, self._without_face(photo))
            for photo, path, taken, width, height, faces in rows
        ]

    def _without_face(self, photo: int) -> tuple[str, ...]:
        rows = self.db.execute(
            "SELECT name FROM photo_people JOIN people ON people.id = person WHERE photo = ? ORDER BY name", (photo,)
        )
        return tuple(name for (name,) in rows if name is not None)

    def put_photo(self, digest: bytes, analysis: PhotoAnalysis) -> int:
        """Store a photo with its faces, or replace one that could not be used. Return its id."""
        error = analysis.error and to_valid_text(analysis.error)
        columns = (analysis.width, analysis.height, analysis.taken, error, analysis.note)
        photo = self.photo(digest)
        if photo is None:
            cursor = self.db.execute(
                "INSERT INTO photos (hash, width, height, taken, error, note) VALUES (?, ?, ?, ?, ?, ?)",
                (digest, *columns),
            )
            photo = cursor.lastrowid
            assert photo is not None
        else:
            self.db.execute(
                "UPDATE photos SET width = ?, height = ?, taken = ?, error = ?, note = ? WHERE id = ?",
                (*columns, photo),
            )
        for number, face in enumerate(analysis.faces, 1):
            self.faces.insert(photo, number, face)
        return photo

    def digest(self, photo: int) -> bytes:
        """Return the SHA-256 of a photo."""
        (digest,) = self.db.execute("SELECT hash FROM photos WHERE id = ?", (photo,)).fetchone()
        return bytes(digest)

    def remove_photo(self, photo: int) -> None:
        """Delete a photo with its files, its faces and their labels."""
        self.db.execute("DELETE FROM photos WHERE id = ?", (photo,))

    def remove_everything(self) -> None:
        """Delete all photos, files, faces and people."""
        for table in ("files", "photos", "people", "actions", "forgotten"):
            self.db.execute(f"DELETE FROM {table}")  # and all rows that refer to them

    # Forgotten photos: the file holds no hash of theirs that could be compared with those of another list

    def mark_forgotten(self, digest: bytes) -> None:
        """Record that the user has deleted the photo with this SHA-256."""
        self.db.execute("INSERT INTO forgotten VALUES (?) ON CONFLICT DO NOTHING", (self._forgotten_key(digest),))

    def is_forgotten(self, digest: bytes) -> bool:
        """Tell whether the user has deleted the photo with this SHA-256."""
        key = self._forgotten_key(digest)
        return self.db.execute("SELECT 1 FROM forgotten WHERE hash = ?", (key,)).fetchone() is not None

    def remove_forgotten(self, digest: bytes) -> None:
        """Delete the record of a photo that is added again."""
        self.db.execute("DELETE FROM forgotten WHERE hash = ?", (self._forgotten_key(digest),))

    def _forgotten_key(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=(self.setting("key") or "").encode(), digest_size=32).digest()

    def orphans(self) -> list[tuple[int, int | None]]:
        """Return the photos that no file holds, each with its successor: the photo that replaced it in its file."""
        return self.db.execute(
            "SELECT id, successor FROM photos"
            " WHERE id NOT IN (SELECT photo FROM files WHERE photo IS NOT NULL) ORDER BY id"
        ).fetchall()

    def set_successor(self, photo: int, successor: int) -> None:
        """Record which photo has replaced another one in its file."""
        self.db.execute("UPDATE photos SET successor = ? WHERE id = ?", (successor, photo))

    def bad_photos(self) -> Iterator[BadPhoto]:
        """Yield the photos that cannot be used, by path."""
        rows = self.db.execute(
            "SELECT CAST(path AS BLOB), coalesce(files.error, photos.error)"
            " FROM files LEFT JOIN photos ON photos.id = files.photo"
            " WHERE files.error IS NOT NULL OR photos.error IS NOT NULL ORDER BY path"
        )
        for path, error in rows:
            yield BadPhoto(Path(os.fsdecode(path)), error)

    def incomplete_photos(self) -> Iterator[BadPhoto]:
        """Yield the photos of which only a part was used, by path."""
        rows = self.db.execute(
            "SELECT CAST(path AS BLOB), note FROM files JOIN photos ON photos.id = files.photo"
            " WHERE note IS NOT NULL ORDER BY path"
        )
        for path, note in rows:
            yield BadPhoto(Path(os.fsdecode(path)), note)


def open_store(path: str | os.PathLike[str], create: bool) -> Store:
    """Open the gallery in a file, or in the database at an address. Raises GalleryError."""
    if is_address(path):
        with translate_errors(name_of(str(path))):
            db = connect_postgres(str(path), create=create)
        return Store(db, db.name)
    file = Path(path).expanduser()
    if file.is_symlink():  # the other files belong beside the gallery itself
        target = Path(os.path.realpath(file))
        if not target.exists():
            raise GalleryError(f"{file}: this is a link to {target}, which is missing; is its drive mounted?")
        file = target
    return Store(connect(file, create=create), file)

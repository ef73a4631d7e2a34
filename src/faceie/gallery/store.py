"""Rows of photos and faces: what is read from a gallery's database, and written to it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..checks import whole_number
from ..errors import GalleryError
from ..types import Array
from .look import Look
from .matrix import SIZE, Matrix, matrix_path, open_matrix, write_matrix
from .records import BadPhoto, Face
from .schema import Database

__all__ = ["VISIBLE", "File", "Store", "no_face", "storable"]

_FLOATS = np.dtype("<f4")
_AT_A_TIME = 500  # faces that one query asks for

#: Of a face, that its photo is in some file.
VISIBLE = "EXISTS (SELECT 1 FROM files WHERE files.photo = faces.photo)"

_FACES = """
    SELECT faces.id, (SELECT CAST(min(path) AS BLOB) FROM files WHERE files.photo = faces.photo), number,
        x1, y1, x2, y2, landmarks, angle, probability, quality, photos.taken, faces.person, people.name, faces.confirmed
    FROM faces JOIN photos ON photos.id = faces.photo LEFT JOIN people ON people.id = faces.person
"""


class File(NamedTuple):
    """A file as it was when it was last looked at."""

    photo: int | None
    size: int
    modified: int
    """In nanoseconds."""
    changed: int | None
    """In nanoseconds; None if not known."""


class Store:
    """A gallery's database, in terms of files, photos and faces. Whoever calls what writes opens the transaction."""

    def __init__(self, db: Database, path: Path) -> None:
        self.db = db
        self.path = path

    # Settings

    def setting(self, name: str) -> str | None:
        row = self.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set(self, name: str, value: object) -> None:
        self.db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, str(value)))

    def unset(self, name: str) -> None:
        self.db.execute("DELETE FROM settings WHERE name = ?", (name,))

    def revision(self) -> int:
        """Return a number that grows with every change of the faces."""
        return int(self.setting("revision") or 0)

    # Files and photos

    def file(self, path: str) -> File | None:
        row = self.db.execute(
            "SELECT photo, size, modified, changed FROM files WHERE path = CAST(? AS TEXT)", (os.fsencode(path),)
        ).fetchone()
        return File(*row) if row else None

    def photo(self, digest: bytes) -> int | None:
        """Return the id of the photo with this content."""
        row = self.db.execute("SELECT id FROM photos WHERE hash = ?", (digest,)).fetchone()
        return row[0] if row else None

    def error(self, photo: int) -> str | None:
        """Return why a photo cannot be used, if it cannot."""
        row: tuple[str | None] = self.db.execute("SELECT error FROM photos WHERE id = ?", (photo,)).fetchone()
        return row[0]

    def is_bad(self, photo: int) -> bool:
        return self.error(photo) is not None

    def paths(self, photo: int) -> list[str]:
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

    def put_photo(self, digest: bytes, seen: Look) -> int:
        """Store a photo with its faces; return its id. One that could not be used is replaced."""
        about = (seen.width, seen.height, seen.taken, seen.error and storable(seen.error), seen.note)
        photo = self.photo(digest)
        if photo is None:
            cursor = self.db.execute(
                "INSERT INTO photos (hash, width, height, taken, error, note) VALUES (?, ?, ?, ?, ?, ?)",
                (digest, *about),
            )
            photo = cursor.lastrowid
            assert photo is not None
        else:
            self.db.execute(
                "UPDATE photos SET width = ?, height = ?, taken = ?, error = ?, note = ? WHERE id = ?", (*about, photo)
            )
        for number, face in enumerate(seen.faces, 1):
            cursor = self.db.execute(
                "INSERT INTO faces (photo, number, x1, y1, x2, y2, landmarks, angle, probability, quality)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (photo, number, *face.box, _packed(face.landmarks), face.angle, face.probability, face.quality),
            )
            self.db.execute(
                "INSERT INTO portraits VALUES (?, ?, ?)", (cursor.lastrowid, _packed(face.embedding), face.thumbnail)
            )
        return photo

    def put_file(
        self,
        path: str,
        photo: int | None,
        size: int,
        modified: int,
        changed: int | None = None,
        error: str | None = None,
    ) -> None:
        """Store which photo a file holds, or why it cannot be read."""
        self.db.execute(
            "INSERT OR REPLACE INTO files (path, photo, size, modified, changed, error)"
            " VALUES (CAST(? AS TEXT), ?, ?, ?, ?, ?)",
            (os.fsencode(path), photo, size, modified, changed, error and storable(error)),
        )
        self.db.execute("UPDATE photos SET successor = NULL WHERE id = ? AND successor IS NOT NULL", (photo,))

    def remove_file(self, path: str) -> None:
        self.db.execute("DELETE FROM files WHERE path = CAST(? AS TEXT)", (os.fsencode(path),))

    def remove_photo(self, photo: int) -> None:
        """Delete a photo, its files, faces and all that belongs to them."""
        self.db.execute("DELETE FROM photos WHERE id = ?", (photo,))

    def orphans(self) -> list[tuple[int, int | None]]:
        """Return the photos that no file holds any more, each with the one that took its place."""
        return self.db.execute(
            "SELECT id, successor FROM photos"
            " WHERE id NOT IN (SELECT photo FROM files WHERE photo IS NOT NULL) ORDER BY id"
        ).fetchall()

    def is_spoken_of(self, photo: int) -> bool:
        """Tell whether the user has said something of a photo's faces: who they are, or are not."""
        (found,) = self.db.execute(
            "SELECT EXISTS (SELECT 1 FROM faces LEFT JOIN people ON people.id = faces.person"
            " WHERE photo = ? AND (confirmed OR people.name IS NOT NULL"
            " OR EXISTS (SELECT 1 FROM denials WHERE face = faces.id)))",
            (photo,),
        ).fetchone()
        return bool(found)

    def set_successor(self, photo: int, successor: int) -> None:
        """Note which photo has taken the place of another one in its file."""
        self.db.execute("UPDATE photos SET successor = ? WHERE id = ?", (successor, photo))

    def bad_photos(self) -> Iterator[BadPhoto]:
        rows = self.db.execute(
            "SELECT CAST(path AS BLOB), coalesce(files.error, photos.error)"
            " FROM files LEFT JOIN photos ON photos.id = files.photo"
            " WHERE files.error IS NOT NULL OR photos.error IS NOT NULL ORDER BY path"
        )
        for path, error in rows:
            yield BadPhoto(Path(os.fsdecode(path)), error)

    def incomplete_photos(self) -> Iterator[BadPhoto]:
        rows = self.db.execute(
            "SELECT CAST(path AS BLOB), note FROM files JOIN photos ON photos.id = files.photo"
            " WHERE note IS NOT NULL ORDER BY path"
        )
        for path, note in rows:
            yield BadPhoto(Path(os.fsdecode(path)), note)

    # Faces

    def faces(self, where: str = "TRUE", values: Iterable[Any] = (), order: str = "faces.id") -> Iterator[Face]:
        """Yield the faces for which a condition of ours, in SQL, holds."""
        for row in self.db.execute(f"{_FACES} WHERE {where} ORDER BY {order}", tuple(values)):
            face, path, number, x1, y1, x2, y2, landmarks, *rest, confirmed = row
            if path is None:  # of a photo whose file was overwritten, during a run that has yet to find it elsewhere
                continue
            points = np.frombuffer(landmarks, _FLOATS).reshape(5, 2).astype(np.float32)
            yield Face._make([face, Path(os.fsdecode(path)), number, (x1, y1, x2, y2), points, *rest, bool(confirmed)])

    def faces_by_id(self, ids: Sequence[int]) -> Iterator[Face]:
        """Yield the faces with these ids, in their order, without those that are gone; some at a time."""
        for start in range(0, len(ids), _AT_A_TIME):
            part = ids[start : start + _AT_A_TIME]
            marks = ", ".join("?" * len(part))
            found = {face.id: face for face in self.faces(f"faces.id IN ({marks})", part)}
            yield from (found[face] for face in part if face in found)

    def existing(self, face: Any) -> int:
        """Return the id of a face, a whole number of any type. Raises GalleryError if there is no such face."""
        number = whole_number("the id of a face", face, least=None)
        if (
            number.bit_length() > 63
            or self.db.execute("SELECT 1 FROM faces WHERE id = ?", (number,)).fetchone() is None
        ):
            raise no_face(number)
        return number

    def face_ids(self) -> list[int]:
        return [face for (face,) in self.db.execute("SELECT id FROM faces ORDER BY id")]

    def face_count(self) -> int:
        """Return the number of faces in photos that are there."""
        (count,) = self.db.execute(f"SELECT count(*) FROM faces WHERE {VISIBLE}").fetchone()
        return int(count)

    def hidden_faces(self) -> list[int]:
        """Return the ids of faces in photos that were pruned, and are kept for what was said of them."""
        return [face for (face,) in self.db.execute(f"SELECT id FROM faces WHERE NOT {VISIBLE}")]

    def embedding(self, face: int) -> Array:
        (data,) = self.db.execute("SELECT embedding FROM portraits WHERE face = ?", (face,)).fetchone()
        return np.frombuffer(data, _FLOATS).astype(np.float32)

    def _embeddings(self) -> Iterator[tuple[int, bytes]]:
        """Yield the id and the embedding of each face, by ascending id, as bytes."""
        yield from self.db.execute("SELECT face, embedding FROM portraits ORDER BY face")

    def matrix(self) -> Matrix:
        """Return the embeddings of all faces, from the file beside the gallery's, which is written anew if need be.

        Where that is impossible, as on a full disk, they are kept in memory.
        """
        key = bytes.fromhex(self.setting("key") or "")
        with self.snapshot():
            (count,) = self.db.execute("SELECT count(*) FROM portraits").fetchone()
            revision = self.revision()
            if not count:
                return Matrix(np.empty(0, np.int64), np.empty((0, SIZE), np.float32))
            path = matrix_path(self.path)
            if matrix := open_matrix(path, key, revision):
                return matrix
            with suppress(OSError):
                write_matrix(path, key, revision, self._embeddings(), count)
                matrix = open_matrix(path, key, revision)
            if matrix is None:
                ids, rows = zip(*self._embeddings(), strict=True)
                matrix = Matrix(np.array(ids, np.int64), np.frombuffer(b"".join(rows), _FLOATS).reshape(count, SIZE))
        # What another process has forgotten meanwhile must not stay in the file.
        if not self.db.in_transaction and self.revision() != revision:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        return matrix

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read everything within from one state of the database, whatever others write meanwhile."""
        if self.db.in_transaction:
            yield
            return
        self.db.execute("BEGIN")
        try:
            yield
        finally:
            self.db.execute("COMMIT")

    def thumbnail(self, face: int) -> bytes:
        (data,) = self.db.execute("SELECT thumbnail FROM portraits WHERE face = ?", (face,)).fetchone()
        return bytes(data)


def no_face(face: int) -> GalleryError:
    """Return the error that there is no face with this id."""
    return GalleryError(f"there is no face {face} in this gallery")


def _packed(numbers: Array) -> bytes:
    return np.ascontiguousarray(numbers, _FLOATS).tobytes()


def storable(text: str) -> str:
    """Return a text that SQLite takes: bytes that are no text, as the name of a file may hold them, are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()

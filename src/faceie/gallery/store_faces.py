"""SQL for faces, their embeddings and thumbnails (tables ``faces``, ``portraits`` and ``cohort``)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import whole_number
from ..errors import GalleryError
from ..types import Array
from .database import AnyDatabase
from .postgres import Embedding
from .records import Face, FaceTable, NewFace

__all__ = ["VISIBLE", "FaceStore"]

_FLOATS = np.dtype("<f4")
_BATCH = 500  # faces per query

#: Condition on a row of ``faces``: some file holds its photo.
VISIBLE = "EXISTS (SELECT 1 FROM files WHERE files.photo = faces.photo)"

# The columns of `Face`. Paths are bytes: file names need not be valid text.
_FACES = """
    SELECT faces.id, (SELECT CAST(path AS BLOB) FROM files WHERE files.photo = faces.photo ORDER BY path LIMIT 1),
        number, x1, y1, x2, y2, landmarks, angle, probability, quality, photos.taken,
        faces.person, people.name, faces.confirmed, faces.ignored
    FROM faces JOIN photos ON photos.id = faces.photo LEFT JOIN people ON people.id = faces.person
"""


class FaceStore:
    """The faces in a gallery's database. Callers of methods that write open the transaction."""

    def __init__(self, db: AnyDatabase) -> None:
        self._db = db

    def check_id(self, face: Any) -> int:
        """Return the id of a face, given as an integer of any type. Raises GalleryError for an unknown id."""
        number = whole_number("the id of a face", face, least=None)
        known = number.bit_length() <= 63 and self._db.execute("SELECT 1 FROM faces WHERE id = ?", (number,)).fetchone()
        if not known:
            raise _unknown(number)
        return number

    def get(self, face: Any) -> Face:
        """Return the face with this id. Raises GalleryError for an unknown id, or if no file holds its photo."""
        number = self.check_id(face)
        found = next(self.by_id([number]), None)
        if found is None:
            raise _unknown(number)
        return found

    def ids(self) -> list[int]:
        """Return the ids of all faces, ascending."""
        return [face for (face,) in self._db.execute("SELECT id FROM faces ORDER BY id")]

    def newest_id(self) -> int:
        """Return the largest id of a face that is not ignored, or 0 for an empty gallery."""
        (newest,) = self._db.execute("SELECT coalesce(max(id), 0) FROM faces WHERE ignored IS NULL").fetchone()
        return int(newest)

    def count(self) -> int:
        """Count the faces in photos that some file holds."""
        (count,) = self._db.execute(f"SELECT count(*) FROM faces WHERE {VISIBLE}").fetchone()
        return int(count)

    def hidden_ids(self) -> list[int]:
        """Return the ids of faces in pruned photos, which are kept for the user's labels."""
        return [face for (face,) in self._db.execute(f"SELECT id FROM faces WHERE NOT {VISIBLE}")]

    def left_out_ids(self, since: str | None = None, until: str | None = None) -> list[int]:
        """Return the ids of faces that are not searched: ignored, in pruned photos, or taken outside of a period."""
        query = f"SELECT id FROM faces WHERE ignored IS NOT NULL OR NOT {VISIBLE}"
        if since or until:
            query += " OR photo NOT IN (SELECT id FROM photos WHERE taken >= ? AND taken <= ?)"
        period = (since or "", f"{until or ''}~") if since or until else ()
        return [face for (face,) in self._db.execute(query, period)]

    def by_id(self, ids: Sequence[int]) -> Iterator[Face]:
        """Yield the faces with these ids, in this order, without deleted ones."""
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            found = {face.id: face for face in self._select(f"faces.id IN ({_marks(part)})", part, "faces.id")}
            yield from (found[face] for face in part if face in found)

    def of_person(self, number: int) -> Iterator[Face]:
        """Yield the faces of a person or cluster, by falling quality."""
        return self._select("faces.person = ?", [number], "quality DESC, faces.id")

    def unassigned(self) -> Iterator[Face]:
        """Yield the faces without a person or cluster that are not ignored, by falling quality."""
        return self._select("faces.person IS NULL AND faces.ignored IS NULL", [], "quality DESC, faces.id")

    def of_people(self, numbers: Sequence[int]) -> Iterator[Face]:
        """Yield the faces of several people, grouped by photo, the oldest photo first."""
        return self._select(
            f"faces.person IN ({_marks(numbers)})",
            numbers,
            "photos.taken IS NOT NULL, photos.taken, faces.photo, faces.id",
        )

    def _select(self, where: str, values: Iterable[int], order: str) -> Iterator[Face]:
        for row in self._db.execute(f"{_FACES} WHERE {where} ORDER BY {order}", tuple(values)):
            face, path, number, x1, y1, x2, y2, landmarks, *rest, confirmed, ignored = row
            if path is None:  # the file was overwritten, and the run has not found the photo elsewhere yet
                continue
            points = np.frombuffer(landmarks, _FLOATS).reshape(5, 2).astype(np.float32)
            box = (x1, y1, x2, y2)
            yield Face._make([face, Path(os.fsdecode(path)), number, box, points, *rest, bool(confirmed), ignored])

    def table(self) -> FaceTable:
        """Return all faces that are not ignored, and their people, as columns."""
        rows = self._db.execute(
            "SELECT id, photo, quality, coalesce(person, -1), confirmed FROM faces WHERE ignored IS NULL ORDER BY id"
        ).fetchall()
        ids, photos, qualities, people, confirmed = zip(*rows, strict=True) if rows else ((),) * 5
        order = np.array(ids, np.int64)
        rejections: dict[int, set[int]] = {}
        denials = "SELECT face, denials.person FROM denials JOIN faces ON id = face WHERE ignored IS NULL"
        for face, person in self._db.execute(denials):
            rejections.setdefault(int(np.searchsorted(order, face)), set()).add(person)
        named = self._db.execute("SELECT id FROM people WHERE name IS NOT NULL ORDER BY id").fetchall()
        return FaceTable(
            order,
            np.array(photos, np.int64),
            np.array(qualities, np.float64),
            np.array(people, np.int64),
            np.array(confirmed, np.bool_),
            rejections,
            np.array([number for (number,) in named], np.int64),
        )

    # Faces of a photo

    def of_photo(self, photo: int) -> list[int]:
        """Return the ids of the faces in a photo, ascending."""
        return [face for (face,) in self._db.execute("SELECT id FROM faces WHERE photo = ? ORDER BY id", (photo,))]

    def best_of_photo(self, photo: int) -> int:
        """Return the id of the face with the highest quality in a photo that has faces."""
        (face,) = self._db.execute(
            "SELECT id FROM faces WHERE photo = ? ORDER BY quality DESC LIMIT 1", (photo,)
        ).fetchone()
        return int(face)

    def visible_photo(self, face: int) -> int | None:
        """Return the photo of a face, or None if no file holds it."""
        row = self._db.execute(f"SELECT photo FROM faces WHERE id = ? AND {VISIBLE}", (face,)).fetchone()
        return None if row is None else int(row[0])

    def insert(self, photo: int, number: int, face: NewFace) -> int:
        """Store a face as the one with this number in its photo. Return its id."""
        cursor = self._db.execute(
            "INSERT INTO faces (photo, number, x1, y1, x2, y2, landmarks, angle, probability, quality)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (photo, number, *face.box, _packed(face.landmarks), face.roll, face.probability, face.quality),
        )
        self._db.execute(
            "INSERT INTO portraits VALUES (?, ?, ?)",
            (cursor.lastrowid, Embedding(_packed(face.embedding)), face.thumbnail),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def delete_of_person(self, number: int) -> int:
        """Delete all faces of a person or cluster. Return their number."""
        return self._db.execute("DELETE FROM faces WHERE person = ?", (number,)).rowcount

    # Embeddings and thumbnails

    def embedding(self, face: int) -> Array:
        """Return the embedding of a face."""
        (face_data,) = self._db.execute("SELECT embedding FROM portraits WHERE face = ?", (face,)).fetchone()
        return np.frombuffer(face_data, _FLOATS).astype(np.float32)  # [512]

    def thumbnail(self, face: int) -> bytes:
        """Return the thumbnail of a face."""
        (face_data,) = self._db.execute("SELECT thumbnail FROM portraits WHERE face = ?", (face,)).fetchone()
        return bytes(face_data)

    def embedding_count(self) -> int:
        """Count the embeddings."""
        (count,) = self._db.execute("SELECT count(*) FROM portraits").fetchone()
        return int(count)

    def offsets(self, ids: Sequence[int] | None = None) -> dict[int, float]:
        """Return the offsets of all faces, or of those with these ids, as far as they are known."""
        if ids is None:
            return dict(self._db.execute('SELECT face, "offset" FROM cohort'))
        found: dict[int, float] = {}
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            found.update(self._db.execute(f'SELECT face, "offset" FROM cohort WHERE face IN ({_marks(part)})', part))
        return found

    def cohort(self) -> list[tuple[int, int]]:
        """Return the faces of the cohort, ascending, each with its person or cluster, or minus its id."""
        return self._db.execute(
            "SELECT face, coalesce(person, -face) FROM cohort JOIN faces ON faces.id = face WHERE member ORDER BY face"
        ).fetchall()

    def put_offsets(self, rows: Iterable[tuple[int, float, bool]]) -> None:
        """Store faces with their offsets, and whether they are in the cohort."""
        self._db.executemany(
            "INSERT INTO cohort VALUES (?, ?, ?)"
            ' ON CONFLICT (face) DO UPDATE SET "offset" = excluded."offset", member = excluded.member',
            rows,
        )

    def delete_offsets(self) -> None:
        """Delete all offsets and the cohort."""
        self._db.execute("DELETE FROM cohort")

    def embeddings(self) -> Iterator[tuple[int, bytes]]:
        """Yield the id and the embedding (512 float32, little-endian) of each face, by ascending id."""
        yield from self._db.execute("SELECT face, embedding FROM portraits ORDER BY face")


def _unknown(face: int) -> GalleryError:
    return GalleryError(f"there is no face {face} in this gallery")


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _packed(numbers: Array) -> bytes:
    return np.ascontiguousarray(numbers, _FLOATS).tobytes()

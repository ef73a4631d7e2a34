"""SQL for faces, their embeddings and thumbnails (tables ``faces``, ``portraits`` and ``cohort``)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import whole_number
from ..errors import GalleryError
from ..types import Array
from .database import AnyDatabase
from .postgres import Embedding
from .records import Face, FaceTable, NewFace

__all__ = ["NO_LIMIT", "VISIBLE", "FaceStore"]

_FLOATS = np.dtype("<f4")
_BATCH = 500  # faces per query

_Columns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]

#: Condition on a row of ``faces``: some file holds its photo.
VISIBLE = "EXISTS (SELECT 1 FROM files WHERE files.photo = faces.photo)"

NO_LIMIT = 2**63 - 1  # rows: the largest number that both databases know

# The columns of `Face`. Paths are bytes: file names need not be valid text.
_FACES = """
    SELECT faces.id, (SELECT CAST(path AS BLOB) FROM files WHERE files.photo = faces.photo ORDER BY path LIMIT 1),
        number, x1, y1, x2, y2, landmarks, angle, probability, quality, photos.taken,
        faces.person, people.name, faces.confirmed, faces.ignored, faces.photo, faces.drawn
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

    def of_person(
        self, number: int, limit: int | None = None, offset: int = 0, *, by_date: bool = False
    ) -> Iterator[Face]:
        """Yield the faces of a person or cluster, by falling quality, or the oldest first."""
        order = "photos.taken IS NULL, photos.taken, faces.id" if by_date else "quality DESC, faces.id"
        return self._select("faces.person = ?", [number], order, limit, offset)

    def in_photo(self, photo: int) -> Iterator[Face]:
        """Yield the faces in a photo, ignored ones included, from left to right."""
        return self._select("faces.photo = ?", [photo], "x1 + x2, faces.id")

    def unassigned(self, limit: int | None = None, offset: int = 0) -> Iterator[Face]:
        """Yield the faces without a person or cluster that are not ignored, by falling quality."""
        where = "faces.person IS NULL AND faces.ignored IS NULL"
        return self._select(where, [], "quality DESC, faces.id", limit, offset)

    def ignored(self, reason: str | None = None, limit: int | None = None, offset: int = 0) -> Iterator[Face]:
        """Yield ignored faces in the order of addition: those with this reason, or all."""
        where = "faces.ignored IS NOT NULL" if reason is None else "faces.ignored = ?"
        return self._select(where, [] if reason is None else [reason], "faces.id", limit, offset)

    def counts(self) -> tuple[int, int, int]:
        """Count all faces, those without a person or cluster that are not ignored, and the ignored ones."""
        faces, unassigned, ignored = self._db.execute(
            "SELECT count(*), count(CASE WHEN person IS NULL AND ignored IS NULL THEN 1 END), count(ignored)"
            f" FROM faces WHERE {VISIBLE}"
        ).fetchone()
        return int(faces), int(unassigned), int(ignored)

    def of_people(self, numbers: Sequence[int]) -> Iterator[Face]:
        """Yield the faces of several people, grouped by photo, the oldest photo first."""
        return self._select(
            f"faces.person IN ({_marks(numbers)})",
            numbers,
            "photos.taken IS NOT NULL, photos.taken, faces.photo, faces.id",
        )

    def _select(
        self, where: str, values: Iterable[int | str], order: str, limit: int | None = None, offset: int = 0
    ) -> Iterator[Face]:
        """Yield faces. A limit counts those only whose photo some file holds."""
        if limit is not None or offset:  # sorts ids, not whole rows
            where = (
                f"faces.id IN (SELECT faces.id FROM faces JOIN photos ON photos.id = faces.photo WHERE {where}"
                f" AND {VISIBLE} ORDER BY {order} LIMIT {NO_LIMIT if limit is None else limit:d} OFFSET {offset:d})"
            )
        for row in self._db.execute(f"{_FACES} WHERE {where} ORDER BY {order}", tuple(values)):
            face, path, number, x1, y1, x2, y2, landmarks, *rest, confirmed, ignored, photo, drawn = row
            if path is None:  # the file was overwritten, and the run has not found the photo elsewhere yet
                continue
            points = np.frombuffer(landmarks, _FLOATS).reshape(5, 2).astype(np.float32)
            box = (x1, y1, x2, y2)
            about = [*rest, bool(confirmed), ignored, photo, bool(drawn)]
            yield Face._make([face, Path(os.fsdecode(path)), number, box, points, *about])

    def table(self) -> FaceTable:
        """Return all faces that are not ignored, and their people, as columns."""
        ids, photos, qualities, people, confirmed = self.columns()
        rejections = {int(np.searchsorted(ids, face)): denied for face, denied in self.rejections().items()}
        return FaceTable(ids, photos, qualities, people, confirmed, rejections, self.named())

    def columns(self, ids: Sequence[int] | None = None) -> _Columns:
        """Return the first columns of `FaceTable`, for all faces that are not ignored, or for those with these ids."""
        query = "SELECT id, photo, quality, coalesce(person, -1), confirmed FROM faces WHERE ignored IS NULL"
        if ids is None:
            rows = self._db.execute(f"{query} ORDER BY id").fetchall()
        else:
            rows = self._db.execute(f"{query} AND id IN ({_marks(ids)}) ORDER BY id", ids).fetchall()
        found, photos, qualities, people, confirmed = zip(*rows, strict=True) if rows else ((),) * 5
        return (
            np.array(found, np.int64),
            np.array(photos, np.int64),
            np.array(qualities, np.float64),
            np.array(people, np.int64),
            np.array(confirmed, np.bool_),
        )

    def named(self) -> NDArray[np.int64]:
        """Return the numbers of the people with a name, ascending."""
        rows = self._db.execute("SELECT id FROM people WHERE name IS NOT NULL ORDER BY id").fetchall()
        return np.array([number for (number,) in rows], np.int64)

    def rejections(self) -> dict[int, set[int]]:
        """Return the people that the user has ruled out, for the id of each face that is not ignored."""
        rejections: dict[int, set[int]] = {}
        denials = "SELECT face, denials.person FROM denials JOIN faces ON id = face WHERE ignored IS NULL"
        for face, person in self._db.execute(denials):
            rejections.setdefault(face, set()).add(person)
        return rejections

    def out_of_question(self, ids: Sequence[int], person: int) -> set[int]:
        """Return those of these faces that cannot be a person: in pruned photos, or taken before the date of birth."""
        found: set[int] = set()
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            rows = self._db.execute(
                f"SELECT faces.id FROM faces JOIN photos ON photos.id = photo WHERE faces.id IN ({_marks(part)})"
                f" AND (NOT {VISIBLE} OR taken < (SELECT born FROM people WHERE people.id = ?))",
                (*part, person),
            )
            found.update(face for (face,) in rows)
        return found

    # Faces of a photo

    def of_photo(self, photo: int) -> list[int]:
        """Return the ids of the faces in a photo, ascending."""
        return [face for (face,) in self._db.execute("SELECT id FROM faces WHERE photo = ? ORDER BY id", (photo,))]

    def best_of_photo(self, photo: int) -> int:
        """Return the id of the best face in a photo that has faces. Faces that the user has drawn come last."""
        (face,) = self._db.execute(
            "SELECT id FROM faces WHERE photo = ? ORDER BY drawn, quality DESC LIMIT 1", (photo,)
        ).fetchone()
        return int(face)

    def visible_photo(self, face: int) -> int | None:
        """Return the photo of a face, or None if no file holds it."""
        row = self._db.execute(f"SELECT photo FROM faces WHERE id = ? AND {VISIBLE}", (face,)).fetchone()
        return None if row is None else int(row[0])

    def drawn_in(self, photo: int) -> list[int]:
        """Return the ids of the faces in a photo whose boxes the user has drawn."""
        return [face for (face,) in self._db.execute("SELECT id FROM faces WHERE photo = ? AND drawn > 0", (photo,))]

    def drawn(self) -> set[int]:
        """Return the ids of all faces whose boxes the user has drawn."""
        return {face for (face,) in self._db.execute("SELECT id FROM faces WHERE drawn > 0")}

    def box_and_frame(self, face: int) -> tuple[tuple[float, ...], tuple[int, int]]:
        """Return the box of a face, and the width and height of its photo."""
        *box, width, height = self._db.execute(
            "SELECT x1, y1, x2, y2, width, height FROM faces JOIN photos ON photos.id = photo WHERE faces.id = ?",
            (face,),
        ).fetchone()
        return tuple(box), (width, height)

    def insert(self, photo: int, number: int, face: NewFace, *, drawn: bool = False) -> int:
        """Store a face as the one with this number in its photo. Return its id."""
        cursor = self._db.execute(
            "INSERT INTO faces (photo, number, x1, y1, x2, y2, landmarks, angle, probability, quality, drawn)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (photo, number, *face.box, _packed(face.landmarks), face.roll, face.probability, face.quality, int(drawn)),
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

"""SQL for the nearest faces to a probe, in PostgreSQL with pgvector. Files have a matrix instead (`matrix`).

The exact search reads all embeddings. In a large gallery, an index (HNSW, of embeddings in half precision) names
candidates instead: `build_index` makes it once there are enough faces, and PostgreSQL keeps it up to date. Either way,
distances are computed in float64 from the stored embeddings.

Malkov and Yashunin, Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
graphs, 2018.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import GalleryError
from ..types import Array
from .postgres import Embedding
from .store_faces import VISIBLE

if TYPE_CHECKING:
    from .postgres import Postgres

__all__ = ["INDEXED", "VectorStore"]

#: Faces from which a gallery has an index (docs/postgres.md).
INDEXED = 50_000

_INDEX = "portraits_by_embedding"
_LINKS, _EFFORT = 16, 128  # of the graph: neighbors of each face, and candidates for them during the construction
_SPARE = 32  # candidates beyond those that are asked for
_LARGEST = 1000  # candidates of the index; for more, the exact search is faster
# Largest error of a squared distance in float32: 512 roundings of 2^-24, of terms that add up to at most 4.
_SLACK = 4 * 512 * 2.0**-24
_BATCH = 10_000  # embeddings per query: 20 MB

_EXACT = "embedding <-> ?"
_INDEXED = "CAST(embedding AS halfvec(512)) <-> CAST(? AS halfvec(512))"


class VectorStore:
    """The embeddings in a gallery's database. `known` holds those that were read last."""

    def __init__(self, db: Postgres) -> None:
        self._db = db
        self._ids = np.empty(0, np.int64)  # ascending
        self._embeddings: Array = np.empty((0, 512), np.float32)

    def nearest(
        self, probe: Array, count: int | None, since: str | None, until: str | None
    ) -> tuple[NDArray[np.int64], Array]:
        """Return the ids and distances of the `count` faces most similar to the probe, [512], nearest first.

        None for all. Ignored faces, and those in pruned photos or outside of the period, are left out. Of faces at the
        same distance, the lower id comes first.
        """
        if count is None:
            return _sorted(*self._all(probe, since, until), None)
        if count <= _LARGEST and self.has_index():
            ids, squares = self._candidates(_INDEXED, probe, count + _SPARE, since, until)
            if len(ids) >= count:  # fewer if most of the candidates are left out
                return _sorted(ids, squares, count)
        spare = _SPARE
        while True:
            ids, squares = self._candidates(_EXACT, probe, count + spare, since, until)
            found = _sorted(ids, squares, count)
            # The others are not nearer than the last candidate, by distances in float32.
            if len(ids) < count + spare or np.sort(squares)[count - 1] <= squares[-1] - 2 * _SLACK:
                return found
            spare *= 8

    def _candidates(
        self, distance: str, probe: Array, count: int, since: str | None, until: str | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return ids and exact squared distances, in the order of inexact distances."""
        query, values = _searched(since, until)
        vector = Embedding(probe.astype("<f4").tobytes())
        rows = self._db.execute(f"{query} ORDER BY {distance} LIMIT ?", (*values, vector, count))
        ids, embeddings = _to_arrays(rows.fetchall())
        return ids, _squared_distances(embeddings, probe)

    def _all(self, probe: Array, since: str | None, until: str | None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the ids and squared distances of all faces to search. Only a batch of embeddings is in memory."""
        query, values = _searched(since, until)
        parts = [(np.empty(0, np.int64), np.empty(0))]
        last = 0
        while True:
            rows = self._db.execute(f"{query} AND face > ? ORDER BY face LIMIT ?", (*values, last, _BATCH)).fetchall()
            if not rows:
                return np.concatenate([ids for ids, _ in parts]), np.concatenate([squares for _, squares in parts])
            ids, embeddings = _to_arrays(rows)
            parts.append((ids, _squared_distances(embeddings, probe)))
            last = int(ids[-1])

    def embeddings(self, ids: NDArray[np.int64]) -> Array:
        """Return the embeddings of faces by ascending ids. Those that were read before are not read again."""
        missing = np.setdiff1d(ids, self._ids, assume_unique=True)
        if not len(missing):
            return self._embeddings if len(ids) == len(self._ids) else self._embeddings[np.searchsorted(self._ids, ids)]
        parts = [(self._ids, self._embeddings)]
        for start in range(0, len(missing), _BATCH):
            rows = self._db.execute(
                "SELECT face, embedding FROM portraits WHERE face = ANY(?)",
                (missing[start : start + _BATCH].tolist(),),
            )
            parts.append(_to_arrays(rows.fetchall()))
        known = np.concatenate([part for part, _ in parts])
        order = np.argsort(known)
        rows_of = order[np.searchsorted(known, ids, sorter=order)]
        self._ids, self._embeddings = ids, np.concatenate([part for _, part in parts])[rows_of]
        return self._embeddings

    def has_index(self) -> bool:
        """Tell whether the index exists and is complete."""
        return (
            self._db.execute(
                "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(?) AND indisvalid", (_INDEX,)
            ).fetchone()
            is not None
        )

    def build_index(self, least: int = INDEXED) -> bool:
        """Make the index if there are enough faces for it and it is missing. Return whether it was made.

        Other programs can read and write during that. Only the owner of the tables can do it.
        """
        count, owner = self._db.execute(
            "SELECT (SELECT count(*) FROM portraits),"
            " pg_has_role((SELECT relowner FROM pg_class WHERE oid = to_regclass('portraits')), 'USAGE')"
        ).fetchone()
        if count < least or not owner or self.has_index() or not self._lock("pg_try_advisory_lock"):
            return False
        try:
            if self.has_index():
                return False
            self._db.run(f"DROP INDEX IF EXISTS {_INDEX}")  # of a program that was killed
            try:
                self._db.run_long(
                    f"CREATE INDEX CONCURRENTLY {_INDEX} ON portraits USING hnsw"
                    f" ((embedding::halfvec(512)) halfvec_l2_ops) WITH (m = {_LINKS}, ef_construction = {_EFFORT})"
                )
            except sqlite3.Error:
                with suppress(sqlite3.Error, GalleryError):  # the unfinished index takes space, and slows down writers
                    self._db.run(f"DROP INDEX IF EXISTS {_INDEX}")
                raise
            return True
        finally:
            with suppress(sqlite3.Error, GalleryError):  # a lost connection has released it
                self._lock("pg_advisory_unlock")

    def _lock(self, function: str) -> bool:
        """Take or release the right to make the index. Another program may be making it."""
        (done,) = self._db.execute(f"SELECT {function}(to_regclass('portraits')::oid::bigint)").fetchone()
        return bool(done)


def _searched(since: str | None, until: str | None) -> tuple[str, tuple[str, ...]]:
    """Return a query for the faces to search, and its values."""
    query = f"SELECT face, embedding FROM portraits JOIN faces ON id = face WHERE ignored IS NULL AND {VISIBLE}"
    if since or until:
        query += " AND photo IN (SELECT id FROM photos WHERE taken >= ? AND taken <= ?)"
        return query, (since or "", f"{until or ''}~")
    return query, ()


def _squared_distances(embeddings: Array, probe: Array) -> NDArray[np.float64]:
    difference = embeddings.astype(np.float64) - probe.astype(np.float64)
    result: NDArray[np.float64] = np.einsum("ij,ij->i", difference, difference)
    return result


def _to_arrays(rows: list[tuple[int, bytes]]) -> tuple[NDArray[np.int64], Array]:
    ids = np.array([face for face, _ in rows], np.int64)
    embeddings: Array = np.frombuffer(b"".join(data for _, data in rows), "<f4").reshape(-1, 512)
    return ids, embeddings


def _sorted(ids: NDArray[np.int64], squares: NDArray[np.float64], count: int | None) -> tuple[NDArray[np.int64], Array]:
    order = np.lexsort((ids, squares))[:count]
    return ids[order], np.sqrt(squares[order]).astype(np.float32)

"""The embeddings of a gallery as one matrix, in a file that is mapped into memory, and exact search in it.

The file lies beside the gallery's. It is made again whenever the gallery has changed. It holds a header (a magic
number, the gallery's key, its revision, the number of faces), the embeddings, and the ids of the faces.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..files import draft_prefix, replacing
from ..nn.parallel import parallel
from ..types import Array

if TYPE_CHECKING:
    from .store import Store

__all__ = [
    "SIZE",
    "Matrix",
    "load_cohort",
    "load_matrix",
    "matrix_path",
    "nearest",
    "open_matrix",
    "remove_matrix",
    "write_matrix",
]

SIZE = 512  # numbers in an embedding

_MAGIC = b"Faceie matrix 1\n"
_HEADER = struct.Struct("<16s16sqq")  # magic, the gallery's key, its revision, the number of faces
_START = 64  # offset of the embeddings: a multiple of the cache line
_BLOCK = 16384  # faces per thread and product: 32 MB
_EXACT = 4096  # faces whose distances are computed in float64 at a time: 16 MB
# Largest error of a product in float32: 512 roundings of 2^-24, of terms that add up to at most 1.
_SLACK = 512 * 2.0**-24


class Matrix(NamedTuple):
    """The embeddings of a gallery."""

    ids: NDArray[np.int64]  # [n], ascending
    embeddings: Array  # [n, 512], unit length


def load_matrix(store: Store) -> Matrix:
    """Return the embeddings of all faces, from the file beside the gallery's, which is rewritten if outdated.

    Where the file cannot be written, as on a full disk, the matrix is kept in memory; and so it is for a database.
    """
    if store.vectors:
        with store.snapshot():
            ids = np.array(store.faces.ids(), np.int64)
            return Matrix(ids, store.vectors.embeddings(ids))
    assert isinstance(store.path, Path)
    key = bytes.fromhex(store.setting("key") or "")
    path = matrix_path(store.path)
    with store.snapshot():
        revision = store.revision()
        if matrix := open_matrix(path, key, revision):
            return matrix
        count = store.faces.embedding_count()
        if not count:
            return Matrix(np.empty(0, np.int64), np.empty((0, SIZE), np.float32))
        with suppress(OSError):
            write_matrix(path, key, revision, store.faces.embeddings(), count)
            matrix = open_matrix(path, key, revision)
        if matrix is None:
            faces, rows = zip(*store.faces.embeddings(), strict=True)
            matrix = Matrix(np.array(faces, np.int64), np.frombuffer(b"".join(rows), "<f4").reshape(count, SIZE))
    # Faces that another process has deleted since must not stay in the file.
    if not store.is_in_transaction() and store.revision() != revision:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return matrix


def matrix_path(gallery: Path) -> Path:
    """Return the path of a gallery's matrix."""
    return gallery.with_name(f"{gallery.name}.matrix")


def remove_matrix(gallery: Path) -> None:
    """Delete a gallery's matrix, and drafts of it that a killed program has left. Raises OSError."""
    path = matrix_path(gallery)
    path.unlink(missing_ok=True)
    for draft in path.parent.iterdir():
        if draft.name.startswith(draft_prefix(path)):
            draft.unlink(missing_ok=True)


def open_matrix(path: Path, key: bytes, revision: int) -> Matrix | None:
    """Map the matrix of the gallery with this key (16 bytes), or return None if it is missing, outdated or damaged."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
            size = os.fstat(file.fileno()).st_size
            if len(header) < _HEADER.size:
                return None
            magic, owner, at, count = _HEADER.unpack(header)
            ids_start = _START + 4 * SIZE * count
            if (magic, owner, at) != (_MAGIC, key, revision) or count < 1 or size != ids_start + 8 * count:
                return None
            embeddings = np.memmap(file, np.dtype("<f4"), "r", _START, (count, SIZE))
            ids = np.fromfile(file, np.dtype("<i8"), count, offset=ids_start - file.tell())
    except OSError:
        return None
    return Matrix(ids.astype(np.int64, copy=False), embeddings.view(np.ndarray))


def write_matrix(path: Path, key: bytes, revision: int, rows: Iterable[tuple[int, bytes]], count: int) -> None:
    """Write `count` rows, each the id of a face and its embedding (512 float32, little-endian). Raises OSError.

    Only the owner can read the file. It appears under its name when it is complete.
    """
    ids = np.empty(count, np.dtype("<i8"))
    with replacing(path, private=True) as file:
        file.write(_HEADER.pack(_MAGIC, key, revision, count).ljust(_START, b"\0"))
        for index, (face, embedding) in enumerate(rows):
            ids[index] = face
            file.write(embedding)
        file.write(ids.tobytes())


def load_cohort(store: Store, matrix: Matrix | None = None) -> Cohort:
    """Return the faces of the gallery that others are judged among, as of the last clustering.

    Without a matrix, only their own embeddings are read from a database.
    """
    members = np.array(store.faces.cohort(), np.int64).reshape(-1, 2)
    if matrix is None and store.vectors:
        return Cohort(store.vectors.embeddings(members[:, 0]), members[:, 1])
    matrix = matrix or load_matrix(store)
    rows = np.searchsorted(matrix.ids, members[:, 0])
    there = rows < len(matrix.ids)
    rows, members = rows[there], members[there]
    there = matrix.ids[rows] == members[:, 0]
    return Cohort(matrix.embeddings[rows[there]], members[there, 1])


def nearest(matrix: Matrix, probe: Array, limit: int) -> tuple[NDArray[np.intp], Array]:
    """Return the rows of the `limit` faces most similar to the probe, [512], and their distances, nearest first.

    Of faces at the same distance, the lower id comes first. The result is the same as if all distances were computed in
    float64 and sorted. Products in float32 only select the candidates, with a margin for all their rounding.
    """
    count = len(matrix.ids)
    limit = min(limit, count)
    if limit < 1:
        return np.empty(0, np.intp), np.empty(0, np.float32)
    query = np.ascontiguousarray(probe, np.float32)
    blocks = [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]
    products = np.concatenate(parallel(lambda block: matrix.embeddings[block] @ query, blocks))  # [n]
    worst = np.partition(products, count - limit)[count - limit]
    rows = np.flatnonzero(products >= worst - 2 * _SLACK)
    parts = np.split(rows, range(_EXACT, len(rows), _EXACT))
    exact = np.concatenate(
        [
            np.linalg.norm(matrix.embeddings[part].astype(np.float64) - np.asarray(probe, np.float64), axis=1)
            for part in parts
        ]
    )
    order = np.argsort(exact, kind="stable")[:limit]
    return rows[order], exact[order].astype(np.float32)

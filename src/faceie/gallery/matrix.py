"""All embeddings of a gallery as one matrix in a file that is mapped into memory, and exact search in it.

The file stands beside the gallery's and can be made again at any time; so it is, whenever the gallery has changed. It
holds a header (what it is, the revision of the gallery, the number of faces), the embeddings, and the faces' ids.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files import replacing
from ..nn.parallel import parallel
from ..types import Array

__all__ = ["SIZE", "Matrix", "matrix_path", "nearest", "open_matrix", "write_matrix"]

SIZE = 512  # numbers in an embedding

_MAGIC = b"Faceie matrix 1\n"
_HEADER = struct.Struct("<16s16sqq")  # magic, the gallery's key, its revision, the number of faces
_START = 64  # where the embeddings begin: at a cache line
_BLOCK = 16384  # faces that one thread compares at a time: 32 MB
_EXACT = 4096  # faces whose distances are computed in float64 at a time: 16 MB
# How far a product in float32 may be from the exact one: 512 roundings of 2^-24, of parts that add up to 1 at most.
_SLACK = 512 * 2.0**-24


class Matrix(NamedTuple):
    """The embeddings of a gallery."""

    ids: NDArray[np.int64]
    """(n,): of the faces, ascending."""
    embeddings: Array
    """(n, 512) float32 of length 1."""


def matrix_path(gallery: Path) -> Path:
    """Return the file of the matrix of a gallery."""
    return gallery.with_name(f"{gallery.name}.matrix")


def open_matrix(path: Path, key: bytes, revision: int) -> Matrix | None:
    """Map the matrix of the gallery with this key (16 bytes), or return None if it is not there, is not up to date, or
    is damaged.
    """
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
    """Write `count` rows, each a face's id and its embedding as bytes (512 float32, little-endian).

    The file is readable by its owner only, and has its name only when it is complete. Raises OSError.
    """
    ids = np.empty(count, np.dtype("<i8"))
    with replacing(path, private=True) as file:
        file.write(_HEADER.pack(_MAGIC, key, revision, count).ljust(_START, b"\0"))
        for index, (face, embedding) in enumerate(rows):
            ids[index] = face
            file.write(embedding)
        file.write(ids.tobytes())


def nearest(matrix: Matrix, probe: Array, limit: int) -> tuple[NDArray[np.intp], Array]:
    """Return the rows of the `limit` faces that are most like the probe, and their distances, closest first.

    `probe`: (512,) of length 1. Of faces at the same distance, that of the lower id comes first.
    The result is that of computing all distances in float64 and sorting them: products in float32 only choose the faces
    for which this is done, with room for all their rounding.
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

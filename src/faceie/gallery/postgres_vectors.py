"""Embeddings as vectors of pgvector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import psycopg

__all__ = ["Embedding", "register_vectors"]


class Embedding(bytes):
    """An embedding, 512 float32, little-endian: a BLOB in SQLite, a vector in PostgreSQL."""


def register_vectors(connection: psycopg.Connection[Any]) -> bool:
    """Have vectors read as bytes, little-endian, and `Embedding` written as vectors. Return False without that type.

    Their binary format is the number of dimensions, a number that is 0, and float32, all big-endian.
    """
    from psycopg.adapt import Dumper, Loader
    from psycopg.pq import Format
    from psycopg.types import TypeInfo

    info = TypeInfo.fetch(connection, "vector")
    if info is None:
        return False
    number = info.oid

    class VectorDumper(Dumper):
        format = Format.BINARY
        oid = number

        def dump(self, obj: bytes) -> bytes:
            numbers = np.frombuffer(obj, "<f4")
            return len(numbers).to_bytes(2, "big") + b"\0\0" + numbers.astype(">f4").tobytes()

    class VectorLoader(Loader):
        format = Format.BINARY

        def load(self, data: Any) -> bytes:
            return np.frombuffer(data, ">f4", offset=4).astype("<f4").tobytes()

    connection.adapters.register_dumper(Embedding, VectorDumper)
    connection.adapters.register_loader(number, VectorLoader)
    return True

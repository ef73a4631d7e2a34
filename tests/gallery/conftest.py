"""Shared by the tests of the gallery: made-up people, prepared analyses, and all rows of a file."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from faceie import DetectionOptions, Gallery
from faceie.gallery import indexing
from faceie.gallery.analysis import failed_analysis, hash_photo
from faceie.gallery.database import transaction
from faceie.gallery.postgres import Postgres
from faceie.gallery.records import NewFace, PhotoAnalysis
from faceie.gallery.schema_postgres import TABLES
from faceie.weights import registry

from ..conftest import PHOTOS, assert_close
from .postgres_server import new_address, stop_servers

needs_weights = pytest.mark.skipif(registry.find("vggface2") is None, reason="the weights vggface2 are not installed")
needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc")

QUICK = DetectionOptions(min_face_size=40, rotations=(0,))  # 20 ms for a photo of 200 pixels

Rows = dict[str, list[tuple[Any, ...]]]


# Made-up people


def units(count: int, seed: int = 0) -> np.ndarray:
    """Return embeddings (count, 512) of as many people: random ones are 1.2 apart and more."""
    embeddings = np.random.default_rng(seed).standard_normal((count, 512))
    return (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)


def near(embedding: np.ndarray, distance: float, seed: int) -> np.ndarray:
    """Return another embedding (512,) at this distance."""
    direction = units(1, 1_000_000 + seed)[0].astype(np.float64)
    direction -= (direction @ embedding) * embedding.astype(np.float64)
    direction /= np.linalg.norm(direction)
    cosine = 1 - distance**2 / 2
    return (cosine * embedding + np.sqrt(1 - cosine**2) * direction).astype(np.float32)


def person(number: int) -> np.ndarray:
    return units(1, number)[0]


def face_of(number: int, variant: int) -> np.ndarray:
    """Return one of many embeddings (512,) of a made-up person: about 0.7 apart, of different people 1.3."""
    return near(person(number), 0.5, 1000 * number + variant)


def an_analysis(
    *embeddings: np.ndarray, quality: float = 0.9, taken: str | None = None, thumbnail: bytes = b"JPEG"
) -> PhotoAnalysis:
    """Return the analysis of a photo with these faces."""
    faces = [
        NewFace(
            box=(10.0 * k, 20.0, 10.0 * k + 50, 80.0),
            landmarks=np.arange(10, dtype=np.float32).reshape(5, 2) + k,
            roll=0.125,
            probability=0.99,
            quality=quality,
            embedding=embedding,
            thumbnail=thumbnail,
        )
        for k, embedding in enumerate(embeddings)
    ]
    return PhotoAnalysis(640, 480, taken, faces)


def put(gallery: Gallery, path: str, *embeddings: np.ndarray, **about: Any) -> list[int]:
    """Write a photo with these faces into a gallery, as if it had been indexed; return the ids of the faces."""
    store = gallery._store
    with transaction(store.db):
        photo = store.put_photo(path.encode("utf-8", "surrogateescape"), an_analysis(*embeddings, **about))
        store.put_file(path, photo, 1, 1)
    return [row[0] for row in store.db.execute("SELECT id FROM faces WHERE photo = ? ORDER BY id", (photo,))]


class Prepared(Executor):
    """Analyze photos in no time: the result depends on the content of the file."""

    def __init__(self, answer: Callable[[str], PhotoAnalysis] | Mapping[str, PhotoAnalysis]) -> None:
        self.answer = answer if callable(answer) else answer.__getitem__
        self.asked: list[str] = []

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        path = arguments[0]
        future: Future[Any] = Future()
        try:
            digest = indexing.digest_of(path)
            analysis = PhotoAnalysis()
            if function is not hash_photo:
                self.asked.append(path)
                analysis = self.answer(Path(path).read_bytes().decode())
            future.set_result(analysis._replace(digest=digest))
        except Exception as error:
            future.set_result(failed_analysis(error, path))
        return future


def by_words(text: str) -> PhotoAnalysis:
    """Answer for a fake photo: "1.3 2.4" shows person 1, in the variant 3, and person 2, in the variant 4."""
    faces = [face_of(*map(int, word.split("."))) for word in text.split()]
    return an_analysis(*faces)._replace(digest=hashlib.sha256(text.encode()).digest())


def fakes(folder: Path, photos: Mapping[str, str]) -> Path:
    """Write fake photos, each with a name and its content."""
    folder.mkdir(exist_ok=True, parents=True)
    for name, content in photos.items():
        (folder / name).write_text(content)
    return folder


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """No encoder is loaded, and those who ask are told that it is vggface2."""
    monkeypatch.setattr("faceie.gallery.settings.load", lambda source: source)
    monkeypatch.setattr("faceie.gallery.settings.answer", lambda weights: np.zeros(8, np.float32))
    monkeypatch.setattr("faceie.gallery.settings.identify", lambda weights: "vggface2")


def pytest_sessionfinish() -> None:
    """End the servers of PostgreSQL here: pytest-xdist gives a process ten seconds to end by itself."""
    stop_servers()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests of galleries on both databases, except those about files, and those that analyze photos."""
    if "database" in metafunc.fixturenames:
        marks = list(metafunc.definition.iter_markers())
        is_both = needs_weights.mark not in marks and all(mark.name != "file_only" for mark in marks)
        metafunc.parametrize("database", ["file", "postgresql"] if is_both else ["file"], scope="function")


@pytest.fixture
def path(tmp_path: Path, database: str) -> Path | str:
    """Where the gallery of a test is: alone in a folder, or in a schema of a PostgreSQL database."""
    if database == "postgresql":
        return new_address()
    (tmp_path / "gallery").mkdir()
    return tmp_path / "gallery" / "family.faceie"


@pytest.fixture
def gallery(path: Path, no_weights: None) -> Iterator[Gallery]:
    """An empty gallery that needs no encoder."""
    with Gallery(path, options=QUICK) as gallery:
        gallery._weights()  # that it is vggface2, which is calibrated, is stored
        yield gallery


@pytest.fixture
def address() -> str:
    return new_address()


@pytest.fixture
def shared(address: str, no_weights: None) -> Iterator[Gallery]:
    """An empty gallery in PostgreSQL."""
    with Gallery(address, options=QUICK) as gallery:
        gallery._weights()
        yield gallery


# Photos


def small(photo: str, target: Path, size: int = 200, change: int = 0, **options: Any) -> Path:
    """Save a small copy of a shipped photo; each `change` makes another file of it."""
    with Image.open(PHOTOS / photo) as image:
        copy = image.convert("RGB")
    copy.thumbnail((size, size))
    target.parent.mkdir(parents=True, exist_ok=True)
    copy.save(target, quality=90, comment=f"change {change}", **options)
    return target


@pytest.fixture(scope="session")
def small_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small copies of the shipped photos. Not to be changed."""
    folder = tmp_path_factory.mktemp("small")
    for photo in sorted(PHOTOS.glob("*.jpg")):
        small(photo.name, folder / photo.name)
    return folder


# Files


def _order(row: tuple[Any, ...]) -> tuple[int, str]:
    """Rows with a number come in its order, others as their text has it."""
    return (row[0], "") if isinstance(row[0], int) else (0, repr(row))


def open_database(gallery: Path | str) -> closing[Any]:
    """Return a connection to the database of a gallery, as a context."""
    return closing(Postgres(gallery) if isinstance(gallery, str) else sqlite3.connect(gallery))


def rows(gallery: Path | str) -> Rows:
    """Return all rows of all tables, ids included, but what differs in any two galleries: the key, and times."""
    if isinstance(gallery, str):
        tables = _rows_of_server(gallery)
    else:
        with closing(sqlite3.connect(gallery)) as db:
            db.text_factory = bytes
            names = [name.decode() for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            tables = {name: sorted(db.execute(f"SELECT * FROM {name}"), key=_order) for name in sorted(names)}
    tables["settings"] = [row for row in tables["settings"] if row[0] != b"key"]
    tables["migrations"] = [row[:1] for row in tables["migrations"]]
    if "actions" in tables:  # not in galleries of old versions
        tables["actions"] = [row[:2] for row in tables["actions"]]
    return tables


def _rows_of_server(address: str) -> Rows:
    tables: Rows = {}
    with open_database(address) as db:
        for name in sorted({"migrations", *TABLES} - {"recording"}):
            found = db.execute(f"SELECT * FROM {name}").fetchall()
            texts = [tuple(value.encode() if isinstance(value, str) else value for value in row) for row in found]
            tables[name] = sorted(texts, key=_order)
    return tables


def assert_same(a: Rows, b: Rows) -> None:
    """Assert that all rows are the same, ids included. Embeddings of photos that were analyzed twice, and the answer of
    the weights, may differ in their last digits: with more threads, products are summed up in another order, and old
    versions of OpenBLAS vary.
    """
    for (face, embedding, thumbnail), other in zip(a["portraits"], b["portraits"], strict=True):
        assert (face, thumbnail) == (other[0], other[2])
        assert_close(np.frombuffer(embedding, "<f4"), np.frombuffer(other[1], "<f4"), 1e-6)
    answers = [json.loads(dict(one["settings"])[b"answer"]) for one in (a, b)]
    assert_close(np.array(answers[0]), np.array(answers[1]), 1e-6)
    assert _without_floats(a) == _without_floats(b)


def _without_floats(tables: Rows) -> Rows:
    settings = [row for row in tables["settings"] if row[0] != b"answer"]
    return {**tables, "portraits": [], "settings": settings}


def assert_intact(gallery: Path | str) -> None:
    """Assert that SQLite finds nothing wrong with a gallery, nor any row that belongs to none."""
    if isinstance(gallery, str):
        tables = rows(gallery)
        assert [row[0] for row in tables["portraits"]] == [row[0] for row in tables["faces"]]
        return
    with closing(sqlite3.connect(gallery)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute(
            "SELECT count(*) FROM faces LEFT JOIN portraits ON face = id WHERE face IS NULL"
        ).fetchone() == (0,)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder, as bytes."""
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}

"""Search in the matrix is exact, and its file is made again if it is outdated or damaged."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from faceie import Gallery
from faceie.gallery import matrix as module
from faceie.gallery.matrix import Matrix, matrix_path, nearest, open_matrix, write_matrix

from .conftest import near, person, put, units

pytestmark = pytest.mark.file_only

KEY = b"k" * 16


def naive(embeddings: np.ndarray, probe: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute all distances in float64, and sort them."""
    distances = np.linalg.norm(embeddings.astype(np.float64) - probe.astype(np.float64), axis=1)
    rows = np.argsort(distances, kind="stable")[:limit]
    return rows, distances[rows].astype(np.float32)


def cases() -> dict[str, np.ndarray]:
    random = units(700)
    return {
        "one": random[:1],
        "two": random[:2],
        "many": random,
        "the same, again and again": np.repeat(random[:3], 40, axis=0),
        "differing in the last digits": np.stack([near(random[5], 1e-7 * i, i) for i in range(200)]),
        "differing by a little": np.stack([near(random[5], 1e-4 * (1 + i % 7), i) for i in range(200)]),
    }


@pytest.mark.parametrize("limit", [1, 7, 1000])
@pytest.mark.parametrize("case", cases())
def test_search_is_exact(case: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows and distances are those of a naive search, over several blocks, too."""
    monkeypatch.setattr(module, "_BLOCK", 64)
    embeddings = cases()[case]
    for probe in (embeddings[0], near(embeddings[-1], 0.3, 9), person(77)):
        rows, distances = nearest(Matrix(np.arange(len(embeddings)), embeddings), probe, limit)
        expected = naive(embeddings, probe, limit)
        assert rows.tolist() == expected[0].tolist()
        assert np.abs(distances - expected[1]).max() <= 1e-7


def test_search_among_nobody() -> None:
    """No rows, and no error."""
    rows, distances = nearest(Matrix(np.empty(0, np.int64), np.empty((0, 512), np.float32)), person(1), 5)
    assert len(rows) == len(distances) == 0


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Ids and embeddings come back as they were, in a file that only its owner can read."""
    file, embeddings = tmp_path / "m", units(5)
    write_matrix(file, KEY, 3, ((10 * i, e.tobytes()) for i, e in enumerate(embeddings)), 5)
    matrix = open_matrix(file, KEY, 3)
    assert matrix
    assert matrix.ids.tolist() == [0, 10, 20, 30, 40]
    assert (matrix.embeddings == embeddings).all()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("damage", ["gone", "empty", "short", "longer", "foreign", "stale", "of another", "negative"])
def test_a_matrix_that_does_not_fit_is_made_again(gallery: Gallery, damage: str) -> None:
    """A search finds all faces, whatever happened to the file."""
    (face,) = put(gallery, "/a.jpg", person(1))
    assert gallery.search(person(1))[0].face.id == face
    file = matrix_path(gallery.path)
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    elif damage == "stale":
        put(gallery, "/b.jpg", person(2))
    else:
        new = {
            "empty": b"",
            "short": content[:-1],
            "longer": content + b"\0",
            "foreign": b"x" * len(content),
            "of another": content[:16] + b"another gallery!" + content[32:],
            "negative": content[:40] + b"\xff" * 8 + content[48:],
        }
        file.write_bytes(new[damage])
    probe = 2 if damage == "stale" else 1
    assert gallery.search(person(probe))[0].distance < 1e-6
    assert file.read_bytes()[:48] != b""
    assert open_matrix(file, bytes.fromhex(gallery._store.setting("key") or ""), gallery._store.revision())


def test_search_where_nothing_can_be_written(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk, or in a folder that is not ours, the matrix is kept in memory."""

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("faceie.gallery.matrix.write_matrix", full)
    put(gallery, "/a.jpg", person(1), person(2))
    assert next(round(match.distance, 3) for match in gallery.search(person(2))) == 0
    assert not matrix_path(gallery.path).exists()

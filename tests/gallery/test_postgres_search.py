"""Search in a gallery in PostgreSQL: exact, by the index, and of all faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceie import Gallery

from .conftest import QUICK, face_of, near, needs_weights, person, put, small, units


def everything(gallery: Gallery, probe: np.ndarray, **options: Any) -> list[tuple[int, float]]:
    return [(match.face.id, round(match.distance, 5)) for match in gallery.search(probe, **options)]


def test_the_index_finds_the_same(shared: Gallery) -> None:
    """With the index, a search among made-up people has the same matches, with the same distances."""
    faces = [near(units(1, number)[0], 0.5, 10 * number + k) for number in range(60) for k in range(5)]
    for number in range(0, 300, 50):
        put(shared, f"/{number}", *faces[number : number + 50], taken=f"20{number // 50:02}-01-01")
    shared.ignore([7])
    vectors = shared._store.vectors
    assert vectors is not None
    exact = [everything(shared, faces[number], limit=5) for number in range(0, 300, 20)]
    assert not vectors.build_index()  # too few faces
    assert vectors.build_index(least=1)
    assert not vectors.build_index(least=1)  # it is there
    shared._store.db.execute("SET enable_seqscan = off")  # so that so small a table uses it
    shared._store.db.execute("SET enable_sort = off")
    (plan,) = shared._store.db.execute(
        "EXPLAIN (FORMAT JSON) SELECT face FROM portraits ORDER BY"
        " CAST(embedding AS halfvec(512)) <-> (SELECT CAST(embedding AS halfvec(512)) FROM portraits LIMIT 1) LIMIT 5"
    ).fetchone()
    assert "portraits_by_embedding" in str(plan)
    assert [everything(shared, faces[number], limit=5) for number in range(0, 300, 20)] == exact
    found = everything(shared, faces[0], limit=3, since="2003", until="2003")  # most candidates are left out
    assert found
    assert all(150 < face <= 200 for face, _ in found)


@needs_weights
def test_photos(address: str, tmp_path: Path) -> None:
    """A photo is indexed with the real detector and encoder, and found by another one."""
    photo = small("obama.jpg", tmp_path / "photos" / "obama.jpg")
    with Gallery(address, options=QUICK) as gallery:
        assert gallery.index([photo.parent], workers=1).faces == 1
        (match,) = gallery.search(small("obama.jpg", tmp_path / "other.jpg", size=180), min_probability=0.5)
        assert match.path == photo
        assert gallery.thumbnail(match.face.id)[:2] == b"\xff\xd8"


def test_all_faces(shared: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search without a limit reads the faces in batches, and finds the same as one with a limit."""
    for number in range(25):
        put(shared, f"/{number}", face_of(number, 1), taken="2001")
    limited = everything(shared, face_of(3, 2), limit=25)
    monkeypatch.setattr("faceie.gallery.store_vectors._BATCH", 10)
    assert len(limited) == 25
    assert everything(shared, face_of(3, 2), limit=None) == limited
    assert everything(shared, face_of(3, 2), limit=None, since="2001-02") == []


def test_equal_faces_come_by_number(shared: Gallery) -> None:
    """Of many faces at one distance, the lowest numbers are found: candidates are asked for until that is sure."""
    put(shared, "/1", *[person(1)] * 400)
    vectors = shared._store.vectors
    assert vectors is not None
    ids, distances = vectors.nearest(person(1), 10, None, None)
    assert ids.tolist() == list(range(1, 11))
    assert not distances.any()

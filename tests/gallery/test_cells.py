"""Cells of embeddings, beside naive computations."""

from __future__ import annotations

import numpy as np
import pytest

from faceie.gallery import cells as module
from faceie.gallery.cells import Cells

from .conftest import face_of


def test_look_alikes_share_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten photos each of 60 people, in 60 cells, nearly all pairs of a person are in one cell, and few others."""
    monkeypatch.setattr(module, "_SIZE", 10)
    people = np.random.default_rng(0).permutation(np.repeat(np.arange(60), 10))
    faces = np.stack([face_of(int(who), number) for number, who in enumerate(people)])
    cells = Cells(faces).nearest(np.arange(600), faces.__getitem__, 1)[:, 0]
    together, same = cells[:, None] == cells, people[:, None] == people
    assert together[same].mean() > 0.9
    assert together[~same].mean() < 0.03


def test_nearest_and_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest cells are those with the nearest centers; each embedding is a member of its cell."""
    monkeypatch.setattr(module, "_SIZE", 1)
    rng = np.random.default_rng(1)
    faces = rng.standard_normal((800, 512), np.float32)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    cells = Cells(faces)
    centers = cells._centers
    assert centers.shape == (80, 512)  # of the root of 800 / 8 faces each
    assert np.abs(np.linalg.norm(centers, axis=1) - 1).max() < 1e-6
    rows = rng.permutation(800)[:100]
    found = cells.nearest(rows, faces.__getitem__, 5)
    assert (found == np.argsort(-faces[rows] @ centers.T, axis=1)[:, :5]).all()
    members = cells.members(found[:, 0])
    assert len(members) == 80
    assert all((found[places, 0] == cell).all() for cell, places in enumerate(members))
    assert sorted(np.concatenate(members).tolist()) == list(range(100))
    assert cells.nearest(rows[:0], faces.__getitem__, 5).shape == (0, 5)

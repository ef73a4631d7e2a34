"""The cascade, against the reference on real photos, and stage by stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import mtcnn
from faceie.images import to_input
from faceie.mtcnn import cascade
from faceie.mtcnn.networks import p_net
from faceie.mtcnn.options import DEFAULTS, DetectionOptions
from faceie.nn import reference

from ..conftest import assert_close, golden

PHOTOS = ["astronaut", "biden", "obama", "obama-congress", "obama-standing"]


@pytest.mark.parametrize("name", PHOTOS)
def test_cascade_equals_the_reference(name: str, photos: Path) -> None:
    """The same faces, with the same boxes, probabilities and landmarks as facenet-pytorch finds."""
    answers = golden("detections")
    faces = cascade.find_faces(np.asarray(Image.open(photos / f"{name}.jpg")), mtcnn.load(), DEFAULTS)
    order = np.argsort(-answers[f"{name}.probabilities"])  # the reference sorts by size
    assert_close(faces.probabilities, answers[f"{name}.probabilities"][order], 1e-4)
    assert_close(faces.boxes, answers[f"{name}.boxes"][order], 0.01)
    assert_close(faces.landmarks, answers[f"{name}.landmarks"][order], 0.01)


def test_tiles_equal_the_whole_level(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-Net finds in tiles of a level what it finds in the whole level, resized by the slow twin."""
    image = np.asarray(Image.open(photos / "astronaut.jpg"))[:301, :230]
    scale, threshold, w = 0.43, 0.3, mtcnn.load().p_net
    level = reference.resample_area(image, int(301 * scale + 1), int(230 * scale + 1))
    scores, offsets = p_net(to_input(level)[None], w)
    _, row, column = np.nonzero(scores >= threshold)
    assert len(row) > 20  # or there is nothing to compare
    monkeypatch.setattr(cascade, "_TILE", 1)
    for rows in (1, 2, 7, 32, 1000):
        monkeypatch.setattr(cascade, "_TILE_ROWS", rows)
        tiles = cascade.Level(image, scale)
        found = cascade._joined([cascade.look(tiles, top, w, threshold) for top in tiles.tops()])
        assert_close(found.scores, scores[0, row, column], 1e-4)
        assert_close(found.offsets, offsets[0, row, column], 1e-4)
        assert_close(found.boxes[:, 1], np.floor((2 * row + 1) / scale), 0)


@pytest.mark.parametrize(
    ("size", "smallest", "expected"),
    [
        ((11, 500), 12, []),
        ((12, 500), 12, [1.0]),
        ((500, 24), 12, [1.0, 0.709, 0.502681]),
        ((20, 20), 20, [0.6]),
        ((19, 20), 20, []),
        ((1, 1), 1, [12]),
    ],
)
def test_scales(size: tuple[int, int], smallest: float, expected: list[float]) -> None:
    """The pyramid goes from the smallest face to the largest that fits; an image smaller than that has no levels."""
    image = np.zeros((*size, 3), np.uint8)
    scales = list(cascade.scales(image, DetectionOptions(min_face_size=smallest)))
    assert scales == pytest.approx(expected)


def test_crops_are_cut_at_the_border(rng: np.random.Generator) -> None:
    """Of a box over the border, what is inside is stretched; a box outside is dropped."""
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    boxes = np.array([[-9.9, -3, 10, 20], [60, 0, 80, 20], [1, 1, 50, 40], [45, 30, 70, 55]], np.float32)
    inside = cascade.inside(boxes, image)
    assert inside.tolist() == boxes[[0, 2, 3]].tolist()
    crops = cascade.crops_of(image, inside, 24)
    for crop, part in zip(crops, (image[0:20, 0:10], image, image[29:40, 44:50]), strict=True):
        assert_close(crop, reference.resample_area(part, 24, 24), 1e-3)

"""The cascade, against the reference on real photos, and stage by stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import mtcnn
from faceie.images import to_input
from faceie.mtcnn import cascade, crops, pyramid
from faceie.mtcnn.networks import p_net
from faceie.mtcnn.options import DEFAULTS, DetectionOptions
from faceie.mtcnn.pyramid import MipMap
from faceie.nn import reference

from ..conftest import assert_close, golden

PHOTOS = ["astronaut", "biden", "obama", "obama-congress", "obama-standing"]


@pytest.mark.parametrize("name", PHOTOS)
def test_cascade_equals_the_reference(name: str, photos: Path) -> None:
    """The same faces, with the same boxes, probabilities and landmarks as facenet-pytorch finds."""
    answers = golden("detections")
    faces = cascade.find_faces(MipMap(Image.open(photos / f"{name}.jpg")), mtcnn.load(), DEFAULTS)
    order = np.argsort(-answers[f"{name}.probabilities"])  # the reference sorts by size
    assert_close(faces.probabilities, answers[f"{name}.probabilities"][order], 1e-4)
    assert_close(faces.boxes, answers[f"{name}.boxes"][order], 0.01)
    assert_close(faces.landmarks, answers[f"{name}.landmarks"][order], 0.01)


@pytest.mark.parametrize("tile", [(1, 1), (7, 12), (32, 500), (1000, 20), (1000, 1000)])
def test_tiles_equal_the_whole_level(tile: tuple[int, int], photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-Net finds each window once, in a level resized tile by tile as in one resized whole by the slow twin."""
    image = np.asarray(Image.open(photos / "astronaut.jpg"))[:301, :230]
    scale, threshold, w = 0.43, 0.3, mtcnn.load().p_net
    level = reference.resample_area(image, int(301 * scale + 1), int(230 * scale + 1))
    scores, offsets = p_net(to_input(level)[None], w, reference)
    _, row, column = np.nonzero(scores >= threshold)
    assert len(row) > 20  # or there is nothing to compare
    monkeypatch.setattr(pyramid, "_TILE", tile)
    tiles = pyramid.Level(301, 230, scale)
    found = cascade._concatenate(
        [cascade.windows_of_tile(MipMap(Image.fromarray(image)), tiles, part, w, threshold) for part in tiles.tiles]
    )
    corner = np.floor((2 * np.stack([column, row], 1) + 1) / scale)
    order = np.lexsort(found.boxes[:, :2].T)
    assert_close(found.boxes[order, :2], corner, 0)
    assert_close(found.scores[order], scores[0, row, column], 1e-4)
    assert_close(found.offsets[order], offsets[0, row, column], 1e-4)


def test_tiles_have_one_size() -> None:
    """Each level has one list of calls, and levels of many photos share the lists of a thread."""
    for height, width in ((12, 12), (13, 700), (999, 1001)):
        level = pyramid.Level(height, width, 1.0)
        covered = np.zeros([-(-(side - 2) // 2) - 4 for side in level.size], int)
        rows, columns = level._tile
        for top, left, first_row, first_column in level.tiles:
            assert top + rows <= covered.shape[0]
            assert left + columns <= covered.shape[1]
            covered[top + first_row : top + rows, left + first_column : left + columns] += 1
        assert np.all(covered == 1)


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
    mipmap = MipMap(Image.new("RGB", size[::-1]))
    scales = list(pyramid.scales(mipmap, DetectionOptions(min_face_size=smallest)))
    assert scales == pytest.approx(expected)


def test_crops_are_cut_at_the_border(rng: np.random.Generator) -> None:
    """A box over the border is clipped and stretched; a box outside is dropped."""
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    boxes = np.array([[-9.9, -3, 10, 20], [60, 0, 80, 20], [1, 1, 50, 40], [45, 30, 70, 55]], np.float32)
    inside = crops.keep_inside(boxes, MipMap(Image.fromarray(image)))
    assert inside.tolist() == boxes[[0, 2, 3]].tolist()
    found = crops.crop_boxes(MipMap(Image.fromarray(image)), inside, 24)
    for crop, part in zip(found, (image[0:20, 0:10], image, image[29:40, 44:50]), strict=True):
        assert_close(crop, reference.resample_area(part, 24, 24), 1e-3)


@pytest.mark.parametrize("size", [24, 48])
def test_crops_of_all_sizes(size: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many boxes at once, of any size and form, are resized as each is by the slow twin."""
    monkeypatch.setattr(crops, "_SIZES", (8, 24, 60))
    monkeypatch.setattr(crops, "_FLOATS", 20000)
    monkeypatch.setattr(crops, "_LARGE", 24)
    image = rng.integers(0, 256, (90, 70, 3), np.uint8)
    first = rng.integers(1, 40, (60, 2))
    boxes = np.concatenate([first, first + rng.integers(1, 50, (60, 2))], 1).astype(np.float32)
    mipmap = MipMap(Image.fromarray(image))
    for crop, (left, top, right, bottom) in zip(
        crops.crop_boxes(mipmap, boxes, size), crops.to_pixels(boxes, mipmap), strict=True
    ):
        assert_close(crop, reference.resample_area(image[top:bottom, left:right], size, size), 1e-3)
    assert crops.crop_boxes(mipmap, boxes[:0], size).shape == (0, size, size, 3)

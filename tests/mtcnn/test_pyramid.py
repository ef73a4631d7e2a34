"""The mipmap of an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import detect_faces
from faceie.boxes import iou
from faceie.mtcnn import crops, pyramid
from faceie.mtcnn.pyramid import MipMap

from ..conftest import assert_close


def test_planes(rng: np.random.Generator) -> None:
    """Planes are the channels; those of a half are averages of four pixels."""
    pixels = rng.integers(0, 256, (40, 60, 3), np.uint8)
    image = MipMap(Image.fromarray(pixels))
    assert image.size == (40, 60)
    assert np.array_equal(image.planes[0], pixels.transpose(2, 0, 1))
    means = pixels.reshape(20, 2, 30, 2, 3).mean((1, 3))
    assert_close(image.planes[1].transpose(1, 2, 0), means, 0.76)  # rounded
    assert [planes.shape for planes in MipMap(Image.new("RGB", (1, 9))).planes] == [(3, 9, 1)]


def test_planes_near_boxes(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only parts are read, these are equal to the same parts of the whole, on all levels."""
    monkeypatch.setattr(pyramid, "_BLOCK", 16)
    image = Image.fromarray(rng.integers(1, 256, (83, 121, 3), np.uint8))
    boxes = np.array([[-9, 20, 20, 35], [60, 40, 61, 41], [100, 70, 400, 400], [200, 200, 220, 220]], np.float32)
    whole, parts = MipMap(image), MipMap(image, boxes)
    read = parts.planes[0][0] > 0
    assert 0.1 < read.mean() < 0.5
    assert read[20:35, :20].all()
    assert read[70:, 100:].all()
    for level, (all_, some) in enumerate(zip(whole.planes, parts.planes, strict=True)):
        here = some > 0
        assert np.array_equal(all_[here], some[here])
        assert here[:, 40 >> level, 60 >> level].all()


def test_only_large_images_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only large images are averaged from their halves, over many pixels, unless rough averages are enough."""
    image = Image.new("RGB", (64, 64))
    assert MipMap(image).mip_level(64) == 0
    assert MipMap(image).mip_level(64, exact=False) == 3
    monkeypatch.setattr(pyramid, "_EXACT", 1000)
    large = MipMap(image)
    assert [large.mip_level(pixels) for pixels in (0.5, 6, 11.9, 12, 24, 1000)] == [0, 0, 0, 1, 2, 3]


@pytest.mark.parametrize("size", [24, 48])
def test_crops_of_halves(size: int, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops from halves are nearly those from the image itself: the edges of their bins are, by a pixel or so."""
    image = Image.open(photos / "obama.jpg").resize((1200, 1500), Image.Resampling.BICUBIC)
    boxes = np.array([[100.5, 200, 900, 1000.9], [-50, 400, 450, 900], [3, 5, 1198, 1199]], np.float32)
    exact = crops.crop_boxes(MipMap(image), boxes, size)
    monkeypatch.setattr(pyramid, "_EXACT", 1000)
    halved = crops.crop_boxes(MipMap(image), boxes, size)
    assert 0 < np.abs(exact - halved).mean() < 2.5  # gray levels


def test_faces_are_those_of_the_image_itself(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The faces of a large image are the same with and without its halves."""
    image = Image.open(photos / "obama-congress.jpg")
    image = image.resize((3 * image.width, 3 * image.height), Image.Resampling.BICUBIC)
    exact = detect_faces(image, min_face_size=60, crops=False)
    monkeypatch.setattr(pyramid, "_EXACT", 1000)
    halved = detect_faces(image, min_face_size=60, crops=False)
    assert len(halved.probabilities) == len(exact.probabilities) == 1
    assert iou(halved.bounding_boxes, exact.bounding_boxes)[0, 0] > 0.9

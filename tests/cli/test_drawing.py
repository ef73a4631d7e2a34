"""Pictures: the sizes of lines, the border, and the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from faceie import DetectedFaces
from faceie.cli.drawing import _CYAN, annotate, save


def _faces(*boxes: tuple[float, float, float, float]) -> DetectedFaces:
    n = len(boxes)
    array = np.array(boxes, np.float32).reshape(n, 4)
    center = (array[:, None, :2] + array[:, None, 2:]) / 2
    return DetectedFaces(np.ones(n, np.float32), np.zeros(n, np.float32), array, np.repeat(center, 5, 1), None)


def _is_line(picture: Image.Image) -> np.ndarray:
    return (np.asarray(picture) == _CYAN).all(-1)


@pytest.mark.parametrize(("size", "width"), [((300, 200), 1), ((4000, 3000), 9)])
def test_lines_grow_with_the_picture(size: tuple[int, int], width: int) -> None:
    """The width of the lines depends on the size of the picture."""
    w, h = size
    picture = annotate(Image.new("RGB", size), _faces((w / 4, h / 4, w * 3 / 4, h * 3 / 4)))
    row = _is_line(picture)[h // 3]
    assert list(np.flatnonzero(row[: w // 2])) == list(range(w // 4, w // 4 + width))


def test_lines_shrink_with_small_faces() -> None:
    """A small face in a large picture is not painted over."""
    picture = annotate(Image.new("RGB", (4000, 3000)), _faces((2000, 1500, 2030, 1540)))
    assert _is_line(picture)[1530, 2000:2031].sum() == 2


@pytest.mark.parametrize(
    "box",
    [
        (-50, -50, 60, 60),
        (240, 140, 400, 300),
        (-20, -20, 320, 220),
        (100, 0, 130, 30),
        (280, 190, 300, 200),
        (400, 300, 450, 350),
        (-90, -90, -10, -10),
    ],
)
def test_border(box: tuple[float, float, float, float]) -> None:
    """The visible part of a box over the border is drawn, with a complete label."""
    inside = annotate(Image.new("RGB", (300, 200)), _faces((120, 80, 150, 110)))
    at_border = annotate(Image.new("RGB", (300, 200)), _faces(box))
    label = [np.asarray(inside) == _CYAN, np.asarray(at_border) == _CYAN]
    assert at_border.size == (300, 200)
    assert label[1].all(-1).sum() >= 0.5 * label[0].all(-1).sum()


def test_line_at_the_border() -> None:
    """Lines outside the picture are moved to its border."""
    picture = annotate(Image.new("RGB", (300, 200)), _faces((-20, 50, 320, 220)))
    assert _is_line(picture)[100:190, 0].all()
    assert _is_line(picture)[100:190, 299].all()
    assert _is_line(picture)[199, 50:250].all()


def test_image_stays_as_it_was() -> None:
    """Boxes are drawn on a copy; without faces, nothing is drawn."""
    image = Image.new("RGB", (300, 200))
    annotate(image, _faces((100, 50, 200, 150)))
    assert image.getextrema() == ((0, 0),) * 3
    assert annotate(image, _faces()) == image


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".JPEG"])
def test_save(suffix: str, tmp_path: Path) -> None:
    """A color profile for RGB is kept; other profiles and the orientation are dropped."""
    image = Image.new("RGB", (30, 20), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile, kept in ((srgb, srgb), (lab, None), (None, None)):
        image.info = {"exif": exif.tobytes(), "icc_profile": profile}
        path = tmp_path / "folder" / f"picture{suffix}"
        save(image, path)
        with Image.open(path) as saved:
            assert saved.getexif().get(0x0112) is None
            assert saved.info.get("icc_profile") == kept

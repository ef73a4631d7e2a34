"""The qualities of detected faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from faceie import DetectedFaces, detect_faces, open_image

from ..conftest import assert_close


def face(
    *, box: tuple[float, ...] = (0, 0, 80, 80), nose: float = 40, crop: Image.Image | None = None
) -> DetectedFaces:
    points = np.array([[[25, 30], [55, 30], [nose, 45], [28, 60], [52, 60]]], np.float32)
    boxes = np.array([box], np.float32)
    return DetectedFaces(np.ones(1, np.float32), np.zeros(1, np.float32), boxes, points, [crop] if crop else None)


def test_good_photos(photos: Path) -> None:
    """Faces of good photos that look at the camera have a quality close to 1."""
    for name in ("biden", "obama", "obama-standing"):
        faces = detect_faces(photos / f"{name}.jpg")
        assert faces.qualities[0] > 0.85
        assert abs(faces.yaws[0]) < 0.5
    assert faces.qualities.dtype == faces.yaws.dtype == faces.sizes.dtype == np.float32


def test_what_makes_a_face_poor(photos: Path) -> None:
    """Small, blurred and averted faces have lower qualities."""
    photo = open_image(photos / "biden.jpg")
    good = detect_faces(photo)
    blurred = detect_faces(photo.filter(ImageFilter.GaussianBlur(5)))
    small = detect_faces(photo.resize((photo.width // 5, photo.height // 5)))
    assert good.sharpness is not None
    assert blurred.sharpness is not None
    assert blurred.sharpness[0] < 0.5 * good.sharpness[0]
    assert blurred.qualities[0] < 0.7 * good.qualities[0]
    assert small.sizes[0] == pytest.approx(good.sizes[0] / 5, rel=0.1)
    assert small.qualities[0] < 0.6 * good.qualities[0]
    assert face(nose=52).qualities[0] < face(nose=40).qualities[0]


def test_turns() -> None:
    """The nose tells to which side a head is turned; a photo that is turned itself does not change that."""
    assert face().yaws[0] == pytest.approx(0, abs=1e-6)
    assert face(nose=46).yaws[0] == pytest.approx(-face(nose=34).yaws[0])
    assert 0.3 < face(nose=46).yaws[0] < face(nose=50).yaws[0] <= np.pi / 2
    on_its_side = face(nose=46)._replace(landmarks=face(nose=46).landmarks[..., ::-1] * np.array([-1, 1], np.float32))
    assert_close(on_its_side.yaws, face(nose=46).yaws, 1e-6)
    assert np.isfinite(face()._replace(landmarks=np.zeros((1, 5, 2), np.float32)).yaws).all()


def test_without_crops_and_without_faces() -> None:
    """Sharpness needs crops; quality does without. No faces have no qualities."""
    assert face().sharpness is None
    assert face().qualities[0] == pytest.approx(1)
    assert face(crop=Image.new("RGB", (160, 160))).qualities[0] == 0  # nothing to be seen
    assert face(crop=Image.new("RGB", (2, 1))).qualities[0] == 0
    nobody = detect_faces(np.zeros((50, 50, 3), np.uint8))
    assert nobody.qualities.shape == nobody.sizes.shape == nobody.yaws.shape == (0,)

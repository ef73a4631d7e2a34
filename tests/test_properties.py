"""Properties of any image with any options (hypothesis)."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from faceie import DetectedFaces, detect_faces, encode_faces, open_image

from .conftest import PHOTOS, assert_close

MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "I;16",
    "F",
]
VIA = {"La": "LA", "PA": "P", "RGBa": "RGBA", "I;16": "I"}  # modes that Pillow converts to these
ASTRONAUT = open_image(PHOTOS / "astronaut.jpg")


@st.composite
def images(draw: st.DrawFn) -> Image.Image:
    """Noise, or a photo with a face, of any shape, and of any mode."""
    width, height = draw(st.tuples(st.integers(1, 150), st.integers(1, 150)))
    mode = draw(st.sampled_from(MODES))
    if draw(st.booleans()):
        image = ASTRONAUT.crop((150, 30, 310, 220)).resize((width, height))
    else:
        seed = np.random.default_rng(draw(st.integers(0, 9)))
        image = Image.fromarray(seed.integers(0, 256, (height, width, 3), np.uint8))
    if mode == "LAB":
        return Image.frombytes("LAB", image.size, image.tobytes())
    return image.convert("L" if mode == "I;16" else "RGB").convert(VIA.get(mode, mode)).convert(mode)


overlaps = st.floats(0, 1)
options = st.fixed_dictionaries(
    {},
    optional={
        "min_face_size": st.floats(10, 200),
        "factor": st.floats(0.3, 0.8),
        "thresholds": st.tuples(st.floats(0.3, 1), st.floats(0.1, 1), st.floats(0, 1)),
        "nms_overlaps": st.tuples(overlaps, overlaps, overlaps, overlaps),
        "rotations": st.just("auto") | st.lists(st.floats(-2 * math.pi, 2 * math.pi), min_size=1, max_size=2),
        "margin": st.floats(0, 159),
        "crop_filter": st.sampled_from(["lanczos", "bicubic", "bilinear", "box"]),
        "crops": st.booleans(),
    },
)


def equal(a: DetectedFaces, b: DetectedFaces) -> bool:
    arrays = all(np.array_equal(x, y) for x, y in zip(a[:4], b[:4], strict=True))
    return arrays and [np.asarray(x).tobytes() for x in a.images or []] == [
        np.asarray(x).tobytes() for x in b.images or []
    ]


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(images(), options)
def test_any_image_with_any_options(image: Image.Image, chosen: dict[str, Any]) -> None:
    """No crash; shapes, ranges and order are as promised; the same again gives the same."""
    faces = detect_faces(image, **chosen)
    count = len(faces.probabilities)
    assert [field.shape for field in faces[:4]] == [(count,), (count,), (count, 4), (count, 5, 2)]
    assert all(field.dtype == np.float32 and np.isfinite(field).all() for field in faces[:4])
    assert ((faces.probabilities >= 0) & (faces.probabilities <= 1)).all()
    assert (np.diff(faces.probabilities) <= 0).all()
    assert (np.abs(faces.rolls) <= np.float32(math.pi)).all()
    assert (faces.bounding_boxes[:, :2] <= faces.bounding_boxes[:, 2:]).all()
    assert ((faces.qualities >= 0) & (faces.qualities <= 1)).all()
    if chosen.get("crops", True):
        assert faces.images is not None
        assert [(crop.mode, crop.size) for crop in faces.images] == [("RGB", (160, 160))] * count
    else:
        assert faces.images is None
    assert equal(faces, detect_faces(image, **chosen))


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.lists(images(), min_size=1, max_size=4), st.booleans())
def test_batches_equal_singles(several: list[Image.Image], mirror: bool) -> None:
    """An embedding does not depend on its neighbors; it has length 1."""
    together = encode_faces(several, mirror=mirror)
    alone = np.stack([encode_faces(image, mirror=mirror) for image in several])
    assert_close(together, alone, 1e-6)
    assert_close(np.linalg.norm(together, axis=1), np.ones(len(several)), 1e-6)


@pytest.mark.parametrize("turn", [0, 90])
def test_eight_threads_give_what_one_gives(turn: int, photos: Path) -> None:
    """The functions may be called from several threads at once."""
    jobs = [open_image(photos / f"{name}.jpg").rotate(turn, expand=True) for name in ("astronaut", "biden")] * 8

    def work(image: Image.Image) -> tuple[DetectedFaces, np.ndarray]:
        faces = detect_faces(image)
        return faces, encode_faces(faces.images or [])

    alone = [work(image) for image in jobs[:2]] * 8
    with ThreadPoolExecutor(8) as pool:
        for (faces, embeddings), (same_faces, same_embeddings) in zip(pool.map(work, jobs), alone, strict=True):
            assert equal(faces, same_faces)
            assert_close(embeddings, same_embeddings, 1e-6)

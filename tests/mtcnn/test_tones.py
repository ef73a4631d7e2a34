"""Dark, faded and color-lit photos: found by a second look; ordinary photos are left as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import detect_faces, distance, encode_faces, open_image
from faceie.boxes import iou
from faceie.mtcnn import detect
from faceie.mtcnn.detect import DetectedFaces
from faceie.mtcnn.options import DEFAULTS
from faceie.mtcnn.tones import stretch_tones

NAMES = ("astronaut", "biden", "obama", "obama-congress", "obama-standing")
BLUE = np.array([0.02, 0.05, 1], np.float32)
YELLOWED = (np.array([190, 150, 120], np.float32), np.array([65, 60, 55], np.float32))
CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "dark, 4 %": lambda x: x * 0.04,
    "dark, 8 %": lambda x: x * 0.08,
    "dark, 15 %": lambda x: x * 0.15,
    "faded, 180..255": lambda x: 180 + x * 75 / 255,
    "faded, 220..255": lambda x: 220 + x * 35 / 255,
    "faded, yellowed": lambda x: YELLOWED[0] + x * YELLOWED[1] / 255,
    "blue light": lambda x: x * BLUE,
    "blue light only": lambda x: x * np.array([0, 0, 1]),
}


def changed(image: Image.Image, change: Callable[[np.ndarray], np.ndarray]) -> Image.Image:
    return Image.fromarray(change(np.asarray(image).astype(np.float32)).astype(np.uint8))


@pytest.fixture(scope="module")
def images(photos: Path) -> dict[str, Image.Image]:
    """The shipped photos, small enough to be searched quickly."""
    images = {name: open_image(photos / f"{name}.jpg") for name in NAMES}
    for image in images.values():
        image.thumbnail((500, 500))
    return images


@pytest.fixture(scope="module")
def found(images: dict[str, Image.Image]) -> dict[str, DetectedFaces]:
    return {name: detect_faces(image) for name, image in images.items()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_found(
    name: str,
    change: Callable[[np.ndarray], np.ndarray],
    images: dict[str, Image.Image],
    found: dict[str, DetectedFaces],
) -> None:
    """The face of a degraded photo is found where it is in the photo."""
    faces = detect_faces(changed(images[name], change), crops=False)
    assert faces.probabilities[0] > 0.95
    assert iou(faces.bounding_boxes[:1], found[name].bounding_boxes[:1])[0, 0] >= 0.7


@pytest.mark.parametrize("change", [CHANGES["dark, 4 %"], CHANGES["faded, 220..255"], CHANGES["blue light"]])
def test_same_person(
    change: Callable[[np.ndarray], np.ndarray], images: dict[str, Image.Image], found: dict[str, DetectedFaces]
) -> None:
    """The crop of a degraded photo gives nearly the embedding of the photo; that of its own tones would not."""
    image = changed(images["biden"], change)
    faces = detect_faces(image)
    assert faces.images is not None
    assert found["biden"].images is not None
    as_is = detect.crop_face(image, faces.bounding_boxes[0], DEFAULTS)
    embeddings = encode_faces([found["biden"].images[0], faces.images[0], as_is])
    assert distance(embeddings[0], embeddings[1]) < 0.6
    assert distance(embeddings[0], embeddings[1]) < distance(embeddings[0], embeddings[2])


@pytest.mark.parametrize("name", NAMES)
def test_ordinary(name: str, images: dict[str, Image.Image]) -> None:
    """Ordinary photos are not stretched, in gray neither."""
    assert stretch_tones(images[name]) is None
    assert stretch_tones(images[name].convert("L").convert("RGB")) is None


def test_reference(images: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the search for all angles, nothing is searched twice: the results are the reference's."""

    def fail(image: Image.Image) -> None:
        raise AssertionError

    monkeypatch.setattr(detect, "stretch_tones", fail)
    dark = changed(images["biden"], CHANGES["dark, 4 %"])
    assert not len(detect_faces(dark, rotations=(0,)).probabilities)
    with pytest.raises(AssertionError):
        detect_faces(dark)


def test_one_stretch_keeps_colors() -> None:
    """Without a color cast, black, white and gray stay free of color, and the order of tones is kept."""
    ramp = np.repeat(np.arange(10, 20, dtype=np.uint8)[None].repeat(200, 0)[..., None], 3, 2).repeat(20, 1)
    copy = stretch_tones(Image.fromarray(ramp))
    assert copy is not None
    tones = np.asarray(copy)
    assert np.array_equal(tones[..., 0], tones[..., 1])
    assert np.array_equal(tones[..., 0], tones[..., 2])
    assert (tones.min(), tones.max()) == (0, 255)
    assert np.all(np.diff(tones[0, ::20, 0].astype(int)) >= 0)


def test_color_cast() -> None:
    """Under colored light, each channel is stretched by itself, and one without a picture is that of the widest."""
    x = np.random.default_rng(0).integers(0, 256, (200, 200))
    image = np.stack([np.zeros_like(x), x // 8, 255 - x], 2).astype(np.uint8)
    copy = stretch_tones(Image.fromarray(image))
    assert copy is not None
    tones = np.asarray(copy)
    assert np.array_equal(tones[..., 0], tones[..., 2])
    assert tones[..., 1].min() == 0
    assert tones[..., 1].max() == 255


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (3, 2), (40, 40), (300, 200)])
@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_one_color(size: tuple[int, int], level: int) -> None:
    """An image of one color has no tones to stretch, and no faces."""
    image = Image.new("RGB", size, (level, level, 255 - level))
    assert stretch_tones(image) is None
    assert not len(detect_faces(image).probabilities)


@pytest.mark.parametrize("deviation", [0.5, 2, 8, 60])
@pytest.mark.parametrize("level", [4, 128, 250])
def test_noise(deviation: float, level: int, rng: np.random.Generator) -> None:
    """There are no faces in noise, stretched or not."""
    noise = np.clip(rng.normal(level, deviation, (200, 300, 3)), 0, 255).astype(np.uint8)
    assert not len(detect_faces(noise).probabilities)


def test_few_pixels() -> None:
    """Images of a few pixels with a few tones do not fail."""
    for width, height in ((1, 1), (2, 1), (1, 9), (5, 5), (11, 30)):
        tones = np.random.default_rng(0).integers(0, 30, (height, width, 3)).astype(np.uint8)
        copy = stretch_tones(Image.fromarray(tones))
        assert copy is None or copy.size == (width, height)
        assert not len(detect_faces(tones).probabilities)


@pytest.mark.parametrize("level", [0, 245])
def test_portrait_on_a_page(level: int, images: dict[str, Image.Image]) -> None:
    """A well exposed portrait on an empty page is cut out of the page as it is, though the page's tones are narrow."""
    portrait = images["biden"].resize((200, 200))
    page = Image.new("RGB", (1060, 1060), (level,) * 3)
    page.paste(portrait, (430, 430))
    assert stretch_tones(page) is not None
    faces, alone = detect_faces(page), detect_faces(portrait)
    assert faces.images is not None
    assert alone.images is not None
    assert distance(*encode_faces([faces.images[0], alone.images[0]])) < 0.4


def test_orientation(images: dict[str, Image.Image], found: dict[str, DetectedFaces], tmp_path: Path) -> None:
    """Boxes of a dark photo that is stored sideways are in its stored pixels."""
    sideways = changed(images["biden"], CHANGES["dark, 8 %"]).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways.save(tmp_path / "sideways.png", exif=exif)
    faces = detect_faces(Image.open(tmp_path / "sideways.png"), crops=False)
    assert faces.probabilities[0] > 0.95
    x1, y1, x2, y2 = found["biden"].bounding_boxes[0]
    height = images["biden"].width
    expected = np.array([[y1, height - x2, y2, height - x1]], np.float32)
    assert iou(faces.bounding_boxes[:1], expected)[0, 0] >= 0.7
    assert abs(abs(float(faces.rolls[0])) - np.pi / 2) < 0.01

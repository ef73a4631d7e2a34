"""`detect_faces`: every kind of image, turned photos, and options."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import DetectionOptions, ImageError, OptionError, WeightsError, detect_faces, mtcnn, open_image
from faceie.boxes import iou
from faceie.mtcnn.detect import DetectedFaces
from faceie.mtcnn.options import DetectionOverrides, with_overrides
from faceie.nn.tree import leaves
from faceie.weights import safetensors

from ..conftest import assert_close, golden, on_disk

QUARTERS = {
    1: Image.Transpose.ROTATE_90,
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_270,
}


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return open_image(Path(__file__).parents[2] / "examples/photos/astronaut.jpg")


@pytest.fixture(scope="module")
def found(astronaut: Image.Image) -> DetectedFaces:
    return detect_faces(astronaut)


def test_shapes(found: DetectedFaces) -> None:
    """Arrays have the documented shapes and types."""
    assert found._fields == ("probabilities", "rolls", "bounding_boxes", "landmarks", "images")
    assert [field.shape for field in found[:4]] == [(1,), (1,), (1, 4), (1, 5, 2)]
    assert all(field.dtype == np.float32 for field in found[:4])
    assert found.images is not None
    assert [(image.mode, image.size) for image in found.images] == [("RGB", (160, 160))]
    left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]


@pytest.mark.parametrize(
    "image",
    [
        np.full((200, 300, 3), 128, np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((5000, 3), np.uint8),
        Image.new("1", (19, 400)),
    ],
    ids=["gray", "one pixel", "a narrow strip", "smaller than a face"],
)
def test_no_face(image: np.ndarray | Image.Image) -> None:
    """Where there is no face, there are arrays of length 0 and an empty list."""
    faces = detect_faces(image)
    assert [field.shape for field in faces[:4]] == [(0,), (0,), (0, 4), (0, 5, 2)]
    assert faces.images == []
    assert detect_faces(image, crops=False, rotations=(0, 1)).images is None


def test_every_kind_of_image(astronaut: Image.Image, found: DetectedFaces, tmp_path: Path) -> None:
    """Path, text, array and Pillow image give the same."""
    path = tmp_path / on_disk("ein Foto, 写真.png")
    astronaut.save(path)
    for image in (path, str(path), np.asarray(astronaut), astronaut.convert("RGBA")):
        for same, field in zip(detect_faces(image)[:4], found[:4], strict=True):
            assert np.array_equal(same, field)


def test_crops_equal_the_reference(photos: Path) -> None:
    """Faces are cut out as facenet-pytorch does, with its options."""
    crops = golden("detections")["crops"]
    for name, index in (("astronaut", 0), ("biden", 1)):
        images = detect_faces(photos / f"{name}.jpg", margin=32, crop_filter="bilinear").images
        assert images is not None
        difference = np.abs(np.asarray(images[0]).astype(int) - crops[index])
        assert difference.max() <= 2  # the reference's box may round to the next pixel


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turned_photo_gives_the_same_faces_turned(quarters: int, astronaut: Image.Image, found: DetectedFaces) -> None:
    """A photo turned by right angles: same probability, crop and landmarks, and a box that is turned with it."""
    photo = astronaut.transpose(QUARTERS[quarters])
    faces = detect_faces(photo, rotations=(0, math.pi / 2, math.pi, -math.pi / 2))
    assert_close(faces.probabilities[:1], found.probabilities, 1e-6)
    assert abs(math.remainder(faces.rolls[0] - quarters * math.pi / 2, 2 * math.pi)) < 1e-6
    assert faces.images is not None
    assert found.images is not None
    assert np.array_equal(faces.images[0], found.images[0])
    # Where a point of the upright photo is after a quarter turn counter-clockwise, done as often as the photo was
    # turned.
    points = np.concatenate([found.landmarks[0], found.bounding_boxes[0].reshape(2, 2)])
    size = astronaut.size
    for _ in range(quarters):
        points, size = np.stack([points[:, 1], size[0] - points[:, 0]], 1), size[::-1]
    assert_close(faces.landmarks[0], points[:5], 1e-3)
    assert_close(faces.bounding_boxes[0], np.concatenate([points[5:].min(0), points[5:].max(0)]), 1e-3)


@pytest.mark.parametrize("degrees", [-45, 30])
def test_face_at_any_angle(degrees: int, astronaut: Image.Image, found: DetectedFaces) -> None:
    """A face at another angle is found there, and its crop is upright."""
    photo = astronaut.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    assert len(detect_faces(photo, rotations=(math.radians(degrees),)).probabilities) == 1
    faces = detect_faces(photo, rotations=(0, math.radians(degrees)))
    assert faces.rolls[0] == pytest.approx(math.radians(degrees))
    assert faces.images is not None
    assert found.images is not None
    upright, turned_back = (np.asarray(image[0]).astype(float) for image in (found.images, faces.images))
    not_turned_back = np.asarray(found.images[0].rotate(degrees)).astype(float)
    assert np.abs(turned_back - upright).mean() < 0.5 * np.abs(not_turned_back - upright).mean()
    # The box is about the turned face: its center is where turning the photo takes it.
    x, y = (found.bounding_boxes[0, :2] + found.bounding_boxes[0, 2:]) / 2 - np.array(astronaut.size) / 2
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    expected = np.array([cos * x + sin * y, -sin * x + cos * y]) + np.array(photo.size) / 2
    assert_close((faces.bounding_boxes[0, :2] + faces.bounding_boxes[0, 2:]) / 2, expected, 4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int, astronaut: Image.Image, found: DetectedFaces, tmp_path: Path) -> None:
    """A photo stored in any orientation:

    from its path the same faces; as a Pillow image, the same in its own pixels.
    """
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions that store an upright image so
    stored = astronaut.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else astronaut
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.png", exif=exif)
    by_path = detect_faces(tmp_path / "photo.png")
    for same, field in zip(by_path[:4], found[:4], strict=True):
        assert np.array_equal(same, field)
    with Image.open(tmp_path / "photo.png") as image:
        faces = detect_faces(image)
    assert faces.images is not None
    assert found.images is not None
    assert np.array_equal(faces.images[0], found.images[0])
    # Nothing but the pixels under the box tells whether it is about the face: the nose is in the middle of it in all.
    x1, y1, x2, y2 = faces.bounding_boxes[0]
    nose_x, nose_y = faces.landmarks[0, 2]
    assert 0.3 < (nose_x - x1) / (x2 - x1) < 0.7
    assert 0.3 < (nose_y - y1) / (y2 - y1) < 0.7
    upright_nose = np.asarray(astronaut)[int(found.landmarks[0, 2, 1]), int(found.landmarks[0, 2, 0])]
    assert np.abs(np.asarray(stored)[int(nose_y), int(nose_x)].astype(int) - upright_nose).max() < 12


def test_a_face_is_found_once(astronaut: Image.Image, found: DetectedFaces) -> None:
    """Angles close to each other find the same face, and the most upright view of it is kept."""
    faces = detect_faces(astronaut, rotations=[math.radians(degrees) for degrees in (-20, 0, 20)])
    assert len(faces.probabilities) == 1
    assert iou(faces.bounding_boxes, found.bounding_boxes)[0, 0] > 0.7


def test_smallest_face(astronaut: Image.Image) -> None:
    """A face smaller than the smallest asked for is not found."""
    assert len(detect_faces(astronaut, min_face_size=60).probabilities) == 1
    assert len(detect_faces(astronaut, min_face_size=400).probabilities) == 0


def test_crops_of_other_sizes(astronaut: Image.Image) -> None:
    """Crops have the size that was asked for; more margin shows more."""
    faces = detect_faces(astronaut, crop_size=64, margin=0)
    assert faces.images is not None
    assert faces.images[0].size == (64, 64)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("min_face_size", 0, "min_face_size is 0, expected at least 1"),
        ("min_face_size", float("nan"), "min_face_size is nan"),
        ("min_face_size", "big", "min_face_size is 'big', expected a number"),
        ("factor", 1, "factor is 1, expected 0.1 to 0.99"),
        ("thresholds", (0.6, 0.7), "thresholds has 2 values, expected 3"),
        ("thresholds", (0.6, 0.7, 1.7), r"thresholds\[2\] is 1.7, expected 0 to 1"),
        ("nms_overlaps", 0.5, "nms_overlaps is 0.5, expected 4 numbers"),
        ("rotations", (), "rotations has 0 values, expected one or more"),
        ("rotations", (90,), r"rotations\[0\] is 90"),
        ("crop_size", 0, "crop_size is 0, expected 1 to 4096"),
        ("crop_size", 10.5, "crop_size is 10.5, expected a whole number"),
        ("margin", 160, "margin is 160, expected less than crop_size"),
        ("margin", -1, "margin is -1, expected at least 0"),
    ],
)
def test_options_out_of_range(option: str, value: object, message: str) -> None:
    """The error names the option, its value and the expected ones."""
    with pytest.raises(OptionError, match=message):
        detect_faces(np.zeros((9, 9, 3), np.uint8), **{option: value})  # type: ignore[arg-type]


def test_options_are_one_object() -> None:
    """DetectionOptions are taken as a whole; keywords replace single ones."""
    image = np.zeros((9, 9, 3), np.uint8)
    assert detect_faces(image, DetectionOptions(margin=14)).images == []
    assert DetectionOptions(rotations=[0, 1]) == DetectionOptions(rotations=(0.0, 1.0))  # type: ignore[arg-type]
    assert with_overrides(None, {}) == DetectionOptions()
    assert with_overrides(None, {"margin": 14}) == DetectionOptions(margin=14)
    large = DetectionOptions(min_face_size=99, margin=14)
    assert with_overrides(large, {"margin": 44}) == DetectionOptions(min_face_size=99)
    with pytest.raises(OptionError, match=r"margin is 160, expected less than crop_size, which is 99"):
        detect_faces(image, DetectionOptions(crop_size=99), margin=160)
    with pytest.raises(OptionError, match="options is a dict, expected DetectionOptions or None"):
        detect_faces(image, {"margin": 14})  # type: ignore[arg-type]


def test_unknown_options() -> None:
    """The error for an unknown keyword suggests the closest option, and lists all."""
    message = r"there is no option 'min_size'; did you mean 'min_face_size'\? The options are min_face_size, factor, .*"
    with pytest.raises(TypeError, match=f"{message}, crops, min_face_share, min_probability$"):
        detect_faces(np.zeros((9, 9, 3), np.uint8), min_size=5)  # type: ignore[call-arg]


def test_smallest_face_is_that_of_a_level(astronaut: Image.Image) -> None:
    """A search for larger faces leaves out the finest levels of the pyramid, and changes no larger face."""
    options = DetectionOptions(min_face_share=0.01)
    assert options.smallest_face((640, 480)) == 20
    for longer in (3500, 4000, 4600):
        assert options.smallest_face((3000, longer)) == pytest.approx(20 / 0.709**2)
    assert DetectionOptions(min_face_size=60, min_face_share=0.01).smallest_face((4000, 3000)) == pytest.approx(
        20 / 0.709**3
    )
    assert DetectionOptions(min_face_size=28).smallest_face((4000, 3000)) == 20
    assert DetectionOptions(min_face_size=12).smallest_face((4000, 3000)) == pytest.approx(20 * 0.709**2)
    found = [detect_faces(astronaut, min_face_size=size) for size in (20, 35)]
    for a, b in zip(found[0][:4], found[1][:4], strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(OptionError, match=r"min_face_share is 0\.6, expected 0 to 0\.5"):
        DetectionOptions(min_face_share=0.6)


def test_smallest_face_of_the_reference(astronaut: Image.Image) -> None:
    """A search at given angles takes the smallest face as it is, like the reference."""
    assert DetectionOptions(min_face_size=60, rotations=(0,)).smallest_face((4000, 3000)) == 60
    half = detect_faces(astronaut, rotations=(0,), min_face_share=0.1)  # of 512 pixels
    same = detect_faces(astronaut, rotations=(0,), min_face_size=51.2)
    for a, b in zip(half[:4], same[:4], strict=True):
        assert np.array_equal(a, b)


def test_large_photo_is_searched_in_a_copy(astronaut: Image.Image) -> None:
    """Boxes and landmarks are in pixels of the photo, and crops show its detail."""
    pixels = np.asarray(astronaut.resize((1536, 1536), Image.Resampling.BICUBIC)).copy()
    pixels[::2, ::2] //= 2  # a pattern that every copy loses
    photo = Image.fromarray(pixels)
    faces, whole = detect_faces(photo, min_face_size=112), detect_faces(photo, min_face_size=56)
    assert_close(faces.bounding_boxes, whole.bounding_boxes, 0.04 * float(whole.sizes[0]))
    assert_close(faces.landmarks, whole.landmarks, 0.02 * float(whole.sizes[0]))
    assert faces.images is not None
    assert whole.images is not None
    assert faces.sharpness == pytest.approx(whole.sharpness, rel=0.1)


def test_overrides_are_the_options() -> None:
    """Type checkers know each keyword with the type of the field."""
    types = {name: hint.__forward_arg__ for name, hint in DetectionOverrides.__annotations__.items()}
    assert types == DetectionOptions.__annotations__


def test_converted_weights(astronaut: Image.Image, found: DetectedFaces, tmp_path: Path) -> None:
    """Weights from a file, by its path or loaded, are used: the published ones, or others."""
    tensors = dict(leaves(mtcnn.load()))
    same, other = tmp_path / "same.safetensors", tmp_path / "other.safetensors"
    safetensors.write(same, tensors, {})
    for weights in (same, str(same), mtcnn.load(same)):
        faces = detect_faces(astronaut, weights=weights)
        for a, b in zip(faces[:4], found[:4], strict=True):
            assert np.array_equal(a, b)
    skeptical = {**tensors, "o_net.face.bias": np.array([99, -99], np.float32)}
    safetensors.write(other, skeptical, {})
    assert not len(detect_faces(astronaut, weights=other).probabilities)
    safetensors.write(other, {**tensors, "p_net.face.bias": np.array([99, -99], np.float32)}, {"a": "changed file"})
    assert mtcnn.load(other).p_net.face.bias[0] == 99


def test_unusable_weights(tmp_path: Path) -> None:
    """The error says which weights were expected."""
    image = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(WeightsError, match="weights is a int, expected a path or what"):
        detect_faces(image, weights=3)  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors"):
        detect_faces(image, weights=tmp_path / "nowhere.safetensors")
    safetensors.write(tmp_path / "few.safetensors", {"a": np.zeros(3, np.float32)}, {})
    with pytest.raises(WeightsError, match=r"few\.safetensors: these are not weights of MTCNN"):
        detect_faces(image, weights=tmp_path / "few.safetensors")


def test_errors_name_the_photo(tmp_path: Path) -> None:
    """A photo that cannot be opened is named."""
    with pytest.raises(ImageError, match=r"nowhere\.jpg: there is no such file"):
        detect_faces(tmp_path / "nowhere.jpg")

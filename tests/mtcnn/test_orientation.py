"""Turned photos and turned heads, which the default options find by themselves."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import DetectedFaces, detect_faces, distance, encode_faces, mtcnn, open_image
from faceie.boxes import to_squares
from faceie.mtcnn import cascade, orientation
from faceie.mtcnn.options import DetectionOptions
from faceie.mtcnn.pyramid import MipMap
from faceie.mtcnn.views import View, close_up, rotate_view

from ..conftest import assert_close

PHOTOS = ["astronaut", "biden", "obama-congress", "obama-standing"]


@pytest.fixture(scope="module", params=PHOTOS)
def photo(request: pytest.FixtureRequest) -> Image.Image:
    return open_image(Path(__file__).parents[2] / f"examples/photos/{request.param}.jpg")


def first_crop(faces: DetectedFaces) -> Image.Image:
    assert faces.images
    return faces.images[0]


def test_upright_photos_are_as_if_searched_upright(photo: Image.Image) -> None:
    """The votes for all angles change nothing where faces are upright."""
    auto, upright = detect_faces(photo), detect_faces(photo, rotations=(0,))
    assert len(upright.rolls) > 0
    for a, b in zip(auto[1:4], upright[1:4], strict=True):
        assert np.array_equal(a, b)
    assert auto.probabilities.min() > 0.99  # calibrated, unlike O-Net's score


@pytest.mark.parametrize("degrees", [20, -30, 45, 90, -90, 120, 180])
def test_turned_photos(degrees: int, photo: Image.Image) -> None:
    """The face of a turned photo is found where it is, and its crop is that of the upright photo: the same person."""
    upright = detect_faces(photo, rotations=(0,))
    turned = photo.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    faces = detect_faces(turned)
    assert len(faces.probabilities) >= 1
    apart = math.remainder(float(faces.rolls[0]) - math.radians(degrees), 2 * math.pi)
    assert abs(apart) < math.radians(25)
    x, y = (upright.bounding_boxes[0, :2] + upright.bounding_boxes[0, 2:]) / 2 - np.array(photo.size) / 2
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    center = np.array([cos * x + sin * y, -sin * x + cos * y]) + np.array(turned.size) / 2
    box = faces.bounding_boxes[0]
    assert_close((box[:2] + box[2:]) / 2, center, 0.15 * float(upright.sizes[0]))
    embeddings = encode_faces([first_crop(upright), first_crop(faces)])
    assert distance(*embeddings) < 0.6


def test_turned_heads_beside_upright_ones(photos: Path) -> None:
    """Each head of a photo is found at its own angle."""
    face = open_image(photos / "astronaut.jpg")
    canvas = Image.new("RGB", (face.width * 3, face.height), (127, 127, 127))
    for column, degrees in enumerate((0, 60, -90)):
        canvas.paste(face.rotate(degrees, Image.Resampling.BICUBIC), (column * face.width, 0))
    faces = detect_faces(canvas)
    order = np.argsort(faces.bounding_boxes[:, 0])
    assert_close(np.degrees(faces.rolls[order]), np.array([0.0, 60, -90]), 20)
    assert np.all(np.diff(faces.probabilities) <= 0)
    same = encode_faces([faces.images[i] for i in order]) if faces.images else np.empty((0, 512))
    assert distance(same[0], same[1:]).max() < 0.6


def test_turned_heads_of_a_photo_that_is_stored_sideways(photos: Path, tmp_path: Path) -> None:
    """Orientation by EXIF, mirrored even, and turned heads go together; boxes are in the pixels as stored."""
    face = open_image(photos / "astronaut.jpg")
    upright = Image.new("RGB", (face.width * 2, face.height), (127, 127, 127))
    for column, degrees in enumerate((0, -70)):
        upright.paste(face.rotate(degrees, Image.Resampling.BICUBIC), (column * face.width, 0))
    expected = detect_faces(upright)
    assert len(expected.rolls) == 2
    exif = Image.Exif()
    exif[0x0112] = 5  # turned and mirrored
    upright.transpose(Image.Transpose.TRANSPOSE).save(tmp_path / "photo.png", exif=exif)
    with Image.open(tmp_path / "photo.png") as stored:
        faces = detect_faces(stored)
    assert_close(faces.probabilities, expected.probabilities, 1e-6)
    assert_close(faces.bounding_boxes, expected.bounding_boxes[:, [1, 0, 3, 2]], 0.01)
    assert_close(faces.landmarks, expected.landmarks[:, [1, 0, 2, 4, 3], ::-1], 0.01)
    assert faces.images
    assert expected.images
    for crop, same in zip(faces.images, expected.images, strict=True):
        assert np.array_equal(crop, same)


def test_no_proposals() -> None:
    """Without proposals, a photo is upright and has no turned faces."""
    from faceie.mtcnn import load

    mipmap = MipMap(Image.new("RGB", (40, 30), "gray"))
    for proposals in (np.empty((0, 4)), np.array([[1, 1, 25, 25]]), np.array([[500, 500, 540, 540]])):
        votes = orientation.find_orientations(mipmap, proposals.astype(np.float32), load())
        assert votes.main_angle() == (0.0, False)
        assert votes.turned_faces([0.0]) == []


def test_votes_gather_across_half_a_turn() -> None:
    """Angles of 175 and -175 degrees are neighbors, and outvote a lonely one."""
    angles = np.radians(np.array([175.0, -175, 40]))
    squares = np.array([[0, 0, 9, 9]] * 3, np.float32)
    angle, sure = orientation.OrientationVotes(squares, angles, np.array([200.0, 200, 300])).main_angle()
    assert abs(angle) == pytest.approx(math.pi)
    assert sure
    seen = orientation.OrientationVotes(squares, angles, np.array([20.0, 20, 30]))
    assert not seen.main_angle()[1]
    assert abs(seen.main_angle()[0]) == pytest.approx(math.pi)
    few = orientation.OrientationVotes(squares, angles, np.array([2.0, 2, 3]))
    assert few.main_angle() == (0.0, False)
    assert [face.roll for face in seen.turned_faces([0.0, math.pi])] == [pytest.approx(math.radians(40))]
    assert seen._replace(weights=np.zeros(3)).main_angle() == (0.0, False)


@pytest.mark.parametrize("degrees", [0, 90, 180, -90, 33])
def test_views_and_back(degrees: int, rng: np.random.Generator) -> None:
    """A point of a view is where its affine map says: the pixels there are equal."""
    pixels = np.asarray(Image.fromarray(rng.integers(0, 256, (6, 9, 3), np.uint8)).resize((270, 180)))
    whole = View(Image.fromarray(pixels), np.eye(2, 3))
    close, scale = close_up(whole, np.array([100, 60, 160, 120], np.float32), math.radians(degrees))
    assert scale == 1
    for view in (rotate_view(whole, math.radians(degrees)), close):
        assert math.remainder(view.angle - math.radians(degrees), 2 * math.pi) == pytest.approx(0, abs=1e-6)
        middle = np.array(view.size) // 2
        for point in (middle, middle + np.array([20, 10]), middle - np.array([15, 30])):
            x, y = view.affine[:, :2] @ (point + 0.5) + view.affine[:, 2]
            left, top = point.tolist()
            here = np.asarray(view.crop((left, top, left + 1, top + 1)))[0, 0].astype(int)
            assert np.abs(here - pixels[int(y), int(x)]).max() < 30


def test_close_ups_of_large_heads_are_reduced(photos: Path) -> None:
    """Heads larger than a crop needs are reduced, and the affine map has this scale."""
    image = open_image(photos / "astronaut.jpg").resize((3000, 3000))
    square = np.array([900, 300, 1900, 1300], np.float32)
    view, scale = close_up(View(image, np.eye(2, 3)), square, math.pi)
    assert scale == pytest.approx(0.256)
    assert view.size == (512, 512)
    corner = view.affine @ (256, 256, 1)
    assert_close(corner, np.array([1400.0, 800]), 1e-6)
    assert np.linalg.det(view.affine[:, :2]) == pytest.approx(1 / 0.256**2)


@pytest.mark.parametrize("degrees", [0, 90, 180, -90, 17, -71])
def test_parts_of_a_view_are_those_of_the_whole(degrees: int, rng: np.random.Generator) -> None:
    """A view is rotated part by part. The parts fit together to the bit, at right angles without loss."""
    image = Image.fromarray(rng.integers(0, 256, (180, 270, 3), np.uint8))
    view = rotate_view(View(image, np.eye(2, 3)), math.radians(degrees))
    width, height = view.size
    whole = np.asarray(view.crop((0, 0, width, height)))
    if degrees % 90 == 0:
        assert np.array_equal(whole, np.rot90(np.asarray(image), -degrees // 90))
    for left, top in ((0, 0), (31, 77), (width - 40, height - 50)):
        part = np.asarray(view.crop((left, top, left + 40, top + 50)))
        assert np.array_equal(part, whole[top : top + 50, left : left + 40])


@pytest.mark.parametrize("degrees", [0, 90, 25])
def test_view_of_a_reduced_image_and_of_the_original(degrees: int, photos: Path) -> None:
    """The same view of the original is larger, with the same part of the scene at the same place."""
    image = open_image(photos / "astronaut.jpg")
    small = rotate_view(View(image, np.eye(2, 3)).reduced(2), math.radians(degrees))
    large = small.of_original(image, 2)
    assert large.size == (small.size[0] * 2, small.size[1] * 2)
    assert_close(large.affine @ (100, 60, 1), small.affine @ (50, 30, 1), 1e-9)
    a = np.asarray(small.crop((60, 50, 160, 150)), np.float32)
    b = np.asarray(large.crop((120, 100, 320, 300)).reduce(2), np.float32)
    assert np.abs(a - b).mean() < 3


def test_squares_of_an_image_in_its_view() -> None:
    """A square of the image is found at its place in a view, upright there."""
    view = rotate_view(View(Image.new("RGB", (300, 200)), np.eye(2, 3)), math.radians(30))
    squares = np.array([[50, 60, 90, 100], [-20, 150, 30, 200]], np.float32)
    there = view.squares_at(squares)
    assert_close(there[:, 2:] - there[:, :2], squares[:, 2:] - squares[:, :2], 1e-4)
    center = (there[:, :2] + there[:, 2:]) / 2
    assert_close(center @ view.affine[:, :2].T + view.affine[:, 2], (squares[:, :2] + squares[:, 2:]) / 2, 1e-3)


@pytest.mark.parametrize("degrees", [15, 40])
def test_search_near_probable_faces(degrees: int, photos: Path) -> None:
    """A search near probable faces finds the same faces there as a search of the whole image."""
    image = open_image(photos / "obama-congress.jpg").rotate(degrees, expand=True)
    whole = View(image, np.eye(2, 3))
    view, w, options = rotate_view(whole, math.radians(degrees)), mtcnn.load(), DetectionOptions(min_face_size=30)
    every = cascade.find_faces(MipMap(view), w, options)
    assert len(every.boxes)
    squares = to_squares(every.boxes[:1]) + np.float32(3)  # it need not be exact
    near = cascade.find_faces_near(squares, view, w, options)
    for field, same in zip(every, near, strict=True):
        assert_close(field[:1], same[:1], 1e-3)  # the last digits depend on the number of boxes in a batch
    nowhere = cascade.find_faces_near(np.empty((0, 4), np.float32), view, w, options)
    assert len(nowhere.boxes) == 0

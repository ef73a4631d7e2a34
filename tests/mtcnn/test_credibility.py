"""The probability that a find is a face."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import DetectionOptions, detect_faces, mtcnn, open_image
from faceie.mtcnn.cascade import Faces
from faceie.mtcnn.credibility import evidence, face_probabilities
from faceie.mtcnn.options import DEFAULTS
from faceie.mtcnn.views import View, rotate_view

from ..conftest import assert_close


@pytest.fixture(scope="module")
def view(photos: Path) -> View:
    return View(open_image(photos / "astronaut.jpg"), np.eye(2, 3))


@pytest.fixture(scope="module")
def faces(view: View) -> Faces:
    """The astronaut's face, as the search of upright faces finds it."""
    found = detect_faces(view.image, rotations=(0,))
    return Faces(found.bounding_boxes, found.probabilities, found.landmarks)


def test_a_telephone_is_not_a_face(photos: Path) -> None:
    """The search for upright faces takes a telephone for a face, as facenet-pytorch does; the defaults do not."""
    photo = open_image(photos / "obama.jpg")
    assert len(detect_faces(photo, rotations=(0,)).probabilities) == 2
    (probability,) = detect_faces(photo).probabilities
    assert probability > 0.99


def test_faces_at_the_main_angle_are_more_probable(view: View, faces: Faces) -> None:
    """The same find is less probable where most faces have another roll, to either side."""
    same, *others = (
        face_probabilities([(view, faces)], rotate_view(view, math.radians(degrees)), mtcnn.load())[0]
        for degrees in (0, 90, -90)
    )
    assert same > 0.99
    assert max(others) < same - 0.01
    assert_close(np.array(others), np.repeat(np.mean(others), 2), 0.01)


def test_low_scores_and_other_contents_are_less_probable(view: View, faces: Faces) -> None:
    """Both count: O-Net's score, and the other looks at the contents of the box."""
    w = mtcnn.load()
    doubtful = faces._replace(probabilities=np.full(1, 0.5, np.float32))
    elsewhere = faces._replace(boxes=faces.boxes + np.float32(200))
    sure, less, least = (face_probabilities([(view, find)], view, w)[0] for find in (faces, doubtful, elsewhere))
    assert sure > less > least
    assert least < DEFAULTS.min_probability


def test_several_views_keep_their_order(view: View, faces: Faces) -> None:
    """The probabilities are those of the views one by one, and a view may have no finds."""
    w = mtcnn.load()
    none = faces.take(np.zeros(1, bool))
    tilted = rotate_view(view, 0.1)
    both = face_probabilities([(view, faces), (view, none), (tilted, faces)], view, w)
    alone = [face_probabilities([(item, faces)], view, w)[0] for item in (view, tilted)]
    assert_close(both, np.array(alone), 1e-6)
    assert face_probabilities([(view, none)], view, w).shape == (0,)


def test_extreme_finds(view: View, faces: Faces) -> None:
    """Scores of 0 and 1, boxes beyond the border and boxes without area have finite evidence."""
    boxes = np.array([[-900, -900, -800, -800], [5, 5, 5, 5], [-50, 400, 600, 990]], np.float32)
    scores = np.array([0, 1, 0.5], np.float32)
    finds = Faces(boxes, scores, np.repeat(faces.landmarks, 3, 0))
    assert np.isfinite(evidence([(view, finds)], view, mtcnn.load())).all()


def test_one_angle_has_the_scores_of_the_reference() -> None:
    """Only a search of one angle is left as it is."""
    assert DetectionOptions(rotations=(0,)).has_one_angle
    assert not DetectionOptions(rotations=(0, 1)).has_one_angle
    assert not DetectionOptions().has_one_angle


def test_no_probability_is_below_the_least(photos: Path) -> None:
    """A collage of faces and clutter has no improbable faces, and the most probable comes first."""
    collage = Image.new("RGB", (1000, 600))
    for left, name in ((0, "obama-standing"), (500, "biden")):
        collage.paste(open_image(photos / f"{name}.jpg").resize((500, 600)), (left, 0))
    probabilities = detect_faces(collage).probabilities
    assert len(probabilities) == 2
    assert probabilities.min() >= DEFAULTS.min_probability
    assert (np.diff(probabilities) <= 0).all()

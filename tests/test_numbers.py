"""The promises of docs/numbers.md: results that are equal to the last bit, and warm calls that plan nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceie import detect_faces, encode_faces, facenet, set_threads
from faceie.facenet.network import InceptionResNetV1
from faceie.nn.plan import Plan
from faceie.nn.tree import build, leaves

from .conftest import PHOTOS, assert_close, golden

LENGTHS = (2, 3, 7, 8, 17, 20)  # of lists of faces: with parts of each size, and in several batches


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Twenty different faces (20, 160, 160, 3): a few, shifted."""
    few = golden("detections")["crops"]
    return np.stack([np.roll(few[i % len(few)], i, axis=1) for i in range(20)])


def detected(photo: Path, rotations: Any) -> list[np.ndarray]:
    *arrays, images = detect_faces(photo, rotations=rotations)
    return [*arrays, *map(np.asarray, images or [])]  # type: ignore[list-item]


@pytest.mark.parametrize("rotations", [(0,), "auto"])
@pytest.mark.parametrize("photo", ["obama.jpg", "more/astronaut-turned.jpg"])
def test_detection_is_the_same_with_any_number_of_threads(photo: str, rotations: Any) -> None:
    """Probabilities, boxes, landmarks and crops are equal to the bit."""
    set_threads(1)
    expected = detected(PHOTOS / photo, rotations)
    assert len(expected) > 4
    for threads in (2, 3, 8):
        set_threads(threads)
        for a, b in zip(detected(PHOTOS / photo, rotations), expected, strict=True):
            assert np.array_equal(a, b)


def test_embeddings_of_a_list_are_the_same_with_any_number_of_threads(crops: np.ndarray) -> None:
    """They are equal to the bit, for lists of any length, with mirror images, too."""
    set_threads(1)
    expected = [encode_faces(crops[:n]) for n in LENGTHS]
    mirrored = encode_faces(crops[:5], mirror=True)
    for threads in (2, 3, 8):
        set_threads(threads)
        for n, embeddings in zip(LENGTHS, expected, strict=True):
            assert np.array_equal(encode_faces(crops[:n]), embeddings)
        assert np.array_equal(encode_faces(crops[:5], mirror=True), mirrored)


@pytest.mark.parametrize("threads", [1, 3])
def test_history_makes_no_difference(threads: int, crops: np.ndarray) -> None:
    """A face and a list have the same embeddings, to the bit, after any other calls."""
    set_threads(threads)
    one, several = encode_faces(crops[0]), encode_faces(crops[:5])
    for before in (1, 1, 1, 1, 1, 20, 3):
        encode_faces(crops[:before] if before > 1 else crops[7])
        assert np.array_equal(encode_faces(crops[0]), one)
        assert np.array_equal(encode_faces(crops[:5]), several)
    assert_close(several[0], one, 1e-6)


def test_one_face_with_any_number_of_threads(crops: np.ndarray) -> None:
    """A face that is encoded alone has the same embedding within 1e-6."""
    set_threads(1)
    expected = encode_faces(crops[0])
    for threads in (2, 3, 8):
        set_threads(threads)
        assert_close(encode_faces(crops[0]), expected, 1e-6)


def test_other_processes(crops: np.ndarray, tmp_path: Path) -> None:
    """Another process gives the same results to the bit."""
    program = (
        "import sys, numpy as np, faceie\n"
        "faces = faceie.detect_faces(sys.argv[1])\n"
        "np.savez(sys.argv[3], *faces[:4], faceie.encode_faces(np.load(sys.argv[2])))\n"
    )
    np.save(tmp_path / "crops.npy", crops[:5])
    photo = PHOTOS / "obama.jpg"
    command = [sys.executable, "-c", program, photo, tmp_path / "crops.npy", tmp_path / "out.npz"]
    subprocess.run(command, check=True)
    with np.load(tmp_path / "out.npz") as out:
        for a, b in zip(out.values(), [*detect_faces(photo)[:4], encode_faces(crops[:5])], strict=True):
            assert np.array_equal(a, b)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The batch of each plan that is built."""
    batches: list[int] = []
    build_plan = Plan.__init__

    def counting(self: Plan, graph: Any, batch: int, *arguments: Any, **options: Any) -> None:
        batches.append(batch)
        build_plan(self, graph, batch, *arguments, **options)

    monkeypatch.setattr(Plan, "__init__", counting)
    return batches


@pytest.mark.parametrize("threads", [2, 8, 16])
def test_warm_batches_plan_nothing(threads: int, crops: np.ndarray, built: list[int]) -> None:
    """The third call builds no plan, with any number of threads."""
    set_threads(threads)
    for _ in range(3):
        built.clear()
        encode_faces(crops)
        detect_faces(PHOTOS / "obama.jpg")
    assert built == []


def test_two_sets_of_weights_in_turn_plan_nothing(crops: np.ndarray, built: list[int]) -> None:
    """Weights that are used in turn keep their plans."""
    ours = facenet.load()
    arrays = dict(leaves(ours))
    arrays["embedding.bias"] = -arrays["embedding.bias"]
    other: InceptionResNetV1 = build(facenet.network.LAYOUT, arrays)
    for _ in range(3):
        built.clear()
        for weights in (ours, other):
            encode_faces(crops[:4], weights)
    assert built == []

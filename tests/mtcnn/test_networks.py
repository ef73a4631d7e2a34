"""P-, R- and O-Net, against the reference and on their slow twins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from faceie import mtcnn
from faceie.images import to_input
from faceie.mtcnn import batched
from faceie.mtcnn.networks import o_net, p_net, r_net
from faceie.nn import layers, reference
from faceie.nn.record import Recorder
from faceie.nn.rows import RowKernels

from ..conftest import assert_close, golden

TOLERANCE = 1e-5  # what weight-compatible means


def outputs(name: str, x: np.ndarray, nn: Any = layers) -> tuple[np.ndarray, ...]:
    network: Callable[..., tuple[np.ndarray, ...]] = {"p_net": p_net, "r_net": r_net, "o_net": o_net}[name]
    return network(x, getattr(mtcnn.load(), name), nn)


def expected(name: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the input, and the reference's outputs in our order and layout."""
    answers = golden("mtcnn")
    theirs = [answers[f"{name}.{i}"] for i in range(3) if f"{name}.{i}" in answers]
    if name == "p_net":
        offsets, scores = (answer.transpose(0, 2, 3, 1) for answer in theirs)
        return to_input(answers["p_net.x"]), [scores[..., 1], offsets]
    *others, scores = theirs
    return to_input(answers[f"{name}.x"]), [scores[:, 1], *others]


@pytest.mark.parametrize("name", ["p_net", "r_net", "o_net"])
def test_network_equals_the_reference(name: str) -> None:
    """Scores, offsets and landmarks, of faces and of noise, are those of facenet-pytorch."""
    x, answers = expected(name)
    ours = outputs(name, x)
    assert len(ours) == len(answers)
    for actual, answer in zip(ours, answers, strict=True):
        assert_close(actual, answer, TOLERANCE)


def in_rows(x: np.ndarray) -> list[np.ndarray]:
    """Return the outputs of P-Net on `RowKernels`, in the usual order."""
    record = Recorder()
    with record.part():
        outputs = p_net(np.ascontiguousarray(x.swapaxes(2, 3)), mtcnn.load().p_net, RowKernels(record))  # type: ignore[arg-type]  # it has what P-Net asks for
        for call in record.calls:
            call()
        return [outputs[0].copy(), outputs[1].swapaxes(2, 3).copy()]


def test_p_net_in_rows_equals_the_reference() -> None:
    """P-Net as the pyramid runs it."""
    x, answers = expected("p_net")
    for actual, answer in zip(in_rows(x), answers, strict=True):
        assert_close(actual, answer, TOLERANCE)


@pytest.mark.parametrize("number", [1, 3, 32, 45])
@pytest.mark.parametrize("name", ["r_net", "o_net"])
def test_planned_network_equals_the_reference(name: str, number: int) -> None:
    """R- and O-Net as the cascade runs them, on any number of crops."""
    _, answers = expected(name)
    crops = golden("mtcnn")[f"{name}.x"].astype(np.float32)
    index = np.arange(number) % len(crops)
    run = {"r_net": batched.run_r_net, "o_net": batched.run_o_net}[name]
    ours = run(crops[index], getattr(mtcnn.load(), name))
    assert len(ours) == len(answers)
    for actual, answer in zip(ours, answers, strict=True):
        assert_close(actual, answer[index], TOLERANCE)


@pytest.mark.parametrize("name", ["p_net", "r_net", "o_net"])
def test_network_on_slow_kernels(name: str) -> None:
    """A whole network gives the same on the slow twins of all kernels."""
    x, _ = expected(name)
    for fast, slow in zip(outputs(name, x[:2]), outputs(name, x[:2], reference), strict=True):
        assert_close(fast, slow, TOLERANCE)


@pytest.mark.parametrize("size", [(12, 12), (12, 13), (13, 12), (14, 31), (15, 15)])
def test_p_net_on_small_and_odd_sizes(size: tuple[int, int], rng: np.random.Generator) -> None:
    """The number of windows is as documented, half windows at the border included."""
    x = to_input(rng.integers(0, 256, (1, *size, 3)))
    scores, offsets = outputs("p_net", x)
    rows, columns = (-(-(side - 2) // 2) - 4 for side in size)
    for planar, usual in zip(in_rows(x), (scores, offsets), strict=True):
        assert_close(planar, usual, TOLERANCE)
    assert scores.shape == (1, rows, columns)
    assert offsets.shape == (1, rows, columns, 4)

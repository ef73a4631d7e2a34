"""Every method of convolution gives the same as the slow twin, over one table of cases."""

from __future__ import annotations

import numpy as np
import pytest

from faceie.nn import reference
from faceie.nn.buffers import Recorder
from faceie.nn.methods import METHODS, Convolution, Epilogue, choose
from faceie.nn.tree import Conv

from ..conftest import assert_close

Case = tuple[tuple[int, ...], tuple[int, ...], int, tuple[int, int]]

# Images, kernel, stride, padding: every form of convolution in the encoder, smaller, and sizes around those of tiles
# and of small products.
# Winograd's transforms add and subtract sums that are some ten times as large as the results.
TOLERANCE = dict.fromkeys(METHODS, 1e-05) | {"winograd": 5e-5}

CASES: list[Case] = [
    ((2, 21, 20, 3), (3, 3, 3, 32), 2, (0, 0)),
    ((1, 15, 14, 32), (3, 3, 32, 64), 1, (1, 1)),
    ((3, 9, 9, 32), (3, 3, 32, 16), 1, (0, 0)),
    ((2, 6, 11, 5), (3, 3, 5, 7), 1, (0, 1)),
    ((1, 3, 3, 4), (3, 3, 4, 4), 1, (0, 0)),
    ((2, 8, 8, 64), (1, 1, 64, 80), 1, (0, 0)),
    ((1, 17, 17, 96), (1, 1, 96, 256), 1, (0, 0)),
    ((4, 3, 3, 900), (1, 1, 900, 64), 1, (0, 0)),
    ((9, 8, 8, 16), (1, 7, 16, 32), 1, (0, 3)),
    ((5, 8, 6, 16), (7, 1, 16, 8), 1, (3, 0)),
    ((2, 3, 3, 12), (1, 3, 12, 12), 1, (0, 1)),
    ((2, 3, 4, 12), (3, 1, 12, 12), 1, (0, 0)),
    ((2, 9, 8, 48), (3, 3, 48, 32), 2, (0, 0)),
    ((1, 7, 9, 6), (5, 2, 6, 3), 3, (2, 1)),
    ((1, 40, 40, 128), (3, 3, 128, 32), 1, (1, 1)),  # the patches of an image do not fit into a block
]


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def _conv(*shape: int) -> Conv:
    return Conv(_random(*shape) / np.float32(np.sqrt(np.prod(shape[:3]))), _random(shape[-1]))


def _fitting() -> list[tuple[str, Case]]:
    return [
        (name, case) for name, method in METHODS.items() for case in CASES if method.fits(case[1], case[2], case[3])
    ]


def _record(name: str, case: Case, x: np.ndarray, w: Conv, epilogue: Epilogue, *, small_gemm: bool = False) -> Recorder:
    record = Recorder(small_gemm=small_gemm)
    METHODS[name].plan(Convolution(x, w.kernel, epilogue, case[2], case[3]), record)
    return record


@pytest.mark.parametrize("small_gemm", [False, True])
@pytest.mark.parametrize(("name", "case"), _fitting(), ids=str)
def test_method_equals_the_reference(name: str, case: Case, small_gemm: bool) -> None:
    """Each method gives the same as the slow twin, with either form of products, however often its calls are made."""
    shape, kernel, stride, padding = case
    w, x = _conv(*kernel), np.zeros(shape, np.float32)
    y = np.empty(reference.conv2d(x, w, stride=stride, padding=padding).shape, np.float32)
    record = _record(name, case, x, w, Epilogue(y, w.bias, relu=True), small_gemm=small_gemm)
    for number in range(2):
        x[...] = np.roll(_random(*shape), number)
        record.run()
        assert_close(y, reference.conv2d(x, w, stride=stride, padding=padding, relu=True), TOLERANCE[name])


@pytest.mark.parametrize(("name", "case"), _fitting(), ids=str)
def test_residual(name: str, case: Case) -> None:
    """A residual is added before the activation, and stays as it is."""
    shape, kernel, stride, padding = case
    w, x = _conv(*kernel), _random(*shape)
    sums = reference.conv2d(x, w, stride=stride, padding=padding)
    residual, y = _random(*sums.shape), np.empty(sums.shape, np.float32)
    before = residual.copy()
    _record(name, case, x, w, Epilogue(y, w.bias, relu=True, residual=residual)).run()
    assert_close(y, np.maximum(sums + residual, 0), TOLERANCE[name])
    assert np.array_equal(residual, before)


@pytest.mark.parametrize("steepest", [0.9, 1.5])
@pytest.mark.parametrize(("name", "case"), _fitting(), ids=str)
def test_parametric_relu(name: str, case: Case, steepest: float) -> None:
    """With slopes of the negative half below 0 and, as in the published weights, a few above 1."""
    shape, kernel, stride, padding = case
    w, x = _conv(*kernel), _random(*shape)
    slope = np.linspace(-0.5, steepest, kernel[3], dtype=np.float32)
    sums = reference.conv2d(x, w, stride=stride, padding=padding)
    y = np.empty(sums.shape, np.float32)
    _record(name, case, x, w, Epilogue(y, w.bias, slope=slope)).run()
    assert_close(y, np.where(sums > 0, sums, slope * sums), TOLERANCE[name])


def test_choice() -> None:
    """A method that is chosen fits, and each is chosen for some convolution."""
    chosen = set()
    for _, kernel, stride, padding in CASES:
        for size in ((9, 9), (40, 40)):
            name = choose((*size, kernel[2]), kernel, stride, padding, images=2)
            assert METHODS[name].fits(kernel, stride, padding)
            chosen.add(name)
    assert chosen == set(METHODS)

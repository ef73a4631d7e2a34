"""Every way to compute a convolution gives what the slow twin gives, over one table of cases."""

from __future__ import annotations

import numpy as np
import pytest

from faceie.nn import reference
from faceie.nn.activations import Activations, Finish
from faceie.nn.conv import METHODS, Problem, choose
from faceie.nn.record import Recorder
from faceie.nn.tree import Conv

from ..conftest import assert_close

Case = tuple[tuple[int, ...], tuple[int, ...], int, tuple[int, int]]

# Images, kernel, stride, padding: every form of convolution in the encoder, smaller, and sizes around those of tiles
# and of small products.
# What is rounded on the way: `winograd` adds and subtracts sums that are some ten times as large as the results.
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
        (name, case)
        for name, method in METHODS.items()
        for case in CASES
        if method.fits(np.empty(case[1], np.float32), case[2], case[3])
    ]


@pytest.mark.parametrize("small_products", [False, True])
@pytest.mark.parametrize("wish", [False, True], ids=["plain", "as wished"])
@pytest.mark.parametrize(("name", "case"), _fitting(), ids=str)
def test_method_equals_the_reference(name: str, case: Case, wish: bool, small_products: bool) -> None:
    """Each method, on activations that lie as it likes them or not, with either form of kernels, into channels of
    something larger; twice, with other numbers, since what is recorded is made again and again.
    """
    shape, kernel, stride, padding = case
    w, method = _conv(*kernel), METHODS[name]
    x = _activations(shape, method.layout(w.kernel, padding, shape[1:3]) if wish else None)
    expected = reference.conv2d(x.array, w, stride=stride, padding=padding, relu=True)
    whole = np.full((*expected.shape[:3], expected.shape[3] + 5), 7, np.float32)
    record = Recorder(small_products=small_products)
    target = whole[..., 3 : 3 + kernel[3]]
    method.record(Problem(x, w.kernel, Finish(target, w.bias, relu=True), stride, padding), record)
    for number in range(2):
        x.array[...] = np.roll(_random(*shape), number)
        for call in record.calls:
            call()
        expected = reference.conv2d(x.array, w, stride=stride, padding=padding, relu=True)
        assert_close(target, expected, TOLERANCE[name])
    assert np.all(whole[..., :3] == 7)
    assert np.all(whole[..., 3 + kernel[3] :] == 7)


def _activations(shape: tuple[int, ...], layout: object) -> Activations:
    """Return activations of this shape that lie so."""
    if layout is None:
        return Activations(np.zeros(shape, np.float32))
    (above, left, below, right), columns_first = layout  # type: ignore[misc]
    n, h, w, c = shape
    size = (h + above + below, w + left + right)
    base = np.zeros((n, *(size[::-1] if columns_first else size), c), np.float32)
    return Activations(base.swapaxes(1, 2) if columns_first else base, (above, left, below, right))


@pytest.mark.parametrize(("name", "case"), [(n, c) for n, c in _fitting() if n != "winograd"], ids=str)
def test_residual(name: str, case: Case) -> None:
    """What is added to a residual may take its place. (`winograd` is never asked for that.)"""
    shape, kernel, stride, padding = case
    w, x = _conv(*kernel), Activations(_random(*shape))
    before = reference.conv2d(x.array, w, stride=stride, padding=padding)
    residual = _random(*before.shape)
    expected = np.maximum(before + residual, 0)
    record = Recorder()
    finish = Finish(residual, w.bias, relu=True, residual=residual)
    METHODS[name].record(Problem(x, w.kernel, finish, stride, padding), record)
    for call in record.calls:
        call()
    assert_close(residual, expected, 1e-5)


@pytest.mark.parametrize("steepest", [0.9, 1.5])
@pytest.mark.parametrize(("name", "case"), _fitting(), ids=str)
def test_parametric_relu(name: str, case: Case, steepest: float) -> None:
    """With slopes of the negative half below 0 and, in the published weights, a few above 1."""
    shape, kernel, stride, padding = case
    w, x = _conv(*kernel), Activations(_random(*shape))
    slope = np.linspace(-0.5, steepest, kernel[3], dtype=np.float32)
    sums = reference.conv2d(x.array, w, stride=stride, padding=padding)
    target = np.empty(sums.shape, np.float32)
    record = Recorder()
    METHODS[name].record(Problem(x, w.kernel, Finish(target, w.bias, slope=slope), stride, padding), record)
    for call in record.calls:
        call()
    assert_close(target, np.where(sums > 0, sums, slope * sums), TOLERANCE[name])


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("case", [case for name, case in _fitting() if name == "winograd" and case[0][1] > 3], ids=str)
def test_maxima_of_tiles(case: Case, size: int) -> None:
    """`winograd` takes maxima without putting its tiles together."""
    shape, kernel, stride, padding = case
    w, x = _conv(*kernel), Activations(_random(*shape))
    sums = reference.conv2d(x.array, w, stride=stride, padding=padding, relu=True)
    expected = reference.max_pool(sums, size)
    target = np.empty(expected.shape, np.float32)
    record = Recorder()
    finish = Finish(target, w.bias, relu=True, pool=size)
    METHODS["winograd"].record(Problem(x, w.kernel, finish, stride, padding), record)
    for call in record.calls:
        call()
    assert_close(target, expected, TOLERANCE["winograd"])


def test_choice() -> None:
    """A method that is chosen fits, and each is chosen for something."""
    chosen = set()
    for shape, kernel, stride, padding in CASES:
        for sums in ((3, 3), (40, 40)):
            name = choose(np.empty(kernel, np.float32), stride, padding, sums, images=2)
            assert METHODS[name].fits(np.empty(kernel, np.float32), stride, padding), shape
            chosen.add(name)
    assert chosen == set(METHODS)

"""Plans give the same results as the network, for any batch, on every run, in any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pytest

from faceie import set_threads
from faceie.nn import reference
from faceie.nn.buffers import PackedWeights
from faceie.nn.graph import trace
from faceie.nn.parallel import concurrency
from faceie.nn.plan import Plan, Plans
from faceie.nn.reference import Kernels
from faceie.nn.tree import Conv
from faceie.types import Array

from ..conftest import assert_close

SHAPE = (43, 40, 3)
T = TypeVar("T")


class Net(NamedTuple):
    first: Conv
    second: Conv
    third: Conv
    a: Conv
    b: tuple[Conv, Conv]
    out: Conv
    wide: Conv
    head: Conv


def network(x: T, w: Net, nn: Kernels[T]) -> T:
    """A small network that asks for everything, in all the orders that matter to a plan."""
    x = nn.conv2d(x, w.first, stride=2, relu=True)
    x = nn.conv2d(x, w.second, padding=(1, 1), relu=True)
    x = nn.conv2d(x, w.third, padding=(1, 1), relu=True)
    x = nn.max_pool(x, 3)
    for scale in (0.5, 1.0):
        a = nn.conv2d(x, w.a, relu=True)
        b = nn.conv2d(x, w.b[0], relu=True)
        b = nn.conv2d(b, w.b[1], padding=(3, 0), relu=True)
        x = nn.residual(x, nn.conv2d(nn.concatenate([a, b]), w.out), scale=scale, relu=scale == 0.5)
    pooled = nn.max_pool(x, 2)
    y = nn.conv2d(x, w.wide, stride=2, padding=(1, 1))
    x = nn.concatenate([nn.max_pool(y, 2), nn.max_pool(pooled, 2), nn.max_pool(pooled, 2)])
    x = nn.linear(nn.global_mean(x), w.head)
    return nn.normalize(x)


def _conv(rng: np.random.Generator, *shape: int) -> Conv:
    kernel = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:3]))
    return Conv(kernel.astype(np.float32), rng.standard_normal(shape[3]).astype(np.float32))


@pytest.fixture
def weights(rng: np.random.Generator) -> Net:
    return Net(
        _conv(rng, 3, 3, 3, 16),
        _conv(rng, 3, 3, 16, 160),
        _conv(rng, 3, 3, 160, 32),
        _conv(rng, 1, 1, 32, 16),
        (_conv(rng, 1, 1, 32, 24), _conv(rng, 7, 1, 24, 16)),
        _conv(rng, 1, 1, 32, 32),
        _conv(rng, 3, 3, 32, 48),
        _conv(rng, 1, 1, 112, 20),
    )


@pytest.mark.parametrize("small_gemm", [False, True])
@pytest.mark.parametrize("batch", [1, 2, 3, 5, 13])
def test_plan(batch: int, small_gemm: bool, weights: Net, rng: np.random.Generator) -> None:
    """A plan gives the same as the slow kernels, each time."""
    plan = Plan(trace(network, weights, SHAPE), batch, PackedWeights(), small_gemm=small_gemm)
    for _ in range(2):
        x = rng.standard_normal((batch, *SHAPE)).astype(np.float32)
        (y,) = plan.run(x)
        assert y.dtype == np.float32
        assert_close(y, network(x, weights, reference), 1e-5)
        kept = y.copy()
        plan.run(x + 1)
        assert np.array_equal(y, kept)  # the results belong to the caller


def test_print(weights: Net) -> None:
    """A printed plan has a line for each operation, and a sum."""
    plan = Plan(trace(network, weights, SHAPE), 2, PackedWeights(), small_gemm=False)
    lines = str(plan).splitlines()
    assert len(lines) == len(plan.rows) + 2
    assert any("winograd" in line for line in lines)
    assert lines[-1].startswith("2 images, ")
    assert plan.megabytes < 20
    # Multiplications and additions of the first convolution, by its definition.
    assert plan.rows[0].gflop == pytest.approx(2e-9 * 2 * 21 * 19 * 27 * 16)


def test_plans_in_threads(weights: Net, rng: np.random.Generator) -> None:
    """Threads that ask at once each get their own plan, and other weights get other plans. There are no more plans of a
    size than can run at once.
    """
    set_threads(3)
    plans = Plans(network, SHAPE)
    x = rng.standard_normal((6, *SHAPE)).astype(np.float32)
    other = weights._replace(head=Conv(-weights.head.kernel, -weights.head.bias))
    expected = network(x, weights, reference)

    def work(number: int) -> np.ndarray:
        sign = -1 if number % 5 == 4 else 1
        count = number % 3 + 1
        return sign * plans.run(x[:count], weights if sign > 0 else other, count, small_gemm=bool(number % 2))[0]

    with ThreadPoolExecutor(8) as threads:
        for number, y in enumerate(threads.map(work, range(40))):
            assert_close(y, expected[: number % 3 + 1], 1e-5)
    assert {id(planned.weights) for planned in plans._planned} == {id(weights), id(other)}
    for planned in plans._planned:
        assert set(planned.busy.values()) <= {0}
        assert 0 < max(map(len, planned.idle.values())) <= concurrency()


def test_a_failed_plan_is_not_used_again(weights: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error, or Ctrl-C, another plan takes its place."""
    plans = Plans(network, SHAPE)
    x = np.zeros((1, *SHAPE), np.float32)

    def interrupted(self: Plan, x: Array) -> list[Array]:
        raise KeyboardInterrupt

    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(Plan, "run", interrupted)
            with pytest.raises(KeyboardInterrupt):
                plans.run(x, weights, 1, small_gemm=False)
        assert plans.run(x, weights, 1, small_gemm=False)[0].shape == (1, 20)


def test_weights_in_turn(weights: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sets of weights that are used in turn keep their plans; those of a third push out the oldest."""
    plans, built = Plans(network, SHAPE), []
    build = Plan.__init__
    monkeypatch.setattr(Plan, "__init__", lambda *arguments, **names: built.append(build(*arguments, **names)))
    x = np.zeros((1, *SHAPE), np.float32)
    sets = [weights._replace(head=Conv(factor * weights.head.kernel, weights.head.bias)) for factor in (1, 2, 3)]
    for chosen in (0, 1, 0, 1, 0, 1):
        plans.run(x, sets[chosen], 1, small_gemm=False)
    assert len(built) == 2
    for chosen in (2, 1, 0):
        plans.run(x, sets[chosen], 1, small_gemm=False)
    assert len(built) == 4


def test_what_cannot_be_planned() -> None:
    """A kernel that no plan knows is refused, rather than left out."""

    def unknown(x: Any, w: Any, nn: Any) -> Any:
        return nn.add("dropout", [x], x.shape)

    with pytest.raises(NotImplementedError, match="dropout"):
        Plan(trace(unknown, None, (2, 2, 1)), 1, PackedWeights(), small_gemm=False)

"""Nothing has become slower: counts grow by a few percent at most, and two ratios of times stay below loose bounds.

Counts are the same on every machine and at any load: calls of NumPy, multiplications, bytes, windows, crops. This file
has their last values. Seconds are never compared with seconds of another day.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import threadpoolctl

from faceie import detect_faces, facenet, set_threads
from faceie.facenet.network import INPUT_SIZE, inception_resnet_v1
from faceie.mtcnn import batched, pyramid
from faceie.nn.buffers import PackedWeights
from faceie.nn.gemm import blas_has_small_gemm
from faceie.nn.graph import Graph, Operation, trace
from faceie.nn.parallel import single_threaded_blas
from faceie.nn.plan import Plan, Plans

from .conftest import PHOTOS

SLACK = 1.05  # factor by which a count may grow, plus one, without a reason
ROUNDS = range(4, 16)  # in which times are compared, at least and at most


class PlanCost(NamedTuple):
    """The cost of a plan of the encoder, for a batch."""

    calls: int  # of NumPy
    gflop: float  # of all matrix products, those of Winograd's transforms included
    passes: float  # MB that all other calls read and write
    memory: float  # MB of activations and scratch arrays
    kernels: float  # MB of kernels in another form than in the file


class SearchCost(NamedTuple):
    """The cost of a search of a photo, in one thread."""

    tiles: int  # of P-Net
    windows: int  # in these
    calls: int  # of NumPy, for them
    r_net: int  # crops for R-Net
    o_net: int
    runs: int  # of plans of both
    batches: int  # crops that these plans are for


# By faces in a batch, and whether the plan has small products. Every processor can make both plans.
PLANS: dict[tuple[int, bool], PlanCost] = {
    (1, True): PlanCost(calls=735, gflop=2.4, passes=121.29, memory=12.39, kernels=69.05),
    (1, False): PlanCost(calls=685, gflop=2.4, passes=121.29, memory=12.39, kernels=7.82),
    (8, True): PlanCost(calls=1254, gflop=18.75, passes=950.21, memory=29.92, kernels=48.4),
    (8, False): PlanCost(calls=1175, gflop=18.75, passes=950.21, memory=29.92, kernels=17.25),
}

# By photo, and angles to search.
SEARCHES: dict[tuple[str, Any], SearchCost] = {
    ("obama.jpg", (0.0,)): SearchCost(tiles=20, windows=111604, calls=784, r_net=195, o_net=6, runs=8, batches=232),
    ("obama.jpg", "auto"): SearchCost(tiles=20, windows=111604, calls=784, r_net=579, o_net=21, runs=21, batches=632),
}


class EncoderPlan(Plan):
    """A plan that notes its calls for 3 x 3 convolutions of many channels, which Winograd's method computes, and the
    GFLOP of their definition.
    """

    def __init__(self, graph: Graph, batch: int, small_gemm: bool) -> None:
        self.wide: list[Callable[[], Any]] = []
        self.wide_gflop = 0.0
        self.packed = PackedWeights()
        super().__init__(graph, batch, self.packed, small_gemm=small_gemm)

    def _plan(self, op: Operation, images: slice) -> str:
        before = len(self._record.calls)
        method = super()._plan(op, images)
        if op.kind == "conv2d" and op.kernel.shape[:2] == (3, 3) and op.stride == 1 and op.kernel.shape[2] >= 80:
            self.wide += self._record.calls[before:]
            self.wide_gflop += 2e-9 * (images.stop - images.start) * op.kernel.size * math.prod(op.y.shape[:2])
        return method

    def cost(self) -> PlanCost:
        gflop = passes = 0.0
        for call in self.calls:
            arrays = [x for x in (*call.args, *call.keywords.values()) if isinstance(x, np.ndarray)]
            if call.func is np.matmul:
                gflop += 2e-9 * call.keywords["out"].size * arrays[0].shape[-1]
            else:
                passes += sum(x.nbytes for x in arrays) / 1e6
        kernels = self.packed.megabytes
        numbers = (round(x, 2) for x in (gflop, passes, self.megabytes))
        return PlanCost(len(self.calls), *numbers, kernels=round(kernels, 2))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return trace(inception_resnet_v1, facenet.load(), (INPUT_SIZE, INPUT_SIZE, 3))


def assert_no_more(now: PlanCost | SearchCost, before: PlanCost | SearchCost) -> None:
    """Assert that no count has grown by more than `SLACK`."""
    grown = [name for name, a, b in zip(now._fields, now, before, strict=True) if a > b * SLACK + isinstance(b, int)]
    assert not grown, (
        f"{', '.join(grown)}: grew by more than {SLACK - 1:.0%}. Before: {before}. Now: {now}. Run the benchmarks. "
        "If the growth is worth it, write the new counts into tests/test_speed.py, and the reason into docs/speed.md."
    )


@pytest.mark.parametrize(("batch", "small_gemm"), PLANS)
def test_encoder_is_planned_no_worse(batch: int, small_gemm: bool, graph: Graph) -> None:
    """A plan needs no more calls, multiplications, passes over memory and bytes than before, on any processor."""
    plan = EncoderPlan(graph, batch, small_gemm)
    assert_no_more(plan.cost(), PLANS[batch, small_gemm])


@pytest.mark.parametrize(("photo", "rotations"), SEARCHES)
def test_photo_is_searched_no_longer(photo: str, rotations: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks get no more windows and crops than before, in no more runs."""
    set_threads(1)
    count: Counter[str] = Counter()
    p_net, crops, run = pyramid._network, batched._run, Plans.run

    def counted_p_net(*arguments: Any) -> Any:
        network = p_net(*arguments)
        count.update(tiles=1, windows=network.scores.size, calls=len(network.record.calls))
        return network

    def counted_crops(plans: Plans, x: np.ndarray, w: Any) -> Any:
        count["r_net" if plans is batched._r_net else "o_net"] += len(x)
        return crops(plans, x, w)

    def counted_run(plans: Plans, x: np.ndarray, w: Any, batch: int, **options: Any) -> Any:
        count.update(runs=1, batches=batch)
        return run(plans, x, w, batch, **options)

    monkeypatch.setattr(pyramid, "_network", counted_p_net)
    monkeypatch.setattr(batched, "_run", counted_crops)
    monkeypatch.setattr(Plans, "run", counted_run)
    detect_faces(PHOTOS / photo, rotations=rotations)
    assert_no_more(SearchCost(**count), SEARCHES[photo, rotations])


def seconds(function: Callable[..., Any], *arguments: Any, **options: Any) -> float:
    start = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - start


def ratio_to_a_product(function: Callable[[], Any], gflop: float, depth: int, bound: float) -> float:
    """Return the time of a function, relative to one large matrix product with the same GFLOP, in one thread.

    Both run by turns, and the least time of each counts. Another program may take the processor at any time, so they
    run again until the ratio is below the bound, or the rounds are used up.
    """
    rows = round(gflop * 1e9 / 2 / depth**2)
    a, b = np.ones((rows, depth), np.float32), np.ones((depth, depth), np.float32)
    out = np.empty_like(a)
    ours = theirs = math.inf
    with single_threaded_blas():
        for number in range(ROUNDS.stop):
            theirs = min(theirs, seconds(np.matmul, a, b, out=out))
            ours = min(ours, seconds(function))
            if number >= ROUNDS.start and ours < bound * theirs:
                break
    return ours / theirs


def test_encoder_beside_one_large_product(graph: Graph) -> None:
    """Eight faces take little longer than one product with the multiplications of the network's definition. Wide
    convolutions of 3 x 3, by Winograd's method, take less.
    """
    if not any(library["internal_api"] == "openblas" for library in threadpoolctl.threadpool_info()):
        pytest.skip("the bounds are for OpenBLAS only")
    plan = EncoderPlan(graph, 8, blas_has_small_gemm())
    x = np.random.default_rng(0).standard_normal((8, INPUT_SIZE, INPUT_SIZE, 3)).astype(np.float32)
    plan.run(x)

    # 0.75 with small products, 0.55 with usual ones; 1.1 to 1.2 for patches instead of Winograd's tiles.
    wide = ratio_to_a_product(lambda: [call() for call in plan.wide], plan.wide_gflop, 1024, 1)
    assert wide < 1, (
        f"wide convolutions of 3 x 3 take {wide:.2f} times as long as one product: see benchmarks/methods.py"
    )

    # 1.3 with small products, on processors where passes over memory weigh more; 1.1 with usual ones.
    bound = 2.1 if plan.batch and blas_has_small_gemm() else 1.8
    whole = ratio_to_a_product(lambda: plan.run(x), sum(row.gflop for row in plan.rows), 2048, bound)
    assert whole < bound, f"the encoder takes {whole:.2f} times as long as one product: see benchmarks/layers.py"

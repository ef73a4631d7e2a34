"""Nothing has become slower: what is counted is held, within a few percent, and two ratios of times, loosely.

Counts are the same on every machine and at any load: calls of NumPy, multiplications, bytes, windows, crops. They are
those of the day when they were last written down here. Seconds are never compared with seconds of another day.
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

SLACK = 1.05  # what is counted may grow by so much, and by one, before anyone needs to say why
ROUNDS = range(4, 16)  # in which times are compared, at least and at most


class PlanCost(NamedTuple):
    """What a plan of the encoder does for a batch."""

    calls: int  # of NumPy
    gflop: float  # of the matrix products that are made, those of Winograd's transforms included
    passes: float  # MB that all other calls read and write
    memory: float  # MB of activations and what is between
    kernels: float  # MB of kernels in another form than that in the file


class SearchCost(NamedTuple):
    """What the search of a photo does, in one thread."""

    tiles: int  # that P-Net looks at
    windows: int  # in these
    calls: int  # of NumPy, for them
    r_net: int  # crops that are shown to R-Net
    o_net: int
    runs: int  # of plans of both
    batches: int  # crops that these plans are for


# By faces in a batch, and whether there are small products, of which every processor can make the plan.
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
    """A plan that knows which of its calls are for convolutions of 3 x 3 of many channels, those that Winograd's
    method is for, and the GFLOP of their definition.
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
    """Assert that nothing that was counted has grown by more than `SLACK`."""
    grown = [name for name, a, b in zip(now._fields, now, before, strict=True) if a > b * SLACK + isinstance(b, int)]
    assert not grown, (
        f"{', '.join(grown)}: more than {SLACK - 1:.0%} above what it was, {before}. If that is worth it, write into "
        f"tests/test_speed.py what it is now, {now}, and say in docs/speed.md why; and see what benchmarks/ print"
    )


@pytest.mark.parametrize(("batch", "small_gemm"), PLANS)
def test_encoder_is_planned_no_worse(batch: int, small_gemm: bool, graph: Graph) -> None:
    """A plan makes no more calls and multiplications, moves and takes no more bytes, on whichever processor."""
    plan = EncoderPlan(graph, batch, small_gemm)
    assert_no_more(plan.cost(), PLANS[batch, small_gemm])


@pytest.mark.parametrize(("photo", "rotations"), SEARCHES)
def test_photo_is_searched_no_longer(photo: str, rotations: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks are shown no more than they were, in no more runs."""
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
    """Return how long a function takes in units of one large matrix product of so many GFLOP, in one thread.

    Both in turn; of each, the least counts. As another program may take the processor at any time, they are tried again
    until the ratio is below a bound, or too often.
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
    """Eight faces, planned, take little more time than the multiplications of the network's definition would at once;
    and wide convolutions of 3 x 3, by Winograd's method, less.
    """
    if not any(library["internal_api"] == "openblas" for library in threadpoolctl.threadpool_info()):
        pytest.skip("ratios are known for OpenBLAS only")
    plan = EncoderPlan(graph, 8, blas_has_small_gemm())
    x = np.random.default_rng(0).standard_normal((8, INPUT_SIZE, INPUT_SIZE, 3)).astype(np.float32)
    plan.run(x)

    # 0.75 with small products, 0.55 with usual ones; 1.1 to 1.2 for patches in place of Winograd's tiles.
    wide = ratio_to_a_product(lambda: [call() for call in plan.wide], plan.wide_gflop, 1024, 1)
    assert wide < 1, (
        f"wide convolutions of 3 x 3 take {wide:.2f} times as long as one product: see benchmarks/methods.py"
    )

    # 1.3 with small products, which are for processors on which passes over memory weigh more; 1.1 with usual ones.
    bound = 2.1 if plan.batch and blas_has_small_gemm() else 1.8
    whole = ratio_to_a_product(lambda: plan.run(x), sum(row.gflop for row in plan.rows), 2048, bound)
    assert whole < bound, f"the encoder takes {whole:.2f} times as long as one product: see benchmarks/layers.py"

"""Time the encoder with one piece of its machinery at a time switched off, in CPU milliseconds a face.

    python benchmarks/machinery.py [--rounds N]

Batches of 1 and of 16 faces (in parts of 4, as `encode_faces` makes them), in one thread and in two. All rows are timed
by turns in one process, so that they share the state of the machine. A cell is the median over the rounds, with the
difference from the row "everything" in percent. CPU time counts both threads. With ``OPENBLAS_CORETYPE=Haswell``,
OpenBLAS uses its kernels for processors without AVX-512.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np

from faceie import facenet, mtcnn, set_threads
from faceie.facenet.network import inception_resnet_v1
from faceie.mtcnn.networks import o_net, p_net, r_net
from faceie.nn import graph, layers, plan
from faceie.nn.buffers import Arena, PackedWeights, Recorder
from faceie.nn.gemm import blas_has_small_gemm
from faceie.nn.methods import METHODS, Method
from faceie.nn.parallel import limited_blas, parallel
from faceie.nn.planar import PlanarKernels

Piece: TypeAlias = Callable[[], AbstractContextManager[Any]]

PART = 4  # faces
NEVER = Method(lambda *_: None, lambda *_: False, lambda *_: False)

PIECES: dict[str, Piece] = {
    "everything": nullcontext,
    "without Winograd": lambda: patch.dict(METHODS, winograd=NEVER),
    "without small products": nullcontext,
    "without image by image": lambda: patch.object(plan, "_LARGE", 1 << 40),
    "without reusing memory": lambda: patch.object(Arena, "free", lambda *_: None),
}


def build(name: str, batch: int, small: bool) -> plan.Plan:
    with PIECES[name]():
        traced = graph.trace(inception_resnet_v1, facenet.load(), (160, 160, 3))
        return plan.Plan(traced, batch, PackedWeights(), small_gemm=small and name != "without small products")


def runners(batch: int, threads: int) -> dict[str, Callable[[], object]]:
    """Return, for each row, a function that encodes a batch."""
    w = facenet.load()
    x = np.random.default_rng(0).standard_normal((batch, 160, 160, 3)).astype(np.float32)
    parts = [x] if batch == 1 else np.split(x, range(PART, batch, PART))
    small = blas_has_small_gemm() and not (batch == 1 and threads > 1)
    found: dict[str, Callable[[], object]] = {}

    def with_plans(plans: list[plan.Plan]) -> Callable[[], object]:
        idle = list(plans)

        def run(part: Any) -> None:
            one = idle.pop()
            one.run(part)
            idle.append(one)

        return share(run)

    def share(run: Callable[[Any], object]) -> Callable[[], object]:
        return (lambda: run(x)) if batch == 1 else (lambda: parallel(run, parts))

    found["layers, step by step"] = share(lambda part: inception_resnet_v1(part, w, layers))
    for name in PIECES:
        found[name] = with_plans([build(name, len(parts[0]), small) for _ in range(1 if batch == 1 else threads)])
    return found


def measure(batch: int, threads: int, rounds: int) -> dict[str, float]:
    """Return the CPU milliseconds a face of each row."""
    set_threads(threads)
    work = runners(batch, threads)
    times: dict[str, list[float]] = {name: [] for name in work}
    with limited_blas(threads if batch == 1 else 1):
        for number in range(rounds + 1):
            for name, run in work.items():
                start = time.process_time()
                run()
                if number:
                    times[name].append((time.process_time() - start) * 1e3 / batch)
    return {name: statistics.median(values) for name, values in times.items()}


def measure_detector(rounds: int) -> dict[str, float]:
    """Return the CPU milliseconds of the detector's networks in one thread.

    P-Net: one tile of the image pyramid, 138 x 586 pixels. R-Net: 32 crops. O-Net: 8 crops.
    """
    w, rng = mtcnn.load(), np.random.default_rng(0)
    tile = rng.standard_normal((1, 138, 586, 3)).astype(np.float32)
    record = Recorder()
    p_net(np.ascontiguousarray(tile.swapaxes(2, 3)), w.p_net, PlanarKernels(record))
    work: dict[str, Callable[[], object]] = {
        "P-Net, planar": record.run,
        "P-Net, layers": lambda: p_net(tile, w.p_net, layers),
    }
    for name, network, weights, batch, size in (("R-Net", r_net, w.r_net, 32, 24), ("O-Net", o_net, w.o_net, 8, 48)):
        x = rng.standard_normal((batch, size, size, 3)).astype(np.float32)
        for suffix, piece in (("", nullcontext), (" without planes", lambda: patch.dict(METHODS, planes=NEVER))):
            with piece():
                traced = graph.trace(network, weights, (size, size, 3))
                planned = plan.Plan(traced, batch, PackedWeights(), small_gemm=blas_has_small_gemm())
            work[name + suffix] = partial(planned.run, x)
    times: dict[str, list[float]] = {name: [] for name in work}
    with limited_blas(1):
        for number in range(3 * rounds + 1):
            for name, run in work.items():
                start = time.process_time()
                run()
                if number:
                    times[name].append((time.process_time() - start) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the encoder with one piece at a time switched off.")
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    columns = [(1, 1), (1, 2), (16, 1), (16, 2)]
    found = [measure(batch, threads, rounds) for batch, threads in columns]
    print("| piece | " + " | ".join(f"batch {batch}, {threads} thread(s)" for batch, threads in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in found[0]:
        cells = [f"{times[name]:.1f} ({times[name] / times['everything'] - 1:+.1%})" for times in found]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("\n| network of the detector | CPU ms |\n|---|---|")
    for name, milliseconds in measure_detector(rounds).items():
        print(f"| {name} | {milliseconds:.2f} |")


if __name__ == "__main__":
    main()

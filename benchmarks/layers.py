"""Time the parts of the encoder.

Each part of the network is shown beside ONNX Runtime's own profile of it, and beside the time that its multiplications
would take at the speed of one large matrix product.

    python benchmarks/layers.py [--batch N]

One thread, a batch of faces. A layer belongs to a part by the height of its output: the stem (79 to 36 pixels), blocks
A and the first layers of Reduction-A (17), blocks B and the first layers of Reduction-B (8), blocks C (3), and the
head. README.md beside this file tells how to get the peer. Without it, Faceie alone is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

PEERS = Path(os.environ.get("FACEIE_PEERS", "~/.cache/faceie-peers")).expanduser()
RUNS = 9

# Runs in the environment of the peers: prints the microseconds of each node, with the shape of its output.
PROFILE = """
import json, sys
import numpy as np, onnxruntime as ort
path, batch, runs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
options = ort.SessionOptions()
options.intra_op_num_threads, options.enable_profiling, options.profile_file_prefix = 1, True, sys.argv[4]
session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
x = np.random.default_rng(0).standard_normal((batch, 3, 160, 160)).astype(np.float32)
for _ in range(runs):
    session.run(None, {"x": x})
events = json.load(open(session.end_profiling()))
nodes = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
json.dump([(list(e["args"]["output_type_shape"][0].values())[0], e["dur"]) for e in nodes], sys.stdout)
"""


def part(height: int) -> str:
    """Return the part of a layer whose output has this height."""
    names = {17: "A, Reduction-A's input (17)", 8: "Reduction-A, B (8)", 3: "Reduction-B, C (3)", 1: "head"}
    return "stem (79 to 36)" if height > 17 else names[height]


def ours(batch: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the milliseconds a face of each part, and its GFLOP."""
    from faceie import facenet
    from faceie.facenet.network import inception_resnet_v1
    from faceie.nn.buffers import PackedWeights
    from faceie.nn.gemm import blas_has_small_gemm
    from faceie.nn.graph import Operation, trace
    from faceie.nn.parallel import single_threaded_blas
    from faceie.nn.plan import Plan

    parts: list[str] = []  # of each call

    class Marked(Plan):
        def _plan(self, op: Operation, images: slice) -> str:
            method = super()._plan(op, images)
            name = part(op.y.shape[0] if len(op.y.shape) == 3 else 1)
            parts.extend([name] * (len(self.calls) - len(parts)))
            return method

    graph = trace(inception_resnet_v1, facenet.load(), (160, 160, 3))
    plan = Marked(graph, batch, PackedWeights(), small_gemm=blas_has_small_gemm())
    flops: dict[str, float] = defaultdict(float)
    for row in plan.rows:
        sizes = row.output.split(" x ")
        flops[part(int(sizes[0]) if len(sizes) == 3 else 1)] += row.gflop / batch
    times: dict[str, list[float]] = defaultdict(list)
    with single_threaded_blas():
        plan.run(np.random.default_rng(0).standard_normal((batch, 160, 160, 3)).astype(np.float32))
        for _ in range(RUNS):
            spent: dict[str, float] = defaultdict(float)
            for name, call in zip(parts, plan.calls, strict=True):
                start = time.perf_counter()
                call()
                spent[name] += time.perf_counter() - start
            for name, seconds in spent.items():
                times[name].append(seconds * 1e3 / batch)
    return {name: statistics.median(values) for name, values in times.items()}, flops


def theirs(batch: int, prefix: str) -> dict[str, float]:
    """Return the milliseconds a face of each part, from ONNX Runtime's profile."""
    command: list[Any] = [PEERS / "venv/bin/python", "-c", PROFILE, PEERS / "encoder.onnx", batch, RUNS, prefix]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    spent: dict[str, float] = defaultdict(float)
    for shape, microseconds in json.loads(done.stdout):
        # Nodes of (n, channels, rows, columns), in ONNX Runtime's blocked layout, too.
        spent[part(shape[2] if len(shape) == 4 else 1)] += microseconds / 1e3 / batch / RUNS
    return spent


def product_speed() -> float:
    """Return the GFLOP/s of one large matrix product in one thread."""
    from faceie.nn.parallel import single_threaded_blas

    a, times = np.ones((2048, 2048), np.float32), []
    with single_threaded_blas():
        for _ in range(5):
            start = time.perf_counter()
            a @ a
            times.append(time.perf_counter() - start)
    return 2 * 2048**3 / statistics.median(times) / 1e9


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description="Show where the encoder's time goes.")
    parser.add_argument("--batch", type=int, default=8)
    arguments = parser.parse_args()
    speed = product_speed()
    mine, flops = ours(arguments.batch)
    peer: dict[str, float] = {}
    if (PEERS / "encoder.onnx").exists():
        with tempfile.TemporaryDirectory() as folder:
            peer = theirs(arguments.batch, str(Path(folder, "profile")))
    print(f"ms a face, batch {arguments.batch}, one thread; a large matrix product runs at {speed:.0f} GFLOP/s\n")
    print("| part | GFLOP | at that speed | Faceie | ONNX Runtime |\n|---|---|---|---|---|")
    total = [0.0] * 4
    for name, milliseconds in mine.items():
        numbers = [flops[name], flops[name] / speed * 1e3, milliseconds, peer.get(name, 0.0)]
        total = [sum(pair) for pair in zip(total, numbers, strict=True)]
        print(f"| {name} | " + " | ".join(f"{number:.2f}" for number in numbers) + " |")
    print("| all | " + " | ".join(f"{number:.2f}" for number in total) + " |")


if __name__ == "__main__":
    main()

"""Time all methods for each convolution of the encoder.

    python benchmarks/methods.py [--images N]

For each kind of convolution, on N images (default 4), one thread: the microseconds an image of each method that fits,
with ordinary matrix products / with small ones. A star marks the choice of `faceie.nn.methods.choose`.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from faceie import facenet
from faceie.facenet.network import inception_resnet_v1
from faceie.nn.buffers import Recorder
from faceie.nn.graph import Operation, trace
from faceie.nn.methods import METHODS, Convolution, Epilogue, choose
from faceie.nn.parallel import single_threaded_blas

RUNS = 9


def microseconds(op: Operation, method: str, images: int, small_gemm: bool) -> float:
    """Return the time of a method for a convolution of `images` images, for each of them."""
    assert op.kernel is not None
    x = np.random.default_rng(0).standard_normal((images, *op.inputs[0].shape)).astype(np.float32)
    y = np.empty((images, *op.y.shape), np.float32)
    record = Recorder(small_gemm=small_gemm)
    METHODS[method].plan(Convolution(x, op.kernel, Epilogue(y, op.bias, op.relu), op.stride, op.padding), record)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        record.run()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6 / images


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the ways to compute the encoder's convolutions.")
    parser.add_argument("--images", type=int, default=4)
    images = parser.parse_args().images
    print("| kernel | outputs | " + " | ".join(METHODS) + " |" + "\n|---|---" + "|---" * len(METHODS) + "|")
    seen = set()
    for op in trace(inception_resnet_v1, facenet.load(), (160, 160, 3)).operations:
        if op.kind != "conv2d" or op.kernel is None or (op.kernel.shape, op.stride, op.y.shape[:2]) in seen:
            continue
        seen.add((op.kernel.shape, op.stride, op.y.shape[:2]))
        chosen = choose(op.inputs[0].shape, op.kernel.shape, op.stride, op.padding, images)
        cells = []
        with single_threaded_blas():
            for name, method in METHODS.items():
                if method.fits(op.kernel.shape, op.stride, op.padding):
                    both = [f"{microseconds(op, name, images, small):.0f}" for small in (False, True)]
                    cells.append(" / ".join(both) + (" *" if name == chosen else ""))
                else:
                    cells.append("")
        kernel = " x ".join(map(str, op.kernel.shape)) + (f" / {op.stride}" if op.stride > 1 else "")
        print(f"| {kernel} | {op.y.shape[0]} x {op.y.shape[1]} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

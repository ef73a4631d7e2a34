"""Which way to compute each convolution of the encoder is the fastest, and which one is chosen.

    python benchmarks/methods.py [--images N]

For each kind of convolution, on N images (default 4), one thread: the microseconds an image of each method that fits,
with ordinary matrix products / with small ones. What `faceie.nn.conv.choose` chooses is marked with a star.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from faceie import facenet
from faceie.facenet.network import inception_resnet_v1
from faceie.nn.activations import Activations, Finish
from faceie.nn.blas import single_threaded_blas
from faceie.nn.conv import METHODS, Problem, choose
from faceie.nn.graph import Operation, trace
from faceie.nn.record import Recorder

RUNS = 9


def microseconds(op: Operation, method: str, images: int, small_products: bool) -> float:
    """Return the time of one way to compute a convolution of `images` images, for each of them."""
    assert op.kernel is not None
    height, width, channels = op.inputs[0].shape
    (above, left, below, right), columns_first = METHODS[method].layout(op.kernel, op.padding, (height, width))
    size = (height + above + below, width + left + right)
    base = np.zeros((images, *(size[::-1] if columns_first else size), channels), np.float32)
    x = Activations(base.swapaxes(1, 2) if columns_first else base, (above, left, below, right))
    x.array[...] = np.random.default_rng(0).standard_normal(x.array.shape)
    y = np.empty((images, *op.sums, op.kernel.shape[3]), np.float32)
    record = Recorder(small_products=small_products)
    METHODS[method].record(Problem(x, op.kernel, Finish(y, op.bias, op.relu), op.stride, op.padding), record)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        for call in record.calls:
            call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6 / images


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the ways to compute the encoder's convolutions.")
    parser.add_argument("--images", type=int, default=4)
    images = parser.parse_args().images
    print("| kernel | outputs | " + " | ".join(METHODS) + " |" + "\n|---|---" + "|---" * len(METHODS) + "|")
    seen = set()
    for op in trace(inception_resnet_v1, facenet.load(), (160, 160, 3)).operations:
        if op.kind != "conv2d" or op.kernel is None or (op.kernel.shape, op.stride, op.sums) in seen:
            continue
        seen.add((op.kernel.shape, op.stride, op.sums))
        chosen = choose(op.kernel, op.stride, op.padding, op.sums, images)
        cells = []
        with single_threaded_blas():
            for name, method in METHODS.items():
                if method.fits(op.kernel, op.stride, op.padding):
                    both = [f"{microseconds(op, name, images, small):.0f}" for small in (False, True)]
                    cells.append(" / ".join(both) + (" *" if name == chosen else ""))
                else:
                    cells.append("")
        kernel = " x ".join(map(str, op.kernel.shape)) + (f" / {op.stride}" if op.stride > 1 else "")
        print(f"| {kernel} | {op.sums[0]} x {op.sums[1]} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

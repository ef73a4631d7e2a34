"""Time non-maximum suppression of few and many boxes, and a simpler way beside it.

    python benchmarks/suppression.py

Prints milliseconds (the least of several runs, by turns) and NumPy's peak memory, in one thread, for three kinds of
boxes: spread, so that nearly all are kept; clustered, some hundred in a place; and identical. The simpler way compares
blocks of boxes with all the rest.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faceie.boxes import iou, non_maximum_suppression

COUNTS = (100, 1000, 3000, 30_000)
OVERLAP = 0.5
BLOCK = 256


def in_blocks(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], threshold: float, mode: Literal["union", "min"] = "union"
) -> NDArray[np.intp]:
    """Return the result of `non_maximum_suppression`, the simpler way.

    Blocks of boxes are settled among themselves, then compared with all the rest, even far away.
    """
    waiting = np.argsort(-scores, kind="stable")
    kept = [waiting[:0]]
    while len(waiting):
        block, waiting = waiting[:BLOCK], waiting[BLOCK:]
        clash = iou(boxes[block], boxes[block], mode) > threshold  # [block, block]
        alive = np.ones(len(block), bool)
        for i in range(len(block)):
            if alive[i]:
                alive[i + 1 :] &= ~clash[i, i + 1 :]
        block = block[alive]
        kept.append(block)
        waiting = waiting[~(iou(boxes[block], boxes[waiting], mode) > threshold).any(0)]
    return np.concatenate(kept)


def boxes_that_are(how: str, count: int) -> NDArray[np.float32]:
    """Return boxes (n, 4) of about 20 pixels."""
    rng = np.random.default_rng(count)
    corner, side = rng.uniform(0, 20 * np.sqrt(count), (count, 2)), rng.uniform(15, 30, (count, 1))
    if how == "clustered":
        corner = corner[rng.integers(0, max(1, count // 100), count)] + rng.normal(0, 4, (count, 2))
    if how == "identical":
        corner[:], side[:] = corner[0], side[0]
    return np.concatenate([corner, corner + side], 1).astype(np.float32)


def milliseconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1e3


def megabytes(function: Callable[[], Any]) -> float:
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main() -> None:
    print("| boxes | kept | in blocks, ms | MB | now, ms | MB |\n|---|---|---|---|---|---|")
    for how in ("spread", "clustered", "identical"):
        for count in COUNTS:
            boxes, scores = boxes_that_are(how, count), np.random.default_rng(0).random(count, np.float32)
            ways = [partial(way, boxes, scores, OVERLAP) for way in (in_blocks, non_maximum_suppression)]
            times = [[milliseconds(way) for way in ways] for _ in range(max(3, min(50, 10_000 // count)))]
            before, now = np.min(times, 0)
            cells = [f"{before:.2f}", f"{megabytes(ways[0]):.1f}", f"{now:.2f}", f"{megabytes(ways[1]):.1f}"]
            print(f"| {count:,} {how} | {len(ways[1]()):,} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

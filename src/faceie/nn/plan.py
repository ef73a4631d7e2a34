"""A network, planned for batches of one size: arrays that are there already, and a list of calls.

What a small network spends beside its matrix products goes into arrays that come and go, and into passes over memory. A
`Plan` has arrays for everything between input and output, which share memory where they are not needed at the same
time; it lays activations out as their reader likes them, with the zeros of its padding around them; lets branches write
into their channels of the concatenation; and has kernels in the form that is multiplied. Early layers, of large images
with few channels, are computed image by image, so that what one leaves behind is still in the cache when the next reads
it; late ones for all images at once, so that matrix products are large.

The network itself is written once, as a function (`faceie.facenet.network`): a plan interprets it. ``print(plan)``
shows what is computed how.
"""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from . import layers
from .activations import Activations, Finish, Layout, max_pool
from .conv import METHODS, Problem, choose, evenly, shares
from .graph import Graph, Operation, Value, trace
from .memory import Memory, Packed
from .places import Places
from .record import Call, Recorder
from .steps import Step, in_step
from .tree import Array, Shape

__all__ = ["Plan", "Plans", "Row"]

_FLOATS = 600_000  # of an operation's input and output that are worked on at a time, if one image has fewer


class Row(NamedTuple):
    """What a plan says of an operation."""

    kernel: str
    method: str
    output: str
    images: int  # at a time
    gflop: float  # for all images, as the definition counts them, whatever the method
    megabytes: float  # of activations and weights that are read and written


class Plan:
    """A network for batches of one size. One thread at a time may run it, and after an error nobody again."""

    def __init__(
        self,
        graph: Graph,
        batch: int,
        packed: Packed,
        *,
        small_products: bool,
        threads: int = 1,
    ) -> None:
        """Plan a network (see `graph.trace`) for `batch` images.

        Plans for the same graph share `packed`, kernels in the form that is multiplied, which must not outlive it.
        `small_products`: whether the BLAS library is good at them (see `gemm`).
        `threads`: how many share each convolution, in steps (see `steps.in_step`). It is better to give each of them
        images of its own, if there are enough.
        """
        x, operations, results = graph
        self.batch = batch
        self.rows: list[Row] = []
        self._memory = Memory()
        self._records = [Recorder(self._memory if threads == 1 else Memory(), packed, small_products)]
        self._records += [Recorder(Memory(), packed, small_products) for _ in range(threads - 1)]
        self._steps: list[Step] = []
        self._read: list[list[Array]] = [[] for _ in self._records]  # by each thread, in the step that is recorded
        self._written: list[list[Array]] = [[] for _ in self._records]
        self._methods = {
            op: choose(op.kernel, op.stride, op.padding, op.sums, batch)
            for op in operations
            if op.kind == "conv2d" and op.kernel is not None
        }
        numbered = zip(self._at_a_time(operations), enumerate(operations), strict=True)
        stages = [
            (images, [operation for _, operation in stage]) for images, stage in groupby(numbered, lambda item: item[0])
        ]
        self._places = Places(x, [stage for _, stage in stages], results, batch, self._memory, self._wish)
        self._input = self._places.at(x, 0, batch).array
        for images, stage in stages:
            for start in range(0, batch, images):
                stop = min(start + images, batch)
                for number, op in stage:
                    with ExitStack() as stack:
                        for record in self._records:
                            stack.enter_context(record.part())
                        self._plan(op, start, stop)
                    self._places.free(number, last=stop == batch)
        self._end_step()
        self._outputs = [self._places.at(result, 0, batch).base for result in results]

    def run(self, x: Array) -> list[Array]:
        """Return what the network makes of images (n, ...), n at most `batch`: its results, (n, ...) each."""
        np.copyto(self._input[: len(x)], x)
        self._input[len(x) :] = 0
        in_step(self._steps)
        return [output[: len(x)].copy() for output in self._outputs]

    @property
    def megabytes(self) -> float:
        """How much memory the plan takes, without weights."""
        memories = {self._memory, *(record.memory for record in self._records)}
        return (sum(memory.floats for memory in memories) + self._places.floats) * 4 / 1e6

    @property
    def calls(self) -> list[Call]:
        """The calls that are made."""
        return [call for step in self._steps for part in step for call in part]

    def __str__(self) -> str:
        lines = [f"{'kernel':14} {'method':13} {'output':22} {'images':>6} {'GFLOP':>7} {'MB':>6}"]
        lines += [
            f"{row.kernel:14} {row.method:13} {row.output:22} {row.images:6} {row.gflop:7.3f} {row.megabytes:6.1f}"
            for row in self.rows
        ]
        gflop, calls = sum(row.gflop for row in self.rows), len(self.calls)
        return "\n".join([*lines, f"{self.batch} images, {gflop:.2f} GFLOP, {calls} calls, {self.megabytes:.0f} MB"])

    def _at_a_time(self, operations: list[Operation]) -> list[int]:
        """Return how many images to compute at a time in each operation: never fewer than in those before."""
        images, least = [], self.batch
        for op in reversed(operations):
            floats = sum(math.prod(value.shape) for value in [*op.inputs, *op.outputs])
            least = min(least, max(1, _FLOATS // floats))
            times = -(-self.batch // least)
            images.append(-(-self.batch // times))  # equally many each time
        return images[::-1]

    def _wish(self, op: Operation, value: Value) -> Layout:
        """Return how an operation would like to have its input."""
        if op.kernel is None or op not in self._methods:
            return Layout()
        return METHODS[self._methods[op]].layout(op.kernel, op.padding, (value.shape[0], value.shape[1]))

    def _plan(self, op: Operation, start: int, stop: int) -> None:
        """Record an operation for these images."""
        x = self._places.at(op.inputs[0], start, stop)
        y = self._places.at(op.outputs[0], start, stop, op.shape[-1])
        record = self._records[0]
        if op.kind not in ("conv2d", "linear", "concatenate"):
            self._use([([x.base], y.base)])
        if op.kind == "conv2d":
            self._plan_convolution(op, x, y.array, start, stop)
        elif op.kind == "linear":  # an image of 1 x 1
            assert op.kernel is not None
            finish = Finish(y.base[:, None, None], op.bias, slope=op.slope)
            self._share(Problem(Activations(x.base[:, None, None]), op.kernel, finish), "pointwise")
        elif op.kind == "concatenate":
            self._plan_concatenation(op, y.array, start, stop)
        elif op.kind == "max_pool":
            max_pool(x.array, op.pool, Finish(y.array), record, ceil=op.ceil)
        elif op.kind == "global_mean":
            record(np.mean, x.array, (1, 2), out=y.base)
        elif op.kind == "flatten":
            n, h, w, c = x.array.shape
            record(np.copyto, y.base.reshape(n, w, h, c), x.array.swapaxes(1, 2))
        elif op.kind in ("probability", "normalize"):
            record(_copy, getattr(layers, op.kind), x.base, y.base)
        else:
            raise NotImplementedError(f"{op.kind} cannot be planned")
        if start == 0:
            self._describe(op, stop)

    def _plan_convolution(self, op: Operation, x: Activations, y: Array, start: int, stop: int) -> None:
        assert op.kernel is not None
        method, bias, residual, record = self._methods[op], op.bias, None, self._records[0]
        if op.residual:
            residual = self._places.at(op.residual, start, stop).array
            if op.scale != 1:
                assert bias is not None
                bias = bias * np.float32(op.scale)
        finish = Finish(y, bias, op.relu, op.slope, residual)
        if op.pool and method != "winograd":
            self._use([([x.base], y)])
            sums = record.scratch(len(y), *op.sums, y.shape[3])
            METHODS[method].record(Problem(x, op.kernel, Finish(sums), op.stride, op.padding), record)
            max_pool(sums, op.pool, finish, record)
        else:
            finish.pool = op.pool
            self._share(Problem(x, op.kernel, finish, op.stride, op.padding), method, op.scale)

    def _share(self, problem: Problem, method: str, scale: float = 1.0) -> None:
        """Record a convolution, times `scale`, for each thread its part."""
        parts = shares(problem, method, len(self._records))
        self._use([(part.reads, part.finish.target) for part in parts])
        for part, record in zip(parts, self._records, strict=False):
            if scale != 1:  # the activations before the kernel are fewer than those behind it
                scaled = record.scratch(*part.x.array.shape)
                record(np.multiply, part.x.array, np.float32(scale), out=scaled)
                part = part._replace(x=Activations(scaled))
            METHODS[method].record(part, record)

    def _plan_concatenation(self, op: Operation, y: Array, start: int, stop: int) -> None:
        """Copy the parts that are not in their place already."""
        first = 0
        for value in op.inputs:
            if not self._places.share(value, op.y):
                part, place = self._places.at(value, start, stop).array, y[..., first : first + value.shape[-1]]
                rows = evenly(y.shape[1], len(self._records))
                copies = [(place[:, first:last], part[:, first:last]) for first, last in rows]
                self._use([([source], target) for target, source in copies])
                for record, copy in zip(self._records, copies, strict=True):
                    record(np.copyto, *copy)
            first += value.shape[-1]

    def _use(self, parts: list[tuple[list[Array], Array]]) -> None:
        """Note what an operation reads and writes in each thread. If another one may be at it still, a step ends."""
        if len(self._records) > 1:
            if any(self._clash(number, *part) for number, part in enumerate(parts)):
                self._end_step()
            for number, (read, written) in enumerate(parts):
                self._read[number] += read
                self._written[number].append(written)

    def _clash(self, number: int, read: list[Array], written: Array) -> bool:
        others = [other for other in range(len(self._records)) if other != number]
        reads, writes = ([x for other in others for x in lists[other]] for lists in (self._read, self._written))
        pairs = [(written, x) for x in [*reads, *writes]] + [(x, y) for x in read for y in writes]
        return any(np.shares_memory(a, b) for a, b in pairs)

    def _end_step(self) -> None:
        self._steps.append([record.end() for record in self._records])
        self._read = [[] for _ in self._records]
        self._written = [[] for _ in self._records]

    def _describe(self, op: Operation, images: int) -> None:
        kernel, gflop = op.kind, 0.0
        floats = self.batch * sum(math.prod(value.shape) for value in [*op.inputs, *op.outputs])
        if op.kernel is not None:
            floats += op.kernel.size
            height, width, *_ = op.kernel.shape
            kernel = f"{height} x {width}" + (f" / {op.stride}" if op.stride > 1 else "") + (" pool" if op.pool else "")
            gflop = 2e-9 * self.batch * op.kernel.size * (math.prod(op.sums) if op.kind == "conv2d" else 1)
        output = " x ".join(map(str, op.shape))
        self.rows.append(Row(kernel, self._methods.get(op, op.kind), output, images, gflop, floats * 4 / 1e6))


def _copy(function: Callable[[Array], Array], x: Array, out: Array) -> None:
    np.copyto(out, function(x).reshape(out.shape))


_all_plans: weakref.WeakSet[Plans] = weakref.WeakSet()


def _renew_locks() -> None:
    """Whoever held a lock when a process forked is not there in the new one."""
    for plans in _all_plans:
        plans._lock = threading.Lock()
        plans._packed.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


class Plans:
    """Plans of a network that wait for their next batch: for one set of weights at a time, and not more than a few."""

    def __init__(self, network: Any, shape: Shape, most: int = 4) -> None:
        """Keep at most so many plans of a `network` (see `graph.trace`) for images of this `shape`."""
        self._network = network
        self._shape = shape
        self._most = most
        self._lock = threading.Lock()
        _all_plans.add(self)
        self._weights: Any = None
        self._graph: Graph | None = None
        self._packed = Packed()
        self._waiting: list[tuple[Plan, tuple[int, bool, int]]] = []  # latest last; and what they are for

    def run(self, x: Array, weights: Any, batch: int, *, small_products: bool, threads: int = 1) -> list[Array]:
        """Return what the network makes of images (n, ...), with these weights; any thread may call this.

        `batch`: how many images to plan for, at least n. A plan for more than there are does in vain what is too much.
        `small_products`, `threads`: as for `Plan`.
        """
        key = (batch, small_products, threads)
        with self._lock:
            if self._weights is not weights:
                self._weights, self._packed, self._waiting = weights, Packed(), []
                self._graph = trace(self._network, weights, self._shape)
            graph, packed = self._graph, self._packed
            fitting = [item for item in self._waiting if item[1] == key]
            if fitting:
                self._waiting.remove(fitting[-1])
        assert graph is not None
        plan = fitting[-1][0] if fitting else Plan(graph, batch, packed, small_products=small_products, threads=threads)
        y = plan.run(x)
        with self._lock:
            if packed is self._packed:  # the weights are still those
                self._waiting = [*self._waiting, (plan, key)][-self._most :]
        return y

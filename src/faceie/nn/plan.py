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
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .. import forks
from ..types import Array
from . import layers
from .activations import Activations, Finish, Layout, max_pool
from .conv import METHODS, Problem, choose
from .graph import Graph, Operation, Value, trace
from .memory import Memory, Packed
from .places import Places
from .record import Call, Recorder
from .threads import concurrency
from .tree import Shape

__all__ = ["Plan", "Plans", "Row"]

_FLOATS = 600_000  # of an operation's input and output that are worked on at a time, if one image has fewer
_WEIGHTS = 2  # of one network, for which plans are kept: those that are used in turn

Key: TypeAlias = tuple[int, bool]  # images of a plan, and whether its products are small


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

    def __init__(self, graph: Graph, batch: int, packed: Packed, *, small_products: bool) -> None:
        """Plan a network (see `graph.trace`) for `batch` images.

        Plans for the same graph share `packed`, kernels in the form that is multiplied, which must not outlive it.
        `small_products`: whether the BLAS library is good at them (see `gemm`).
        """
        x, operations, results = graph
        self.batch = batch
        self.rows: list[Row] = []
        self._record = Recorder(Memory(), packed, small_products)
        self._methods = {
            op: choose(op.kernel, op.stride, op.padding, op.sums, batch)
            for op in operations
            if op.kind == "conv2d" and op.kernel is not None
        }
        numbered = zip(self._at_a_time(operations), enumerate(operations), strict=True)
        stages = [
            (images, [operation for _, operation in stage]) for images, stage in groupby(numbered, lambda item: item[0])
        ]
        memory = self._record.memory
        self._places = Places(x, [stage for _, stage in stages], results, batch, memory, self._wish)
        self._input = self._places.at(x, 0, batch).array
        for images, stage in stages:
            for start in range(0, batch, images):
                stop = min(start + images, batch)
                for number, op in stage:
                    with self._record.part():
                        self._plan(op, start, stop)
                    self._places.free(number, last=stop == batch)
        self._outputs = [self._places.at(result, 0, batch).base for result in results]

    def run(self, x: Array) -> list[Array]:
        """Return what the network makes of images (n, ...), n at most `batch`: its results, (n, ...) each."""
        np.copyto(self._input[: len(x)], x)
        self._input[len(x) :] = 0
        for call in self._record.calls:
            call()
        return [output[: len(x)].copy() for output in self._outputs]

    @property
    def megabytes(self) -> float:
        """How much memory the plan takes, without weights."""
        return (self._record.memory.floats + self._places.floats) * 4 / 1e6

    @property
    def calls(self) -> list[Call]:
        """The calls that are made."""
        return self._record.calls

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
        record = self._record
        if op.kind == "conv2d":
            self._plan_convolution(op, x, y.array, start, stop)
        elif op.kind == "linear":  # an image of 1 x 1
            assert op.kernel is not None
            finish = Finish(y.base[:, None, None], op.bias, slope=op.slope)
            METHODS["pointwise"].record(Problem(Activations(x.base[:, None, None]), op.kernel, finish), record)
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
        record, method, bias, residual = self._record, METHODS[self._methods[op]], op.bias, None
        if op.residual:
            residual = self._places.at(op.residual, start, stop).array
            if op.scale != 1:  # the activations before the kernel are fewer than those behind it
                assert bias is not None
                bias = bias * np.float32(op.scale)
                scaled = record.scratch(*x.array.shape)
                record(np.multiply, x.array, np.float32(op.scale), out=scaled)
                x = Activations(scaled)
        finish = Finish(y, bias, op.relu, op.slope, residual)
        if op.pool and self._methods[op] != "winograd":
            sums = record.scratch(len(y), *op.sums, y.shape[3])
            method.record(Problem(x, op.kernel, Finish(sums), op.stride, op.padding), record)
            max_pool(sums, op.pool, finish, record)
        else:
            finish.pool = op.pool
            method.record(Problem(x, op.kernel, finish, op.stride, op.padding), record)

    def _plan_concatenation(self, op: Operation, y: Array, start: int, stop: int) -> None:
        """Copy the parts that are not in their place already."""
        first = 0
        for value in op.inputs:
            if not self._places.share(value, op.y):
                part = self._places.at(value, start, stop).array
                self._record(np.copyto, y[..., first : first + value.shape[-1]], part)
            first += value.shape[-1]

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


class _Planned:
    """A network of certain weights, and its plans."""

    def __init__(self, network: Any, weights: Any, shape: Shape) -> None:
        self.weights = weights
        self.graph = trace(network, weights, shape)
        self.packed = Packed()
        self.idle: defaultdict[Key, list[Plan]] = defaultdict(list)
        self.busy: Counter[Key] = Counter()


class Plans:
    """Plans of a network that wait for their next batch.

    For each size of a batch, there are as many as threads can run at once, and no more: with more threads than
    processors, some wait for a plan. So memory is limited, and no warm batch builds a plan.
    """

    def __init__(self, network: Any, shape: Shape) -> None:
        """Plan a `network` (see `graph.trace`) for images of this `shape`."""
        self._network = network
        self._shape = shape
        self._lock = forks.Lock()
        self._planned: list[_Planned] = []  # latest last
        forks.in_child(self._planned.clear)  # plans that other threads of the parent run are not given back there

    def run(self, x: Array, weights: Any, batch: int, *, small_products: bool) -> list[Array]:
        """Return what the network makes of images (n, ...), with these weights; any thread may call this.

        `batch`: how many images to plan for, at least n. A plan for more than there are does in vain what is too much.
        `small_products`: as for `Plan`.
        """
        key = (batch, small_products)
        with self._lock:
            planned = self._planned_for(weights)
            while planned.busy[key] >= concurrency():
                self._lock.wait()
            planned.busy[key] += 1
            plan = planned.idle[key].pop() if planned.idle[key] else None
        whole = None  # the plan, once it has run without error
        try:
            plan = plan or Plan(planned.graph, batch, planned.packed, small_products=small_products)
            y = plan.run(x)
            whole = plan
        finally:
            with self._lock:
                planned.busy[key] -= 1
                planned.idle[key] += [whole] if whole else []
                self._lock.notify()
        return y

    def _planned_for(self, weights: Any) -> _Planned:
        """Return the plans for these weights. Those of a few others are kept, too: they may be used in turn."""
        found = next((known for known in self._planned if known.weights is weights), None)
        planned = found or _Planned(self._network, weights, self._shape)
        self._planned[:] = [*(known for known in self._planned if known is not planned), planned][-_WEIGHTS:]
        return planned

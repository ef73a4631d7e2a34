"""A network, planned for batches of one size: preallocated arrays and a flat list of NumPy calls.

Step by step, a small network spends much of its time beside the matrix products: allocating arrays, preparing views,
choosing. A `Plan` does all of this once. It traces the network (`faceie.nn.graph`), gives each operation's output an
array, which shares memory with others that are needed at other times, chooses a method for each convolution
(`faceie.nn.methods`), and records the calls. ``docs/how-a-plan-works.md`` follows one convolution on this way.

``print(plan)`` shows all operations with their methods.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .. import forks
from ..types import Array
from . import layers
from .buffers import Arena, Call, PackedWeights, Recorder
from .graph import Graph, Network, Operation, Value, trace
from .methods import METHODS, Convolution, Epilogue, choose
from .parallel import concurrency
from .tree import Shape

__all__ = ["Plan", "Plans", "Row"]

_LARGE = 200_000  # floats of an operation's input and output, for one image: more are computed image by image
_WEIGHTS = 2  # sets of weights of one network that plans are kept for

Key: TypeAlias = tuple[int, bool]  # images of a plan, and whether it uses small products


class Row(NamedTuple):
    """One operation of a plan."""

    kernel: str
    method: str
    output: str
    gflop: float  # for all images, as the definition counts them, whatever the method
    megabytes: float  # of activations and weights that are read and written


class Plan:
    """A network for batches of one size. One thread at a time may run it; after an error it must not run again."""

    def __init__(self, graph: Graph, batch: int, packed: PackedWeights, *, small_gemm: bool) -> None:
        """Plan a network for `batch` images.

        All plans for the same graph share `packed`, which must not outlive the graph.
        `small_gemm`: whether to use small products (`faceie.nn.gemm`).
        """
        self.batch = batch
        self.rows: list[Row] = []
        self._record = Recorder(Arena(), packed, small_gemm)
        self._arrays: dict[Value, Array] = {}
        self._last_reader = {value: i for i, op in enumerate(graph.operations) for value in _read_by(op)}
        self._last_reader.update(dict.fromkeys(graph.results, len(graph.operations)))
        self._input = self._arrays[graph.x] = self._record.arena.allocate(batch, *graph.x.shape)
        large = _large_operations(graph.operations)
        for start in range(batch if large else 0):
            self._plan_stage(graph.operations[:large], 0, slice(start, start + 1))
        self._plan_stage(graph.operations[large:], large, slice(0, batch))
        self._outputs = [self._arrays[result] for result in graph.results]

    def run(self, x: Array) -> list[Array]:
        """Return the network's results (n, ...) for images (n, ...), at most `batch` of them."""
        np.copyto(self._input[: len(x)], x)
        self._input[len(x) :] = 0
        self._record.run()
        return [output[: len(x)].copy() for output in self._outputs]

    @property
    def megabytes(self) -> float:
        """The memory of the plan, without weights."""
        return self._record.arena.floats * 4 / 1e6

    @property
    def calls(self) -> list[Call]:
        """The recorded calls."""
        return self._record.calls

    def __str__(self) -> str:
        lines = [f"{'kernel':14} {'method':13} {'output':22} {'GFLOP':>7} {'MB':>6}"]
        lines += [
            f"{row.kernel:14} {row.method:13} {row.output:22} {row.gflop:7.3f} {row.megabytes:6.1f}"
            for row in self.rows
        ]
        gflop, calls = sum(row.gflop for row in self.rows), len(self.calls)
        return "\n".join([*lines, f"{self.batch} images, {gflop:.2f} GFLOP, {calls} calls, {self.megabytes:.0f} MB"])

    def _plan_stage(self, operations: list[Operation], first: int, images: slice) -> None:
        """Record consecutive operations for some images; `first` is the number of the first one.

        Outputs that a later stage reads are allocated for the whole batch, others for these images only.
        """
        arena, count = self._record.arena, images.stop - images.start
        for number, op in enumerate(operations, first):
            if op.y not in self._arrays:
                is_kept = self._last_reader[op.y] >= first + len(operations)
                self._arrays[op.y] = arena.allocate(self.batch if is_kept else count, *op.y.shape)
            with self._record.part():
                method = self._plan(op, images)
            if images.stop == self.batch:
                self.rows.append(_describe(op, method, self.batch))
            for value in _read_by(op):
                is_whole = len(self._arrays[value]) == self.batch  # later images still need theirs
                if self._last_reader[value] == number and (images.stop == self.batch or not is_whole):
                    arena.free(self._arrays.pop(value))

    def _at(self, value: Value, images: slice) -> Array:
        array = self._arrays[value]
        return array[images] if len(array) == self.batch else array

    def _plan(self, op: Operation, images: slice) -> str:
        """Record an operation; return its method."""
        record, x, y = self._record, self._at(op.inputs[0], images), self._at(op.y, images)
        if op.kind == "conv2d":
            return self._plan_convolution(op, x, y, images)
        if op.kind == "linear":  # a convolution of images of 1 x 1
            assert op.kernel is not None
            epilogue = Epilogue(y[:, None, None], op.bias, slope=op.slope)
            METHODS["pointwise"].plan(Convolution(x[:, None, None], op.kernel, epilogue), record)
        elif op.kind == "concatenate":
            record(np.concatenate, [self._at(value, images) for value in op.inputs], axis=-1, out=y)
        elif op.kind == "max_pool":
            lines = record.scratch(len(y), y.shape[1], *x.shape[2:])
            record(layers.max_along, x, 1, op.size, ceil=op.ceil, out=lines)
            record(layers.max_along, lines, 2, op.size, ceil=op.ceil, out=y)
        elif op.kind in ("global_mean", "flatten", "probability", "normalize"):
            record(_copy, getattr(layers, op.kind), x, y)
        else:
            raise NotImplementedError(f"{op.kind} cannot be planned")
        return op.kind

    def _plan_convolution(self, op: Operation, x: Array, y: Array, images: slice) -> str:
        assert op.kernel is not None
        bias, residual = op.bias, None
        if op.residual:
            residual = self._at(op.residual, images)
            if op.scale != 1:  # scale the input, which has fewer channels than the output
                assert bias is not None
                bias = bias * np.float32(op.scale)
                scaled = self._record.scratch(*x.shape)
                self._record(np.multiply, x, np.float32(op.scale), out=scaled)
                x = scaled
        epilogue = Epilogue(y, bias, op.relu, op.slope, residual)
        method = choose(op.inputs[0].shape, op.kernel.shape, op.stride, op.padding, len(x))
        METHODS[method].plan(Convolution(x, op.kernel, epilogue, op.stride, op.padding), self._record)
        return method


def _read_by(op: Operation) -> list[Value]:
    return [*op.inputs, *filter(None, [op.residual])]


def _large_operations(operations: list[Operation]) -> int:
    """Return the number of leading operations to compute image by image.

    Their activations are large: those of one image stay in the cache until the next operation reads them.
    """
    floats = [sum(math.prod(value.shape) for value in [*op.inputs, op.y]) for op in operations]
    return max((number for number, size in enumerate(floats, 1) if size > _LARGE), default=0)


def _copy(function: Callable[[Array], Array], x: Array, out: Array) -> None:
    np.copyto(out, function(x))


def _describe(op: Operation, method: str, batch: int) -> Row:
    kernel, gflop = op.kind, 0.0
    floats = batch * sum(math.prod(value.shape) for value in [*_read_by(op), op.y])
    if op.kernel is not None:
        floats += op.kernel.size
        height, width, *_ = op.kernel.shape
        kernel = f"{height} x {width}" + (f" / {op.stride}" if op.stride > 1 else "")
        positions = 1 if op.kind == "linear" else math.prod(op.y.shape[:2])
        gflop = 2e-9 * batch * op.kernel.size * positions
    return Row(kernel, method, " x ".join(map(str, op.y.shape)), gflop, floats * 4 / 1e6)


class _Planned:
    """The plans of a network with one set of weights."""

    def __init__(self, network: Network, weights: Any, shape: Shape) -> None:
        self.weights = weights
        self.graph = trace(network, weights, shape)
        self.packed = PackedWeights()
        self.idle: defaultdict[Key, list[Plan]] = defaultdict(list)
        self.busy: Counter[Key] = Counter()


class Plans:
    """A pool of plans of a network.

    For each batch size it holds as many plans as threads can run at once. With more threads than processors, some
    threads wait for a plan. So memory is limited, and each plan is built once.
    """

    def __init__(self, network: Network, shape: Shape) -> None:
        """Make a pool for images of this shape."""
        self._network = network
        self._shape = shape
        self._lock = forks.Lock()
        self._planned: list[_Planned] = []  # last used last
        forks.in_child(self._planned.clear)  # plans that other threads were running are never returned there

    def run(self, x: Array, weights: Any, batch: int, *, small_gemm: bool) -> list[Array]:
        """Return the network's results for images (n, ...); any thread may call this.

        `batch`: the images to plan for, at least n. A larger plan wastes the difference.
        `small_gemm`: as for `Plan`.
        """
        key = (batch, small_gemm)
        with self._lock:
            planned = self._planned_for(weights)
            while planned.busy[key] >= concurrency():
                self._lock.wait()
            planned.busy[key] += 1
            plan = planned.idle[key].pop() if planned.idle[key] else None
        reusable = None  # the plan, once it has run without error
        try:
            plan = plan or Plan(planned.graph, batch, planned.packed, small_gemm=small_gemm)
            y = plan.run(x)
            reusable = plan
        finally:
            with self._lock:
                planned.busy[key] -= 1
                planned.idle[key] += [reusable] if reusable else []
                self._lock.notify()
        return y

    def _planned_for(self, weights: Any) -> _Planned:
        """Return the plans for these weights. Those of the last other weights are kept, for use in turn."""
        found = next((known for known in self._planned if known.weights is weights), None)
        planned = found or _Planned(self._network, weights, self._shape)
        self._planned[:] = [*(known for known in self._planned if known is not planned), planned][-_WEIGHTS:]
        return planned

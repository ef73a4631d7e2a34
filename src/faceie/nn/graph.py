"""A network as a list of operations: what a plan is made from.

A network is a function of an array, its weights, and the kernels that it runs on. Run on a `Tracer`, with a `Value` in
place of the array, it computes nothing, and leaves behind what it asked for. `fuse` then joins what is better done at
once:

- narrow convolutions of 1 x 1 of the same activations become one, with the channels of all;
- what a convolution computes is added to its residual where it is finished;
- maxima of what a convolution computes are taken there, before bias and ReLU, of which a quarter is left then.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np

from ..types import Array
from .kernels import Kernels
from .tree import Conv, PReLUConv, Shape

__all__ = ["Graph", "Operation", "Value", "fuse", "trace", "uses"]

_NARROW = 64  # channels: to join wider convolutions gains nothing


@dataclass(eq=False)
class Value:
    """Activations of one image, which are not there yet."""

    shape: Shape  # (height, width, channels), or (channels,)


@dataclass(eq=False)
class Operation:
    """What a network asks of a kernel."""

    kind: str  # the name of the kernel
    inputs: list[Value]
    outputs: list[Value]  # of a convolution, several: each has some of the channels, in order
    kernel: Array | None = None
    bias: Array | None = None
    slope: Array | None = None  # of parametric ReLU
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    pool: int = 0  # size of the windows that maxima are taken over, 2 apart; of a convolution, before bias and ReLU
    ceil: bool = False  # whether the last of them may reach over the border
    relu: bool = False
    residual: Value | None = None  # to which `scale` times the result of a convolution is added
    scale: float = 1.0

    @property
    def y(self) -> Value:
        """The output, of which there is one."""
        (y,) = self.outputs
        return y

    @property
    def sums(self) -> tuple[int, int]:
        """Rows and columns of what a convolution computes, before any pooling."""
        assert self.kernel is not None
        rows, columns = (
            (length + 2 * pad - taps) // self.stride + 1
            for length, pad, taps in zip(self.inputs[0].shape[:2], self.padding, self.kernel.shape[:2], strict=True)
        )
        return rows, columns

    @property
    def shape(self) -> Shape:
        """The shape of all outputs together."""
        return (*self.outputs[0].shape[:-1], sum(y.shape[-1] for y in self.outputs))


class Tracer:
    """Kernels (see `faceie.nn.kernels`) that write down what is asked of them."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def _add(self, kind: str, inputs: Sequence[Value], shape: Shape, **options: Any) -> Value:
        y = Value(shape)
        self.operations.append(Operation(kind, list(inputs), [y], **options))
        return y

    def conv2d(
        self,
        x: Value,
        w: Conv | PReLUConv,
        /,
        *,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        relu: bool = False,
    ) -> Value:
        *taps, _, out = w.kernel.shape
        rows, columns = (
            (length + 2 * pad - k) // stride + 1 for length, pad, k in zip(x.shape[:2], padding, taps, strict=True)
        )
        return self._add("conv2d", [x], (rows, columns, out), **w._asdict(), stride=stride, padding=padding, relu=relu)

    conv2d_prelu = conv2d  # which it is, is in the weights

    def linear(self, x: Value, w: Conv | PReLUConv, /) -> Value:
        return self._add("linear", [x], w.bias.shape, **w._asdict())

    linear_prelu = linear

    def max_pool(self, x: Value, size: int, /, *, ceil: bool = False) -> Value:
        rows, columns = ((length - size + ceil) // 2 + 1 for length in x.shape[:2])
        return self._add("max_pool", [x], (rows, columns, x.shape[2]), pool=size, ceil=ceil)

    def concatenate(self, branches: Sequence[Value], /) -> Value:
        channels = sum(branch.shape[2] for branch in branches)
        return self._add("concatenate", branches, (*branches[0].shape[:2], channels))

    def residual(self, x: Value, branch: Value, /, *, scale: float, relu: bool) -> Value:
        return self._add("residual", [branch], x.shape, residual=x, scale=scale, relu=relu)

    def global_mean(self, x: Value, /) -> Value:
        return self._add("global_mean", [x], x.shape[2:])

    def flatten(self, x: Value, /) -> Value:
        return self._add("flatten", [x], (math.prod(x.shape),))

    def probability(self, x: Value, /) -> Value:
        return self._add("probability", [x], (*x.shape[:-1], 1))

    def normalize(self, x: Value, /) -> Value:
        return self._add("normalize", [x], x.shape)


class Graph(NamedTuple):
    """A network of certain weights, for images of one shape."""

    x: Value  # the input
    operations: list[Operation]
    results: tuple[Value, ...]


def trace(network: Any, weights: Any, shape: Shape) -> Graph:
    """Return what a network (a function of an array, weights and kernels) does with an image of this shape."""
    tracer, x = Tracer(), Value(shape)
    results = network(x, weights, cast("Kernels", tracer))
    results = results if isinstance(results, tuple) else (results,)
    return Graph(x, fuse(tracer.operations), results)


def uses(operations: list[Operation]) -> Counter[Value]:
    """Count how often each value is read."""
    residuals = (op.residual for op in operations if op.residual)
    return Counter([value for op in operations for value in op.inputs] + list(residuals))


def fuse(operations: list[Operation]) -> list[Operation]:
    """Return operations that do the same, fewer."""
    return _with_maxima(_with_residuals(_joined(operations)))


def _joined(operations: list[Operation]) -> list[Operation]:
    """Join narrow convolutions of 1 x 1 of the same activations."""
    groups: dict[tuple[Value, bool], list[Operation]] = {}
    for op in operations:
        plain = op.kind == "conv2d" and op.stride == 1 and op.slope is None
        pointwise = plain and op.kernel is not None and op.kernel.shape[:2] == (1, 1)
        if pointwise and op.shape[-1] < _NARROW:
            groups.setdefault((op.inputs[0], op.relu), []).append(op)
    joined: dict[Operation, Operation | None] = {}
    for group in groups.values():
        if len(group) > 1:
            joined.update(dict.fromkeys(group))
            joined[group[0]] = replace(
                group[0],
                outputs=[op.y for op in group],
                kernel=np.concatenate([cast("Array", op.kernel) for op in group], 3),
                bias=np.concatenate([cast("Array", op.bias) for op in group]),
            )
    return [new for op in operations if (new := joined.get(op, op))]


def _with_residuals(operations: list[Operation]) -> list[Operation]:
    """Let convolutions add what they compute to their residual."""
    count = uses(operations)
    fused: list[Operation] = []
    for op in operations:
        last = fused[-1] if fused else op
        if op.kind == "residual" and last.outputs == op.inputs and count[last.y] == 1 and not last.relu:
            fused[-1] = replace(last, outputs=op.outputs, residual=op.residual, scale=op.scale, relu=op.relu)
        else:
            fused.append(op)
    return fused


def _with_maxima(operations: list[Operation]) -> list[Operation]:
    """Let convolutions take the maxima of what they compute. Bias and ReLU change no order, so they come behind."""
    count = uses(operations)
    fused: list[Operation] = []
    for op in operations:
        last = fused[-1] if fused else op
        alone = last.kind == "conv2d" and last.slope is None and last.outputs == op.inputs and count[last.y] == 1
        if op.kind == "max_pool" and alone and not op.ceil:
            fused[-1] = replace(last, outputs=op.outputs, pool=op.pool)
        else:
            fused.append(op)
    return fused

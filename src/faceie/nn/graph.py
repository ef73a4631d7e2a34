"""A network as a list of operations, from which a plan is made.

A network is a function of an array, its weights and the kernels that it runs on. `trace` runs it on a `Tracer`, with a
`Value` for the array: this computes nothing and records each kernel's name, arguments and output shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from ..types import Array
from .tree import Conv, PReLUConv, Shape

__all__ = ["Graph", "Network", "Operation", "Tracer", "Value", "conv_shape", "trace"]

#: A network: (x, weights, kernels) -> one or several results.
Network: TypeAlias = Callable[[Any, Any, Any], Any]


@dataclass(eq=False)
class Value:
    """Activations that an operation will compute; the shape is that of one image."""

    shape: Shape  # (height, width, channels), or (channels,)


@dataclass(eq=False)
class Operation:
    """One call of a kernel."""

    kind: str  # the kernel's name
    inputs: list[Value]
    y: Value
    kernel: Array | None = None
    bias: Array | None = None
    slope: Array | None = None  # of parametric ReLU
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    size: int = 0  # of a pooling window
    ceil: bool = False  # whether the last pooling window may reach over the border
    relu: bool = False
    residual: Value | None = None  # to which `scale` times the convolution is added
    scale: float = 1.0


class Graph(NamedTuple):
    """A network with its weights, for images of one shape."""

    x: Value
    operations: list[Operation]
    results: tuple[Value, ...]


def conv_shape(shape: Shape, kernel: Shape, stride: int, padding: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of a convolution's output, for an image of this shape."""
    rows, columns = (
        (length + 2 * pad - taps) // stride + 1 for length, pad, taps in zip(shape, padding, kernel[:2], strict=False)
    )
    return rows, columns


class Tracer:
    """Kernels (see `faceie.nn.reference`) that record their calls."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def add(self, kind: str, inputs: Sequence[Value], shape: Shape, **options: Any) -> Value:
        y = Value(shape)
        self.operations.append(Operation(kind, list(inputs), y, **options))
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
        shape = (*conv_shape(x.shape, w.kernel.shape, stride, padding), w.kernel.shape[3])
        return self.add("conv2d", [x], shape, **w._asdict(), stride=stride, padding=padding, relu=relu)

    conv2d_prelu = conv2d  # the weights have a slope

    def linear(self, x: Value, w: Conv | PReLUConv, /) -> Value:
        return self.add("linear", [x], w.bias.shape, **w._asdict())

    linear_prelu = linear

    def max_pool(self, x: Value, size: int, /, *, ceil: bool = False) -> Value:
        rows, columns = ((length - size + ceil) // 2 + 1 for length in x.shape[:2])
        return self.add("max_pool", [x], (rows, columns, x.shape[2]), size=size, ceil=ceil)

    def concatenate(self, branches: Sequence[Value], /) -> Value:
        channels = sum(branch.shape[2] for branch in branches)
        return self.add("concatenate", branches, (*branches[0].shape[:2], channels))

    def residual(self, x: Value, branch: Value, /, *, scale: float, relu: bool) -> Value:
        """Let the convolution that computes the branch, the last operation, add it to `x`."""
        last = self.operations[-1]
        if last.kind != "conv2d" or last.y is not branch or last.relu or last.slope is not None:
            raise NotImplementedError("the branch of a residual is not the last convolution, without activation")
        last.residual, last.scale, last.relu, last.y = x, scale, relu, Value(x.shape)
        return last.y

    def global_mean(self, x: Value, /) -> Value:
        return self.add("global_mean", [x], x.shape[2:])

    def flatten(self, x: Value, /) -> Value:
        return self.add("flatten", [x], (math.prod(x.shape),))

    def probability(self, x: Value, /) -> Value:
        return self.add("probability", [x], x.shape[:-1])

    def normalize(self, x: Value, /) -> Value:
        return self.add("normalize", [x], x.shape)


def trace(network: Network, weights: Any, shape: Shape) -> Graph:
    """Return the operations of a network on an image of this shape."""
    tracer, x = Tracer(), Value(shape)
    results = network(x, weights, tracer)
    return Graph(x, tracer.operations, results if isinstance(results, tuple) else (results,))

"""Weights of a network as a tree of named tuples, and the same tree as a flat mapping of names.

A network's weights are nested named tuples (and plain tuples for repeated blocks) whose leaves are arrays. A *layout*
is the same tree with shapes for leaves. Names of leaves are the path to them, joined by dots:
``inception_resnet_a.0.branch_1.0.kernel``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ..types import Array

__all__ = ["Conv", "PReLUConv", "Shape", "build", "leaves"]

Shape: TypeAlias = tuple[int, ...]
Tree = TypeVar("Tree")


class Conv(NamedTuple):
    """A convolution (or, with a kernel of 1 x 1, a linear layer), with batch normalization folded in."""

    kernel: Array  # [height, width, in, out]
    bias: Array  # [out]


class PReLUConv(NamedTuple):
    """A convolution that is followed by a parametric ReLU."""

    kernel: Array  # [height, width, in, out]
    bias: Array  # [out]
    slope: Array  # [out], of the negative half


def leaves(layout: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the name and the leaf of everything in a layout (or in a tree of weights), in its order."""
    if not is_branch(layout):
        yield path, layout
        return
    names = getattr(layout, "_fields", range(len(layout)))
    for name, child in zip(names, layout, strict=True):
        yield from leaves(child, f"{path}.{name}" if path else str(name))


def build(layout: Tree, tensors: Mapping[str, Array]) -> Tree:
    """Return the tree whose leaves are the `tensors` of those names.

    Raises KeyError for a name that is missing and ValueError for a wrong shape; both messages are facts about the
    tensors, and the caller, who knows the file, adds it.
    """
    tree: Tree = _build(layout, tensors, "")
    return tree


def _build(layout: Any, tensors: Mapping[str, Array], path: str) -> Any:
    if not is_branch(layout):
        if path not in tensors:
            raise KeyError(f"tensor {path!r} is missing")
        tensor = tensors[path]
        if tensor.shape != layout:
            raise ValueError(f"tensor {path!r} has the shape {tensor.shape}, expected {layout}")
        return tensor
    fields = getattr(layout, "_fields", None)
    names = fields or range(len(layout))
    children = [
        _build(child, tensors, f"{path}.{name}" if path else str(name))
        for name, child in zip(names, layout, strict=True)
    ]
    return type(layout)(*children) if fields else tuple(children)


def is_branch(node: Any) -> bool:
    """Tell a branch (a tuple of further nodes) from a leaf: an array, or a shape, which is a tuple of integers."""
    return isinstance(node, tuple) and not all(isinstance(item, int) for item in node)

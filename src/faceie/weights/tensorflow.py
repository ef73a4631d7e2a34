"""Tensors from a frozen TensorFlow graph (``.pb``), without TensorFlow.

The file is a protocol buffer, a ``GraphDef``: a list of nodes, of which those with the operation ``Const`` hold the
weights. In the wire format, numbers are in 7-bit groups, and texts, messages and arrays follow their length. The fields
of messages are numbered, as in TensorFlow's graph.proto, node_def.proto, attr_value.proto, tensor.proto and
tensor_shape.proto. Only the fields that lead to the tensors are read. Nothing in such a file is run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WeightsError
from ..types import Array

__all__ = ["looks_like", "read"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # kinds of fields
_GRAPH_NODE = 1
_NODE_NAME, _NODE_OPERATION, _NODE_ATTRIBUTE = 1, 2, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_VALUE = 1, 2  # an entry of the map of attributes
_VALUE_TENSOR = 8
_TENSOR_TYPE, _TENSOR_SHAPE, _TENSOR_CONTENT, _TENSOR_FLOATS = 1, 2, 4, 5
_SHAPE_DIMENSION = 2
_DIMENSION_SIZE = 1
_FLOAT = 1  # the type of float32 tensors; others are skipped


def looks_like(start: bytes) -> bool:
    """Tell by the first bytes whether a file may be a graph: it begins with a node, which begins with its name."""
    name = b"\x0a"  # field 1, of the kind that has a length
    try:
        _, position = _varint(memoryview(start), 1)
    except ValueError:
        return False
    return start[:1] == name and start[position : position + 1] == name


def read(path: Path) -> dict[str, Array]:
    """Return the float32 constants of the graph by name, except numbers without a shape. Raises WeightsError."""
    try:
        graph = memoryview(path.read_bytes())
        tensors = {}
        for field, kind, node in _fields(graph):
            if (field, kind) == (_GRAPH_NODE, _BYTES):
                name, tensor = _constant(node)
                if tensor is not None:
                    tensors[name] = tensor
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{path}: this is not a whole and sound TensorFlow graph: {error}") from error
    if not tensors:
        raise WeightsError(f"{path}: this TensorFlow graph holds no weights; is it frozen?")
    return tensors


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """Return the number at a position, 7 bits a byte, and the position after it."""
    number = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("it ends in the middle of a number")
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
    raise ValueError("a number in it does not end")


def _fields(message: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Yield number, kind and value of each field of a message: an int, or the bytes, which are not copied."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield field, kind, value
            continue
        if kind == _BYTES:
            size, position = _varint(message, position)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"it has a field of the unknown kind {kind}")
        if size > len(message) - position:
            raise ValueError(f"a field of {size} bytes in it is longer than the rest of the file")
        yield field, kind, message[position : position + size]
        position += size


def _constant(node: memoryview) -> tuple[str, Array | None]:
    """Return the name of a node, and its tensor if it is a float32 constant with a shape."""
    name, operation, tensor = "", "", None
    for field, kind, value in _fields(node):
        if (field, kind) == (_NODE_NAME, _BYTES):
            name = bytes(value).decode()
        elif (field, kind) == (_NODE_OPERATION, _BYTES):
            operation = bytes(value).decode()
        elif (field, kind) == (_NODE_ATTRIBUTE, _BYTES):
            entry = {part: content for part, part_kind, content in _fields(value) if part_kind == _BYTES}
            if entry.get(_ATTRIBUTE_NAME) == b"value":
                parts = _fields(entry.get(_ATTRIBUTE_VALUE, memoryview(b"")))
                tensor = next((part for number, k, part in parts if (number, k) == (_VALUE_TENSOR, _BYTES)), None)
    return name, _tensor(tensor) if operation == "Const" and tensor is not None else None


def _tensor(message: memoryview) -> Array | None:
    """Return a tensor of float32 with a shape; None for another."""
    shape: list[int] = []
    content = floats = memoryview(b"")
    letters = 0
    for field, kind, value in _fields(message):
        if (field, kind) == (_TENSOR_TYPE, _VARINT):
            letters = value
        elif (field, kind) == (_TENSOR_SHAPE, _BYTES):
            shape = [_size(part) for number, k, part in _fields(value) if (number, k) == (_SHAPE_DIMENSION, _BYTES)]
        elif (field, kind) == (_TENSOR_CONTENT, _BYTES):
            content = value
        elif field == _TENSOR_FLOATS and kind in (_FIXED32, _BYTES):
            floats = value  # a single number for the whole tensor, or all numbers, packed
    if letters != _FLOAT or not shape:
        return None
    count = math.prod(shape)
    data = content or floats
    if len(data) == 4 * count:
        return np.frombuffer(data, "<f4").reshape(shape).astype(np.float32, copy=False)
    if len(data) == 4 and count < 1 << 24:  # one number for all; the limit is above the size of our largest tensor
        return np.full(shape, np.frombuffer(data, "<f4")[0], np.float32)
    raise ValueError(f"a tensor of shape {shape} has {len(data)} bytes")


def _size(dimension: memoryview) -> int:
    """Return the size of a dimension."""
    return next((value for field, kind, value in _fields(dimension) if (field, kind) == (_DIMENSION_SIZE, _VARINT)), 0)

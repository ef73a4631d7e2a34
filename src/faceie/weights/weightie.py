"""Tensors from ``.weights`` files of faceie 0.0.5 (the format of its library *weightie* 0.0.1).

A file has raw arrays, each at a multiple of 64 KiB. A pickle of nested named tuples follows, in which each array is a
reference with offset, shape and type. The last 4 bytes are the length of the pickle (little-endian). The pickle is read
by `pickles`, with plain tuples as substitutes for the classes of faceie 0.0.5, none of which is imported.

The tensors have no names, so they are named by their indices in the tree: ``0.2.1`` is part 1 of part 2 of part 0.
Single numbers are tensors without dimensions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsError
from ..types import Array
from . import pickles

__all__ = ["looks_like", "read"]

_LENGTH = 4  # bytes, at the end of the file: the length of the pickle
_PROTOCOL = re.compile(rb"\x80[\x02-\x05]")  # how a pickle begins
_NUMBERS = ("f4", "f8")


class ArrayReference(NamedTuple):
    """Substitute for a reference to an array."""

    offset: int
    shape: tuple[int, ...]
    letters: str


def _reference(offset: Any, shape: Any, letters: Any) -> ArrayReference:
    counts = (offset, *shape)
    if letters not in _NUMBERS or not all(type(count) is int and 0 <= count < 1 << 48 for count in counts):
        raise ValueError("it refers to something that is not an array of numbers")
    return ArrayReference(offset, tuple(shape), letters)


def _dtype(letters: Any, *_: Any) -> Any:
    """Stand in for ``numpy.dtype``."""
    return letters


def _record(*parts: Any) -> tuple[Any, ...]:
    """Stand in for a named tuple."""
    return parts


_CLASSES = (
    "facenet.model.FaceNetWeights",
    "facenet.model.StemWeights",
    "facenet.model.InceptionResNetAWeights",
    "facenet.model.ReductionAWeights",
    "facenet.model.InceptionResNetBWeights",
    "facenet.model.ReductionBWeights",
    "facenet.model.InceptionResNetCWeights",
    "facenet.model.ConvolutionalUnitWeights",
    "nn_arguments.BatchNormalisationWeights",
    "nn_arguments.Conv2DWeights",
    "nn_arguments.LinearWeights",
)
_ALLOWED: Mapping[str, Any] = {
    "weightie.serialiser._NDArrayOffset": _reference,
    "numpy.dtype": _dtype,
    **{f"faceie.{name}": _record for name in _CLASSES},
}


def looks_like(path: Path) -> bool:
    """Tell by the end of a file whether it may have this format."""
    with path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(0, size - _LENGTH))
        length = int.from_bytes(file.read(_LENGTH), "little")
        if not 2 < length <= min(pickles.LIMIT, size - _LENGTH):
            return False
        file.seek(size - _LENGTH - length)
        return _PROTOCOL.match(file.read(2)) is not None


def read(path: Path) -> dict[str, Array]:
    """Return the tensors by their indices in the tree, as float32. Raises WeightsError."""
    try:
        data = np.memmap(path, np.uint8, "r")
        length = int.from_bytes(data[-_LENGTH:].tobytes(), "little")
        if length > len(data) - _LENGTH:
            raise ValueError(f"its pickle of {length} bytes is longer than the file")
        arrays, end = data[: -_LENGTH - length], data[-_LENGTH - length : -_LENGTH]
        tree, _ = pickles.load(end.tobytes(), _ALLOWED, lambda reference: reference)
        leaves = list(_leaves(tree, length))
        # Arrays do not share bytes in these files. Many references to the same bytes could fill the memory.
        if sum(math.prod(leaf.shape) for _, leaf in leaves if type(leaf) is ArrayReference) > len(data):
            raise ValueError("its arrays together are larger than the file")
        return {name: _array(leaf, arrays) for name, leaf in leaves}
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise WeightsError(f"{path}: this is not a whole and sound file of faceie 0.0.5: {error}") from error


def _leaves(tree: Any, limit: int) -> Iterator[tuple[str, Any]]:
    """Yield the arrays and numbers of nested tuples, with their indices.

    `limit`: the largest number of parts, one a byte of the pickle. Tuples that share parts could be endless.
    """
    waiting = [("", tree)]
    while waiting:
        name, node = waiting.pop()
        limit -= 1
        if limit < 0:
            raise ValueError("it is a tree whose branches grow together")
        if type(node) in (tuple, list):
            children = [(f"{name}.{i}" if name else str(i), part) for i, part in enumerate(node)]
            waiting.extend(reversed(children))
        elif type(node) in (ArrayReference, float):
            yield name, node
        elif node is not None:  # a layer without bias has None for it
            raise ValueError("it holds something that is neither an array nor a number")


def _array(leaf: ArrayReference | float, arrays: NDArray[np.uint8]) -> Array:
    if isinstance(leaf, float):
        return np.array(leaf, np.float32)
    size = math.prod(leaf.shape) * int(leaf.letters[1])
    if leaf.offset > len(arrays) - size:
        raise ValueError(
            f"an array of shape {leaf.shape} at byte {leaf.offset} reaches beyond the {len(arrays)} bytes of arrays"
        )
    numbers = arrays[leaf.offset : leaf.offset + size].view(f"<{leaf.letters}").reshape(leaf.shape)
    return numbers.astype(np.float32)

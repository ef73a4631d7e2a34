"""Our own format: safetensors, read by mapping the file into memory.

A file is 8 bytes, the length of the header (little-endian); the header, JSON, ``{name: {"dtype", "shape",
"data_offsets"}}`` with texts about the file under ``"__metadata__"``; and then the bytes of all tensors, without gaps.
(The format is that of Hugging Face's library of this name, which reads our files.) Ours are float32 only, and the
tensors begin at a multiple of 4096 bytes.

Nothing in a file can be run, and every number in it is checked against the size of the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsError
from ..files import replacing
from ..types import Array

__all__ = ["looks_like", "read", "write"]

_FLOAT = np.dtype("<f4")
_HEADER_LIMIT = 1 << 20  # bytes; ours has some 25,000
_PAGE = 4096  # bytes: a tensor at the start of a page is mapped without waste and aligned for any processor


def looks_like(start: bytes) -> bool:
    """Tell by the first bytes of a file whether it may be of this format."""
    return len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= _HEADER_LIMIT


def read(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the tensors of a file, and its metadata.

    The tensors are read-only views of the mapped file: nothing is copied, and a page is read when it is first touched.
    Raises WeightsError for a file that deviates from the format in any detail.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(_HEADER_LIMIT, size - 8):
                raise ValueError(f"its header of {length} bytes does not fit")
            header = json.loads(file.read(length).decode(), object_pairs_hook=_without_duplicates)
        if not isinstance(header, dict):
            raise ValueError("its header is not a dictionary")
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("its metadata are not texts")
        data = np.memmap(path, np.uint8, "r", offset=8 + length) if size > 8 + length else np.empty(0, np.uint8)
        return _tensors(header, data), metadata
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: this is not a whole and sound safetensors file: {error}") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice in its header")
    return result


def _tensors(header: dict[str, Any], data: NDArray[np.uint8]) -> dict[str, Array]:
    """Cut the data into tensors, which must cover all of it, in any order, without gaps and without overlaps."""
    tensors, spans = {}, []
    for name, entry in header.items():
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"the entry of tensor {name!r} does not follow the format")
        shape, offsets = entry["shape"], entry["data_offsets"]
        if entry["dtype"] != "F32":
            raise ValueError(f"tensor {name!r} is of type {entry['dtype']!r}, expected F32")
        if not _is_counts(shape) or not _is_counts(offsets) or len(offsets) != 2:
            raise ValueError(f"tensor {name!r} has a shape or offsets that are not lists of counts")
        start, stop = offsets
        if not start <= stop <= len(data) or stop - start != 4 * math.prod(shape) or start % 4:
            raise ValueError(
                f"tensor {name!r} of shape {shape} does not fit its bytes {start} to {stop} of {len(data)}"
            )
        spans.append((start, stop))
        tensors[name] = data[start:stop].view(_FLOAT).reshape(shape)
    ends = [0]
    for start, stop in sorted(spans):
        if start != ends[-1]:
            raise ValueError(f"its tensors leave a gap or overlap at byte {min(start, ends[-1])}")
        ends.append(stop)
    if ends[-1] != len(data):
        raise ValueError(f"its tensors end at byte {ends[-1]} of {len(data)}")
    return tensors


def _is_counts(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 48 for value in values)


def write(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write tensors, in their order, to a file. The same tensors and metadata give the same bytes.

    The file appears under its name when it is complete. Raises WeightsError if it cannot be written.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, tensor in tensors.items():
        size = 4 * tensor.size
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % _PAGE)  # the format allows spaces at the end
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for tensor in tensors.values():
                file.write(np.ascontiguousarray(tensor, _FLOAT).data)
    except OSError as error:
        raise WeightsError(f"{path}: weights cannot be written here: {error}") from error

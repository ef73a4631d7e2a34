"""Tensors from PyTorch's files, without PyTorch: a ``state_dict``, in either of its two formats.

*Zip*, since version 1.6: an archive with ``<folder>/data.pkl``, a pickle of the dictionary. In it, each tensor refers
by a key to its storage, ``<folder>/data/<key>``, raw numbers. *Legacy*, before: four pickles one after the other (a
magic number, the version, facts about the machine, the dictionary), then a fifth, the list of keys, and for each key
the count of numbers (8 bytes) and the raw numbers. (The formats are those of ``torch/serialization.py``.)

The pickles are read by `pickles`, with the few names that a dictionary of tensors needs. Their substitutes are records
of texts and numbers.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ..errors import WeightsError
from ..types import Array
from . import pickles

__all__ = ["LEGACY_START", "ZIP_START", "read"]

ZIP_START = b"PK\x03\x04"
_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b"\x80\x02\x8a\x0a" + _MAGIC.to_bytes(10, "little")
_VERSION = 1001
_DIMENSIONS = 8  # that a tensor may have: kernels have four, and old versions of NumPy crash at more than 32


class StorageType(NamedTuple):
    """Substitute for one of PyTorch's classes of storages."""

    letters: str  # the type of its numbers, as NumPy writes it


class Storage(NamedTuple):
    """Substitute for a storage, which has the numbers of tensors."""

    letters: str
    key: str
    size: int


class Tensor(NamedTuple):
    """Substitute for a tensor: a part of a storage, with a shape."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _storage(reference: Any) -> Storage:
    """Make a storage from a reference to it.

    The reference is ("storage", type, key, device, count). In legacy files, the storage that it is a view of follows.
    """
    word, kind, key, _device, count, *view = reference
    if word != "storage" or type(kind) is not StorageType or type(key) is not str or not _is_count(count):
        raise ValueError("it refers to something that is not a storage")
    if view and view != [None]:
        raise ValueError("it has a view of a storage, which PyTorch has not written since version 0.4")
    return Storage(kind.letters, key, count)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_training: Any) -> Tensor:
    """Stand in for ``torch._utils._rebuild_tensor_v2``."""
    if (
        type(storage) is not Storage
        or len(shape) != len(strides)
        or not all(map(_is_count, (offset, *shape, *strides)))
    ):
        raise ValueError("it has a tensor that is not made of a storage, an offset, a shape and strides")
    if len(shape) > _DIMENSIONS:
        raise ValueError(f"it has a tensor of {len(shape)} dimensions")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor: Any, *_training: Any) -> Any:
    """Stand in for ``torch._utils._rebuild_parameter``."""
    return tensor


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 48


def _dictionary() -> dict[str, Any]:
    """Stand in for ``collections.OrderedDict``, which pickles make empty and fill later."""
    return {}


_LETTERS = {
    "Float": "f4",
    "Double": "f8",
    "Half": "f2",
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
}
_ALLOWED = {
    "collections.OrderedDict": _dictionary,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch.Size": tuple,
    **{f"torch.{name}Storage": StorageType(letters) for name, letters in _LETTERS.items()},
}


def read(path: Path) -> dict[str, Array]:
    """Return the tensors of a ``state_dict`` by name, as float32, except tensors of whole numbers.

    The ``state_dict`` may also be a value of the dictionary, as in checkpoints. Raises WeightsError.
    """
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == ZIP_START
        dictionary, data = _read_zip(path) if is_zip else _read_legacy(path)
        tensors = _state_dict(dictionary)
        # Tensors may share numbers, as tied weights do. But many tensors of the same few numbers could fill the memory.
        if sum(math.prod(tensor.shape) for tensor in tensors.values()) > path.stat().st_size:
            raise ValueError("its tensors together are much larger than the file")
        return {name: _numbers(tensor, data) for name, tensor in tensors.items() if tensor.storage.letters[0] == "f"}
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        RecursionError,
        zipfile.BadZipFile,
        NotImplementedError,
    ) as error:
        raise WeightsError(f"{path}: this is not a whole and sound PyTorch file of weights: {error}") from error


def _state_dict(dictionary: Any) -> dict[str, Tensor]:
    """Return the dictionary of tensors: this one, or one of its values."""
    for candidate in (dictionary, *(dictionary.values() if type(dictionary) is dict else ())):
        if type(candidate) is dict and candidate and all(type(value) is Tensor for value in candidate.values()):
            return candidate
    raise ValueError("it holds no dictionary of tensors (a state_dict)")


def _numbers(tensor: Tensor, data: dict[str, NDArray[np.uint8]]) -> Array:
    """Return a tensor's numbers as float32. All sizes are checked against the file before memory is allocated."""
    storage, offset, shape, strides = tensor
    numbers = data[storage.key].view(f"<{storage.letters}")
    if len(numbers) != storage.size:
        raise ValueError(f"storage {storage.key!r} has {len(numbers)} numbers, and claims {storage.size}")
    count = math.prod(shape)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if count > len(numbers) or (count and last >= len(numbers)):
        raise ValueError(f"a tensor of shape {shape} reaches beyond its storage of {len(numbers)} numbers")
    steps = tuple(stride * numbers.itemsize for stride in strides)
    view = as_strided(numbers[min(offset, len(numbers)) :], shape, steps, writeable=False)
    return view.astype(np.float32)


def _read_zip(path: Path) -> tuple[Any, dict[str, NDArray[np.uint8]]]:
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        for member in members.values():
            # PyTorch does not compress, and an uncompressed member is not larger than the file.
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > path.stat().st_size:
                raise ValueError(f"its member {member.filename!r} is compressed or larger than the file")
        roots = [name.removesuffix("data.pkl") for name in members if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise ValueError("it is a zip archive without one data.pkl: is it TorchScript, or no weights at all?")
        root = roots[0]
        if members.get(f"{root}byteorder") and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("its numbers are big-endian")
        dictionary, _ = pickles.load(archive.read(f"{root}data.pkl"), _ALLOWED, _storage)
        keys = {tensor.storage.key for tensor in _state_dict(dictionary).values()}
        return dictionary, {key: np.frombuffer(archive.read(f"{root}data/{key}"), np.uint8) for key in keys}


def _read_legacy(path: Path) -> tuple[Any, dict[str, NDArray[np.uint8]]]:
    data = path.read_bytes()
    position = 0

    def load() -> Any:
        nonlocal position
        loaded, size = pickles.load(data[position : position + pickles.LIMIT], _ALLOWED, _storage)
        position += size
        return loaded

    if load() != _MAGIC or load() != _VERSION:
        raise ValueError("it does not begin as PyTorch's legacy format does")
    if not load()["little_endian"]:
        raise ValueError("its numbers are big-endian")
    dictionary, keys = load(), load()
    storages = {tensor.storage.key: tensor.storage for tensor in _state_dict(dictionary).values()}
    numbers = {}
    for key in keys:
        count, position = int.from_bytes(data[position : position + 8], "little"), position + 8
        size = count * np.dtype(storages[key].letters).itemsize
        if size > len(data) - position:
            raise ValueError(f"storage {key!r} claims {count} numbers, which is more than the file has left")
        numbers[key] = np.frombuffer(data, np.uint8, size, position)
        position += size
    return dictionary, numbers

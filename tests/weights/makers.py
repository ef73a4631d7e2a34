"""Files of weights, honest and hostile, put together byte by byte.

The first part is an assembler of pickles: each function gives the bytes that push something on the stack of the pickle
machine (see the standard library's ``pickletools`` for the operations). The second part makes files of each format.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

END = b"."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def integer(value: int) -> bytes:
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def group(*items: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(items) + b"t"


def name(module: str, attribute: str) -> bytes:
    """A global."""
    return f"c{module}\n{attribute}\n".encode()


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + group(*arguments) + b"R"


def dictionary(items: Mapping[str, bytes]) -> bytes:
    return call(name("collections", "OrderedDict")) + b"(" + b"".join(text(k) + v for k, v in items.items()) + b"u"


def storage(key: str, count: int, kind: str = "FloatStorage") -> bytes:
    return group(text("storage"), name("torch", kind), text(key), text("cpu"), integer(count)) + b"Q"


def tensor(where: bytes, shape: Sequence[int], strides: Sequence[int] | None = None, offset: int = 0) -> bytes:
    if strides is None:
        strides = [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]
    parts = [integer(offset), group(*map(integer, shape)), group(*map(integer, strides)), b"\x89"]
    return call(name("torch._utils", "_rebuild_tensor_v2"), where, *parts, call(name("collections", "OrderedDict")))


def torch_zip(
    pickled: bytes, storages: Mapping[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED
) -> bytes:
    """A file of PyTorch 1.6 and later."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("weights/data.pkl", b"\x80\x02" + pickled + END)
        for key, data in (storages or {}).items():
            archive.writestr(f"weights/data/{key}", data)
    return file.getvalue()


def torch_legacy(pickled: bytes, storages: Mapping[str, bytes] | None = None, count: int | None = None) -> bytes:
    """A file of PyTorch before 1.6."""
    storages = storages or {}
    keys = b"]" + b"(" + b"".join(map(text, storages)) + b"e"
    magic = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
    information = b"}" + text("little_endian") + b"\x88s"
    pickles = b"".join(b"\x80\x02" + part + END for part in (magic, integer(1001), information, pickled, keys))
    numbers = (struct.pack("<q", len(data) // 4 if count is None else count) + data for data in storages.values())
    return pickles + b"".join(numbers)


def torch_state_dict(tensors: Mapping[str, np.ndarray]) -> tuple[bytes, dict[str, bytes]]:
    """The pickle and the storages of a state_dict."""
    pickled = {k: tensor(storage(str(i), a.size), a.shape) for i, (k, a) in enumerate(tensors.items())}
    return dictionary(pickled), {str(i): a.astype("<f4").tobytes() for i, a in enumerate(tensors.values())}


def weightie(pickled: bytes, arrays: bytes = b"") -> bytes:
    """A ``.weights`` file of faceie 0.0.5."""
    pickled = b"\x80\x04" + pickled + END
    return arrays + pickled + struct.pack("<I", len(pickled))


def weightie_array(offset: int, shape: Sequence[int], letters: str = "f4") -> bytes:
    dtype = call(name("numpy", "dtype"), text(letters), b"\x89", b"\x88")
    return (
        call(name("weightie.serialiser", "_NDArrayOffset"), integer(offset), group(*map(integer, shape)), dtype) + b"Q"
    )


def varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def field(number: int, value: bytes | int) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensorflow_constant(title: str, shape: Sequence[int], content: bytes, kind: int = 1) -> bytes:
    sizes = b"".join(field(2, field(1, size)) for size in shape)
    value = field(1, kind) + field(2, sizes) + field(4, content)
    attribute = field(1, b"value") + field(2, field(8, value))
    return field(1, field(1, title.encode()) + field(2, b"Const") + field(5, attribute))


def tensorflow(tensors: Mapping[str, np.ndarray]) -> bytes:
    """A frozen graph, with a node that is not a constant."""
    other = field(1, field(1, b"input") + field(2, b"Placeholder"))
    constants = (tensorflow_constant(k, a.shape, a.astype("<f4").tobytes()) for k, a in tensors.items())
    return other + b"".join(constants)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path

"""The directories of a TIFF file, one a picture. RAW files of most makers have the same form."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

__all__ = ["Directory", "directories", "from_directory", "is_raw"]

_MAGIC = {b"II*\0": "<", b"MM\0*": ">", b"IIU\0": "<", b"IIRO": "<", b"IIRS": "<", b"MMOR": ">"}
_FORMATS = {1: "B", 2: "c", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I"}
_SUBFILE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _MAKE = 254, 256, 257, 262, 271
_SUB_DIRECTORIES, _DNG_VERSION = 330, 50706
_SENSOR_DATA = (32803, 34892)  # photometric: color filter array, linear raw
_MOST = 64  # directories that are read
_LONGEST = 4096  # values of a tag that is read


class Directory(NamedTuple):
    """A picture of a TIFF file, by its tags."""

    offset: int
    tags: dict[int, tuple[int, ...]]
    """Numbers only; of text, its bytes."""

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first value of a tag."""
        return self.tags.get(tag, (default,))[0]

    @property
    def size(self) -> tuple[int, int]:
        return self.number(_WIDTH), self.number(_HEIGHT)

    @property
    def is_reduced(self) -> bool:
        """Whether the picture is marked as a smaller version or a mask."""
        return bool(self.number(_SUBFILE) & 0b101)

    @property
    def is_sensor_data(self) -> bool:
        return self.number(_PHOTOMETRIC) in _SENSOR_DATA

    @property
    def make(self) -> str:
        return bytes(value & 255 for value in self.tags.get(_MAKE, ())).decode("ascii", "replace").strip("\0 ")


def directories(file: BinaryIO) -> list[Directory]:
    """Return all directories of a TIFF file, the main one first; an empty list for other files."""
    found: list[Directory] = []
    file.seek(0)
    header = file.read(8)
    order = _MAGIC.get(header[:4])
    if order is None or len(header) < 8:
        return found
    waiting = [struct.unpack(order + "I", header[4:8])[0]]
    seen: set[int] = set()
    while waiting and len(found) < _MOST:
        offset = waiting.pop(0)
        if offset == 0 or offset in seen:
            continue
        seen.add(offset)
        try:
            directory, following = _directory(file, order, offset)
        except (struct.error, OSError, OverflowError, ValueError):
            continue
        found.append(directory)
        waiting += [*directory.tags.get(_SUB_DIRECTORIES, ()), following]
    return found


def is_raw(found: list[Directory]) -> bool:
    """Tell whether a file is RAW: it has sensor data, or is marked as DNG."""
    return bool(found) and (_DNG_VERSION in found[0].tags or any(one.is_sensor_data for one in found))


def from_directory(content: bytes, directory: Directory) -> bytes:
    """Return the file with this directory first, so that any decoder reads its picture."""
    order = _MAGIC[content[:4]]
    magic = struct.pack(order + "2sH", content[:2], 42)
    return magic + struct.pack(order + "I", directory.offset) + content[8:]


def _directory(file: BinaryIO, order: str, offset: int) -> tuple[Directory, int]:
    file.seek(offset)
    (count,) = struct.unpack(order + "H", file.read(2))
    block = file.read(12 * count + 4)
    tags = dict(_tags(file, order, block, count))
    following = block[12 * count :]
    return Directory(offset, tags), struct.unpack(order + "I", following)[0] if len(following) == 4 else 0


def _tags(file: BinaryIO, order: str, block: bytes, count: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    for at in range(0, 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", block, at)
        if kind not in _FORMATS or not 0 < length <= _LONGEST:
            continue
        form = f"{order}{length}{_FORMATS[kind] if kind != 2 else 'B'}"
        size = struct.calcsize(form)
        data = block[at + 8 : at + 8 + size]
        if size > 4:
            file.seek(struct.unpack_from(order + "I", block, at + 8)[0])
            data = file.read(size)
        if len(data) == size:
            yield tag, struct.unpack(form, data)

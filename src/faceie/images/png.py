"""Repair of PNG files whose metadata is too large or damaged: only chunks that affect the pixels are kept."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

__all__ = ["is_png", "without_bad_chunks"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"PLTE", b"tRNS", b"IDAT")
_REPAIRED = (b"IHDR", b"IEND")  # kept with a new checksum: the decoder notices if they are wrong
_USEFUL = (b"gAMA", b"cHRM", b"sRGB", b"eXIf", b"iCCP", b"iTXt")
_XMP = b"XML:com.adobe.xmp\0"
_LARGEST = 1_000_000  # bytes of metadata, unpacked; Pillow's limit is 1 MiB


def is_png(start: bytes) -> bool:
    """Tell a PNG by its first bytes."""
    return start.startswith(_SIGNATURE)


def without_bad_chunks(content: bytes, *, ignore_checksums: bool = False) -> bytes:
    """Return a PNG without metadata that is unused, damaged or too large.

    `ignore_checksums`: whether to use pixels whose checksum is wrong, too.
    """
    parts = [_SIGNATURE]
    for kind, data, checksum in _chunks(content):
        right = zlib.crc32(kind + data) == checksum
        if kind in _REPAIRED or (kind in _PIXELS and ignore_checksums):
            parts.append(_chunk(kind, data, zlib.crc32(kind + data)))
        elif kind in _PIXELS or (kind in _USEFUL and right and _is_sound(kind, data)):
            parts.append(_chunk(kind, data, checksum))
    return b"".join(parts)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield kind, data and checksum of each chunk; the last one may be incomplete."""
    at = len(_SIGNATURE)
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        data = content[at + 8 : at + 8 + length]
        checksum = int.from_bytes(content[at + 8 + length : at + 12 + length], "big")
        if len(data) == length or kind == b"IDAT":
            yield kind, data, zlib.crc32(kind + data) if len(data) < length else checksum
        if kind == b"IEND":
            return
        at += 12 + length


def _chunk(kind: bytes, data: bytes, checksum: int) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _is_sound(kind: bytes, data: bytes) -> bool:
    """Tell whether metadata can be unpacked and is small enough."""
    if kind == b"iCCP":
        return _unpacks(data.partition(b"\0")[2][1:])
    if kind == b"iTXt":
        compressed, text = data[len(_XMP) : len(_XMP) + 1], data[len(_XMP) + 2 :].split(b"\0", 2)[-1]
        return data.startswith(_XMP) and (_unpacks(text) if compressed == b"\1" else len(data) < _LARGEST)
    return len(data) < _LARGEST


def _unpacks(data: bytes) -> bool:
    decoder = zlib.decompressobj()
    try:
        decoder.decompress(data, _LARGEST)
    except zlib.error:
        return False
    return decoder.eof

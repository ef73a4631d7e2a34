"""RAW files and TIFF files of several pictures, made for tests."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 10: 8}


def directory(tags: dict[int, tuple[int, Any]], offset: int, following: int = 0) -> bytes:
    """Return a directory of a TIFF file (little endian) at this offset, with the values that do not fit behind it."""
    head, tail = struct.pack("<H", len(tags)), b""
    behind = offset + 2 + 12 * len(tags) + 4
    for tag, (kind, value) in sorted(tags.items()):
        form = f"<{len(value)}{'H' if kind == 3 else 'I'}"
        data = value if isinstance(value, bytes) else struct.pack(form, *value)
        count = len(data) // _SIZES[kind]
        if len(data) > 4:
            data, tail = struct.pack("<I", behind + len(tail)), tail + data + bytes(len(data) % 2)
        head += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
    return head + struct.pack("<I", following) + tail


def gray(image: Image.Image, at: int, *, reduced: bool) -> dict[int, tuple[int, Any]]:
    """Return the tags of an uncompressed gray picture whose pixels are at this offset."""
    return {
        254: (4, [int(reduced)]),
        256: (4, [image.width]),
        257: (4, [image.height]),
        258: (3, [8]),
        259: (3, [1]),
        262: (3, [1]),
        273: (4, [at]),
        277: (3, [1]),
        278: (4, [image.height]),
        279: (4, [image.width * image.height]),
    }


def two_pictures(first: Image.Image, second: Image.Image, *, sub: bool, dng: bool) -> bytes:
    """Return a TIFF file whose first picture is a reduced version of the second, in a sub-directory or behind it."""
    pixels = [first.convert("L").tobytes(), second.convert("L").tobytes()]
    start, places = 8 + sum(map(len, pixels)), [8, 8 + len(pixels[0])]
    tags = gray(first, places[0], reduced=True) | ({50706: (1, b"\1\4\0\0")} if dng else {})
    if sub:
        tags[330] = (4, [0])
    other = start + len(directory(tags, start))
    if sub:
        tags[330] = (4, [other])
    content = struct.pack("<2sHI", b"II", 42, start) + b"".join(pixels)
    content += directory(tags, start, 0 if sub else other)
    return content + directory(gray(second, places[1], reduced=False), other)


def dng(preview: Image.Image, width: int, height: int, orientation: int) -> bytes:
    """Return a DNG with a JPEG preview, and a gray gradient as the data of its sensor."""
    file = io.BytesIO()
    preview.save(file, "JPEG", quality=95)
    jpeg = file.getvalue() + bytes(len(file.getvalue()) % 2)
    sensor = np.tile(np.linspace(500, 60000, width).astype("<u2"), (height, 1)).tobytes()
    start = 8 + len(jpeg) + len(sensor)
    unit = struct.pack("<ii", 1, 1)
    zero = struct.pack("<ii", 0, 1)
    tags: dict[int, tuple[int, Any]] = {
        254: (4, [0]),
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [16]),
        259: (3, [1]),
        262: (3, [32803]),
        271: (2, b"Faceie\0"),
        272: (2, b"Test\0"),
        273: (4, [8 + len(jpeg)]),
        274: (3, [orientation]),
        277: (3, [1]),
        278: (4, [height]),
        279: (4, [len(sensor)]),
        306: (2, b"2015:07:11 11:18:19\0"),
        330: (4, [0]),
        33421: (3, [2, 2]),
        33422: (1, b"\0\1\1\2"),
        50706: (1, b"\1\4\0\0"),
        50707: (1, b"\1\1\0\0"),
        50708: (2, b"Faceie Test\0"),
        50721: (10, unit + zero * 3 + unit + zero * 3 + unit),
        50778: (3, [21]),
    }
    other = start + len(directory(tags, start))
    tags[330] = (4, [other])
    small = {
        254: (4, [1]),
        256: (4, [preview.width]),
        257: (4, [preview.height]),
        258: (3, [8, 8, 8]),
        259: (3, [7]),
        262: (3, [6]),
        273: (4, [8]),
        277: (3, [3]),
        278: (4, [preview.height]),
        279: (4, [len(file.getvalue())]),
    }
    content = struct.pack("<2sHI", b"II", 42, start) + jpeg + sensor
    return content + directory(tags, start) + directory(small, other)

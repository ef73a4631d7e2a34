"""JPEG files that end early: whether pixels are missing, and a repair that makes the others readable."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

__all__ = ["lacks_pixels", "with_end"]

_END = b"\xff\xd9"
_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_SOS, _NO_LENGTH = 0xDA, {0x01, *range(0xD0, 0xDA)}
_COEFFICIENTS = 64

# Bits to append where a file ends. Each bit is once 0 and once 1 in the last two.
_CONTINUATIONS = (b"", b"\xa5\x5a" * 512, b"\x5a\xa5" * 512)


def with_end(content: bytes, continuation: bytes = b"") -> bytes:
    """Return a JPEG with an end marker, which Pillow's decoder needs."""
    return content.rstrip(b"\xff") + continuation + _END  # the first half of an end marker


def lacks_pixels(content: bytes) -> bool:
    """Tell whether a JPEG without its end lacks more than the end marker.

    If it has all pixels, they do not depend on appended bits. If it is progressive and lacks a whole scan, some
    coefficients are not at their full precision.
    """
    if not _has_all_scans(content):
        return True
    pixels: bytes | None = None
    for continuation in _CONTINUATIONS:
        try:
            other = _pixels(with_end(content, continuation))
        except OSError:  # the decoder gives up: data is missing
            return True
        if pixels is not None and other != pixels:
            return True
        pixels = other
    return False


def _pixels(content: bytes) -> bytes:
    Image.init()
    image = Image.OPEN["JPEG"][0](io.BytesIO(content), "")  # without a second check of its size
    return image.tobytes()


def _has_all_scans(content: bytes) -> bool:
    """Tell whether the scans have all bits of each coefficient of each component (ITU-T T.81, G.1.1)."""
    progressive = False
    missing: dict[int, set[int]] = {}  # by component, the incomplete coefficients
    for marker, segment in _segments(content):
        if marker in _SOF and len(segment) > 5:
            progressive = marker in _PROGRESSIVE
            missing = {segment[at]: set(range(_COEFFICIENTS)) for at in range(6, len(segment) - 2, 3)}
        elif marker == _SOS and segment and len(segment) >= 1 + 2 * segment[0] + 3:
            first, last, bits = segment[1 + 2 * segment[0] :][:3]
            for at in range(1, 1 + 2 * segment[0], 2):
                if not progressive:
                    missing.pop(segment[at], None)
                elif not bits & 15 and segment[at] in missing:
                    missing[segment[at]] -= set(range(first, last + 1))
    return bool(content) and not any(missing.values())


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and contents of each segment; the data of scans are skipped."""
    at = content.find(b"\xff", 2)
    while 0 <= at < len(content) - 3:
        marker = content[at + 1]
        if marker in (0x00, 0xFF) or marker in _NO_LENGTH:  # stuffing, padding, a marker by itself
            at = content.find(b"\xff", at + (1 if marker == 0xFF else 2))
            continue
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        yield marker, content[at + 4 : at + 2 + length]
        at = content.find(b"\xff", at + 2 + length)

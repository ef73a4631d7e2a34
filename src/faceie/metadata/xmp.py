"""XMP packets: read from photos and from files beside them, and parsed behind a guard.

A packet is XML that anybody may have written. So document types, and with them entities, are refused, and bytes, depth
and elements are limited. To parse the largest packet takes less than 300 MB.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from ..errors import ImageError, MetadataError
from ..files import not_a_file
from ..images.decoding import Request, open_file
from ..images.formats import START, identify

__all__ = ["parse_xml", "photo_packets", "read_file"]

_MOST_BYTES = 16_000_000  # 10,000 regions in the longest form take 9 million
_MOST_ELEMENTS = 500_000
_DEEPEST = 100

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENDED = re.compile(rb"HasExtendedXMP\s*(?:=\s*[\"']|>\s*)([0-9A-Fa-f]{32})")
_XMP_TAG = 700  # of TIFF
_PNG_XMP = b"XML:com.adobe.xmp\0"
_PNG_PROFILE = b"Raw profile type xmp\0"

_DECLARATION = re.compile(r"^<\?xml\s[^>]*?\?>")
_ENCODING = re.compile(rb"^<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
_NO_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")  # characters that XML forbids
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,8}));")


def parse_xml(packet: bytes) -> Element:
    """Parse XML in any encoding, with text around it. Raises MetadataError for XML that is broken or dangerous."""
    if len(packet) > _MOST_BYTES:
        raise MetadataError(f"its metadata has {len(packet):,} bytes, expected at most {_MOST_BYTES:,}")
    text = _without_forbidden(_decoded(packet))
    text = text[max(text.find("<"), 0) : text.rfind(">") + 1 or None]
    if not text.strip():
        raise MetadataError("its metadata is empty")
    if text.count("=") > _MOST_ELEMENTS:  # the parser holds all attributes of an element before the guard sees one
        raise MetadataError(f"its metadata is refused: it has more than {_MOST_ELEMENTS:,} attributes")
    parser = XMLParser(target=_Guard())
    try:
        parser.feed(_DECLARATION.sub("", text))
        root: Element = parser.close()
    except ParseError as error:
        raise MetadataError(f"its metadata is not valid XML: {error}") from error
    return root


class _Guard:
    """Build a tree of elements, and refuse dangerous XML."""

    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._depth = 0
        self._count = 0
        self.data = self._builder.data
        self.close = self._builder.close

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1 + len(attributes)
        if self._depth > _DEEPEST or self._count > _MOST_ELEMENTS:
            raise MetadataError("its metadata is refused: it has too many elements, or they are nested too deeply")
        self._builder.start(tag, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(tag)

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise MetadataError("its metadata is refused: it declares a document type, which can hide large entities")


def _decoded(packet: bytes) -> str:
    """Decode a packet by its byte order mark, its first character or its declaration; by default, UTF-8."""
    start = packet.lstrip(b" \r\n\t")[:4] if packet[:1] != b"\0" else packet[:4]
    for beginning, encoding in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"<\0\0\0", "utf-32-le"),
        (b"\0\0\0<", "utf-32-be"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
        (b"<\0", "utf-16-le"),
        (b"\0<", "utf-16-be"),
    ):
        if start.startswith(beginning):
            return packet.decode(encoding, "replace")
    declared = _ENCODING.match(packet.removeprefix(b"\xef\xbb\xbf").lstrip())
    for encoding in ("utf-8-sig", declared[1].decode() if declared else "cp1252"):
        with suppress(ValueError, LookupError):  # of bytes, or of an encoding that Python does not know
            return packet.decode(encoding)
    return packet.decode("latin-1")


def _without_forbidden(text: str) -> str:
    """Remove characters that XML forbids, and references to them: some programs write them into names."""

    def allowed(match: re.Match[str]) -> str:
        number = int(match[1], 16) if match[1] else int(match[2])
        return match[0] if number <= 0x10FFFF and not _NO_XML.match(chr(number)) else ""

    return _REFERENCE.sub(allowed, _NO_XML.sub("", text))


def read_file(path: Path, most: int = _MOST_BYTES) -> bytes:
    """Read a small file beside a photo. Raises MetadataError if it is too large or cannot be read."""
    try:
        about = path.stat()
        if other := not_a_file(about.st_mode):  # opening a pipe would wait for its other end
            raise MetadataError(f"this is {other}, expected a file")
        if about.st_size > most:
            raise MetadataError(f"it has {about.st_size:,} bytes, expected at most {most:,}")
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise MetadataError(f"it cannot be read: {error.strerror or error}") from error


def photo_packets(path: Path) -> list[bytes]:
    """Return the XMP packets in a photo, the most important first. Raises MetadataError."""
    try:
        if other := not_a_file(path.stat().st_mode):
            raise MetadataError(f"this is {other}, expected a photo")
        with path.open("rb") as file:
            start = file.read(START)
            family = identify(start).family
            if start.startswith(b"\xff\xd8"):
                return _in_jpeg(file)
            if start.startswith(b"\x89PNG\r\n\x1a\n"):
                return list(_in_png(file))
            if family in ("tiff", "raw"):
                return _in_tiff(file)
        xmp = open_file(path, Request(max_pixels=1_000_000_000, decode=False)).xmp
    except ImageError as error:  # before ValueError, which it is
        raise MetadataError(str(error)) from error
    except OSError as error:
        raise MetadataError(f"it cannot be read: {error.strerror or error}") from error
    except (struct.error, OverflowError, ValueError) as error:
        raise MetadataError("its metadata ends early") from error
    if isinstance(xmp, str):
        xmp = xmp.encode("utf-8", "surrogateescape")
    return [xmp] if xmp else []


def _in_jpeg(file: BinaryIO) -> list[bytes]:
    """Return the packets of the segments APP1. Parts of an extended packet are put together."""
    packets: list[bytes] = []
    parts: dict[bytes, dict[int, bytes]] = {}
    size = 0
    for segment in _segments(file):
        size += len(segment)
        if size > _MOST_BYTES:
            raise MetadataError(f"its metadata has more than {_MOST_BYTES:,} bytes")
        if segment.startswith(_XMP):
            packets.append(segment[len(_XMP) :])
        elif segment.startswith(_EXTENSION) and len(segment) > len(_EXTENSION) + 40:
            about = segment[len(_EXTENSION) :]
            (offset,) = struct.unpack_from(">I", about, 36)
            parts.setdefault(about[:32].upper(), {})[offset] = about[40:]
    # A part that no packet names is left over from an earlier version.
    names = {match[1].upper() for packet in packets for match in _EXTENDED.finditer(packet)}
    return packets + [b"".join(data for _, data in sorted(parts[name].items())) for name in sorted(names & set(parts))]


def _segments(file: BinaryIO) -> Iterator[bytes]:
    """Yield the contents of the segments APP1 of a JPEG."""
    file.seek(2)
    while len(marker := file.read(2)) == 2 and marker[0] == 0xFF:
        while marker[1] == 0xFF:  # padding
            following = file.read(1)
            if not following:
                return
            marker = b"\xff" + following
        if marker[1] in (0x01, *range(0xD0, 0xD9)):
            continue
        if marker[1] in (0xD9, 0xDA):  # the end, or pixels
            return
        (length,) = struct.unpack(">H", file.read(2))
        content = file.read(max(length - 2, 0))
        if marker[1] == 0xE1:
            yield content


def _in_png(file: BinaryIO) -> Iterator[bytes]:
    """Yield the packets in the chunks of a PNG, which may lie behind the pixels."""
    file.seek(8)
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind not in (b"iTXt", b"tEXt", b"zTXt") or length > _MOST_BYTES:
            file.seek(length + 4, 1)
            continue
        content = file.read(length)
        file.seek(4, 1)
        if kind == b"iTXt" and content.startswith(_PNG_XMP):
            packed, rest = content[len(_PNG_XMP)], content[len(_PNG_XMP) + 2 :]
            text = rest.split(b"\0", 2)[-1]
            yield _unpacked(text) if packed else text
        elif kind != b"iTXt" and content.startswith(_PNG_PROFILE):  # of ImageMagick, in hexadecimal numbers
            text = content[len(_PNG_PROFILE) :]
            words = (_unpacked(text[1:]) if kind == b"zTXt" else text).split()
            try:
                yield bytes.fromhex(b"".join(words[2:]).decode("ascii"))
            except ValueError as error:
                raise MetadataError("its metadata is damaged") from error


def _unpacked(data: bytes) -> bytes:
    """Unpack compressed metadata, up to a limit."""
    import zlib

    decoder = zlib.decompressobj()
    try:
        text = decoder.decompress(data, _MOST_BYTES)
    except zlib.error as error:
        raise MetadataError("its metadata is damaged") from error
    if decoder.unconsumed_tail:
        raise MetadataError(f"its metadata has more than {_MOST_BYTES:,} bytes")
    return text


def _in_tiff(file: BinaryIO) -> list[bytes]:
    """Return the packet of the first directory of a TIFF file, or of a RAW file of this form."""
    file.seek(0)
    header = file.read(16)
    order = "<" if header[:2] == b"II" else ">"
    is_big = header[2:4] in (b"+\0", b"\0+")
    if header[:2] not in (b"II", b"MM"):
        return []
    (offset,) = struct.unpack_from(order + ("Q" if is_big else "I"), header, 8 if is_big else 4)
    count_form, entry_form = ("Q", "HHQQ") if is_big else ("H", "HHII")
    file.seek(offset)
    (count,) = struct.unpack(order + count_form, file.read(struct.calcsize(order + count_form)))
    size = struct.calcsize(order + entry_form)
    block = file.read(min(count, 4096) * size)
    for tag, _, length, at in struct.iter_unpack(order + entry_form, block[: len(block) // size * size]):
        if tag == _XMP_TAG and length > size:
            if length > _MOST_BYTES:
                raise MetadataError(f"its metadata has {length:,} bytes, expected at most {_MOST_BYTES:,}")
            file.seek(at)
            return [file.read(length)]
    return []

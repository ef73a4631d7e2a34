"""Packets in photos of all formats and in sidecars of all encodings; hostile ones are refused."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from faceie import MetadataError
from faceie.images.formats import heif_is_readable
from faceie.metadata.rdf import Properties
from faceie.metadata.regions import read_names
from faceie.metadata.xmp import parse_xml, photo_packets, read_file

from ..conftest import ROOT
from .packets import EXTENSION, XMP, bag, extended, packet, photo, with_segments

PEOPLE = packet(f"<Iptc4xmpExt:PersonInImage>{bag(['Zoë'])}</Iptc4xmpExt:PersonInImage>")


def names(packets: list[bytes]) -> list[str]:
    return read_names(Properties([parse_xml(packet) for packet in packets]))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    """The packet is found in each format; a photo without one has none."""
    if suffix == "avif" and ".avif" not in Image.registered_extensions():
        pytest.skip("this Pillow writes no AVIF")
    assert names(photo_packets(photo(tmp_path / f"a.{suffix}", PEOPLE))) == ["Zoë"]
    assert photo_packets(photo(tmp_path / f"b.{suffix}")) == []


@pytest.mark.skipif(not heif_is_readable(), reason="pillow-heif is not installed")
def test_heic(tmp_path: Path) -> None:
    import pillow_heif

    heif = pillow_heif.from_pillow(Image.new("RGB", (64, 48), "gray"))
    heif.save(tmp_path / "a.heic", xmp=PEOPLE)
    assert names(photo_packets(tmp_path / "a.heic")) == ["Zoë"]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    "written",
    [
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PEOPLE),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(PEOPLE)),
        chunk(b"tEXt", b"Raw profile type xmp\0\nxmp\n    %d\n%s\n" % (len(PEOPLE), PEOPLE.hex().encode())),
        chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(b"\nxmp\n 9\n" + PEOPLE.hex().encode())),
    ],
)
def test_png_behind_the_pixels(tmp_path: Path, written: bytes) -> None:
    """exiftool writes the packet behind the pixels, some programs pack it, ImageMagick writes hexadecimal numbers."""
    content = photo(tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:-12] + written + content[-12:])
    assert names(photo_packets(tmp_path / "a.png")) == ["Zoë"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_by_hand(tmp_path: Path, order: str, big: bool) -> None:
    """Both orders of bytes, and files of more than 4 GB; RAW files of most makers have this form."""
    mark = b"II" if order == "<" else b"MM"
    if big:
        entry = struct.pack(order + "HHQQ", 700, 7, len(PEOPLE), 16 + 8 + 20 + 8)
        header = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16) + struct.pack(order + "Q", 1)
        content = header + entry + bytes(8)
    else:
        entry = struct.pack(order + "HHII", 700, 1, len(PEOPLE), 8 + 2 + 12 + 4)
        content = mark + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", 1) + entry + bytes(4)
    (tmp_path / "a.dng").write_bytes(content + PEOPLE)
    assert names(photo_packets(tmp_path / "a.dng")) == ["Zoë"]


def test_extended_packets(tmp_path: Path) -> None:
    """A packet of more than 64 kB is put together from its parts, in any order."""
    guid = b"0123456789ABCDEF" * 2
    main = packet("", f'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{guid.decode()}"')
    people = [f"Person {i}" for i in range(5000)]
    extension = packet(f"<Iptc4xmpExt:PersonInImage>{bag(people)}</Iptc4xmpExt:PersonInImage>")
    assert len(extension) > 120_000
    assert names(photo_packets(extended(tmp_path / "a.jpg", main, extension, guid))) == people
    # Parts that the packet does not name are left over from an earlier version.
    assert names(photo_packets(extended(tmp_path / "b.jpg", packet(""), extension, guid))) == []
    # A part is missing: told, not guessed.
    parts = [EXTENSION + guid + struct.pack(">II", len(extension), 0) + extension[:60000]]
    path = with_segments(tmp_path / "c.jpg", XMP + main, *parts)
    with pytest.raises(MetadataError, match="not valid XML"):
        names(photo_packets(path))


def test_several_packets(tmp_path: Path) -> None:
    """Of several packets in one photo, the first one with a property counts."""
    path = with_segments(tmp_path / "a.jpg", XMP + packet("<dc:title>x</dc:title>"), b"Exif\0\0", XMP + PEOPLE)
    assert names(photo_packets(path)) == ["Zoë"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0" encoding="UTF-8"?>\n'])
def test_encodings(encoding: str, declaration: str) -> None:
    """All encodings of Unicode, with and without a mark, whatever the declaration says."""
    assert names([(declaration + PEOPLE.decode()).encode(encoding)]) == ["Zoë"]


def test_old_encodings() -> None:
    """Some programs write the alphabet of the system, with or without saying so."""
    text = PEOPLE.decode().replace("\ufeff", "")
    assert names([text.encode("cp1252")]) == ["Zoë"]
    assert names([b'<?xml version="1.0" encoding="iso-8859-15"?>' + text.encode("iso-8859-15")]) == ["Zoë"]
    assert names([b'<?xml version="1.0" encoding="rot13"?>' + text.encode("cp1252")]) == ["Zo\u00eb"]


def test_padding_and_surroundings() -> None:
    """Zeros and blanks around a packet do not matter."""
    assert names([b"\0\0  " + PEOPLE + b" " * 2000 + b"\0"]) == ["Zoë"]


BOMB = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))


@pytest.mark.parametrize(
    "hostile",
    [
        f'<!DOCTYPE x [<!ENTITY a0 "ha">{BOMB}]><x>&a9;</x>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
        "<!doctype x><x/>",
        "<a>" * 200 + "</a>" * 200,
        "<x>" + "<a/>" * 600_000 + "</x>",
        "<x>" + "a" * 16_000_000 + "</x>",
        "<x " + " ".join(f'a{i}=""' for i in range(600_000)) + "/>",
        "<x>&undefined;</x>",
        "<x><y></x>",
        "<x",
        "no XML",
        "",
        "\0\0\0\0",
    ],
    ids=range(14),
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_hostile_xml(hostile: str, encoding: str) -> None:
    """Entities, depth and size are refused with a reason, in no time."""
    start = time.monotonic()
    with pytest.raises(MetadataError, match=r"\w+"):
        parse_xml(hostile.encode(encoding))
    assert time.monotonic() - start < 10


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc")
def test_hostile_xml_takes_little_memory(tmp_path: Path) -> None:
    """The most expensive packets take less than half a gigabyte, with Python and NumPy."""
    program = """
import re, sys
from pathlib import Path
from faceie import MetadataError
from faceie.metadata.xmp import parse_xml
try:
    parse_xml(Path(sys.argv[1]).read_bytes())
except MetadataError:
    pass
print(int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(ROOT)])}
    for text in (
        "<x " + " ".join(f'a{i}=""' for i in range(1_200_000)) + "/>",
        "<x " + " ".join(f'a{i}=""' for i in range(490_000)) + "/>",
        "<x>" + "<a/>" * 3_900_000 + "</x>",
        "<x>" + "<a/>" * 490_000 + "</x>",
    ):
        (tmp_path / "packet").write_text(text)
        command = [sys.executable, "-c", program, tmp_path / "packet"]
        run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert run.returncode == 0, run.stderr
        assert int(run.stdout) < 500


def test_damaged_photos(tmp_path: Path) -> None:
    """A photo that ends anywhere gives a packet, none or an error of Faceie, never another one."""
    for suffix in ("jpg", "png", "webp", "tif"):
        content = photo(tmp_path / f"a.{suffix}", PEOPLE).read_bytes()
        path = tmp_path / f"b.{suffix}"
        for end in range(0, len(content), 37):
            path.write_bytes(content[:end])
            try:
                names(photo_packets(path))
            except MetadataError:
                continue


@pytest.mark.skipif(os.name != "posix", reason="named pipes are POSIX's")
def test_files_that_are_none(tmp_path: Path) -> None:
    """Missing files, folders and pipes are errors of Faceie, and nothing waits for a pipe."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", "pipe", "."):
        with pytest.raises(MetadataError, match=r"cannot be read|expected"):
            photo_packets(tmp_path / name)
        with pytest.raises(MetadataError, match=r"cannot be read|expected"):
            read_file(tmp_path / name)
    (tmp_path / "large").write_bytes(bytes(101))
    with pytest.raises(MetadataError, match="101 bytes, expected at most 100"):
        read_file(tmp_path / "large", 100)

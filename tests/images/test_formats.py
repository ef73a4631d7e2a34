"""Formats: the message for a file that is not a photo names its format and a remedy."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from PIL import Image

from faceie.errors import ImageError
from faceie.images import open_image
from faceie.images.formats import SUFFIXES, identify


def ftyp(brand: bytes, *others: bytes) -> bytes:
    body = brand + bytes(4) + b"".join(others)
    return struct.pack(">I", 8 + len(body)) + b"ftyp" + body


PACKET = b"G" + bytes(187)

# Files by their contents, and words of the message.
FILES = {
    "empty": (b"", "this is an empty file"),
    "zeros": (bytes(4096), "a file of zeros, whose contents are lost"),
    "web page": (b"\n<!DOCTYPE html><html>", "a web page"),
    "web page with a mark": (b"\xef\xbb\xbf<HTML>", "a web page"),
    "SVG": (b'<?xml version="1.0"?><svg>', "an SVG drawing"),
    "text": ("Gr\u00fc\u00dfe aus K\u00f6ln".encode(), "a text file"),
    "text of Windows": ("hello".encode("utf-16"), "a text file"),
    "long text": ("\u00e9".encode() * 511 + b"a", "a text file"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
    "AppleDouble": (b"\0\5\x16\7" + bytes(99), "in which macOS keeps attributes"),
    "PDF": (b"%PDF-1.7", "a PDF document"),
    "ZIP": (b"PK\3\4", "a ZIP archive"),
    "QuickTime": (ftyp(b"qt  "), "a video; save single pictures"),
    "old QuickTime": (b"\0\0\0\x08wide\0\0\1\0mdat", "a video"),
    "MP4": (ftyp(b"isom", b"mp42"), "a video"),
    "3GP": (ftyp(b"3gp5"), "a video"),
    "AVI": (b"RIFF\0\0\0\0AVI LIST", "a video"),
    "Matroska": (b"\x1aE\xdf\xa3", "a video"),
    "WMV": (b"0&\xb2u\x8ef\xcf\x11", "a video"),
    "MTS": (PACKET * 3, "a video"),
    "M2TS": ((b"1234" + PACKET) * 3, "a video"),
    "sound": (b"RIFF\0\0\0\0WAVEfmt ", "a sound file"),
    "CR3": (ftyp(b"crx ", b"crx ", b"isom"), r"a RAW photo of Canon \(CR3\)"),
    "CR2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(99), r"a RAW photo of Canon \(CR2\)"),
    "CRW": (b"II\x1a\0\0\0HEAPCCDR", r"a RAW photo of Canon \(CRW\)"),
    "RAF": (b"FUJIFILMCCD-RAW 0201", r"a RAW photo of Fujifilm \(RAF\)"),
    "RW2": (b"IIU\0\x18\0\0\0" + bytes(99), r"a RAW photo of Panasonic \(RW2\)"),
    "ORF": (b"IIRO\x08\0\0\0" + bytes(99), r"a RAW photo of Olympus \(ORF\)"),
    "X3F": (b"FOVb" + bytes(99), r"a RAW photo of Sigma \(X3F\)"),
    "MRW": (b"\0MRM" + bytes(99), r"a RAW photo of Minolta \(MRW\)"),
    "JPEG XL": (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL photo; save it as a JPEG"),
    "JPEG XL stream": (b"\xff\x0a\xfa\x1f", "a JPEG XL photo"),
    "PSD": (b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 8, 8, 16, 3) + bytes(99), "a Photoshop file of 16 bits a channel"),
    "PSB": (b"8BPS\0\2" + bytes(99), "a large Photoshop file"),
    "HEIC": (ftyp(b"heic", b"mif1"), "a HEIC photo, but it is damaged"),
    "HEIC by brands": (ftyp(b"mif1", b"heic"), "a HEIC photo, but it is damaged"),
    "AVIF": (ftyp(b"mif1", b"avif"), "an AVIF photo"),
    "JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG photo, but it is damaged"),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0", "a PNG image, but it is damaged"),
    "TIFF": (b"II*\0\x08\0\0\0\0\0", "a TIFF image, but it is damaged"),
    "unknown": (bytes(range(128, 256)), "not a photo of a format that Faceie knows"),
}


@pytest.mark.parametrize("name", FILES)
def test_refusals_name_the_format(name: str, tmp_path: Path) -> None:
    """A message names the format of the file, and no class of Pillow; the suffix does not matter."""
    if "HEIC" in name:
        pytest.importorskip("pillow_heif")
    content, words = FILES[name]
    path = tmp_path / "IMG_1.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=words) as caught:
        open_image(path)
    assert "Error" not in str(caught.value)
    with pytest.raises(ImageError, match=words):
        open_image(path, truncated=True, max_pixels=1000)


def test_suffix_tells_the_maker(tmp_path: Path) -> None:
    """RAW files that are TIFF files by form are told by their suffixes."""
    path = tmp_path / "DSC_1.NEF"
    path.write_bytes(b"MM\0*\0\0\0\x08" + bytes(99))
    with pytest.raises(ImageError, match=r"this is a RAW photo of Nikon \(NEF\)"):
        open_image(path)


def test_packages_that_would_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an optional package, the message says how to install it."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setitem(sys.modules, "rawpy", None)
    for name, command in (("HEIC", "pip install pillow-heif"), ("CR3", "pip install rawpy")):
        path = tmp_path / name
        path.write_bytes(FILES[name][0])
        with pytest.raises(ImageError, match=f"; to .*: {command}"):
            open_image(path)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP"])
def test_photos_are_identified(format: str, tmp_path: Path) -> None:
    """The common formats are recognized by their first bytes."""
    Image.new("RGB", (8, 8)).save(tmp_path / "photo", format)
    assert identify((tmp_path / "photo").read_bytes()[:512]).family == ("tiff" if format == "TIFF" else "photo")


def test_table_of_suffixes() -> None:
    """Each suffix is in lower case, with its dot, and has one family."""
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)
    assert {SUFFIXES[suffix] for suffix in (".hif", ".avif", ".mpo", ".nef", ".jxl", ".psb", ".mov")} == {
        "heif",
        "avif",
        "photo",
        "raw",
        "jxl",
        "psd",
        "video",
    }

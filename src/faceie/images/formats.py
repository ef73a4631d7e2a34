"""Formats: the suffixes of photos, RAW files and videos, and the format of a file by its first bytes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

from PIL import features

__all__ = [
    "START",
    "SUFFIXES",
    "Format",
    "avif_is_readable",
    "heif_is_readable",
    "identify",
    "maker_of",
    "raw_is_readable",
    "raw_name",
]

#: Bytes from the start of a file that `identify` needs.
START = 512

_RAW_MAKERS = {
    "Adobe": "dng",
    "Canon": "cr2 cr3 crw",
    "Nikon": "nef nrw",
    "Sony": "arw srf sr2",
    "Olympus": "orf",
    "Panasonic": "rw2",
    "Fujifilm": "raf",
    "Pentax": "pef",
    "Samsung": "srw",
    "Sigma": "x3f",
    "Hasselblad": "3fr",
    "Epson": "erf",
    "Kodak": "kdc dcr",
    "Minolta": "mrw",
    "Leica": "rwl",
    "Phase One": "iiq",
    "Leaf": "mos",
    "Mamiya": "mef",
}
_SUFFIXES = {
    "photo": "jpg jpeg jpe jfif mpo png webp gif tif tiff bmp jp2 jpx jpf j2k j2c jpc",
    "heif": "heic heif hif heics",
    "avif": "avif",
    "raw": " ".join(_RAW_MAKERS.values()),
    "jxl": "jxl",
    "psd": "psd psb",
    "video": "mov mp4 m4v avi mts m2ts 3gp mkv webm wmv",
}

#: The family of files with each suffix, in small letters with the dot.
SUFFIXES = {f".{suffix}": family for family, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}

_MAKER = {f".{suffix}": maker for maker, suffixes in _RAW_MAKERS.items() for suffix in suffixes.split()}

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
_AVIF = (b"avif", b"avis")
_ANY_HEIF = (b"mif1", b"msf1", b"miaf", b"mif2")
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


class Format(NamedTuple):
    """The format of a file, by its contents."""

    family: str
    """As in `SUFFIXES`; "tiff" for photos and RAW files alike, "other" for everything else, "" if unknown."""
    name: str
    """With its article: "a web page"."""


_UNKNOWN = Format("", "not a photo of a format that Faceie knows")
_HEIC_PHOTO, _AVIF_PHOTO = Format("heif", "a HEIC photo"), Format("avif", "an AVIF photo")
_VIDEO, _ZIP = Format("video", "a video"), Format("other", "a ZIP archive")

# The offset of some bytes, the bytes, and the format that has them.
_SIGNATURES: list[tuple[int, bytes, Format]] = [
    (0, b"\xff\xd8\xff", Format("photo", "a JPEG photo")),
    (0, b"\x89PNG\r\n\x1a\n", Format("photo", "a PNG image")),
    (0, b"GIF8", Format("photo", "a GIF image")),
    (0, b"\0\0\0\x0cjP  ", Format("photo", "a JPEG 2000 photo")),
    (0, b"\xff\x4f\xff\x51", Format("photo", "a JPEG 2000 photo")),
    (8, b"WEBP", Format("photo", "a WebP image")),
    (0, b"BM", Format("photo", "a BMP image")),
    (0, b"II\x1a\0\0\0HEAPCCDR", Format("raw", "a RAW photo of Canon (CRW)")),
    (0, b"FUJIFILMCCD-RAW", Format("raw", "a RAW photo of Fujifilm (RAF)")),
    (0, b"FOVb", Format("raw", "a RAW photo of Sigma (X3F)")),
    (0, b"\0MRM", Format("raw", "a RAW photo of Minolta (MRW)")),
    (0, b"IIU\0", Format("raw", "a RAW photo of Panasonic (RW2)")),
    (0, b"IIRO", Format("raw", "a RAW photo of Olympus (ORF)")),
    (0, b"IIRS", Format("raw", "a RAW photo of Olympus (ORF)")),
    (0, b"MMOR", Format("raw", "a RAW photo of Olympus (ORF)")),
    (8, b"CR\2", Format("raw", "a RAW photo of Canon (CR2)")),
    (0, b"II*\0", Format("tiff", "a TIFF image")),
    (0, b"MM\0*", Format("tiff", "a TIFF image")),
    (0, b"II+\0", Format("tiff", "a BigTIFF image")),
    (0, b"MM\0+", Format("tiff", "a BigTIFF image")),
    (0, b"\0\0\0\x0cJXL ", Format("jxl", "a JPEG XL photo")),
    (0, b"\xff\x0a", Format("jxl", "a JPEG XL photo")),
    (8, b"AVI ", _VIDEO),
    (0, b"\x1aE\xdf\xa3", _VIDEO),  # Matroska, WebM
    (0, b"0&\xb2u\x8ef\xcf\x11", _VIDEO),  # ASF: WMV
    (0, b"\0\0\1\xba", _VIDEO),  # MPEG
    (0, b"\0\0\1\xb3", _VIDEO),
    (0, b"FLV\1", _VIDEO),
    (0, b"%PDF", Format("other", "a PDF document")),
    (0, b"PK\3\4", _ZIP),
    (0, b"PK\5\6", _ZIP),
    (0, b"Rar!", Format("other", "a RAR archive")),
    (0, b"7z\xbc\xaf\x27\x1c", Format("other", "a 7-Zip archive")),
    (0, b"\x1f\x8b", Format("other", "a gzip archive")),
    (0, b"\0\5\x16\7", Format("other", "a file in which macOS keeps attributes, without the photo itself")),
    (0, b"version https://git-lfs", Format("other", "a pointer of Git LFS, without the photo itself")),
    (0, b"SQLite format 3\0", Format("other", "an SQLite database")),
    (0, b"\xd0\xcf\x11\xe0", Format("other", "an Office document")),
    (0, b"ID3", Format("other", "a sound file")),
    (0, b"OggS", Format("other", "a sound file")),
    (0, b"fLaC", Format("other", "a sound file")),
    (8, b"WAVE", Format("other", "a sound file")),
    (0, b"MZ", Format("other", "a program")),
    (0, b"\x7fELF", Format("other", "a program")),
]

_TEXTS = [
    ("<!doctype html", "a web page"),
    ("<html", "a web page"),
    ("<svg", "an SVG drawing"),
    ("%!ps", "a PostScript document"),
]


def heif_is_readable() -> bool:
    """Tell whether the package that decodes HEIC is installed."""
    return find_spec("pillow_heif") is not None


def avif_is_readable() -> bool:
    """Tell whether this version of Pillow decodes AVIF."""
    return "avif" in features.modules and bool(features.check("avif"))


def raw_is_readable() -> bool:
    """Tell whether the package that decodes RAW photos is installed."""
    return find_spec("rawpy") is not None


def identify(start: bytes) -> Format:
    """Return the format of a file that starts with these bytes, `START` of them or the whole file."""
    if not start:
        return Format("other", "an empty file")
    if start[4:8] == b"ftyp":
        return _by_brands(start)
    if start[4:8] in _QUICKTIME_BOXES or _is_transport_stream(start):
        return _VIDEO
    if start[:4] == b"8BPS":
        return _photoshop(start)
    if start[8:12] in (b"WEBP", b"AVI ", b"WAVE") and start[:4] != b"RIFF":
        return _UNKNOWN
    for offset, signature, format in _SIGNATURES:
        if start.startswith(signature, offset) and (offset != 8 or start[:4] in (b"RIFF", b"II*\0")):
            return format
    if not start.strip(b"\0"):
        return Format("other", "a file of zeros, whose contents are lost")
    return _text(start)


def maker_of(suffix: str) -> str | None:
    """Return the maker of the cameras whose RAW photos have this suffix."""
    return _MAKER.get(suffix.lower())


def raw_name(maker: str, suffix: str) -> str:
    """Return the name of a maker's RAW photos, for messages."""
    kind = suffix.lstrip(".").upper()
    return f"a RAW photo of {maker}" + (f" ({kind})" if suffix.lower() in _MAKER else "")


def _by_brands(start: bytes) -> Format:
    """Tell the formats of ISO/IEC 14496-12 apart: by the major brand, or else by the compatible ones."""
    major = start[8:12]
    end = min(int.from_bytes(start[:4], "big"), len(start))
    brands = [major, *(start[at : at + 4] for at in range(16, end, 4))]
    if major == b"crx ":
        return Format("raw", "a RAW photo of Canon (CR3)")
    if major == b"jxl ":
        return Format("jxl", "a JPEG XL photo")
    if major in (*_HEIC, *_AVIF, *_ANY_HEIF):
        if major in _AVIF or (major in _ANY_HEIF and any(brand in _AVIF for brand in brands)):
            return _AVIF_PHOTO
        return _HEIC_PHOTO
    if major in (b"M4A ", b"M4B "):
        return Format("other", "a sound file")
    return _VIDEO


def _is_transport_stream(start: bytes) -> bool:
    """Tell MPEG transport streams: packets of 188 bytes, or 192 with a time stamp, each with a sync byte."""
    return (
        start[:1] == start[188:189] == start[376:377] == b"G" or start[4:5] == start[196:197] == start[388:389] == b"G"
    )


def _photoshop(start: bytes) -> Format:
    depth = int.from_bytes(start[22:24], "big")
    if start[4:6] == b"\0\2":
        return Format("psd", "a large Photoshop file (PSB)")
    return Format("psd", f"a Photoshop file of {depth} bits a channel")


def _text(start: bytes) -> Format:
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = start.decode(encoding)
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # not a character that is cut off
            return _UNKNOWN
        text = start[: error.start].decode(encoding)
    text = text.strip().lower()
    for beginning, name in _TEXTS:
        if text.startswith(beginning) or (text.startswith(("<?xml", "<!--")) and beginning in text):
            return Format("other", name)
    printable = all(character.isprintable() or character.isspace() for character in text)
    return Format("other", "a text file, not a photo") if printable else _UNKNOWN

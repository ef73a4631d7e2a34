"""Dates of photos: the first valid one from EXIF, XMP and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from faceie.images import date_taken, read_photo
from faceie.images.dates import date_in_name, date_taken_by, parse_date

ORIGINAL, DIGITIZED, OFFSET = 0x9003, 0x9004, 0x9011
_RDF = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description {}/></rdf:RDF>'
_NAMESPACES = (
    ' xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
)


def exif(changed: str | None = None, **details: str) -> Image.Exif:
    tags = Image.Exif()
    if changed:
        tags[0x0132] = changed
    names = {"original": ORIGINAL, "digitized": DIGITIZED, "offset": OFFSET}
    if details:
        tags[0x8769] = {names[name]: text for name, text in details.items()}
    loaded = Image.Exif()
    loaded.load(tags.tobytes())
    return loaded


def xmp(**dates: str) -> bytes:
    names = {"exif": "exif:DateTimeOriginal", "photoshop": "photoshop:DateCreated", "xmp": "xmp:CreateDate"}
    attributes = " ".join(f'{names[name]}="{date}"' for name, date in dates.items())
    return _RDF.format(_NAMESPACES + " " + attributes).encode()


EXPECTED = "2015-07-11T11:18:19"
RIGHT, WRONG = "2015:07:11 11:18:19", "2021:05:31 21:47:45"


@pytest.mark.parametrize(
    ("tags", "packet", "expected"),
    [
        (exif(original=RIGHT, digitized=WRONG, changed=WRONG), xmp(exif=WRONG), EXPECTED),
        (exif(original=RIGHT, offset="+02:00"), None, EXPECTED + "+02:00"),
        (exif(original=RIGHT, offset="   :  "), None, EXPECTED),
        (exif(original="0000:00:00 00:00:00", changed=WRONG), xmp(exif="2015-07-11T11:18:19.00"), EXPECTED),
        (exif(digitized=WRONG), xmp(photoshop="2015-07-11T11:18:19"), EXPECTED),
        (exif(digitized=WRONG), xmp(xmp="2015-07-11T11:18:19-05:00", photoshop="0000"), EXPECTED + "-05:00"),
        (None, xmp(xmp="2021-05-31", photoshop="2021-05-30", exif="2015-07-11T11:18:19Z"), EXPECTED + "+00:00"),
        (exif(digitized=RIGHT, changed=WRONG), None, EXPECTED),
        (exif(changed=RIGHT), b"<broken", EXPECTED),
        (exif(changed=RIGHT), b'<!DOCTYPE a [<!ENTITY b "c">]>' + xmp(exif=WRONG), EXPECTED),
        (exif(changed=RIGHT), xmp(exif=WRONG) + b" " * 5_000_000, EXPECTED),
        (exif(changed=RIGHT), xmp(exif="2015-07-11T11:18:19").decode().encode("utf-16"), EXPECTED),
        (exif(original="1799:01:01 00:00:00", changed="2999:01:01 00:00:00"), None, None),
        (None, None, None),
    ],
)
def test_order_of_the_sources(tags: Image.Exif | None, packet: bytes | None, expected: str | None) -> None:
    """The first source with a valid date counts."""
    assert date_taken_by(tags, packet, "") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019:06:01 12:30:00", "2019-06-01T12:30:00"),
        ("2019:06:01 12:30:00\0", "2019-06-01T12:30:00"),
        ("2019-06-01T12:30:00.123456", "2019-06-01T12:30:00"),
        ("2019/06/01 12:30", "2019-06-01T12:30:00"),
        ("2019:6:1 9:05:07", "2019-06-01T09:05:07"),
        ("2019-06-01T12:30:00+0530", "2019-06-01T12:30:00+05:30"),
        ("2016:12:31 23:59:60", "2016-12-31T23:59:59"),
        ("2019-06-01", "2019-06-01"),
        ("1826-06-01", "1826-06-01"),
        (b"2019:06:01 12:30:00", "2019-06-01T12:30:00"),
        ("2019:02:30 12:30:00", None),
        ("2019:06:01 25:00:00", None),
        ("    :  :     :  :  ", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (20190601, None),
    ],
)
def test_forms_of_dates(text: Any, expected: str | None) -> None:
    """Dates of EXIF and XMP are read in all common forms; invalid ones are ignored."""
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("IMG_20190601_123000", "2019-06-01T12:30:00"),
        ("20190601_123000(1)", "2019-06-01T12:30:00"),
        ("PXL_20190601_123000123.MP", "2019-06-01T12:30:00"),
        ("2019-06-01 12.30.00-2", "2019-06-01T12:30:00"),
        ("Screenshot_2019-06-01-12-30-00", "2019-06-01T12:30:00"),
        ("Screenshot 2019-06-01 at 12.30.00", "2019-06-01T12:30:00"),
        ("WhatsApp Image 2019-06-01 at 12.30.00", "2019-06-01T12:30:00"),
        ("signal-2019-06-01-123000", "2019-06-01T12:30:00"),
        ("WP_20190601_12_30_00_Pro", "2019-06-01T12:30:00"),
        ("IMG-20190601-WA0001", "2019-06-01"),
        ("2019-06-01 party", "2019-06-01"),
        ("20190601", "2019-06-01"),
        ("IMG_1234", None),
        ("DSC12345678", None),
        ("99991231_999999", None),
        ("20191301_123000", None),
        ("IMG_201906011", None),
    ],
)
def test_names_of_phones(stem: str, expected: str | None) -> None:
    """Photos without another date have that of their name; other numbers are ignored."""
    assert date_in_name(stem) == expected


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".heic"])
def test_each_format_has_its_exif(suffix: str, tmp_path: Path) -> None:
    """The date is found in the EXIF data of each format, and the photo is opened once for all."""
    path = tmp_path / f"IMG-20200101-WA0001{suffix}"
    image, tags = Image.new("RGB", (64, 48)), exif(original=RIGHT, offset="+02:00")
    if suffix == ".heic":
        heif = pytest.importorskip("pillow_heif")
        heif.from_pillow(image).save(path, exif=tags.tobytes())
    else:
        image.save(path, exif=tags)
    assert date_taken(path) == read_photo(path).taken == EXPECTED + "+02:00"


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif"])
def test_each_format_has_its_xmp(suffix: str, tmp_path: Path) -> None:
    """The date is found in the XMP packet of each format."""
    path = tmp_path / f"photo{suffix}"
    packet = xmp(exif="2015-07-11T11:18:19")
    image = Image.new("RGB", (64, 48))
    if suffix == ".tif":
        image.save(path, tiffinfo={700: packet})
    elif suffix == ".webp":
        image.save(path, xmp=packet)
    else:
        image.save(path)
        segment = b"http://ns.adobe.com/xap/1.0/\0" + packet
        content = path.read_bytes()
        head = b"\xff\xd8\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
        path.write_bytes(head + content[2:])
    assert date_taken(path) == EXPECTED


def test_name_is_the_last_resort(tmp_path: Path) -> None:
    """A photo without metadata has the date of its name."""
    path = tmp_path / "IMG_20190601_123000.png"
    Image.new("L", (4, 4)).save(path)
    assert date_taken(path) == "2019-06-01T12:30:00"

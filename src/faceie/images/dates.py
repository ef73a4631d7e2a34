"""The date on which a photo was taken: from its EXIF data, its XMP packet, or its name."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from .exif import EXIF_IFD

__all__ = ["date_in_name", "date_taken_by", "parse_date"]

_ORIGINAL, _DIGITIZED, _CHANGED = (0x9003, 0x9011), (0x9004, 0x9012), (0x0132, 0x9010)  # date, and offset from UTC
_XMP_DATES = (
    "{http://ns.adobe.com/exif/1.0/}DateTimeOriginal",
    "{http://ns.adobe.com/photoshop/1.0/}DateCreated",
    "{http://ns.adobe.com/xap/1.0/}CreateDate",
)
_LARGEST_XMP = 4_000_000  # bytes
_FIRST_YEAR = 1826  # of the oldest photo that is preserved

_DATE = re.compile(
    r"\s*(\d{4})[:/.-](\d{1,2})[:/.-](\d{1,2})"
    r"(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,]\d*)?)?\s*(Z|[+-]\d\d:?\d\d)?)?(?![\d:])"
)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")

# Names of files by phones and programs: a date and a time; a date with separators; WhatsApp's date; a date alone.
_NAMES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<!\d)(?P<year>\d{4})(?P<s>[-_.:]?)(?P<month>\d\d)(?P=s)(?P<day>\d\d)(?:[-_ .T,]+|\s*at\s*|\s*um\s*)"
        r"(?P<hour>\d\d)(?P<t>[-_.:h]?)(?P<minute>\d\d)(?P=t)(?P<second>\d\d)(?:\d{3})?(?!\d)",
        r"(?<!\d)(?P<year>\d{4})(?P<s>[-_.])(?P<month>\d\d)(?P=s)(?P<day>\d\d)(?!\d)",
        r"(?<!\d)(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)-WA\d+",
        r"^(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)$",
    )
)


def date_taken_by(exif: Mapping[int, Any] | None, xmp: bytes | str | None, stem: str) -> str | None:
    """Return the date on which a photo was taken, such as "2019-06-01T12:30:00", by the camera's clock.

    The first valid date counts: EXIF's DateTimeOriginal; XMP's; EXIF's DateTimeDigitized and DateTime; that in the name
    of the file, without its suffix. A name may have the day only: "2019-06-01". An offset from UTC follows if the photo
    has one ("+02:00"). Dates are sorted as text, so by the camera's clock, with or without an offset.
    """
    for candidate in _candidates(exif, xmp):
        if date := parse_date(*candidate):
            return date
    return date_in_name(stem)


def _candidates(exif: Mapping[int, Any] | None, xmp: bytes | str | None) -> Iterator[tuple[Any, Any]]:
    """Yield texts of dates, with those of their offsets from UTC."""
    main, details = _directories(exif)
    yield details.get(_ORIGINAL[0]), details.get(_ORIGINAL[1])
    for text in _xmp_dates(xmp) if xmp else ():
        yield text, None
    yield details.get(_DIGITIZED[0]), details.get(_DIGITIZED[1])
    yield main.get(_CHANGED[0]), details.get(_CHANGED[1])


def _directories(exif: Any) -> tuple[Mapping[int, Any], Mapping[int, Any]]:
    main: Mapping[int, Any] = {}
    details: Mapping[int, Any] = {}
    with suppress(Exception):  # Pillow raises anything for damaged metadata
        main = dict(exif) if exif is not None else {}
        details = dict(exif.get_ifd(EXIF_IFD)) if exif is not None else {}
    return main, details


def parse_date(text: Any, offset: Any = None) -> str | None:
    """Convert a date of EXIF or XMP to ISO 8601; return None if it is invalid."""
    match = _DATE.match(_as_text(text))
    if not match:
        return None
    *numbers, zone = match.groups()
    date = _iso(numbers)
    if date is None or "T" not in date:
        return date
    return date + _offset(zone or _as_text(offset))


def date_in_name(stem: str) -> str | None:
    """Return the date in the name of a file.

    The times of Pixel phones (PXL_...) are UTC, but their names do not say so. Like others, they have no offset.
    """
    for pattern in _NAMES:
        for match in pattern.finditer(stem):
            found = match.groupdict()
            if date := _iso([found.get(name) for name in ("year", "month", "day", "hour", "minute", "second")]):
                return date
    return None


def _iso(numbers: Iterable[str | None]) -> str | None:
    year, month, day, hour, minute, second = (None if text is None else int(text) for text in numbers)
    if year is None or month is None or day is None or not _FIRST_YEAR <= year <= time.gmtime().tm_year + 1:
        return None
    try:
        if hour is None:
            return datetime(year, month, day).date().isoformat()
        return datetime(year, month, day, hour, minute or 0, min(second or 0, 59)).isoformat()
    except ValueError:
        return None


def _offset(text: str) -> str:
    """Convert an offset from UTC to ISO 8601; return "" if it is invalid."""
    if text.strip() == "Z":
        return "+00:00"
    match = _OFFSET.fullmatch(text.strip())
    if not match or int(match[2]) > 14 or int(match[3]) > 59:
        return ""
    return f"{match[1]}{match[2]}:{match[3]}"


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip("\0 ") if isinstance(value, str) else ""


def _xmp_dates(packet: bytes | str) -> list[str]:
    """Return the dates of an XMP packet, the most important first.

    A large packet is ignored. So is one that declares a document type, since entities can be made to fill the memory.
    """
    if len(packet) > _LARGEST_XMP:
        return []
    if isinstance(packet, bytes):
        utf_16 = packet[:2] in (b"\xff\xfe", b"\xfe\xff")
        packet = packet.decode("utf-16" if utf_16 else "utf-8-sig", "replace")
    packet = packet.strip("\0 \r\n\t")
    if "<!DOCTYPE" in packet.upper() or "<!ENTITY" in packet.upper():
        return []
    try:
        elements = list(ElementTree.fromstring(packet).iter())
    except (ElementTree.ParseError, ValueError, LookupError):
        return []
    found: dict[str, str] = {}
    for element in elements:
        found.update((name, text) for name, text in element.attrib.items() if name in _XMP_DATES)
        if element.tag in _XMP_DATES and element.text:
            found.setdefault(element.tag, element.text)
    return [found[name] for name in _XMP_DATES if name in found]

"""People in an XMP packet: regions of faces with names, and names without regions.

========================  ============================================================================================
``mwg-rs:Regions``        of the Metadata Working Group: a center and a size, or a circle
``MP:RegionInfo``         of Microsoft: left, top, width and height
``Iptc4xmpExt:ImageRegion``  of the IPTC: a rectangle, a circle or a polygon
``acdsee-rs:Regions``     of ACDSee: an area drawn by the user, or found by the program
========================  ============================================================================================

Only one kind of regions is read from a packet, the first of these that has names. Some programs turn a photo and the
first kind with it, and forget the others.

Areas are shares of the photo as stored. ``AppliedToDimensions`` is used only for regions in pixels: programs disagree
about whether it is the size of the stored or of the upright photo.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from ..errors import MetadataError
from . import namespaces as ns
from .frames import Area
from .rdf import Properties, Value, fields, items, text
from .texts import clean_name, names_below_people
from .xmp import parse_xml

__all__ = ["Region", "read_names", "read_regions"]

_MOST = 20_000  # regions of a photo
_OUTSIDE = 0.5  # share of a photo by which a region may reach beyond its border
_NOT_FACES = ("animal", "product", "text", "barcode", "building", "artwork", "plant", "vehicle")  # IPTC's types
_REJECTED = ("denied", "rejected", "suggested")  # names that ACDSee proposes, or the user has refused


class Region(NamedTuple):
    """A named region of a photo."""

    name: str
    area: Area
    """Of the photo as stored."""


#: Width and height in pixels.
Size: TypeAlias = tuple[float, float]


def read_regions(properties: Properties, size: Size) -> list[Region]:
    """Return the named regions of people. `size`: width and height of the photo as stored."""
    for read in (_of_mwg, _of_microsoft, _of_iptc, _of_acdsee):
        regions = [Region(name, area) for name, area in read(properties, size) if name and area]
        if len(regions) > _MOST:
            raise MetadataError(f"its metadata has {len(regions):,} regions, expected at most {_MOST:,}")
        if regions:
            return regions
    return []


def read_names(properties: Properties) -> list[str]:
    """Return the names of people without regions: those of the IPTC, and keywords below People."""
    people = [text(item) for item in items(properties.get(ns.IPTC, "PersonInImage"))]
    people += [
        text(fields(person).get("personname")) for person in items(properties.get(ns.IPTC, "PersonInImageWDetails"))
    ]
    names = [clean_name(name) for name in people] + names_below_people(_keywords(properties))
    return list(dict.fromkeys(filter(None, names)))


def _keywords(properties: Properties) -> Iterator[str]:
    """Yield all keywords, with those above them."""
    for namespace, name in (
        (ns.DIGIKAM, "TagsList"),
        (ns.LIGHTROOM, "hierarchicalSubject"),
        (ns.MICROSOFT_PHOTO, "LastKeywordXMP"),
        (ns.MEDIA_PRO, "CatalogSets"),
        (ns.EXPRESSION_MEDIA, "CatalogSets"),
        (ns.ACDSEE, "keywords"),
        (ns.DUBLIN_CORE, "subject"),
    ):
        yield from map(text, items(properties.get(namespace, name)))
    categories = text(properties.get(ns.ACDSEE, "categories"))
    if categories.startswith("<"):
        try:
            root = parse_xml(categories.encode())
        except MetadataError:  # a field of one program: the others may be sound
            return
        waiting = [(category, "") for category in root]
        while waiting:
            category, above = waiting.pop(0)
            path = f"{above}|{(category.text or '').strip()}".strip("|")
            if category.get("Assigned", "1") != "0":
                yield path
            waiting += [(child, path) for child in category]


# The kinds of regions. Each yields names and areas, which may be missing.


def _of_mwg(properties: Properties, size: Size) -> Iterator[tuple[str, Area | None]]:
    regions = fields(properties.get(ns.MWG, "Regions"))
    applied = _applied_size(regions.get("appliedtodimensions"), size)
    for item in items(regions.get("regionlist")):
        region = fields(item)
        if text(region.get("type")).lower() in ("", "face"):
            rotation = _number(region.get("rotation")) or 0.0
            yield _name_of(region, properties), _centered(region.get("area"), size, applied, rotation)


def _of_microsoft(properties: Properties, size: Size) -> Iterator[tuple[str, Area | None]]:
    for item in items(fields(properties.get(ns.MP, "RegionInfo")).get("regions")):
        region = fields(item)
        numbers = [_parse(part) for part in re.split(r"[,;\s]+", text(region.get("rectangle")).strip())]
        if len(numbers) == 4 and None not in numbers:
            left, top, width, height = (number or 0.0 for number in numbers)
            yield clean_name(text(region.get("persondisplayname"))), _checked(left, top, left + width, top + height)


def _of_iptc(properties: Properties, size: Size) -> Iterator[tuple[str, Area | None]]:
    for item in items(properties.get(ns.IPTC, "ImageRegion")):
        region = fields(item)
        kinds = " ".join(_all_texts(region.get("rctype"))).lower()
        name = _name_of(region, properties)
        if "personinimage" in region or not any(kind in kinds for kind in _NOT_FACES):
            yield name, _boundary(fields(region.get("regionboundary")), size)


def _of_acdsee(properties: Properties, size: Size) -> Iterator[tuple[str, Area | None]]:
    regions = fields(properties.get(ns.ACDSEE_REGIONS, "Regions"))
    applied = _applied_size(regions.get("appliedtodimensions"), size)
    for item in items(regions.get("regionlist")):
        region = fields(item)
        is_face = text(region.get("type")).lower() in ("", "face")
        if is_face and text(region.get("nameassigntype")).lower() not in _REJECTED:
            areas = (_centered(region.get(kind), size, applied) for kind in ("dlyarea", "algarea"))
            yield clean_name(text(region.get("name"))), next(filter(None, areas), None)


def _name_of(region: dict[str, Value], properties: Properties) -> str:
    """Return the name of a region, from any field in which programs write it."""
    extensions = fields(region.get("extensions"))
    candidates: list[Value] = [region.get("name"), region.get("title")]
    for details in (region, extensions):
        candidates += items(details.get("personinimage"))[:1]
        candidates += [fields(one).get("personname") for one in items(details.get("personinimagewdetails"))[:1]]
    if "personinimage" in text(region.get("seealso")).lower():
        people = items(properties.get(ns.IPTC, "PersonInImage"))
        candidates += people if len(people) == 1 else []
    return next(filter(None, (clean_name(text(candidate)) for candidate in candidates)), "")


# Geometry


def _centered(value: Value, size: Size, applied: Size, rotation: float = 0.0) -> Area | None:
    """Return an area that is given by its center and its size, or its diameter."""
    area = fields(value)
    x, y, width, height, diameter = (_number(area.get(name)) for name in ("x", "y", "w", "h", "d"))
    is_pixels = text(area.get("unit")).lower().startswith("pixel")
    if x is None or y is None:
        return None
    if width is None or height is None:
        if diameter is None:
            return None
        # Of the shorter side, as exiftool and PhotoPrism understand it.
        side = diameter if is_pixels else diameter * min(size)
        width, height = (side, side) if is_pixels else (side / size[0], side / size[1])
    if is_pixels:
        x, y, width, height = x / applied[0], y / applied[1], width / applied[0], height / applied[1]
    width, height = _turned(width, height, rotation, size)
    return _checked(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _turned(width: float, height: float, rotation: float, size: Size) -> Size:
    """Return the size of the upright box around a rotated one.

    Lightroom adds the rotation of the photo, a multiple of a right angle, to that of the face. Its boxes are of the
    stored photo already, so only the remainder counts.
    """
    angle = rotation - round(rotation / (math.pi / 2)) * (math.pi / 2)
    cosine, sine = math.cos(angle), abs(math.sin(angle))
    x, y = width * size[0], height * size[1]
    return (x * cosine + y * sine) / size[0], (y * cosine + x * sine) / size[1]


def _boundary(boundary: dict[str, Value], size: Size) -> Area | None:
    """Return the area of a boundary of the IPTC, whose x and y are the left and the top side."""
    scale = size if text(boundary.get("rbunit")).lower().startswith("pixel") else (1, 1)
    points = [fields(vertex) for vertex in items(boundary.get("rbvertices"))]
    if points:
        xs = [_number(point.get("rbx")) for point in points]
        ys = [_number(point.get("rby")) for point in points]
        if None in xs or None in ys:
            return None
        left, right = min(filter(_given, xs)), max(filter(_given, xs))  # type: ignore[type-var]  # no None is left
        top, bottom = min(filter(_given, ys)), max(filter(_given, ys))  # type: ignore[type-var]  # as above
        return _checked(left / scale[0], top / scale[1], right / scale[0], bottom / scale[1])  # type: ignore[operator]  # as above
    x, y, width, height, radius = (_number(boundary.get(f"rb{name}")) for name in ("x", "y", "w", "h", "rx"))
    if x is None or y is None:
        return None
    if radius is not None and (width is None or height is None):  # of the width, around x and y
        aspect = 1.0 if scale != (1, 1) else size[0] / size[1]
        left, top, width, height = x - radius, y - radius * aspect, 2 * radius, 2 * radius * aspect
    elif width is None or height is None:
        return None
    else:
        left, top = x, y
    return _checked(left / scale[0], top / scale[1], (left + width) / scale[0], (top + height) / scale[1])


def _given(number: float | None) -> bool:
    return number is not None


def _checked(left: float, top: float, right: float, bottom: float) -> Area | None:
    """Return an area, cut at the border of the photo, or None if it makes no sense."""
    area = (left, top, right, bottom)
    if not all(-_OUTSIDE <= side <= 1 + _OUTSIDE for side in area):
        return None
    left, top, right, bottom = (min(max(side, 0.0), 1.0) for side in area)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _applied_size(value: Value, size: Size) -> Size:
    """Return the size to which pixels refer, in the stored frame: some programs write that of the upright photo."""
    dimensions = fields(value)
    width, height = _number(dimensions.get("w")), _number(dimensions.get("h"))
    if not width or not height or width < 0 or height < 0:
        return size
    return (height, width) if (width > height) != (size[0] > size[1]) else (width, height)


def _number(value: Value) -> float | None:
    return _parse(text(value))


def _parse(number: str) -> float | None:
    """Return a finite number, also one with a decimal comma, or None."""
    try:
        parsed = float(number.replace(",", ".", 1))
    except ValueError:
        return None
    return parsed if math.isfinite(parsed) else None


def _all_texts(value: Value) -> Iterable[str]:
    """Return the texts of a list, and of the fields of its items."""
    for item in items(value):
        yield text(item)
        for field in fields(item).values():
            yield from map(text, items(field))

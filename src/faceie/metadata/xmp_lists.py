"""The lists of XMP that hold names: how their entries are found, read and written.

Programs write structures in three shapes: fields as elements (``rdf:parseType="Resource"``), fields in an
``rdf:Description``, and fields as attributes. All are read. Entries are written in the first one, as exiftool does.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from .frames import Area
from .namespaces import (
    AREA,
    DIGIKAM,
    DIMENSIONS,
    DUBLIN_CORE,
    IPTC,
    LIGHTROOM,
    MP,
    MP_INFO,
    MP_REGION,
    MWG,
    PREFIXES,
    RDF,
)
from .xmp_text import Element, Name, XmpText

__all__ = [
    "LISTS",
    "MICROSOFT",
    "REGIONS",
    "Entry",
    "Found",
    "NameList",
    "Node",
    "declare",
    "entries",
    "escape_text",
    "field_of",
    "find",
    "item_of",
    "property_of",
]

_DESCRIPTION = (RDF, "Description")
_LISTS = ((RDF, "Bag"), (RDF, "Seq"), (RDF, "Alt"))
_ITEM = (RDF, "li")


class NameList(NamedTuple):
    """A property of XMP that is, or holds, a list of names."""

    path: tuple[Name, ...]
    """The property, and the field of it that is the list."""
    fields: tuple[str, ...] = ()
    """Namespaces of the fields of a region. Empty for a list of texts."""
    separator: str = ""
    """Separator of the levels of a keyword, for keywords below "People"."""
    kind: str = "Bag"

    def text(self, name: str) -> str | None:
        """Return the text of an entry with this name, or None if the name would be taken for several levels."""
        if not self.separator:
            return name
        return None if self.separator in name else f"People{self.separator}{name}"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces in the property."""
        sizes = (DIMENSIONS,) if self.path[0][0] == MWG else ()
        return (RDF, *(namespace for namespace, _ in self.path), *self.fields, *sizes)

    @property
    def key(self) -> str:
        """Usual name of the property, such as ``dc:subject``."""
        namespace, local = self.path[0]
        return f"{PREFIXES[namespace]}:{local}"


REGIONS = NameList(((MWG, "Regions"), (MWG, "RegionList")), (MWG, AREA))
MICROSOFT = NameList(((MP, "RegionInfo"), (MP_INFO, "Regions")), (MP_REGION,))
#: All lists that Faceie writes.
LISTS = (
    REGIONS,
    MICROSOFT,
    NameList(((IPTC, "PersonInImage"),)),
    NameList(((DUBLIN_CORE, "subject"),)),
    NameList(((LIGHTROOM, "hierarchicalSubject"),), separator="|"),
    NameList(((DIGIKAM, "TagsList"),), separator="/", kind="Seq"),
)


class Entry(NamedTuple):
    """An entry of a list: a region with its name, or a text."""

    list: NameList
    text: str
    """Name of a region, or the text."""
    area: Area | None = None
    """Area of a region, in the stored photo."""


class Found(NamedTuple):
    """A list that exists, or a part of the way to it."""

    property: Element
    holder: Element | None
    """Element with the fields of a structure, to which a list can be appended."""
    field: Element | None
    """Element of the list's property or field."""
    items: Element | None
    """The ``rdf:Bag`` or ``rdf:Seq``."""


def find(xmp: XmpText, wanted: NameList) -> Found | None:
    """Find a list."""
    for description in xmp.rdf.children:
        found = description.child(wanted.path[0])
        if found is not None:
            return _follow(found, wanted)
    return None


def _follow(found: Element, wanted: NameList) -> Found:
    holder, field = None, found
    if len(wanted.path) > 1:
        holder = found.child(_DESCRIPTION)
        if holder is None and (found.children or found.attributes.get((RDF, "parseType")) == "Resource"):
            holder = found
        inner = holder.child(wanted.path[1]) if holder is not None else None
        if inner is None:
            return Found(found, holder, None, None)
        field = inner
    items = next((child for child in field.children if child.name in _LISTS), None)
    return Found(found, holder, field, items)


def entries(found: Found, wanted: NameList) -> Iterator[tuple[Element, Entry | None]]:
    """Yield the items of a list, and each as an entry, or None for an item without a name or a rectangle."""
    for item in found.items.children if found.items is not None else ():
        if item.name == _ITEM:
            yield item, _read(item, wanted)


def _read(item: Element, wanted: NameList) -> Entry | None:
    try:
        if wanted is REGIONS:
            fields = _fields(item)
            area = _fields(fields[MWG, "Area"])
            x, y, w, h = (float(_text(area[AREA, side])) for side in "xywh")
            entry = Entry(wanted, _text(fields[MWG, "Name"]), (x - w / 2, y - h / 2, x + w / 2, y + h / 2))
        elif wanted is MICROSOFT:
            fields = _fields(item)
            x, y, w, h = map(float, _text(fields[MP_REGION, "Rectangle"]).split(","))
            entry = Entry(wanted, _text(fields[MP_REGION, "PersonDisplayName"]), (x, y, x + w, y + h))
        else:
            entry = Entry(wanted, _text(item))
    except (KeyError, ValueError):
        return None
    is_normalized = entry.area is None or all(-1 < side < 2 for side in entry.area)  # not in pixels
    return entry if entry.text and is_normalized else None


def _fields(element: Element | str) -> dict[Name, Element | str]:
    """Return the fields of a structure in any of the three shapes."""
    if isinstance(element, str):
        return {}
    inner = element.child(_DESCRIPTION)
    fields: dict[Name, Element | str] = {}
    for holder in (element, inner):
        if holder is not None:
            fields |= holder.attributes
            fields |= {child.name: child for child in holder.children}
    return fields


def _text(field: Element | str) -> str:
    text = field if isinstance(field, str) else field.text
    return unicodedata.normalize("NFC", text.strip())


# Writing


class Node(NamedTuple):
    """An element to write."""

    tag: str
    """Name and attributes."""
    content: Sequence[Node | str] | str
    """Elements, as nodes or as XML; or escaped text."""

    def lines(self, indent: str, declarations: Sequence[str] = ()) -> list[str]:
        """Return the element as lines. `declarations`: those of namespaces, for its start tag."""
        space = f"\n{indent}  " if len(declarations) > 1 else " "
        start = f"{indent}<{space.join([self.tag, *declarations])}>"
        end = f"</{self.tag.partition(' ')[0]}>"
        if isinstance(self.content, str):
            return (start + self.content + end).split("\n")
        inner = [
            line
            for child in self.content
            for line in ([f"{indent} {child}"] if isinstance(child, str) else child.lines(f"{indent} "))
        ]
        return [*start.split("\n"), *inner, indent + end]


def declare(namespaces: Iterable[str], scope: Mapping[str, str]) -> list[str]:
    """Return the declarations of namespaces, as attributes, that are not in scope under their usual prefix."""
    missing = (namespace for namespace in namespaces if scope.get(PREFIXES[namespace]) != namespace)
    return [f'xmlns:{PREFIXES[namespace]}="{namespace}"' for namespace in dict.fromkeys(missing)]


def escape_text(text: str) -> str:
    """Escape a text for XML, in one line."""
    return escape(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def item_of(entry: Entry) -> Node:
    """Return an entry as an item of its list."""
    text = escape_text(entry.text)
    if entry.area is None:
        return Node("rdf:li", text)
    left, top, right, bottom = entry.area
    width, height = right - left, bottom - top
    if entry.list is MICROSOFT:
        rectangle = f"{left:.6f}, {top:.6f}, {width:.6f}, {height:.6f}"
        return _struct("rdf:li", Node("MPReg:Rectangle", rectangle), Node("MPReg:PersonDisplayName", text))
    sides = {"x": (left + right) / 2, "y": (top + bottom) / 2, "w": width, "h": height}
    numbers = (Node(f"stArea:{side}", f"{value:.6f}") for side, value in sides.items())
    area = _struct("mwg-rs:Area", *numbers, Node("stArea:unit", "normalized"))
    return _struct("rdf:li", area, Node("mwg-rs:Name", text), Node("mwg-rs:Type", "Face"))


def field_of(wanted: NameList, items: Sequence[Node | str]) -> Node:
    """Return the property or field that is a list, with these items."""
    namespace, local = wanted.path[-1]
    return Node(f"{PREFIXES[namespace]}:{local}", [Node(f"rdf:{wanted.kind}", items)])


def property_of(wanted: NameList, items: Sequence[Node | str], size: tuple[int, int]) -> Node:
    """Return the whole property of a list, with these items. `size`: that of the stored photo."""
    field = field_of(wanted, items)
    if wanted is REGIONS:
        width, height = (Node(f"stDim:{side}", str(value)) for side, value in zip("wh", size, strict=True))
        dimensions = _struct("mwg-rs:AppliedToDimensions", width, height, Node("stDim:unit", "pixel"))
        return _struct(wanted.key, dimensions, field)
    return _struct(wanted.key, field) if wanted is MICROSOFT else field


def _struct(name: str, *fields: Node) -> Node:
    return Node(f'{name} rdf:parseType="Resource"', fields)

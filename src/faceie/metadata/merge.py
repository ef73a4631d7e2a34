"""Names merged into XMP: our entries are added, replaced or removed, and all other bytes stay."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

import numpy as np

from ..boxes import iou
from ..errors import MetadataError
from .frames import Area, StoredFrame
from .namespaces import FACEIE, RDF
from .record import Record, record_elements
from .xmp_lists import (
    LISTS,
    MICROSOFT,
    REGIONS,
    Entry,
    NameList,
    Node,
    declare,
    entries,
    field_of,
    find,
    item_of,
    property_of,
)
from .xmp_text import Change, Element, XmpText, apply, decode

__all__ = ["Merged", "NamedFace", "merge"]

_NOT_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # no escape can express these
_SAME_FACE = 0.5  # IoU of two regions of one face
_ABOUT = (RDF, "about")

_EMPTY = b"""\
<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Faceie">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


class NamedFace(NamedTuple):
    """A face to write."""

    name: str
    area: Area | None
    """In the upright photo. None for a person in the photo whose face was not found."""


class Merged(NamedTuple):
    """Result of `merge`."""

    content: bytes | None
    """Content of the file. None if nothing is left to write."""
    has_names: bool
    """Whether the content has names that Faceie has written."""
    conflicts: list[tuple[str, str]]
    """Names that were not written, each with the name that another program has given to the same face."""


def merge(
    content: bytes | None, faces: Sequence[NamedFace], frame: StoredFrame | None, hidden: Iterable[bytes] = ()
) -> Merged:
    """Merge named faces into an XMP file or packet. They replace those that an earlier call has written.

    `content`: that of the file; None for a new one. `frame`: that of the photo, needed if there are faces. `hidden`:
    packets of the same photo, the most important first. Programs that find a list in this file ignore the same list in
    those packets, so its entries are copied. Content that is complete already is returned unchanged. Raises
    MetadataError for content that cannot be changed safely.
    """
    if content is None:
        base, encoding, former, found = None, "utf-8", Record(), 0
    else:
        text, encoding = decode(content)
        base, former, found = _without_ours(text)
    rest = Merged(_encode(base, encoding), has_names=False, conflicts=[])
    if not faces or frame is None:
        return rest
    xmp = XmpText(_EMPTY if base is None else base)
    chosen, conflicts = _choose(faces, frame, {wanted.key: _readable(xmp, wanted) for wanted in LISTS})
    if not chosen:
        return rest._replace(conflicts=conflicts)
    record = Record()
    if base is None or "file" in former.made:
        record.made.add("file")
    merged = _with_ours(xmp, chosen, _copies(xmp, chosen, hidden), record, frame.size)
    is_there = content is not None and found == len(former) and record.is_same(former)  # in another program's words
    return Merged(content if is_there else _encode(merged, encoding), has_names=True, conflicts=conflicts)


def _encode(text: bytes | None, encoding: str) -> bytes | None:
    return None if text is None else text.decode().encode(encoding, "xmlcharrefreplace")


def _readable(xmp: XmpText, wanted: NameList) -> list[Entry]:
    found = find(xmp, wanted)
    return [entry for _, entry in entries(found, wanted) if entry] if found else []


# Removing


def _without_ours(text: bytes) -> tuple[bytes | None, Record, int]:
    """Return a text without our entries, or None if nothing is left; the record; and the number of entries found."""
    xmp = XmpText(text)
    record, missing = Record.read(xmp), Record.read(xmp)
    if not record:
        return text, record, 0
    gone, emptied = set(record_elements(xmp)), list[Element]()
    for wanted in LISTS:
        found = find(xmp, wanted)
        if found is None or found.items is None:
            continue
        ours = {item for item, entry in entries(found, wanted) if entry and missing.take(entry)}
        gone |= ours
        if ours and ours.issuperset(found.items.children):
            if f"property {wanted.key}" in record.made:
                gone.add(found.property)
            elif f"list {wanted.key}" in record.made and found.field:
                gone.add(found.field)
            else:
                emptied.append(found.items)
    for description in xmp.rdf.children:
        if description.children and gone.issuperset(description.children) and not _has_attributes(description):
            gone.add(description)
    number = len(record) - len(missing)
    if "file" in record.made and not any(
        one not in gone and (one.children or _has_attributes(one)) for one in xmp.rdf.children
    ):
        return None, record, number
    changes = []
    for items in emptied:
        if _is_tight(xmp, items):
            gone -= set(items.children)
            changes.append(Change(items.inside - 1, items.end, b"/>"))  # as it was before `append`
    changes += [xmp.remove(element) for element in gone if gone.isdisjoint(element.ancestors())]
    return apply(text, changes), record, number


def _is_tight(xmp: XmpText, items: Element) -> bool:
    """Tell whether there is nothing but white space between the items of a list, and nothing after the last one."""
    at = items.inside
    for item in items.children:
        if xmp.before(item.start) > at:
            return False
        at = item.end
    return at == items.close


def _has_attributes(description: Element) -> bool:
    return bool(description.attributes.keys() - {(RDF, "about")})


# Adding


class _Entries:
    """Entries, found by name in any case, and regions also by overlap."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        entries = list(entries)
        self._regions = [entry for entry in entries if entry.area]
        self._boxes = np.array([entry.area for entry in self._regions], np.float32).reshape(-1, 4)
        self._texts = {entry.text.casefold() for entry in entries}

    def at(self, area: Area) -> dict[str, str]:
        """Return the names of the regions that show the same face, by their names in small letters."""
        overlaps = iou(np.array([area], np.float32), self._boxes)[0]  # [n]
        names = (self._regions[index].text for index in np.flatnonzero(overlaps >= _SAME_FACE))
        return {name.casefold(): name for name in names}

    def has(self, entry: Entry) -> bool:
        """Tell whether an entry is among these."""
        return entry.text.casefold() in (self.at(entry.area) if entry.area else self._texts)


def _choose(
    faces: Iterable[NamedFace], frame: StoredFrame, foreign: Mapping[str, Sequence[Entry]]
) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Return the entries to write, and the names that contradict those of other programs."""
    theirs = {key: _Entries(entries) for key, entries in foreign.items()}
    main = theirs[REGIONS.key if foreign[REGIONS.key] else MICROSOFT.key]
    chosen, conflicts = dict[Entry, None](), list[tuple[str, str]]()
    for given, upright in faces:
        name = _NOT_XML.sub("", unicodedata.normalize("NFC", given)).strip()
        if not name:
            continue
        area = frame.to_stored(upright) if upright else None
        others = main.at(area) if area else {}
        if others and name.casefold() not in others:
            conflicts.append((name, min(others.values())))
            continue
        for wanted in LISTS:
            text = wanted.text(name)
            if text is None or (wanted.fields and area is None):
                continue
            entry = Entry(wanted, text, area if wanted.fields else None)
            if not theirs[wanted.key].has(entry):
                chosen[entry] = None
    return list(chosen), conflicts


def _copies(xmp: XmpText, chosen: Sequence[Entry], hidden: Iterable[bytes]) -> list[tuple[Entry, str]]:
    """Return the entries of packets whose lists would be hidden by those of this file, and their text.

    Faceie's own entries, and names of faces that Faceie knows by another name, are left out.
    """
    sources = [source for source in map(_read_or_none, hidden) if source]
    overruled = set[str]()
    copies: list[tuple[Entry, str]] = []
    for wanted in LISTS:
        found = next(((source, found) for source in sources if (found := find(source, wanted))), None)
        if found is None or find(xmp, wanted):
            continue
        source, theirs = found
        written = Record.read(source)
        ours = _Entries(entry for entry in chosen if entry.list is wanted)
        for item, entry in entries(theirs, wanted):
            if entry is None or written.take(entry) or ours.has(entry):
                continue
            if entry.area and ours.at(entry.area):
                overruled.add(entry.text)
            elif not any(wanted.text(name) == entry.text for name in overruled):
                copies.append((entry, source.standalone(item, xmp.rdf.scope)))
    return copies


def _read_or_none(packet: bytes) -> XmpText | None:
    try:
        return XmpText(decode(packet.strip(b"\0"))[0])
    except MetadataError:
        return None


def _with_ours(
    xmp: XmpText, chosen: Sequence[Entry], copies: Sequence[tuple[Entry, str]], record: Record, size: tuple[int, int]
) -> bytes:
    """Return a text with entries added to its lists, and to new ones, and with the record."""
    new: list[Node | str] = []
    changes: list[Change] = []
    namespaces = [RDF, FACEIE]
    for wanted in LISTS:
        ours = [entry for entry in chosen if entry.list is wanted]
        copied = [(entry, text) for entry, text in copies if entry.list is wanted]
        found = find(xmp, wanted)
        if not ours and not copied:
            continue
        nodes: list[Node | str] = [*(text for _, text in copied), *map(item_of, ours)]
        if found is None:
            new.append(property_of(wanted, nodes, size))
            namespaces += wanted.namespaces
            record.made.add(f"property {wanted.key}")
        elif found.items is not None:
            changes.append(_append(xmp, found.items, map(item_of, ours), wanted.namespaces))
        elif found.holder is not None and found.field is None:
            changes.append(_append(xmp, found.holder, [field_of(wanted, nodes)], wanted.namespaces))
            record.made.add(f"list {wanted.key}")
        else:  # a text where others have a list
            continue
        for entry in [*(entry for entry, _ in copied), *ours]:
            record.add(entry)
    about = next((one.attributes[_ABOUT] for one in xmp.rdf.children if _ABOUT in one.attributes), "")
    block = Node(f"rdf:Description rdf:about={quoteattr(about)}", [*new, record.node()])
    changes.append(_append(xmp, xmp.rdf, [block], namespaces))
    return apply(xmp.text, changes)


def _append(xmp: XmpText, element: Element, nodes: Iterable[Node], namespaces: Iterable[str]) -> Change:
    declarations = declare(namespaces, element.scope)
    return xmp.append(element, [line for node in nodes for line in node.lines(" ", declarations)])

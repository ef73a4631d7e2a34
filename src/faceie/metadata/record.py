"""The record of the names that Faceie has written into an XMP file, in the file itself.

It is a property in a namespace of our own, which other programs keep and ignore. Entries are found again by their
values. So they are found, too, after another program has written the file in its own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .frames import Area
from .namespaces import FACEIE, RDF
from .xmp_lists import LISTS, Entry, Node, escape_text
from .xmp_text import Element, XmpText

__all__ = ["Record", "may_have_record", "record_elements"]

_PROPERTY = (FACEIE, "Wrote")
_TOLERANCE = 0.002  # between areas that are the same: programs round
_LISTS = {wanted.key: wanted for wanted in LISTS}


class Record:
    """The entries that Faceie has written into a file, and what else it made there.

    `made` holds ``file``, ``property dc:subject`` or ``list mwg-rs:Regions``: a file, property or list that was not
    there before.
    """

    def __init__(self) -> None:
        self.made: set[str] = set()
        self._entries: dict[tuple[str, str], list[Entry]] = {}

    @classmethod
    def read(cls, xmp: XmpText) -> Record:
        """Read the record of a file. It is empty for a file without one."""
        record = cls()
        for element in record_elements(xmp):
            for item in element.within():
                if item.name == (RDF, "li"):
                    record._parse(item.text.strip())
        return record

    def __bool__(self) -> bool:
        return bool(self.made or self._entries)

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def __iter__(self) -> Iterator[Entry]:
        for entries in self._entries.values():
            yield from entries

    def add(self, entry: Entry) -> None:
        """Record an entry."""
        self._entries.setdefault((entry.list.key, entry.text), []).append(entry)

    def take(self, entry: Entry) -> bool:
        """Remove an entry, and tell whether it was there."""
        same = self._entries.get((entry.list.key, entry.text), [])
        for index, other in enumerate(same):
            if _same_area(entry.area, other.area):
                del same[index]
                return True
        return False

    def is_same(self, other: Record) -> bool:
        """Tell whether another record has the same entries."""
        rest = Record()
        for entry in other:
            rest.add(entry)
        return len(self) == len(other) and all(rest.take(entry) for entry in self)

    def node(self) -> Node:
        """Return the record as XMP."""
        texts = [f"made {one}" for one in sorted(self.made)] + [_to_text(entry) for entry in self]
        return Node("faceie:Wrote", [Node("rdf:Bag", [Node("rdf:li", escape_text(text)) for text in texts])])

    def _parse(self, text: str) -> None:
        key, _, rest = text.partition(" ")
        if key == "made":
            self.made.add(rest)
        elif wanted := _LISTS.get(key):
            if not wanted.fields:
                self.add(Entry(wanted, rest))
                return
            *sides, name = rest.split(" ", 4)
            try:
                left, top, right, bottom = map(float, sides)
            except ValueError:  # another program has changed it
                return
            self.add(Entry(wanted, name, (left, top, right, bottom)))


def may_have_record(content: bytes) -> bool:
    """Tell whether content, in UTF-8 or UTF-16, has the namespace of the record."""
    return FACEIE.encode() in content or FACEIE.encode() in content.replace(b"\0", b"")


def record_elements(xmp: XmpText) -> Iterable[Element]:
    """Return the elements of the record."""
    return [child for description in xmp.rdf.children for child in description.children if child.name == _PROPERTY]


def _to_text(entry: Entry) -> str:
    if entry.area is None:
        return f"{entry.list.key} {entry.text}"
    return f"{entry.list.key} {' '.join(f'{side:.6f}' for side in entry.area)} {entry.text}"


def _same_area(a: Area | None, b: Area | None) -> bool:
    if a is None or b is None:
        return a is b
    return all(abs(x - y) <= _TOLERANCE for x, y in zip(a, b, strict=True))

"""XMP as data: properties, fields of structures and items of lists, in all shapes in which programs write them.

A field may be an attribute or an element. The fields of a structure may be in a nested ``rdf:Description``, in an
element with ``rdf:parseType="Resource"``, or in attributes of the element. A list is an ``rdf:Bag``, ``rdf:Seq`` or
``rdf:Alt``. Programs disagree about some namespaces, so the fields of a structure are known by their names only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias
from xml.etree.ElementTree import Element

from .namespaces import RDF, XML

__all__ = ["Properties", "Value", "fields", "items", "text"]

#: An attribute, an element, or nothing.
Value: TypeAlias = "str | Element | None"

_LISTS = {f"{{{RDF}}}{kind}" for kind in ("Bag", "Seq", "Alt")}
_DESCRIPTION, _VALUE, _RESOURCE = (f"{{{RDF}}}{name}" for name in ("Description", "value", "resource"))


class Properties:
    """The properties of a photo, in one packet or several. Of equal properties, the first counts."""

    def __init__(self, roots: Sequence[Element]) -> None:
        self._values: dict[tuple[str, str], Value] = {}
        for root in roots:
            for description in _descriptions(root):
                for tag, value in _parts(description):
                    self._values.setdefault(_split(tag), value)

    def get(self, namespace: str, name: str) -> Value:
        """Return the value of a property, or None."""
        return self._values.get((_namespace(namespace), name.lower()))


def fields(value: Value) -> dict[str, Value]:
    """Return the fields of a structure by their names in small letters."""
    found: dict[str, Value] = {}
    if isinstance(value, Element):
        for tag, field in _parts(value):
            if isinstance(field, Element) and tag == _DESCRIPTION:
                for name, inner in fields(field).items():
                    found.setdefault(name, inner)
            elif tag not in _LISTS:
                found.setdefault(_split(tag)[1], field)
    return found


def items(value: Value) -> list[Value]:
    """Return the items of a list; of any other value, the value itself."""
    if value is None:
        return []
    if isinstance(value, Element):
        for child in value:
            if child.tag in _LISTS:
                return list(child)
        if not (len(value) or value.attrib or text(value)):
            return []
    return [value]


def text(value: Value) -> str:
    """Return the text of a value: of a list, of its first item; of a resource, its address."""
    if not isinstance(value, Element):
        return (value or "").strip()
    for child in value:
        if child.tag in _LISTS:
            return text(next(iter(child), None))
        if child.tag in (_DESCRIPTION, _VALUE):
            return text(child)
    return (value.text or "").strip() or value.attrib.get(_VALUE, value.attrib.get(_RESOURCE, "")).strip()


def _descriptions(root: Element) -> Iterator[Element]:
    """Yield the elements that hold properties."""
    for rdf in root.iter(f"{{{RDF}}}RDF"):
        yield from rdf


def _parts(element: Element) -> Iterator[tuple[str, Value]]:
    """Yield the attributes and elements of an element, without those of XML and RDF themselves."""
    for tag, value in element.attrib.items():
        if not tag.startswith((f"{{{RDF}}}", f"{{{XML}}}")):
            yield tag, value
    for child in element:
        yield child.tag, child


def _split(tag: str) -> tuple[str, str]:
    """Return the namespace and the name of a tag, in forms that are equal for all programs."""
    namespace, _, name = tag.rpartition("}")
    return _namespace(namespace.removeprefix("{")), name.lower()


def _namespace(address: str) -> str:
    return address.rstrip("/#").lower()

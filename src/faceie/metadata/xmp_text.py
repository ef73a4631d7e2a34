"""XMP as text: elements with their positions, to change some of them and keep all other bytes.

A parser that builds a tree and writes it again would rename prefixes, drop comments and change line ends. Here, an
element knows its position in the text, and a change replaces a piece of text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from ..errors import MetadataError
from .namespaces import RDF, X

__all__ = ["Change", "Element", "Name", "XmpText", "apply", "decode"]

#: Namespace and local name of an element or attribute.
Name: TypeAlias = tuple[str, str]

_MAX_BYTES = 16_000_000  # as for reading
_MAX_DEPTH = 100
_SEPARATOR = "\x01"  # no character of XML
_START_TAG = re.compile(rb"""<[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>""")
_DECLARED = re.compile(rb"""^<\?xml[^>]*\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BLANK = b" \t\r\n"


class Element:
    """An element of XMP, and its place in the text."""

    def __init__(
        self, name: Name, attributes: dict[Name, str], start: int, scope: dict[str, str], parent: Element | None
    ) -> None:
        self.name = name
        self.attributes = attributes
        self.parent = parent
        self.children: list[Element] = []
        self.text = ""
        """Text in this element, without that of its children."""
        self.scope = scope
        """Namespaces by prefix."""
        self.start = start
        self.inside = start
        """Where the start tag ends."""
        self.close = start
        """Where the end tag begins. Equal to `end` for an element without one."""
        self.end = start

    def child(self, name: Name) -> Element | None:
        """Return the first child with this name."""
        return next((child for child in self.children if child.name == name), None)

    def ancestors(self) -> Iterator[Element]:
        """Yield the elements that contain this one, from the inside."""
        element = self.parent
        while element is not None:
            yield element
            element = element.parent

    def within(self) -> Iterator[Element]:
        """Yield this element and all elements in it."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))


class Change(NamedTuple):
    """A piece of text to replace."""

    start: int
    end: int
    text: bytes


class XmpText:
    """The text of an XMP packet or sidecar, as UTF-8, and its elements. Raises MetadataError for another text."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._open: list[Element] = []
        self._scopes: list[dict[str, str]] = [{}]
        self._declared: dict[str, str] = {}
        self._root: Element | None = None
        self._parse()
        self.rdf = self._find_rdf()
        self.newline = b"\r\n" if b"\r\n" in text else b"\n"

    def before(self, position: int) -> int:
        """Return where the white space before a position begins."""
        while position > 0 and self.text[position - 1] in _BLANK:
            position -= 1
        return position

    def indent(self, element: Element) -> bytes:
        """Return the white space before the last tag of an element, if that begins a line."""
        tag = element.close if element.close < element.end else element.start
        space = self.text[self.before(tag) : tag]
        return space.rpartition(b"\n")[2] if b"\n" in space else b""

    def remove(self, element: Element) -> Change:
        """Remove an element with the white space before it."""
        return Change(self.before(element.start), element.end, b"")

    def append(self, element: Element, lines: Iterable[str]) -> Change:
        """Put lines after the last child of an element, before the white space that precedes its end tag."""
        indent = self.indent(element)
        content = b"".join(self.newline + indent + line.encode() for line in lines)
        if element.close < element.end:
            at = self.before(element.close)
            return Change(at, at, content)
        tag = self.text[element.start : element.end]
        name = re.match(rb"<([^\s/>]+)", tag)
        assert name
        return Change(element.end - 2, element.end, b">%b</%b>" % (content, name[1]))

    def standalone(self, element: Element, scope: Mapping[str, str]) -> str:
        """Return the text of an element, with declarations of its prefixes that are not in this scope."""
        tag, text = (self.text[element.start : end].decode() for end in (element.inside, element.end))
        name = re.match(r"<[^\s/>]+", tag)
        assert name
        declarations = "".join(
            f" xmlns:{prefix}={quoteattr(namespace)}"
            for prefix, namespace in element.scope.items()
            if f"{prefix}:" in text and f"xmlns:{prefix}=" not in tag and scope.get(prefix) != namespace
        )
        return text[: name.end()] + declarations + text[name.end() :]

    def _find_rdf(self) -> Element:
        root = self._root
        if root is not None and root.name == (X, "xmpmeta"):
            root = root.child((RDF, "RDF"))
        if root is None or root.name != (RDF, "RDF"):
            raise MetadataError("it is XML, but not XMP: there is no rdf:RDF")
        return root

    # Parsing

    def _parse(self) -> None:
        if len(self.text) > _MAX_BYTES:
            raise MetadataError(f"it has {len(self.text):,} bytes, expected at most {_MAX_BYTES:,}")
        self._parser = parser = expat.ParserCreate("utf-8", _SEPARATOR)  # instead of a declared encoding
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(self.text, True)
        except expat.ExpatError as error:
            raise MetadataError(f"it is not well-formed XML, in line {error.lineno}") from error

    def _declare(self, prefix: str | None, namespace: str | None) -> None:
        self._declared[prefix or ""] = namespace or ""

    def _start(self, name: str, attributes: list[str]) -> None:
        if len(self._open) >= _MAX_DEPTH:
            raise MetadataError(f"it has more than {_MAX_DEPTH} levels of elements")
        scope = {**self._scopes[-1], **self._declared} if self._declared else self._scopes[-1]
        self._declared = {}
        pairs = dict(zip(map(_to_name, attributes[::2]), attributes[1::2], strict=True))
        parent = self._open[-1] if self._open else None
        element = Element(_to_name(name), pairs, self._parser.CurrentByteIndex, scope, parent)
        tag = _START_TAG.match(self.text, element.start)
        assert tag
        element.inside = tag.end()
        if parent is not None:
            parent.children.append(element)
        else:
            self._root = element
        self._open.append(element)
        self._scopes.append(scope)

    def _end(self, name: str) -> None:
        element = self._open.pop()
        self._scopes.pop()
        if self.text[element.inside - 2 : element.inside] == b"/>":
            element.close = element.end = element.inside
        else:
            element.close = self._parser.CurrentByteIndex
            element.end = self.text.index(b">", element.close) + 1

    def _characters(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text


def apply(text: bytes, changes: Iterable[Change]) -> bytes:
    """Return a text with these changes, which do not overlap. Of several at one place, the first comes first."""
    parts, at = [], 0
    for change in sorted(changes, key=lambda change: change.start):
        parts += [text[at : change.start], change.text]
        at = change.end
    return b"".join([*parts, text[at:]])


def decode(content: bytes) -> tuple[bytes, str]:
    """Return the content of a file as UTF-8, and the name of its encoding. Raises MetadataError for other bytes."""
    encoding = _encoding(content)
    try:
        text = content.decode(encoding)
        if text.encode(encoding) == content:
            return text.encode(), encoding
    except (UnicodeError, LookupError):
        pass
    raise MetadataError(f"its characters are not {encoding}")


def _encoding(content: bytes) -> str:
    for start, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"<\0", "utf-16-le")):
        if content.startswith(start):
            return encoding
    if content.startswith(b"\0<"):
        return "utf-16-be"
    declared = _DECLARED.match(content)
    return declared[1].decode().lower() if declared else "utf-8"


def _to_name(text: str) -> Name:
    namespace, _, local = text.rpartition(_SEPARATOR)
    return namespace, local


def _refuse_doctype(*_: object) -> None:
    raise MetadataError("it has a document type, which XMP does not allow")

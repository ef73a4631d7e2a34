"""A request as a view sees it, and the answers that a view may return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from ..errors import FaceieError
from ..gallery import Gallery
from .markup import Html

__all__ = ["Data", "Done", "Page", "Picture", "RequestError", "Visit", "address", "local_path"]

Values = Sequence[tuple[str, str]]


class RequestError(FaceieError):
    """A request that cannot be answered. The page shows the message.

    Parameters
    ----------
    message
        A sentence for the user.
    status
        The HTTP status.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Visit(NamedTuple):
    """A request: the gallery, and the values that the browser has sent."""

    gallery: Gallery
    path: str
    """Path and query of the request, such as ``/people?page=2``."""
    numbers: Mapping[str, int]
    """Numbers in the path: ``{"number": 7}`` for ``/people/7`` and the route ``/people/{number:int}``."""
    values: Values
    """Fields of the query, then those of the form."""
    files: Sequence[bytes] = ()
    """Contents of the uploaded files."""

    def text(self, field: str, default: str = "") -> str:
        """Return the last value of a field, without spaces around it."""
        found = [value for name, value in self.values if name == field]
        return found[-1].strip() if found else default

    def number(self, field: str, default: int | None = None) -> int:
        """Return a field as a number of at least 0."""
        text = self.text(field)
        if not text and default is not None:
            return default
        return _to_number(field, text)

    def all_numbers(self, field: str) -> list[int]:
        """Return all values of a field as numbers, each once, in their order."""
        return list(dict.fromkeys(_to_number(field, value) for name, value in self.values if name == field))

    def back(self, default: str) -> str:
        """Return the page to go back to: the field ``next``, if it is a path of this site."""
        return local_path(self.text("next"), default)

    def faces(self) -> list[int]:
        """Return the selected faces: the fields named ``face``."""
        faces = self.all_numbers("face")
        if not faces:
            raise RequestError("No faces are selected. Select at least one.")
        return faces


class Page(NamedTuple):
    """An answer: a page. The server adds the navigation."""

    title: str
    body: Html
    section: str = ""
    """Path of the entry of the navigation that this page belongs to, such as ``/people``."""
    status: int = 200


class Done(NamedTuple):
    """The answer to a change: show another page, with the change and a button to undo it."""

    to: str
    """Path of the page, such as ``/people/7``."""
    undone: int = 0
    """Number of actions that were taken back, to show instead."""


class Picture(NamedTuple):
    """An answer: a JPEG that never changes under its address, so that browsers may keep it."""

    jpeg: bytes


class Data(NamedTuple):
    """An answer for the script: a value that becomes JSON."""

    value: object


def address(path: str, **values: object) -> str:
    """Return a path with a query of the values that are not None. A list has its field several times."""
    query = urlencode({name: value for name, value in values.items() if value is not None}, doseq=True)
    return f"{path}?{query}" if query else path


def local_path(text: str, default: str) -> str:
    """Return the path of a page of this site, or the default for any other text."""
    parts = urlsplit(text) if text.startswith("/") and text.isprintable() and "\\" not in text else None
    return text if parts is not None and not parts.netloc and not text.startswith("//") else default


def _to_number(field: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise RequestError(f"The field {field} is not a number.")
    return int(text)

"""Fill the templates of the folder ``templates``: HTML with ``$name`` where a value belongs.

Values are escaped, unless they are `Html`. So text from outside cannot become markup.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from functools import cache
from importlib import resources
from string import Template

__all__ = ["Html", "fill", "join", "stylesheet"]


class Html(str):
    """Text that is HTML already, and is not escaped again."""

    __slots__ = ()


def fill(name: str, /, **values: str) -> Html:
    """Fill the template of this name. Values are escaped, except `Html`."""
    escaped = {key: value if isinstance(value, Html) else _escape(value) for key, value in values.items()}
    return Html(_template(name).substitute(escaped))


def join(parts: Iterable[Html], separator: str = "") -> Html:
    """Join pieces of HTML."""
    return Html(separator.join(parts))


@cache
def stylesheet() -> Html:
    """Return the styles of all pages."""
    return Html(_read("static", "style.css"))


@cache
def _template(name: str) -> Template:
    return Template(_read("templates", f"{name}.html").removesuffix("\n"))


def _read(folder: str, name: str) -> str:
    return (resources.files(__package__) / folder / name).read_text("utf-8")


def _escape(text: str) -> str:
    """Escape HTML, and replace surrogates, which stand for the bytes of a path that are not UTF-8."""
    return html.escape(text.encode("utf-8", "replace").decode())

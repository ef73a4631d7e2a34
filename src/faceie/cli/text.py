"""Text for a terminal: tables, plurals, and messages that name options of the command line."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

__all__ = ["Table", "name_options", "plural", "printable", "reason"]


class Table:
    """A table of text: columns of fixed width, two spaces apart. The last column may be as long as its text.

    Parameters
    ----------
    columns
        The format of each column by its title: ``">6"`` for six characters, aligned at the right; ``"<16"`` for 16,
        aligned at the left; an empty format for a column without padding.
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._formats = tuple(columns.values())
        self.header = self.row(*columns)

    def row(self, *cells: object) -> str:
        """Return a row, with a cell for each column. Control characters are escaped."""
        return "  ".join(f"{printable(cell):{form}}" for cell, form in zip(cells, self._formats, strict=True))


def plural(number: int, noun: str) -> str:
    """Return a number and its noun: ``1 face``, ``2 faces``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def printable(text: object) -> str:
    r"""Escape control characters and undecodable bytes as Python does (``\n``, ``\udcff``).

    The name of a file may hold them. They must not break the line, the table or the terminal.
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        else character
        for character in str(text)
    )


# Parameters of Python as messages name them, and the options of the command line with the same effect.
_OPTIONS = {
    "max_pixels=NUMBER": "--max-pixels NUMBER",
    "truncated=True": "--truncated",
    "follow_links=True": "--follow-links",
    "copy=True": "--copy",
}


def name_options(message: str) -> str:
    """Replace parameters of Python in a message by options of the command line."""
    for parameter, option in _OPTIONS.items():
        message = message.replace(parameter, option)
    return message


def reason(error: Exception) -> str:
    """Describe an error in words, without the name of its class."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return name_options(str(error)) or type(error).__name__

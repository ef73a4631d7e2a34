"""Text for a terminal: tables, plurals, and escaped characters."""

from __future__ import annotations

import os
import sys

import pytest

from faceie.cli import text


def test_table() -> None:
    """Columns are aligned, the last one may be of any length, and control characters are escaped."""
    table = text.Table({"face": ">6", "who": "<5", "photo": ""})
    assert table.header == "  face  who    photo"
    assert table.row(7, "Anna", "a\nlong name.jpg") == "     7  Anna   a\\nlong name.jpg"
    with pytest.raises(ValueError, match="zip"):
        table.row(7, "Anna")


@pytest.mark.parametrize(("number", "words"), [(0, "0 faces"), (1, "1 face"), (2000, "2,000 faces")])
def test_plural(number: int, words: str) -> None:
    """The noun is in the plural, except after 1."""
    assert text.plural(number, "face") == words


def test_messages_name_options() -> None:
    """Parameters of Python in a message become options of the command line."""
    message = "too large; raise the limit: max_pixels=NUMBER"
    assert text.reason(ValueError(message)) == "too large; raise the limit: --max-pixels NUMBER"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ünï 家族 \u200d\u202f\u3000x", "Ünï 家族 \u200d\u202f\u3000x"),
        ("a\nb\tc\x1b[31m\x7f\x85\u2028", "a\\nb\\tc\\x1b[31m\\x7f\\x85\\u2028"),
        (os.fsdecode(b"\xff.jpg"), "\\udcff.jpg"),
    ],
    ids=["letters", "controls", "bytes"],
)
@pytest.mark.skipif(sys.getfilesystemencoding() != "utf-8", reason="file names are not UTF-8 here")
def test_printable(name: str, shown: str) -> None:
    """Letters of all kinds stay. Characters that break a line or move the cursor are escaped."""
    assert text.printable(name) == shown

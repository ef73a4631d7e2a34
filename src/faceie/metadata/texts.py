"""Names in texts: repaired, and taken from keywords below People."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable

__all__ = ["clean_name", "names_below_people"]

_LONGEST = 500  # characters of a name, with entities
_FORMATS = "\u200c\u200d"  # joiners, which scripts and emoji need
_DROPPED = ("Cc", "Cf", "Cs", "Co", "Cn")  # control, format, surrogate, private use, unassigned
_UNNAMED = re.compile(r"f{12,16}|0{12,16}", re.IGNORECASE)  # what Picasa and Microsoft write for a face without a name
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8}\d?);", re.IGNORECASE)

# The keyword above those of people, in the languages of digiKam and others.
_WORDS = (
    "people person persons persone personen leute personnes personnages personas gente pessoas personer henkilöt "
    "ludzie osoby lidé люди персоны emberek kişiler insanlar 人物 人 ひと 사람 faces gesichter visages"
)
_PEOPLE = frozenset(_WORDS.split())

# Keywords below People that do not name anyone: digiKam's own.
_NOBODY = frozenset({"unknown", "unconfirmed", "ignored"})


def clean_name(name: str) -> str:
    """Return a name with single spaces and without characters that cannot be seen. "" if it is no name.

    Entities are decoded: some programs escape them twice.
    """
    if len(name) > _LONGEST:
        return ""
    for _ in range(2):
        if _ENTITY.search(name):
            name = html.unescape(name)
    name = "".join(" " if c in "\t\n\r\v\f" else c for c in name)
    name = "".join(c for c in name if c in _FORMATS or unicodedata.category(c) not in _DROPPED)
    name = " ".join(unicodedata.normalize("NFC", name).split())
    return "" if _UNNAMED.fullmatch(name) else name


def names_below_people(keywords: Iterable[str]) -> list[str]:
    """Return the names in keywords such as ``People|Anna`` and ``People/Family/Anna``.

    Groups of people are left out: keywords with others below them.
    """
    paths: dict[tuple[str, ...], None] = {}
    for keyword in keywords:
        separator = next((one for one in "|/\\" if one in keyword), "|")
        path = tuple(filter(None, (clean_name(part) for part in keyword.split(separator))))
        if len(path) > 1 and path[0].casefold() in _PEOPLE:
            paths[path] = None
    groups = {path[:end] for path in paths for end in range(1, len(path))}
    leaves = [path[-1] for path in paths if path not in groups]
    return [name for name in dict.fromkeys(leaves) if name.casefold() not in _NOBODY]

"""Names of people: what is a name, and which two are one.

Two names are one if they differ by case or by the Unicode form of their letters only (canonical caseless matching, The
Unicode Standard, section 3.13).
"""

from __future__ import annotations

import unicodedata

from ..errors import OptionError

__all__ = ["checked_name", "name_key"]

# Format characters that scripts and emoji need: zero-width (non-)joiner, left-to-right and right-to-left mark. Others,
# such as those that turn the direction of all that follows, are for hiding what is written.
_FORMATS = "\u200c\u200d\u200e\u200f"
_FORBIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")  # control, format, surrogate, private use, unassigned


def checked_name(name: str) -> str:
    """Return a name in composed form, without the space around it. Raises OptionError for what is no name."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name.strip(_FORMATS):
        raise OptionError(f"{name!r} is no name: it is empty")
    if name.isdecimal():
        raise OptionError(f"{name!r} is no name: it is a number, by which clusters are called")
    for character in name:
        if unicodedata.category(character) in _FORBIDDEN and character not in _FORMATS:
            raise OptionError(
                f"{name!r} is no name: it has the character U+{ord(character):04X}, which is not printable"
            )
    return name


def name_key(name: str) -> str:
    """Return what all spellings of a name that are equal have in common."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())

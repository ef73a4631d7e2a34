"""Names of people: which texts are valid names, and which names are equal.

Names are equal if they differ only by case or by the Unicode form of their letters (canonical caseless matching, The
Unicode Standard, section 3.13).
"""

from __future__ import annotations

import unicodedata

from ..errors import OptionError

__all__ = ["checked_name", "name_key"]

# Format characters that scripts and emoji need: zero-width (non-)joiner, left-to-right and right-to-left mark. Others,
# such as those that reverse the direction of the text after them, can hide parts of a name.
_FORMATS = "\u200c\u200d\u200e\u200f"
_FORBIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")  # control, format, surrogate, private use, unassigned


def checked_name(name: str) -> str:
    """Return a name in composed form, with single spaces. Raises OptionError for an invalid name."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name.strip(_FORMATS):
        raise OptionError(f"{name!r} is not a name: it is empty")
    if name.isdecimal():
        raise OptionError(f"{name!r} is not a name: numbers stand for clusters")
    for character in name:
        if unicodedata.category(character) in _FORBIDDEN and character not in _FORMATS:
            raise OptionError(
                f"{name!r} is not a name: it contains the character U+{ord(character):04X}, which is not printable"
            )
    return name


def name_key(name: str) -> str:
    """Return a text that is the same for all equal names."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())

"""Arguments from outside: what every public function asks of its numbers."""

from __future__ import annotations

import operator
from typing import Any

from .errors import OptionError

__all__ = ["whole_number"]


def whole_number(name: str, value: Any, *, least: int = 1, or_else: str = "") -> int:
    """Return a whole number of any type, NumPy's included, as an int. Raises OptionError, which names the argument."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise OptionError(f"{name} is {value!r}, expected a whole number, {least} or more{or_else}")
    return number

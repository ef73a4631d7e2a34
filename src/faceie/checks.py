"""Checks of arguments that all public functions share."""

from __future__ import annotations

import operator
from typing import Any

from .errors import OptionError

__all__ = ["whole_number"]


def whole_number(name: str, value: Any, *, least: int | None = 1, or_else: str = "") -> int:
    """Return a whole number of any type, NumPy's included, as an int. Raises OptionError, naming the argument."""
    bound = "" if least is None else f"{least} or more"
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        expected = ", ".join(filter(None, ["a whole number", bound]))
        raise OptionError(f"{name} is {value!r}, expected {expected}{or_else}")
    if least is not None and number < least:
        raise OptionError(f"{name} is {number}, expected {bound}{or_else}")
    return number

"""Checks of arguments that all public functions share."""

from __future__ import annotations

import operator
import re
from contextlib import suppress
from datetime import date
from typing import Any

from .errors import OptionError

__all__ = ["checked_date", "checked_page", "whole_number"]


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


def checked_page(limit: Any, offset: Any) -> tuple[int | None, int]:
    """Return the part of a list to return: the largest number, None for all, and how many to leave out before it."""
    largest = None if limit is None else whole_number("limit", limit, or_else=", or None for all")
    return largest, whole_number("offset", offset, least=0)


def checked_date(name: str, value: Any) -> str:
    """Return a date as text: a day ("2001-05-23"), a month or a year. Raises OptionError, naming the argument."""
    text = value.isoformat()[:10] if isinstance(value, date) else str(value).strip()
    with suppress(ValueError):
        if re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", text, re.ASCII):
            date.fromisoformat(f"{text}-01-01"[:10])
            return text
    raise OptionError(f"{name} is {value!r}, expected a date as 2001-05-23, 2001-05 or 2001")

"""Patterns for files and folders to leave out, with the rules of ``.gitignore``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import OptionError

__all__ = ["Excluded"]

_FLAGS = re.DOTALL | re.IGNORECASE if sys.platform in ("win32", "darwin") else re.DOTALL


class _Rule(NamedTuple):
    matches: re.Pattern[str]
    excludes: bool
    folders_only: bool


class Excluded:
    """Patterns that exclude paths.

    A pattern without a slash matches names at any depth; one with a slash, other than at its end, matches paths from
    the top of the searched folder. ``*`` and ``?`` stand for characters within a name, ``[abc]`` for one of several,
    ``**`` for any number of folders. A slash at the end restricts a pattern to folders. ``!`` at the start includes a
    path again that an earlier pattern excludes; the last matching pattern counts. Case matters, except on Windows and
    macOS. Raises OptionError for an invalid pattern.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        if isinstance(patterns, str | bytes):
            raise OptionError(f"exclude is {patterns!r}, expected a list of patterns")
        self._rules = [rule for pattern in patterns if (rule := _rule(pattern))]

    def __call__(self, path: str, *, is_folder: bool) -> bool:
        """Tell whether a path is excluded; it is relative to the searched folder, with slashes."""
        for rule in reversed(self._rules):
            if (is_folder or not rule.folders_only) and rule.matches.fullmatch(path):
                return rule.excludes
        return False


def _rule(pattern: str) -> _Rule | None:
    if not isinstance(pattern, str):
        raise OptionError(f"the pattern {pattern!r} in exclude is not a text")
    text = pattern.rstrip(" ")
    if not text or text.startswith("#"):
        return None
    excludes = not text.startswith("!")
    text = text.removeprefix("!")
    folders_only = text.endswith("/")
    text = text.removesuffix("/")
    if not text.strip("/"):
        raise OptionError(f"the pattern {pattern!r} in exclude matches nothing; name a file or folder")
    anchored = "/" in text
    expression = _translate(text.removeprefix("/"))
    try:
        compiled = re.compile(expression if anchored else f"(?:.*/)?{expression}", _FLAGS)
    except re.error as error:
        raise OptionError(f"the pattern {pattern!r} in exclude cannot be understood: {error}") from None
    return _Rule(compiled, excludes, folders_only)


_TOKENS = re.compile(
    r"(?P<lead>(?:^|(?<=/))\*\*/)|(?P<tail>/\*\*$)|\*+|\?|\[(?P<set>[!^]?\]?[^\]]*)\]|\\?(?P<one>.)", re.DOTALL
)


def _translate(text: str) -> str:
    """Return the regular expression of a pattern."""
    parts = []
    for token in _TOKENS.finditer(text):
        if token["lead"]:
            parts.append("(?:.*/)?")
        elif token["tail"]:
            parts.append("/.+")
        elif token["set"]:
            members = token["set"].replace("\\", "\\\\").replace("[", "\\[")
            parts.append(f"(?!/)[{'^' + members[1:] if members[0] in '!^' else members}]")
        elif token["one"]:
            parts.append(re.escape(token["one"]))
        else:
            parts.append("[^/]" if token[0] == "?" else "[^/]*")
    return "".join(parts)

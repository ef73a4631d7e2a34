"""Absence is proven, never assumed: which known photos are gone from their folders.

A photo is gone if its folder could be listed, and does not hold it; or if the folder itself is gone in this way. A
folder that cannot be listed (permission denied, an error of the disk, a network drive that does not answer) proves
nothing, and neither does one that is empty: a disk may be mounted there at other times.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from .store import Store

__all__ = ["Absent", "is_missing", "look_for_absent"]


class Absent(NamedTuple):
    """What is known of photos below some folders."""

    known: int
    """How many paths are."""
    absent: list[str]
    """Those that are known to be gone."""
    doubtful: int
    """Paths that cannot be looked at, or are in an empty folder."""


def look_for_absent(store: Store, tops: Iterable[str]) -> Absent:
    """Find the known photos in these folders, and of these paths, that are gone."""
    known, absent, doubtful = set[str](), list[str](), 0
    listings = _Listings()
    for top in tops:
        for path in store.paths_below(top):
            if path in known:
                continue
            known.add(path)
            there = listings.has(path, top)
            if there is None:
                doubtful += 1
            elif not there:
                absent.append(path)
    return Absent(len(known), absent, doubtful)


def is_missing(path: str) -> bool:
    """Tell whether the system says that there is no such file, rather than that it cannot tell."""
    try:
        os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


class _Listings:
    """What is in folders, each listed once."""

    def __init__(self) -> None:
        self._names: dict[str, set[str] | None] = {}

    def has(self, path: str, top: str) -> bool | None:
        """Tell whether a path exists, as far as the folders from `top` downward tell; None if they do not."""
        folder, name = os.path.split(path)
        names = self._list(folder)
        if names is None:  # it cannot be listed: perhaps since it is gone
            return None if folder in (path, top) or path == top or self.has(folder, top) is not False else False
        if not names and path != top:
            return None
        return name in names or not is_missing(path)  # names may be equal but for their case

    def _list(self, folder: str) -> set[str] | None:
        if folder not in self._names:
            try:
                with os.scandir(folder) as entries:
                    self._names[folder] = {entry.name for entry in entries}
            except OSError:
                self._names[folder] = None
        return self._names[folder]

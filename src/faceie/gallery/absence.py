"""Photos that are gone from their folders. Absence is proven, never assumed.

A photo is gone if its folder was listed and does not hold it, or if the folder itself is gone in the same way. Two
kinds of folders prove nothing. One cannot be listed: permission is denied, the disk fails, a network drive does not
answer. The other is empty: a disk may be mounted there at other times.

A photo that is found at another path needs less proof. Its former path is forgotten if the system knows no such file
(`is_missing`): the gallery keeps the photo, with everything that the user has said about its faces.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from .store import Store

__all__ = ["AbsenceReport", "find_absent", "is_missing"]


class AbsenceReport(NamedTuple):
    """Result of `find_absent`."""

    known: int
    """Number of known paths."""
    absent: list[str]
    """Paths of photos that are gone."""
    doubtful: int
    """Number of paths that cannot be checked, or whose folder is empty."""


def find_absent(store: Store, tops: Iterable[str]) -> AbsenceReport:
    """Find the photos that are gone, among the known ones below these folders or at these paths."""
    known, absent, doubtful = set[str](), list[str](), 0
    listings = _Listings()
    for top in tops:
        for path in store.paths_below(top):
            if path in known:
                continue
            known.add(path)
            exists = listings.exists(path, top)
            if exists is None:
                doubtful += 1
            elif not exists:
                absent.append(path)
    return AbsenceReport(len(known), absent, doubtful)


def is_missing(path: str) -> bool:
    """Tell whether the system says that there is no such file. Other errors prove nothing."""
    try:
        os.stat(path)  # noqa: PTH116  # for many paths, which are strings
    except (OSError, ValueError) as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


class _Listings:
    """Names in folders, each listed once."""

    def __init__(self) -> None:
        self._names: dict[str, set[str] | None] = {}

    def exists(self, path: str, top: str) -> bool | None:
        """Tell whether a path exists, or None if unknown. Folders above `top` are not consulted."""
        folder, name = os.path.split(path)
        names = self._list(folder)
        if names is None:  # perhaps because the folder is gone
            is_below_top = path != top and folder not in (path, top)
            return False if is_below_top and self.exists(folder, top) is False else None
        if not names and path != top:  # perhaps a mount point
            return None
        return name in names or not is_missing(path)  # the file system may ignore case

    def _list(self, folder: str) -> set[str] | None:
        if folder not in self._names:
            try:
                with os.scandir(folder) as entries:
                    self._names[folder] = {entry.name for entry in entries}
            except OSError:
                self._names[folder] = None
        return self._names[folder]

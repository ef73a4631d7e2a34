"""Read each version of a file of weights once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

__all__ = ["read_once"]

T = TypeVar("T")


def read_once(read: Callable[[Path], T], maxsize: int) -> Callable[[Path], T]:
    """Return a function that reads a file again only if its time or size has changed; it keeps `maxsize` results."""

    @lru_cache(maxsize)
    def cached(path: Path, _changed: int, _size: int) -> T:
        return read(path)

    def read_version(path: Path) -> T:
        try:
            about = path.stat()
        except OSError:
            return read(path)  # raises the error that says why
        return cached(path, about.st_mtime_ns, about.st_size)

    return read_version

"""The files that a command writes: their names, and files for the owner's eyes only."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import OptionError
from ..files import replacing
from ..images.folders import Photo

__all__ = ["MAX_FACES_ON_PAGE", "OutputPaths", "check_new", "is_same_file", "write_private"]

MAX_FACES_ON_PAGE = 2000  # a page of some 10 MB
_MAX_NAME_BYTES = 240  # file systems allow 255; the rest is for a number


class OutputPaths:
    """Paths for the files that a run writes: no path twice, and never that of a photo that the run reads."""

    def __init__(self, photos: Iterable[Photo]) -> None:
        self._taken = {_identity(photo.path) for photo in photos}

    def reserve(self, path: Path) -> Path:
        """Return the path, or one with a number if it is taken: ``party.jpg``, ``party (2).jpg``, ..."""
        path = _shorten(path)
        numbered = (path.with_stem(f"{path.stem} ({number})") for number in itertools.count(2))
        free = next(name for name in itertools.chain([path], numbered) if _identity(name) not in self._taken)
        self._taken.add(_identity(free))
        return free


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read. An existing file is replaced when the new one is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, private=True) as file:
        file.write(text.encode())


def check_new(path: Path, force: bool) -> None:
    """Raise OptionError if a file exists that only ``--force`` may replace."""
    if path.exists() and not force:
        raise OptionError(f"{path}: the file already exists. Use --force to replace it.")


def is_same_file(a: Path, b: Path) -> bool:
    """Tell whether two paths lead to the same existing file."""
    return a.exists() and b.exists() and a.samefile(b)


def _shorten(path: Path) -> Path:
    """Cut characters from the middle of a long name, to leave room for a number."""
    while len(os.fsencode(path.name)) > _MAX_NAME_BYTES:
        path = path.with_name(f"{path.stem[: len(path.stem) // 2]}{path.stem[len(path.stem) // 2 + 1 :]}{path.suffix}")
    return path


def _identity(path: Path) -> str:
    """Return a key that is equal for two paths of one file, even where file names ignore case."""
    return os.path.realpath(path).casefold()

"""Names for the files that a command writes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

from ..files import replacing
from ..images.folders import Photo

__all__ = ["PICTURES", "Results", "is_same_file", "write_private"]

PICTURES = 2000  # faces on a page: some 10 MB
_LONGEST = 240  # bytes of a name: file systems allow 255


class Results:
    """Names for the files that a run writes: each once, and never that of a photo that it reads."""

    def __init__(self, photos: Iterable[Photo]) -> None:
        self._taken = {_identity(photo.path) for photo in photos}

    def name(self, path: Path) -> Path:
        """Return the path, or one with a number if it is taken: ``party.jpg``, ``party (2).jpg``, ..."""
        path = _shortened(path)
        numbered = (path.with_stem(f"{path.stem} ({number})") for number in itertools.count(2))
        free = next(name for name in itertools.chain([path], numbered) if _identity(name) not in self._taken)
        self._taken.add(_identity(free))
        return free


def write_private(path: Path, text: str) -> None:
    """Write a file that holds faces: only its owner can read it. It replaces another one when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, private=True) as file:
        file.write(text.encode())


def is_same_file(a: Path, b: Path) -> bool:
    """Tell whether two paths lead to the same file, which exists."""
    return a.exists() and b.exists() and a.samefile(b)


def _shortened(path: Path) -> Path:
    """Return a path whose name is short enough for a number: that of a photo may be as long as can be already."""
    while len(os.fsencode(path.name)) > _LONGEST:
        path = path.with_name(f"{path.stem[: len(path.stem) // 2]}{path.stem[len(path.stem) // 2 + 1 :]}{path.suffix}")
    return path


def _identity(path: Path) -> str:
    """Return what two paths of the same file have in common, even where names differ only by capital letters."""
    return os.path.realpath(path).casefold()

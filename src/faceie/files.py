"""Paths, kinds of files, and files that appear under their name only when they are complete."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import OptionError

__all__ = ["absolute_paths", "draft_prefix", "not_a_file", "remove_stale_drafts", "replacing"]

_RANDOM = 8  # characters at the end of a draft's name
_STALE = 60  # seconds: a draft in use is younger
_LONGEST = 200  # bytes of a name; a draft adds some, and file systems allow 255


def draft_prefix(path: Path) -> str:
    """Return the prefix of the names of a file's drafts: a dot and its name, or a hash of a name that is too long."""
    name = os.fsencode(path.name)
    if len(name) <= _LONGEST:
        return f".{path.name}-"
    return f".{hashlib.sha256(name).hexdigest()}-"


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`, which replaces `path` at the end, or is removed after an error.

    `private`: whether only its owner can read it.
    """
    temporary = path.with_name(f"{draft_prefix(path)}{secrets.token_hex(4)}")
    mode = 0o600 if private else 0o666  # minus the user's umask
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def remove_stale_drafts(paths: Iterable[Path]) -> None:
    """Delete the drafts of these files, and folders of them, that a killed program has left a minute ago or earlier."""
    prefixes: dict[Path, set[str]] = {}
    for path in paths:
        prefixes.setdefault(path.parent, set()).add(draft_prefix(path))
    for folder, known in prefixes.items():
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name[:-_RANDOM] in known and entry.stat().st_mtime < time.time() - _STALE:
                    remove = shutil.rmtree if entry.is_dir(follow_symlinks=False) else os.unlink
                    remove(entry.path)


def not_a_file(mode: int) -> str | None:
    """Return the kind of a file that cannot be read as a photo or would block, by its mode (`st_mode`), or None."""
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((kind for is_kind, kind in kinds if is_kind(mode)), None)


def absolute_paths(folders: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return absolute paths, with the home of "~". Links are not resolved. Raises OptionError for a single path."""
    if isinstance(folders, str | bytes | os.PathLike):
        raise OptionError(f"folders is one path, {folders!r}, expected a list of paths")
    return [os.path.abspath(Path(folder).expanduser()) for folder in folders]  # noqa: PTH100  # resolve follows links

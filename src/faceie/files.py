"""Files: what is one, and how one appears under its name when it is whole, not before."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["draft_prefix", "not_a_file", "replacing"]

_LONGEST = 200  # bytes of a name to which a draft adds some; file systems allow 255


def draft_prefix(path: Path) -> str:
    """Return how the names of the drafts of a file begin: with a dot and its name, as far as there is room for it."""
    name = os.fsencode(path.name)
    if len(name) <= _LONGEST:
        return f".{path.name}-"
    return f".{hashlib.sha256(name).hexdigest()}-"


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Give a temporary file beside `path`, which takes its place at the end, or is removed if there was an error.

    `private`: only its owner can read it.
    """
    temporary = path.with_name(f"{draft_prefix(path)}{secrets.token_hex(4)}")
    mode = 0o600 if private else 0o666  # less what the user never allows
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


def not_a_file(mode: int) -> str | None:
    """Return what a file is by its mode (`os.stat_result.st_mode`) that cannot be read as a photo, or would block."""
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((what for is_kind, what in kinds if is_kind(mode)), None)

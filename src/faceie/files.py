"""Files that appear under their names when they are whole, not before."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Give a temporary file beside `path`, which takes its place at the end, or is removed if there was an error.

    Its name is a dot, that of the file, a hyphen, and something random. `private`: only its owner can read it.
    """
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
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

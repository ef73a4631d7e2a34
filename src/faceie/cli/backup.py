"""``faceie backup``: copy the gallery while it is in use."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import Gallery
from .outputs import check_new
from .parser import add_command
from .terminal import OK, write
from .text import plural, printable

__all__ = ["add_parser"]

_DESCRIPTION = """\
Copy the gallery to another file. The copy is consistent, even if other commands
write to the gallery at the same time; a plain copy of a gallery in use may be
damaged. To use the copy, name it with --gallery. Or put it where the gallery was,
after removing the files beside it that end in -wal and -shm.
"""


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = add_command(
        commands,
        "backup",
        run,
        help="copy the gallery to another file while it is in use",
        description=_DESCRIPTION,
        gallery=True,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the copy to make")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(arguments: argparse.Namespace) -> int:
    """Copy the gallery."""
    target = arguments.file
    check_new(target, arguments.force)
    with Gallery(arguments.gallery, create=False) as gallery:
        gallery.backup(target)
        write(f"{printable(target)}: a copy of {plural(len(gallery), 'face')}")
    return OK

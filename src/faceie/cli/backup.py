"""``faceie backup``: copy the gallery, while it is in use."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import Gallery, OptionError
from .index import counted
from .options import add_gallery_option
from .terminal import OK, printable, write

__all__ = ["add_parser"]

_DESCRIPTION = """\
Copy the gallery to another file: its state of one moment, even if other commands
write to it during that. A plain copy of a gallery that is in use may be damaged.
To use the copy, name it with --gallery, or put it where the gallery was, with no
other file of that name (-wal, -shm) beside it.
"""


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "backup",
        help="copy the gallery to another file, while it is in use",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("file", type=Path, metavar="FILE", help="the copy to make")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    add_gallery_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Copy the gallery."""
    target = arguments.file
    if target.exists() and not arguments.force:
        raise OptionError(f"{target}: this exists already; --force replaces it")
    with Gallery(arguments.gallery, create=False) as gallery:
        gallery.backup(target)
        write(f"{printable(target)}: a copy of {counted(len(gallery), 'face')}")
    return OK

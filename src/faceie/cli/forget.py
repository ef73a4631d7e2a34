"""``faceie forget``: delete people, photos or everything from a gallery, to the last byte."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import Gallery, OptionError
from .options import number_or_name
from .parser import add_command
from .terminal import OK, write
from .text import plural

__all__ = ["add_parser"]

_DESCRIPTION = """\
Delete a person, a photo or everything from the gallery: rows, thumbnails and
embeddings, and their bytes in its files. Your photos stay as they are. A forgotten
photo is not added again, unless faceie index is run with --forgotten. The faces of
a forgotten person are not found again, unless their photos change.
"""


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = add_command(
        commands,
        "forget",
        run,
        help="delete a person, a photo or everything from the gallery",
        description=_DESCRIPTION,
        gallery=True,
    )
    parser.add_argument(
        "person", type=number_or_name, nargs="?", metavar="PERSON", help="a name, or the number of a cluster"
    )
    parser.add_argument("--photo", type=Path, metavar="PATH", help="delete a photo with its copies and its faces")
    parser.add_argument("--all", action="store_true", help="delete everything, and the files of the gallery")


def run(arguments: argparse.Namespace) -> int:
    """Delete from the gallery."""
    given = [arguments.person is not None, arguments.photo is not None, arguments.all]
    if sum(given) != 1:
        raise OptionError("forget: expected a person, --photo or --all, and only one of them")
    with Gallery(arguments.gallery, create=False) as gallery:
        if arguments.all:
            deleted = gallery.forget_all()
        elif arguments.photo is not None:
            deleted = gallery.forget_photo(arguments.photo)
        else:
            deleted = gallery.forget_person(arguments.person)
    photos = f"{plural(deleted.photos, 'photo')} and " if deleted.photos else ""
    write(f"forgotten: {photos}{plural(deleted.faces, 'face')}")
    return OK

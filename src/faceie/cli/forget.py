"""``faceie forget``: delete people, photos or all from a gallery, to the last byte."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import Gallery, OptionError
from .index import counted
from .options import add_gallery_option, who
from .terminal import OK, write

__all__ = ["add_parser"]

_DESCRIPTION = """\
Delete from the gallery what it knows of a person, of a photo, or everything: rows,
thumbnails and embeddings, and their bytes in its files. Your photos stay as they
are. A photo that still lies in a folder is found again when that is indexed again;
the faces of a person that was forgotten are not, unless their photos change.
"""


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "forget",
        help="delete a person, a photo or everything from the gallery",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("person", type=who, nargs="?", metavar="PERSON", help="a name, or the number of a cluster")
    parser.add_argument("--photo", type=Path, metavar="PATH", help="a photo, with its copies and its faces")
    parser.add_argument("--all", action="store_true", help="everything, and the files of the gallery themselves")
    add_gallery_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Forget one thing."""
    asked = [arguments.person is not None, arguments.photo is not None, arguments.all]
    if sum(asked) != 1:
        raise OptionError("faceie forget: expected a person, --photo or --all, one of them")
    with Gallery(arguments.gallery, create=False) as gallery:
        if arguments.all:
            gone = gallery.forget_all()
        elif arguments.photo is not None:
            gone = gallery.forget_photo(arguments.photo)
        else:
            gone = gallery.forget_person(arguments.person)
    photos = f"{counted(gone.photos, 'photo')} and " if gone.photos else ""
    write(f"forgotten: {photos}{counted(gone.faces, 'face')}")
    return OK

"""``faceie weights``: list, fetch and convert the weights of the encoder."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import WeightsNotFoundError
from ..facenet.loading import convert_published
from ..weights import registry
from .convert import FACENET_DESCRIPTION, add_facenet_arguments, convert_facenet
from .parser import add_command
from .terminal import OK, write
from .text import Table

__all__ = ["add_parser"]

_DESCRIPTION = """\
List, fetch and convert the weights of the encoder, which compares faces. The
weights of the detector come with Faceie. Three environment variables control
downloads: FACEIE_CACHE is the folder that stores them, FACEIE_MIRROR is an address
to fetch them from, and FACEIE_OFFLINE=1 forbids them.
"""

_FILES = Table({"name": "<15", "size": ">8", "path": ""})
_TITLES = Table({"": "<15", "title": ""})


def add_parser(commands: Any) -> None:
    """Add this command, and its own commands, to the parser."""
    parser = add_command(commands, "weights", None, help="list, fetch and convert weights", description=_DESCRIPTION)
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    add_command(actions, "list", _list, help="list the published weights, and their files on this machine")

    action = add_command(
        actions, "path", _path, help="print the path of weights, or exit with code 3 if they are not on this machine"
    )
    action.add_argument("name", metavar="NAME", help="a name such as vggface2")

    action = add_command(
        actions, "fetch", _fetch, help="download weights unless they are on this machine, and print their path"
    )
    action.add_argument("name", metavar="NAME", help="a name such as vggface2")

    action = add_command(
        actions,
        "convert",
        convert_facenet,
        help="convert weights to Faceie's format",
        description=FACENET_DESCRIPTION,
    )
    add_facenet_arguments(action)


def _list(arguments: argparse.Namespace) -> int:
    for name, published in registry.PUBLISHED.items():
        path = registry.find(name)
        size = f"{path.stat().st_size / 1e6:.1f} MB" if path else "-"
        write(_FILES.row(name, size, path or "not on this machine"))
        write(_TITLES.row("", published.title))
    return OK


def _path(arguments: argparse.Namespace) -> int:
    name = arguments.name
    path = registry.find(name)
    if path is None:
        raise WeightsNotFoundError(
            f'the weights "{name}" are not on this machine. Download them: faceie weights fetch {name}'
        )
    write(str(path))
    return OK


def _fetch(arguments: argparse.Namespace) -> int:
    write(str(registry.locate(arguments.name, convert_published)))
    return OK

"""``faceie weights``: which weights of the encoder are on this machine, and how to get them there."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import WeightsNotFoundError
from ..facenet.loading import convert_published
from ..weights import registry
from .convert import FACENET_DESCRIPTION, add_facenet_arguments, convert_facenet
from .terminal import OK, printable, write

__all__ = ["add_parser"]

_DESCRIPTION = """\
Weights of the encoder, which compares faces. Those of the detector come with
Faceie. Three environment variables tell where downloads go (FACEIE_CACHE, a
folder), where they come from (FACEIE_MIRROR, an address), and that there shall
be none (FACEIE_OFFLINE=1).
"""


def add_parser(commands: Any) -> None:
    """Add this command, and its own commands, to the parser."""
    parser = commands.add_parser(
        "weights",
        help="list, fetch and convert weights",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    action = actions.add_parser("list", help="tell which weights there are, and which are on this machine")
    action.set_defaults(run=_list)

    action = actions.add_parser("path", help="print where weights are; exit code 3 if they are not on this machine")
    action.add_argument("name", metavar="NAME", help="such as vggface2")
    action.set_defaults(run=_path)

    action = actions.add_parser("fetch", help="download weights unless they are on this machine; print where they are")
    action.add_argument("name", metavar="NAME", help="such as vggface2")
    action.set_defaults(run=_fetch)

    action = actions.add_parser("convert", help="convert weights to Faceie's format", description=FACENET_DESCRIPTION)
    add_facenet_arguments(action)
    action.set_defaults(run=convert_facenet)


def _list(arguments: argparse.Namespace) -> int:
    for name, published in registry.PUBLISHED.items():
        path = registry.find(name)
        size = f"{path.stat().st_size / 1e6:.1f} MB" if path else "-"
        write(f"{name:15}  {size:>8}  {printable(path or 'not on this machine')}")
        write(f"{'':15}  {published.title}")
    return OK


def _path(arguments: argparse.Namespace) -> int:
    name = arguments.name
    path = registry.find(name)
    if path is None:
        raise WeightsNotFoundError(f'the weights "{name}" are not on this machine: faceie weights fetch {name}')
    write(str(path))
    return OK


def _fetch(arguments: argparse.Namespace) -> int:
    write(str(registry.locate(arguments.name, convert_published)))
    return OK

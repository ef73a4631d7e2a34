"""``faceie people``: who is in the gallery."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import Gallery
from ..web import people_page
from ..web.pages import Group
from .index import counted
from .options import add_gallery_option, who
from .results import PICTURES, write_private
from .search import describe_face
from .terminal import OK, complain, printable, write

__all__ = ["add_parser"]

_DESCRIPTION = """\
List the people in the gallery: those whom you have named, and clusters of faces
that seem to be one person, the largest first. What you say of them stays, however
often faces are clustered again; photos that are indexed later join the people that
they show. WHO is the number of a cluster, or a name; FACE the number of a face, as
faceie people faces and the page of --html show it.
"""

_SHOWN = 48  # faces of each cluster on the page


def add_parser(commands: Any) -> None:
    """Add this command, and what it can be told, to the parser."""
    parser = commands.add_parser(
        "people",
        help="list the people in the gallery, name them, put them right",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=_list)
    parser.add_argument("--json", action="store_true", help="print JSON Lines in place of the table")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page with the faces, to look at in a browser"
    )
    parser.add_argument("--limit", type=int, metavar="NUMBER", help="list at most this many (default: all)")
    parser.add_argument(
        "--min-faces", type=int, default=1, metavar="NUMBER", help="leave out clusters of fewer faces (default: 1)"
    )
    add_gallery_option(parser)
    actions = parser.add_subparsers(title="what you can say", metavar="ACTION")

    def add(name: str, run: Any, help: str, *parameters: tuple[str, dict[str, Any]]) -> None:
        action = actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        action.set_defaults(run=run)
        for parameter, keywords in parameters:
            action.add_argument(parameter, **keywords)
        add_gallery_option(action, default=argparse.SUPPRESS)  # unless it is given before the action

    one = ("who", {"type": who, "metavar": "WHO"})
    faces = ("faces", {"type": int, "nargs": "+", "metavar": "FACE"})
    add("faces", _faces, "list the faces of a cluster or person", one)
    add(
        "name",
        _telling(lambda gallery, given: gallery.name(given.who, given.name)),
        "name a cluster, or rename a person",
        one,
        ("name", {"metavar": "NAME"}),
    )
    add(
        "merge",
        _telling(lambda gallery, given: gallery.merge(*given.people)),
        "make one person of several",
        ("people", {"type": who, "nargs": "+", "metavar": "WHO"}),
    )
    add(
        "split",
        _telling(lambda gallery, given: gallery.split(given.who, given.faces)),
        "make another cluster of some faces",
        one,
        faces,
    )
    add(
        "is",
        _telling(lambda gallery, given: gallery.confirm(given.who, given.faces)),
        "say that faces are this person, who may be new",
        one,
        faces,
    )
    add("not", _not, "say that faces are not this person", one, faces)


def _list(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        everybody = [one for one in gallery.people() if one.name or one.faces >= arguments.min_faces]
        people = everybody[: arguments.limit]
        if not gallery.is_clustered():
            complain(
                "the clusters are those of the last time, since this gallery can only be read here"
                if gallery.is_read_only
                else "the clusters are those of the last time; to cluster new faces: pip install scipy"
            )
        if not people:
            complain("there are no two faces of one person in this gallery, as far as one can tell")
        elif not arguments.json:
            write(_row("number", "faces", "photos", "who", "for example"))
        for person in people:
            example = None if person.example is None else gallery.face(person.example)
            if arguments.json:
                write(json.dumps({**person._asdict(), "example": example and describe_face(example)}))
            else:
                called = printable(person.name) if person.name else "-"
                place = printable(example.path) if example else "-"
                write(_row(person.number, person.faces, person.photos, called, place))
        if arguments.html:
            groups: list[Group] = []
            pictures = 0
            for person in people:
                if pictures < PICTURES:
                    groups.append(Group(person, gallery.faces_of(person.number)[:_SHOWN]))
                    pictures += len(groups[-1].faces)
            named = sum(person.name is not None for person in everybody)
            shown = f", the first {len(groups):,} of them here" if len(groups) < len(everybody) else ""
            about = (
                f"{counted(len(everybody), 'group')} of faces, {named} with a name{shown}. To name one: "
                "faceie people name NUMBER NAME; to put one right: merge, split, is, not."
            )
            write_private(arguments.html, people_page("People", about, groups, gallery.thumbnail))
    return OK


def _faces(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        write(f"{'face':>6}  {'quality':>7}  {'said':<4}  photo")
        for face in gallery.faces_of(arguments.who):
            said = "yes" if face.confirmed else "-"
            write(f"{face.id:>6}  {face.quality:7.2f}  {said:<4}  {printable(face.path)} (face {face.number})")
    return OK


def _telling(change: Callable[[Gallery, argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Return the command that makes this change, and prints what has become of the person or cluster."""

    def run(arguments: argparse.Namespace) -> int:
        with Gallery(arguments.gallery, create=False) as gallery:
            number = change(gallery, arguments)
            person = gallery.person(number)
        called = f"{printable(person.name)} (number {number})" if person.name else f"cluster {number}"
        write(f"{called}: {counted(person.faces, 'face')} in {counted(person.photos, 'photo')}")
        return OK

    return run


def _not(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        gallery.deny(arguments.who, arguments.faces)
        write(f"noted: {counted(len(arguments.faces), 'face')} not {printable(arguments.who)}")
    return OK


def _row(number: object, faces: object, photos: object, called: str, example: str) -> str:
    return f"{number!s:>6}  {faces!s:>5}  {photos!s:>6}  {called:<16}  {example}"

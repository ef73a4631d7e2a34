"""``faceie people``: list, name and correct the people in the gallery."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

from .. import Gallery, OptionError
from ..gallery import Person
from ..web import people_page
from ..web.pages import Group
from . import people_export, people_import, questions
from .options import add_gallery_option, add_html_option, add_json_option, number_or_name
from .outputs import MAX_FACES_ON_PAGE, write_private
from .parser import Run, add_command
from .search import face_as_json
from .terminal import OK, error, write
from .text import Table, plural, printable

__all__ = ["add_parser"]

_DESCRIPTION = """\
List the people in the gallery: the people that you have named, then clusters of
faces that seem to show one person, the largest first. Your names and corrections
are kept when faces are clustered again, and new photos join the people that they
show. WHO is a name, or the number of a cluster. FACE is the number of a face, as
faceie people faces and the page of --html show it.
"""

_FACES_PER_GROUP = 48  # on the page

_PEOPLE = Table({"number": ">6", "faces": ">5", "photos": ">6", "who": "<16", "for example": ""})
_FACES = Table({"face": ">6", "quality": ">7", "said": "<4", "photo": ""})


def add_parser(commands: Any) -> None:
    """Add this command, and its own commands, to the parser."""
    parser = add_command(
        commands,
        "people",
        _list,
        help="list the people in the gallery, name and correct them",
        description=_DESCRIPTION,
        gallery=True,
    )
    add_json_option(parser)
    add_html_option(parser)
    parser.add_argument("--limit", type=int, metavar="NUMBER", help="most people and clusters to list (default: all)")
    parser.add_argument(
        "--min-faces", type=int, default=1, metavar="NUMBER", help="leave out clusters with fewer faces (default: 1)"
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(name: str, run: Run, help: str, *arguments: tuple[str, dict[str, Any]]) -> None:
        action = add_command(actions, name, run, help=help)
        for argument, keywords in arguments:
            action.add_argument(argument, **keywords)
        add_gallery_option(action, default=argparse.SUPPRESS)  # keep the value given before the action

    who = ("who", {"type": number_or_name, "metavar": "WHO", "help": "a name, or the number of a cluster"})
    faces = ("faces", {"type": int, "nargs": "+", "metavar": "FACE", "help": "the number of a face"})
    name = ("name", {"metavar": "NAME", "help": "the name of the person"})
    several = ("people", {**who[1], "nargs": "+"})
    unassigned = ("--unassigned", {"action": "store_true", "help": "list the faces without a person or cluster"})
    add("faces", _faces, "list the faces of a person or cluster", (who[0], {**who[1], "nargs": "?"}), unassigned)
    add(
        "name",
        _changing(lambda gallery, given: gallery.name(given.who, given.name)),
        "name a cluster, or rename a person",
        who,
        name,
    )
    add(
        "merge",
        _changing(lambda gallery, given: gallery.merge(*given.people)),
        "merge several people or clusters into one person",
        several,
    )
    add(
        "split",
        _changing(lambda gallery, given: gallery.split(given.who, given.faces)),
        "move faces into a new cluster",
        who,
        faces,
    )
    add(
        "is",
        _changing(lambda gallery, given: gallery.confirm(given.who, given.faces)),
        "confirm that faces show this person, who may be new",
        who,
        faces,
    )
    add("not", _not, "state that faces do not show this person", who, faces)
    people_export.add_parsers(actions)
    people_import.add_parser(actions)
    questions.add_commands(add)


def _list(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        everyone = [person for person in gallery.people() if person.name or person.faces >= arguments.min_faces]
        people = everyone[: arguments.limit]
        if not gallery.is_clustered():
            error(f"the clusters may be out of date{_why_not_clustered(gallery)}")
        if arguments.html:  # first: the reader of the list may leave
            write_private(arguments.html, _page(gallery, everyone, people))
        if not everyone and arguments.min_faces > 2:
            error(f"no people, and no clusters of at least {arguments.min_faces} faces")
        elif not everyone:
            error("no clusters: no two faces look like the same person")
        elif not arguments.json:
            write(_PEOPLE.header)
        for person in people:
            example = None if person.example is None else gallery.face(person.example)
            if arguments.json:
                write(json.dumps({**person._asdict(), "example": example and face_as_json(example)}))
            else:
                photo = example.path if example else "-"
                write(_PEOPLE.row(person.number, person.faces, person.photos, person.name or "-", photo))
    return OK


def _why_not_clustered(gallery: Gallery) -> str:
    """Return the end of the sentence that the clusters may be out of date: why, and what to do."""
    if gallery.is_read_only:
        return ", since this gallery is read-only here"
    return ", since another program is changing the gallery. Run the command again."


def _page(gallery: Gallery, everyone: Sequence[Person], people: Sequence[Person]) -> str:
    """Return the page of these people; `everyone` is counted in its first line."""
    groups: list[Group] = []
    pictures = 0
    for person in people:
        if pictures < MAX_FACES_ON_PAGE:
            groups.append(Group(person, gallery.faces_of(person.number)[:_FACES_PER_GROUP]))
            pictures += len(groups[-1].faces)
    named = sum(person.name is not None for person in everyone)
    shown = f", the first {len(groups):,} of them here" if len(groups) < len(everyone) else ""
    about = (
        f"{plural(len(everyone), 'group')} of faces, {named} with a name{shown}. To name one: "
        "faceie people name NUMBER NAME; to put one right: merge, split, is, not."
    )
    return people_page("People", about, groups, gallery.thumbnail)


def _faces(arguments: argparse.Namespace) -> int:
    if (arguments.who is None) == (not arguments.unassigned):
        raise OptionError("faces: expected a name, the number of a cluster, or --unassigned")
    with Gallery(arguments.gallery, create=False) as gallery:
        faces = gallery.unassigned_faces() if arguments.unassigned else gallery.faces_of(arguments.who)
        write(_FACES.header)
        for face in faces:
            said = "yes" if face.confirmed else "-"
            write(_FACES.row(face.id, f"{face.quality:.2f}", said, f"{face.path} (face {face.number})"))
    return OK


def _changing(change: Callable[[Gallery, argparse.Namespace], int]) -> Run:
    """Return a command that makes this change and prints the changed person or cluster."""

    def run(arguments: argparse.Namespace) -> int:
        with Gallery(arguments.gallery, create=False) as gallery:
            number = change(gallery, arguments)
            person = gallery.person(number)
        name = f"{printable(person.name)} (number {number})" if person.name else f"cluster {number}"
        write(f"{name}: {plural(person.faces, 'face')} in {plural(person.photos, 'photo')}")
        return OK

    return run


def _not(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        gallery.deny(arguments.who, arguments.faces)
        write(f"noted: {plural(len(arguments.faces), 'face')} not {printable(arguments.who)}")
    return OK

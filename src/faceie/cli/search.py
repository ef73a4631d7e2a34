"""``faceie search``: who in the gallery is this, and where else?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .. import Gallery, OptionError
from ..gallery import PRIOR, Face, Match, PhotoMatch
from ..web import search_page
from .index import counted
from .options import add_gallery_option, add_photo_options, who
from .results import PICTURES, write_private
from .terminal import OK, complain, printable, write

__all__ = ["add_parser", "describe_face"]

_DESCRIPTION = """\
Find the faces of the gallery that are most like the one in a photo, and print a
table: the probability that it is the same person, the distance (0, the same face,
to 2), when the photo was taken, the number of the face in it, and the photo. Or
list all photos of a person whom you have named with faceie people; of several
names, those that show all of them.
"""

_EPILOG = """\
The probability takes into account that most faces of a gallery are of other
people: --prior is how many are of this one, before looking. --json prints JSON
Lines, an object a face (or, with --person, a photo).
"""


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "search",
        help="find the photos that show the person in a photo",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("photo", type=Path, nargs="?", metavar="PHOTO", help="a photo with the face to search for")
    parser.add_argument(
        "--person", type=who, action="append", metavar="NAME", help="a person, by name or number; may be repeated"
    )
    parser.add_argument(
        "--face",
        type=int,
        metavar="NUMBER",
        help="which face of the photo, as faceie detect counts (default: the largest)",
    )
    parser.add_argument(
        "--limit", type=int, default=20, metavar="NUMBER", help="at most so many (default: %(default)s)"
    )
    parser.add_argument(
        "--min-probability",
        type=float,
        default=0.5,
        metavar="PROBABILITY",
        help="only faces that are the same person at least so probably; 0 for all (default: %(default)s)",
    )
    parser.add_argument(
        "--prior",
        type=float,
        default=PRIOR,
        metavar="PROBABILITY",
        help="how many of the faces are of this person, before looking (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page with the faces, to look at in a browser"
    )
    add_gallery_option(parser)
    add_photo_options(parser, "250000000; those of more than 100000000 are searched at half size")


def run(arguments: argparse.Namespace) -> int:
    """Search by a photo, or list the photos of people."""
    if (arguments.photo is None) == (arguments.person is None):
        raise OptionError("faceie search: expected either a photo or --person")
    if not 0 <= arguments.min_probability <= 1:
        raise OptionError(f"--min-probability {arguments.min_probability:g}: expected 0 to 1")
    with Gallery(arguments.gallery, create=False) as gallery:
        if arguments.person:
            _list(gallery, arguments)
        else:
            _search(gallery, arguments)
    return OK


def _search(gallery: Gallery, arguments: argparse.Namespace) -> None:
    probe = gallery.probe(
        arguments.photo, face=arguments.face, truncated=arguments.truncated, max_pixels=arguments.max_pixels
    )
    photo = printable(arguments.photo)
    if probe.faces > 1 and arguments.face is None:
        complain(f"{photo} has {probe.faces} faces; this is face {probe.number}, the largest. --face chooses another")
    near = gallery.search(probe, limit=arguments.limit, prior=arguments.prior)
    matches = [m for m in near if m.probability is None or m.probability >= arguments.min_probability]
    if not matches:
        complain(_nobody(near, arguments.min_probability))
    elif not arguments.json:
        write(_row("probability", "distance", "date", "face", "photo"))
    for match in matches:
        write(json.dumps(_entry(match)) if arguments.json else _match_row(match))
    if arguments.html:
        about = f"{counted(len(matches), 'face')} of {len(gallery):,}, the most alike first."
        title = f"Faces like the one in {printable(arguments.photo.name)}"
        write_private(arguments.html, search_page(title, about, probe.thumbnail, matches, gallery.thumbnail))


def _nobody(near: list[Match], least: float) -> str:
    if not near:
        return "there is no face in this gallery; faceie index adds some"
    best = near[0]
    return (
        f"nobody in this gallery is this person with a probability of {least:g} or more; "
        f"the most alike, {printable(best.path)}, with {best.probability:.2g}"
    )


def _list(gallery: Gallery, arguments: argparse.Namespace) -> None:
    found = gallery.photos_of(*arguments.person)
    if not found:
        complain("no photo shows all of them" if len(arguments.person) > 1 else "no photo shows this person")
    for photo in found:
        write(json.dumps(_photo_match(photo)) if arguments.json else f"{_date(photo.taken)}  {printable(photo.path)}")
    if arguments.html:
        title = "Photos of " + " and ".join(map(str, arguments.person))
        faces = [Match(face, 0.0, None) for photo in found for face in photo.faces]
        shown = f", the first {PICTURES:,} faces here" if len(faces) > PICTURES else ""
        faces = faces[:PICTURES]
        about = f"{counted(len(found), 'photo')}, the oldest first{shown}."
        write_private(arguments.html, search_page(title, about, None, faces, gallery.thumbnail))


def describe_face(face: Face) -> dict[str, Any]:
    """Return a face of the gallery, for JSON."""
    return {
        "id": face.id,
        "photo": str(face.path),
        "face": face.number,
        "bounding_box": [round(corner, 2) for corner in face.box],
        "landmarks": face.landmarks.astype(float).round(2).tolist(),
        "angle": round(face.angle, 6),
        "face_probability": round(face.probability, 6),
        "quality": round(face.quality, 4),
        "taken": face.taken,
        "person": face.person,
        "name": face.name,
        "confirmed": face.confirmed,
    }


def _entry(match: Match) -> dict[str, Any]:
    probability = None if match.probability is None else round(match.probability, 6)
    return {"probability": probability, "distance": round(match.distance, 4), **describe_face(match.face)}


def _photo_match(photo: PhotoMatch) -> dict[str, Any]:
    return {
        "photo": str(photo.path),
        "taken": photo.taken,
        "faces": [describe_face(face) for face in photo.faces],
    }


def _match_row(match: Match) -> str:
    probability = "-" if match.probability is None else f"{match.probability:.3f}"
    return _row(probability, f"{match.distance:.2f}", _date(match.face.taken), match.face.number, printable(match.path))


def _row(probability: str, distance: str, date: str, face: object, photo: str) -> str:
    return f"{probability:>11}  {distance:>8}  {date:<10}  {face!s:>4}  {photo}"


def _date(taken: str | None) -> str:
    return (taken or "-")[:10].ljust(10)

"""``faceie search``: find the photos of a person in the gallery."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .. import Gallery, OptionError
from ..gallery import PRIOR, Face, Match, PhotoMatch, Probe
from ..web import search_page
from .options import GALLERY_LIMIT, add_html_option, add_json_option, add_photo_options, number_or_name
from .outputs import MAX_FACES_ON_PAGE, write_private
from .parser import add_command
from .terminal import OK, error, write
from .text import Table, plural, printable

__all__ = ["add_parser", "face_as_json"]

_DESCRIPTION = """\
Find the faces of the gallery that are most similar to the face in a photo, and
print a table: the probability that both show the same person, the distance (0 to
2; 0 is the same face), the date of the photo, the number of the face in it, and
the photo. Several photos of one person find more than each of them. With --person,
list all photos of a person that you have named with faceie people; with several
names, the photos that show all of them.
"""

_EPILOG = """\
Most faces of a gallery show other people, and the probability takes this into
account: --prior is the share of faces that show this person.
--json prints an object per face (with --person, per photo), a line each.
"""

_MATCHES = Table({"probability": ">11", "distance": ">8", "date": "<10", "face": ">4", "photo": ""})
_PHOTOS = Table({"date": "<10", "photo": ""})


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = add_command(
        commands,
        "search",
        run,
        help="find the photos that show the person in a photo",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        gallery=True,
    )
    parser.add_argument(
        "photos",
        type=Path,
        nargs="*",
        metavar="PHOTO",
        help="a photo with the face to search for, or several of one person",
    )
    parser.add_argument(
        "--person",
        type=number_or_name,
        action="append",
        metavar="NAME",
        help="a person, by name or number; may be repeated",
    )
    parser.add_argument(
        "--face",
        type=int,
        metavar="NUMBER",
        help="number of the face in the photo, as faceie detect prints it (default: the largest face)",
    )
    for flag, which in (("--since", "first"), ("--until", "last")):
        parser.add_argument(
            flag, metavar="DATE", help=f"{which} date of the photos to list: 2019-06-01, 2019-06 or 2019"
        )
    parser.add_argument(
        "--limit", type=int, default=20, metavar="NUMBER", help="most faces to list (default: %(default)s)"
    )
    parser.add_argument(
        "--min-probability",
        type=float,
        default=0.5,
        metavar="PROBABILITY",
        help="leave out faces that are less probably the same person; 0 lists all (default: %(default)s)",
    )
    parser.add_argument(
        "--prior",
        type=float,
        default=PRIOR,
        metavar="PROBABILITY",
        help="share of the gallery's faces that show this person (default: %(default)s)",
    )
    add_json_option(parser)
    add_html_option(parser)
    add_photo_options(parser, GALLERY_LIMIT)


def run(arguments: argparse.Namespace) -> int:
    """Search by a photo, or list the photos of people."""
    if bool(arguments.photos) == (arguments.person is not None):
        raise OptionError("search: expected either a photo or --person")
    if arguments.face is not None and len(arguments.photos) > 1:
        raise OptionError("search: --face is the number of a face in one photo, expected a single photo")
    if not 0 <= arguments.min_probability <= 1:
        raise OptionError(f"--min-probability {arguments.min_probability:g}: expected 0 to 1")
    with Gallery(arguments.gallery, create=False) as gallery:
        if arguments.person:
            _list(gallery, arguments)
        else:
            _search(gallery, arguments)
    return OK


def _search(gallery: Gallery, arguments: argparse.Namespace) -> None:
    probes = [_probe(gallery, photo, arguments) for photo in arguments.photos]
    nearest = gallery.search(
        probes, limit=arguments.limit, prior=arguments.prior, since=arguments.since, until=arguments.until
    )
    matches = [m for m in nearest if m.probability is None or m.probability >= arguments.min_probability]
    if arguments.html:  # first: the reader of the list may leave
        about = f"{plural(len(matches), 'face')} of {len(gallery):,}, the most alike first."
        title = f"Faces like the one in {', '.join(printable(photo.name) for photo in arguments.photos)}"
        write_private(arguments.html, search_page(title, about, probes[0].thumbnail, matches, gallery.thumbnail))
    if not matches:
        error(_no_match(nearest, arguments))
    elif not arguments.json:
        write(_MATCHES.header)
    for match in matches:
        write(json.dumps(_match_as_json(match)) if arguments.json else _match_row(match))


def _probe(gallery: Gallery, path: Path, arguments: argparse.Namespace) -> Probe:
    """Return the face to search for in a photo. Tell which one of several faces it is."""
    probe = gallery.probe(path, face=arguments.face, truncated=arguments.truncated, max_pixels=arguments.max_pixels)
    if probe.faces > 1 and arguments.face is None:
        error(
            f"{printable(path)} has {probe.faces} faces; this is face {probe.number}, the largest. "
            "Choose another one with --face NUMBER."
        )
    return probe


def _no_match(nearest: list[Match], arguments: argparse.Namespace) -> str:
    """Return the message for a search without a match."""
    if not nearest and (arguments.since or arguments.until):
        return "no face in this gallery was photographed then"
    if not nearest:
        return "there is no face in this gallery. Add photos with faceie index."
    best, least = nearest[0], arguments.min_probability
    return (
        f"no face in this gallery shows this person with a probability of {least:g} or more. "
        f"The most similar one, in {printable(best.path)}, has {best.probability:.2g}."
    )


def _list(gallery: Gallery, arguments: argparse.Namespace) -> None:
    photos = gallery.photos_of(*arguments.person, since=arguments.since, until=arguments.until)
    if not photos:
        error("no photo shows all of them" if len(arguments.person) > 1 else "no photo shows this person")
    if arguments.html:
        title = "Photos of " + " and ".join(map(str, arguments.person))
        faces = [Match(face, 0.0, None) for photo in photos for face in photo.faces]
        shown = f", the first {MAX_FACES_ON_PAGE:,} faces here" if len(faces) > MAX_FACES_ON_PAGE else ""
        about = f"{plural(len(photos), 'photo')}, the oldest first{shown}."
        write_private(arguments.html, search_page(title, about, None, faces[:MAX_FACES_ON_PAGE], gallery.thumbnail))
    for photo in photos:
        write(json.dumps(_photo_as_json(photo)) if arguments.json else _PHOTOS.row(_date(photo.taken), photo.path))


def face_as_json(face: Face) -> dict[str, Any]:
    """Return a face of the gallery, for JSON."""
    return {
        "id": face.id,
        "photo": str(face.path),
        "face": face.number,
        "bounding_box": [round(corner, 2) for corner in face.box],
        "landmarks": face.landmarks.astype(float).round(2).tolist(),
        "roll": round(face.roll, 6),
        "face_probability": round(face.probability, 6),
        "quality": round(face.quality, 4),
        "taken": face.taken,
        "person": face.person,
        "name": face.name,
        "confirmed": face.confirmed,
        "ignored": face.ignored,
    }


def _match_as_json(match: Match) -> dict[str, Any]:
    probability = None if match.probability is None else round(match.probability, 6)
    return {"probability": probability, "distance": round(match.distance, 4), **face_as_json(match.face)}


def _photo_as_json(photo: PhotoMatch) -> dict[str, Any]:
    return {
        "photo": str(photo.path),
        "taken": photo.taken,
        "faces": [face_as_json(face) for face in photo.faces],
    }


def _match_row(match: Match) -> str:
    probability = "-" if match.probability is None else f"{match.probability:.3f}"
    date = _date(match.face.taken)
    return _MATCHES.row(probability, f"{match.distance:.2f}", date, match.face.number, match.path)


def _date(taken: str | None) -> str:
    return (taken or "-")[:10]

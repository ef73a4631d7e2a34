"""``faceie people import``: import names that other programs have stored in photos or beside them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .. import Gallery
from ..gallery import ImportReport
from .options import add_gallery_option, add_json_option
from .parser import add_command
from .terminal import FAILED, OK, error, write
from .text import name_options, plural, printable

__all__ = ["add_parser"]

_DESCRIPTION = """\
Import the names of people that other programs have stored: digiKam, Lightroom,
Picasa, Windows, ACDSee, Apple Photos by osxphotos, Google Photos by Takeout, and all
that write regions of faces by the standards (MWG, Microsoft, IPTC). Names are read
from the photos, and from the files beside them. Photos must be indexed before. Your
statements in Faceie are never changed. A name whose face is not found is kept for
its photo, and faceie search --person finds it.
"""


def add_parser(commands: Any) -> None:
    """Add this command to those of ``faceie people``."""
    parser = add_command(
        commands,
        "import",
        run,
        help="import names from other programs",
        description=_DESCRIPTION,
    )
    parser.add_argument(
        "paths", type=Path, nargs="*", metavar="PATH", help="a folder or a photo (default: all photos of the gallery)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the report, and change nothing")
    add_json_option(parser, form="one JSON object", instead="text")
    add_gallery_option(parser, default=argparse.SUPPRESS)  # keep the value given before the action


def run(arguments: argparse.Namespace) -> int:
    """Import names and print a summary."""
    from tqdm import tqdm  # slow to import

    with Gallery(arguments.gallery, create=False) as gallery, tqdm(unit="photo", leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = gallery.import_names(arguments.paths or None, dry_run=arguments.dry_run, progress=progress)
    for problem in report.problems:
        error(printable(f"{problem.path}: {name_options(problem.reason)}"))
    if arguments.json:
        write(json.dumps({"dry_run": arguments.dry_run, **_as_json(report)}))
    else:
        for line in _lines(report, arguments.dry_run):
            write(printable(line))
    return FAILED if report.problems else OK


def _lines(report: ImportReport, dry_run: bool) -> list[str]:
    """Return the report as text."""
    would = "would get" if dry_run else "got"
    faces = "face has" if report.known == 1 else "faces have"
    summary = [
        f"{plural(report.photos, 'photo')} with names of {_people(report.people)}, {report.new_people:,} of them new",
        f"{plural(report.faces, 'face')} {would} a name, {report.found:,} of them found by a second search; "
        f"{report.known:,} {faces} it already",
    ]
    if report.leftovers:
        kept = "would be kept" if dry_run else "kept"
        summary.append(f"{plural(len(report.leftovers), 'name')} without a face, {kept} for the photo:")
        summary += [f"  {name.path}: {name.name}" for name in report.leftovers]
    if report.conflicts:
        summary.append(f"{plural(len(report.conflicts), 'conflict')}, not imported:")
        summary += [f"  {one.path}: {one.name}, face {one.face}: {one.reason}" for one in report.conflicts]
    return summary


def _people(number: int) -> str:
    return f"{number:,} " + ("person" if number == 1 else "people")


def _as_json(report: ImportReport) -> dict[str, Any]:
    lists = {
        name: [{**item._asdict(), "path": str(item.path)} for item in getattr(report, name)]
        for name in ("conflicts", "leftovers", "problems")
    }
    return {**report._asdict(), **lists}

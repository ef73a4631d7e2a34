"""``faceie people export`` and ``faceie people links``: names and folders for other programs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import Gallery, OptionError
from ..gallery import BadPhoto
from .options import add_gallery_option, add_json_option
from .parser import Parser, add_command
from .terminal import FAILED, OK, error, write
from .text import name_options, plural, printable

__all__ = ["add_parsers"]

_EXPORT = """\
Write the names of people, with the regions of their faces, for other programs:
Immich, PhotoPrism, digiKam, Lightroom and others. Only faces that you have named or
confirmed are written, unless --all is given.

Everything that other programs have written into a sidecar stays. Names that Faceie
has written earlier are replaced. A face that has another name in the file is left
out, and reported.
"""

_LINKS = """\
Keep a folder of links to photos for each person with a name. Run the command again
to bring it up to date: links that are no longer right are removed. Files that
Faceie has not made are never changed.
"""

_MIN_PROBABILITY = 0.95


def add_parsers(actions: Any) -> None:
    """Add both commands to those of ``faceie people``."""
    export = add_command(
        actions, "export", _export, help="write the names of people for other programs", description=_EXPORT
    )
    export.add_argument(
        "paths", type=Path, nargs="*", metavar="PATH", help="a folder or a photo (default: all photos of the gallery)"
    )
    where = export.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--sidecars", action="store_true", help="write into a file beside each photo, such as party.jpg.xmp"
    )
    where.add_argument(
        "--to", type=Path, metavar="FOLDER", help="write the same files into this folder, in the photos' folders"
    )
    where.add_argument("--embed", action="store_true", help="write into the photos themselves; needs exiftool")
    export.add_argument("--all", action="store_true", help="write faces that Faceie has recognized, too")
    export.add_argument(
        "--min-probability",
        type=float,
        default=_MIN_PROBABILITY,
        metavar="PROBABILITY",
        help="with --all: least probability, 0 to 1, that a recognized face is the person (default: %(default)s)",
    )
    export.add_argument("--remove", action="store_true", help="remove the names that Faceie has written")
    _add_shared_options(export)
    links = add_command(
        actions, "links", _links, help="keep a folder of links to photos for each person", description=_LINKS
    )
    links.add_argument("folder", type=Path, metavar="FOLDER", help="the folder for the people's folders")
    links.add_argument("--copy", action="store_true", help="copy the photos instead of linking to them")
    _add_shared_options(links)


def _add_shared_options(parser: Parser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="print the changes, and change nothing")
    add_json_option(parser, form="one JSON object", instead="text")
    add_gallery_option(parser, default=argparse.SUPPRESS)  # keep the value given before the action


def _export(arguments: argparse.Namespace) -> int:
    if arguments.all and arguments.remove:
        raise OptionError("people export: expected --all or --remove, not both")
    from tqdm import tqdm  # slow to import

    with Gallery(arguments.gallery, create=False) as gallery, tqdm(unit="photo", leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = gallery.export_names(
            arguments.paths or None,
            to=arguments.to,
            embed=arguments.embed,
            recognized=arguments.min_probability if arguments.all else None,
            remove=arguments.remove,
            dry_run=arguments.dry_run,
            progress=progress,
        )
    if arguments.json:
        entry = {
            "dry_run": arguments.dry_run,
            "written": [str(path) for path in report.written],
            "removed": [str(path) for path in report.removed],
            "unchanged": report.unchanged,
            "names": report.names,
            "conflicts": [{**conflict._asdict(), "path": str(conflict.path)} for conflict in report.conflicts],
            "problems": _problems_as_json(report.problems),
        }
        write(json.dumps(entry))
        return FAILED if report.problems else OK
    written, removed = ("to write", "to clear") if arguments.dry_run else ("written", "cleared")
    for action, paths in ((written, report.written), (removed, report.removed)):
        for path in paths:
            write(f"{action}  {printable(path)}")
    for path, name, other in report.conflicts:
        write(f"left out  {printable(path)}: {printable(name)}, since the file has {printable(other)}")
    counts = [(len(report.written), written), (len(report.removed), removed), (report.unchanged, "unchanged")]
    numbers = ", ".join(f"{number:,} {action}" for number, action in counts)
    error(f"{numbers}; {plural(report.names, 'name')} in all")
    return _report_problems(report.problems)


def _links(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        report = gallery.link_people(arguments.folder, copy=arguments.copy, dry_run=arguments.dry_run)
    if arguments.json:
        write(
            json.dumps(
                {"dry_run": arguments.dry_run, **report._asdict(), "problems": _problems_as_json(report.problems)}
            )
        )
        return FAILED if report.problems else OK
    kind = "copy" if arguments.copy else "link"
    kinds = "copies" if arguments.copy else "links"
    made = f"{report.made:,} new {kind if report.made == 1 else kinds}"
    people = "1 person" if report.people == 1 else f"{report.people:,} people"
    write(f"{people}: {made}, {report.removed:,} removed, {report.unchanged:,} unchanged")
    return _report_problems(report.problems)


def _problems_as_json(problems: Iterable[BadPhoto]) -> list[dict[str, str]]:
    return [{"path": str(problem.path), "reason": problem.reason} for problem in problems]


def _report_problems(problems: Iterable[BadPhoto]) -> int:
    """Write the problems, and return the exit code."""
    code = OK
    for path, reason in problems:
        error(f"{printable(path)}: {printable(name_options(reason))}")
        code = FAILED
    return code

"""``faceie index``: bring a gallery up to date with folders of photos."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import DetectionOptions, Gallery
from ..errors import OptionError
from ..gallery import BadPhoto, IndexReport
from ..mtcnn.options import DEFAULTS
from .options import add_folder_options, add_gallery_option, add_photo_options, weights_source
from .terminal import OK, TROUBLE, complain, of_options, printable, write

__all__ = ["add_parser", "counted"]

_DESCRIPTION = """\
Find the faces in all photos in these folders, and keep in a gallery, one file,
what is needed to search for them: faceie search, faceie people. Photos are only
read. Run it again whenever there are new photos: what is known is not done again.
It may be interrupted at any time, and goes on when it is started again.
"""


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "index",
        help="find all faces in folders of photos, for search and people",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "folders", type=Path, nargs="*", metavar="FOLDER", help="a folder: all photos in it, at any depth; or a photo"
    )
    add_gallery_option(parser)
    parser.add_argument("--errors", action="store_true", help="list the photos that cannot be used, with the reasons")
    parser.add_argument("--retry", action="store_true", help="try those once more that could not be used")
    parser.add_argument("--prune", action="store_true", help="remove photos that are known to be gone from the gallery")
    parser.add_argument(
        "--dry-run", action="store_true", help="with --prune: list what would be removed, and do nothing"
    )
    parser.add_argument(
        "--yes", action="store_true", help="with --prune: remove them even if they are more than half of those known"
    )
    parser.add_argument("--verify", action="store_true", help="read all photos again, and compare their contents")
    parser.add_argument(
        "--workers",
        type=int,
        metavar="NUMBER",
        help="processes that work at a time (default: one a processor, as far as memory suffices)",
    )
    parser.add_argument(
        "--min-face-size",
        type=float,
        metavar="PIXELS",
        help="size of the smallest face to find; twice the size takes a quarter of the time "
        f"(default: {DEFAULTS.min_face_size:g}; chosen once for a gallery)",
    )
    parser.add_argument(
        "--weights",
        metavar="NAME_OR_PATH",
        help="weights of the encoder, as for faceie compare (default: vggface2; chosen once for a gallery)",
    )
    add_folder_options(parser, '. Kept in the gallery for later runs, until others are given ("" for none)')
    add_photo_options(parser, "250000000; those of more than 100000000 are searched at half size")


def run(arguments: argparse.Namespace) -> int:
    """Index the folders, then tell what came of it."""
    if not arguments.folders and not arguments.errors:
        raise OptionError("faceie index: which folders? Expected one or more, or --errors")
    if arguments.dry_run and not arguments.prune:
        raise OptionError("faceie index: --dry-run goes with --prune")
    options = DetectionOptions(min_face_size=arguments.min_face_size) if arguments.min_face_size is not None else None
    weights = weights_source(arguments.weights) if arguments.weights else None
    with Gallery(arguments.gallery, create=bool(arguments.folders), weights=weights, options=options) as gallery:
        if arguments.dry_run:
            for path in gallery.absent(arguments.folders):
                write(printable(path))
            return OK
        trouble = bool(arguments.folders) and _index(gallery, arguments)
        if arguments.errors:
            for bad in [*gallery.bad_photos(), *gallery.incomplete_photos()]:
                write(_line(bad))
    return TROUBLE if trouble else OK


def _index(gallery: Gallery, arguments: argparse.Namespace) -> bool:
    """Return whether something could not be used."""
    from tqdm import tqdm  # takes its time

    told = 0
    with tqdm(unit="photo", leave=False, disable=None) as bar:

        def progress(done: int, total: int, report: IndexReport) -> None:
            nonlocal told
            for bad in report.bad[told:]:
                bar.clear()
                complain(_line(bad))
            told = len(report.bad)
            bar.total = total
            bar.set_postfix_str(f"{report.faces} faces", refresh=False)
            bar.update(done - bar.n)

        try:
            report = gallery.index(
                arguments.folders,
                workers=arguments.workers,
                prune=arguments.prune,
                prune_limit=1.0 if arguments.yes else 0.5,
                retry=arguments.retry or arguments.truncated,
                verify=arguments.verify,
                exclude=arguments.exclude,
                follow_links=arguments.follow_links,
                truncated=arguments.truncated,
                max_pixels=arguments.max_pixels,
                progress=progress,
            )
        except KeyboardInterrupt:
            bar.close()
            complain("what was indexed so far is kept; the same command goes on from there")
            raise
    for photo in report.incomplete:
        complain(f"{_line(photo)}; what there is of it was used")
    for line in [*report.problems, *report.passed_over]:
        complain(printable(of_options(line)))
    for line in _summary(report, len(gallery)):
        write(line)
    return bool(report.bad or report.problems)


def _summary(report: IndexReport, faces: int) -> list[str]:
    parts = [
        counted(report.analyzed, "new photo"),
        f"{report.unchanged:,} known",
        f"{report.copies - report.moved:,} copied" if report.copies > report.moved else "",
        f"{report.moved:,} moved" if report.moved else "",
        f"{report.pruned:,} removed" if report.pruned else "",
        f"{len(report.bad):,} that cannot be used" if report.bad else "",
    ]
    found = f"{counted(report.faces, 'new face')}" + (
        f", {report.recognized:,} of people you have" if report.recognized else ""
    )
    rate = f", {report.analyzed / report.seconds:.1f} photos a second" if report.analyzed else ""
    return [
        ", ".join(filter(None, parts)),
        f"{found}; {faces:,} in the gallery",
        f"{report.seconds:.1f} seconds{rate}",
    ]


def _line(bad: BadPhoto) -> str:
    return printable(f"{bad.path}: {of_options(bad.reason)}")


def counted(number: int, what: str) -> str:
    """Return a number and what it counts, in the singular or the plural."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")

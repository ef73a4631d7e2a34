"""``faceie index``: bring a gallery up to date with folders of photos."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from .. import DetectionOptions, Gallery, OptionError
from ..cluster import dask_executor
from ..gallery import BadPhoto, IndexReport
from .options import (
    GALLERY_LIMIT,
    add_dask_option,
    add_folder_options,
    add_min_face_size_option,
    add_photo_options,
    face_size,
    weights_source,
)
from .parser import add_command
from .terminal import FAILED, OK, error, write
from .text import name_options, plural, printable

__all__ = ["add_parser"]

_SMOOTHING = 0.05  # weight of the last photos in the mean speed, and so in the time left

_DESCRIPTION = """\
Find the faces in all photos in these folders, and store them in a gallery, one
file, for faceie search and faceie people. Photos are only read. Run the command
again when there are new photos: only new and changed photos are searched. You may
interrupt it at any time; the next run continues.
"""


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = add_command(
        commands,
        "index",
        run,
        help="find all faces in folders of photos, for search and people",
        description=_DESCRIPTION,
        gallery=True,
    )
    parser.add_argument(
        "folders", type=Path, nargs="*", metavar="FOLDER", help="a folder: all photos in it, at any depth; or a photo"
    )
    parser.add_argument("--errors", action="store_true", help="list the photos that cannot be used, and the reasons")
    parser.add_argument("--retry", action="store_true", help="try photos again that could not be used")
    parser.add_argument(
        "--prune",
        action="store_true",
        help="remove deleted photos from the gallery; photos in unreadable folders are kept",
    )
    parser.add_argument("--dry-run", action="store_true", help="with --prune: only list the photos to remove")
    parser.add_argument(
        "--yes",
        action="store_true",
        help="with --prune: remove photos even if they are more than half of all",
    )
    parser.add_argument(
        "--newest-first",
        action="store_true",
        help="search the newest photos first; they can be found while the command runs",
    )
    parser.add_argument(
        "--forgotten", action="store_true", help="add photos again that were deleted with faceie forget --photo"
    )
    parser.add_argument("--verify", action="store_true", help="read all photos again and compare their contents")
    parser.add_argument(
        "--workers",
        type=int,
        metavar="NUMBER",
        help="number of processes (default: one per processor, if there is enough memory)",
    )
    add_dask_option(parser)
    add_min_face_size_option(parser)
    parser.add_argument(
        "--weights",
        metavar="NAME_OR_PATH",
        help="weights of the encoder, as for faceie compare. Fixed when the gallery is made (default: vggface2)",
    )
    add_folder_options(parser, '. Stored in the gallery for later runs, until others are given ("" for none)')
    add_photo_options(parser, GALLERY_LIMIT)


def run(arguments: argparse.Namespace) -> int:
    """Index the folders and print a summary."""
    if not arguments.folders and not arguments.errors:
        raise OptionError("index: no folder was given. Name one or more folders, or use --errors.")
    if arguments.dry_run and not arguments.prune:
        raise OptionError("index: --dry-run needs --prune")
    options = None
    if arguments.min_face_size is not None:
        smallest, share = face_size(arguments.min_face_size)
        options = DetectionOptions(min_face_size=smallest, min_face_share=share)
    weights = weights_source(arguments.weights) if arguments.weights else None
    with Gallery(arguments.gallery, create=bool(arguments.folders), weights=weights, options=options) as gallery:
        if arguments.dry_run:
            for path in gallery.absent(arguments.folders):
                write(printable(path))
            return OK
        complete = _index(gallery, arguments) if arguments.folders else True
        if arguments.errors:
            for photo in [*gallery.bad_photos(), *gallery.incomplete_photos()]:
                write(_line(photo))
    return OK if complete else FAILED


def _index(gallery: Gallery, arguments: argparse.Namespace) -> bool:
    """Index the folders; return whether every photo and folder could be used."""
    from tqdm import tqdm  # slow to import

    reported = 0
    cluster = dask_executor(arguments.dask) if arguments.dask else nullcontext()
    with cluster as executor, tqdm(unit="photo", leave=False, disable=None, smoothing=_SMOOTHING) as bar:

        def progress(done: int, total: int, report: IndexReport) -> None:
            nonlocal reported
            for photo in report.bad[reported:]:
                bar.clear()
                error(_line(photo))
            reported = len(report.bad)
            bar.total = total
            bar.set_postfix_str(f"{report.faces} faces", refresh=False)
            bar.update(done - bar.n)

        try:
            report = gallery.index(
                arguments.folders,
                workers=arguments.workers,
                executor=executor,
                prune=arguments.prune,
                prune_limit=1.0 if arguments.yes else 0.5,
                retry=arguments.retry or arguments.truncated,
                verify=arguments.verify,
                newest_first=arguments.newest_first,
                forgotten=arguments.forgotten,
                exclude=arguments.exclude,
                follow_links=arguments.follow_links,
                truncated=arguments.truncated,
                max_pixels=arguments.max_pixels,
                progress=progress,
            )
        except KeyboardInterrupt:
            bar.close()
            error("the photos indexed so far are kept. Run the same command again to continue.")
            raise
    for photo in report.incomplete:
        error(f"{_line(photo)}; the readable part was used")
    for line in [*report.problems, *report.passed_over]:
        error(printable(name_options(line)))
    for line in _summary(report, len(gallery)):
        write(line)
    return not (report.bad or report.problems)


def _summary(report: IndexReport, faces: int) -> list[str]:
    parts = [
        plural(report.analyzed, "new photo"),
        f"{report.unchanged:,} known",
        f"{report.copies - report.moved:,} copied" if report.copies > report.moved else "",
        f"{report.moved:,} moved" if report.moved else "",
        f"{report.pruned:,} removed" if report.pruned else "",
        f"{report.forgotten:,} forgotten" if report.forgotten else "",
        f"{len(report.bad):,} that cannot be used" if report.bad else "",
    ]
    recognized = f", {report.recognized:,} of known people" if report.recognized else ""
    if report.ignored:
        recognized += f", {report.ignored:,} of ignored strangers"
    rate = f", {report.analyzed / report.seconds:.1f} photos a second" if report.analyzed else ""
    return [
        ", ".join(filter(None, parts)),
        f"{plural(report.faces, 'new face')}{recognized}; {faces:,} in the gallery",
        f"{report.seconds:.1f} seconds{rate}",
    ]


def _line(photo: BadPhoto) -> str:
    return printable(f"{photo.path}: {name_options(photo.reason)}")

"""``faceie import``: add a dataset to a gallery: a cluster's work, or another gallery."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import DetectionOptions, Gallery
from ..gallery import AddReport
from .options import add_min_face_size_option, face_size
from .parser import add_command
from .terminal import FAILED, OK, error, write
from .text import plural, printable

__all__ = ["add_parser"]

_DESCRIPTION = """\
Add the photos, faces and people of a dataset to the gallery: of one that faceie
analyze has written, or of another gallery, which faceie export --parquet has written.
People with the same name become one person. Your statements in this gallery stay.
You may interrupt the command at any time, and run it again.
"""


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = add_command(
        commands, "import", run, help="add a dataset or another gallery", description=_DESCRIPTION, gallery=True
    )
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="the folder of the dataset, or a file of it")
    parser.add_argument(
        "--forgotten", action="store_true", help="add photos again that were deleted with faceie forget --photo"
    )
    add_min_face_size_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Add the dataset and print a summary."""
    from tqdm import tqdm  # slow to import

    options = None
    if arguments.min_face_size is not None:
        smallest, share = face_size(arguments.min_face_size)
        options = DetectionOptions(min_face_size=smallest, min_face_share=share)
    with (
        Gallery(arguments.gallery, options=options) as gallery,
        tqdm(unit="file", leave=False, disable=None) as bar,
    ):

        def progress(done: int, total: int, report: AddReport) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = gallery.add(arguments.dataset, forgotten=arguments.forgotten, progress=progress)
    for photo in [*report.bad, *report.conflicts]:
        error(printable(f"{photo.path}: {photo.reason}"))
    left_out = f", {report.forgotten:,} forgotten" if report.forgotten else ""
    write(f"{plural(report.photos, 'new photo')} with {plural(report.faces, 'face')}, {report.known:,} known{left_out}")
    if report.named or report.people:
        write(f"{plural(report.named, 'face')} got a name; {report.people:,} new people")
    return FAILED if report.conflicts else OK

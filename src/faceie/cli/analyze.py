"""``faceie analyze``: find the faces in folders of photos, here or on a cluster, and write them to a dataset."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..batch import DatasetReport, analyze_folders
from ..cluster import dask_executor
from ..gallery.settings import GALLERY_DEFAULTS
from ..mtcnn.options import DetectionOptions
from .options import (
    GALLERY_LIMIT,
    MIN_FACE_SIZE,
    add_dask_option,
    add_folder_options,
    add_photo_options,
    face_size,
    weights_source,
)
from .parser import add_command
from .terminal import FAILED, OK, error, write
from .text import name_options, plural, printable

__all__ = ["add_parser"]

_DESCRIPTION = """\
Find the faces in photos, and write photos and faces to a dataset, a folder of
Parquet files, for faceie import and other programs. For archives that need many
machines: for photos of your own, use faceie index. You may interrupt the command at
any time; the next run continues with the files that are missing.
"""


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = add_command(
        commands,
        "analyze",
        run,
        help="find all faces in folders of photos on a cluster, and write them to a dataset",
        description=_DESCRIPTION,
    )
    parser.add_argument(
        "folders", nargs="+", metavar="FOLDER", help="a folder: all photos in it, at any depth; a photo; or a URL"
    )
    parser.add_argument("--to", type=Path, required=True, metavar="DATASET", help="the folder of the dataset")
    add_dask_option(parser)
    parser.add_argument(
        "--workers",
        type=int,
        metavar="NUMBER",
        help="number of processes (default: one per processor, if there is enough memory)",
    )
    parser.add_argument(
        "--photos-per-file",
        type=int,
        default=500,
        metavar="NUMBER",
        help="photos in each new file of the dataset (default: %(default)s)",
    )
    parser.add_argument("--retry", action="store_true", help="try photos again that could not be used")
    parser.add_argument(
        "--min-face-size",
        metavar="SIZE",
        help=f"{MIN_FACE_SIZE}. The same in the whole dataset (default: {GALLERY_DEFAULTS.min_face_share * 100:g}%%, "
        f"but {GALLERY_DEFAULTS.min_face_size:g} pixels at least)",
    )
    parser.add_argument(
        "--weights",
        default="vggface2",
        metavar="NAME_OR_PATH",
        help="weights of the encoder, as for faceie compare. The same in the whole dataset (default: %(default)s)",
    )
    add_folder_options(parser)
    add_photo_options(parser, GALLERY_LIMIT)


def run(arguments: argparse.Namespace) -> int:
    """Analyze the folders and print a summary."""
    from tqdm import tqdm  # slow to import

    options = None
    if arguments.min_face_size is not None:
        smallest, share = face_size(arguments.min_face_size)
        options = DetectionOptions(min_face_size=smallest, min_face_share=share)
    reported = 0
    cluster = dask_executor(arguments.dask) if arguments.dask else nullcontext()
    with cluster as executor, tqdm(unit="photo", leave=False, disable=None) as bar:

        def progress(done: int, total: int, report: DatasetReport) -> None:
            nonlocal reported
            for photo in report.bad[reported:]:
                bar.clear()
                error(printable(f"{photo.path}: {name_options(photo.reason)}"))
            reported = len(report.bad)
            bar.total = total
            bar.update(done - bar.n)

        try:
            report = analyze_folders(
                arguments.folders,
                arguments.to,
                weights=weights_source(arguments.weights),
                options=options,
                workers=arguments.workers,
                executor=executor,
                photos_per_file=arguments.photos_per_file,
                retry=arguments.retry,
                exclude=arguments.exclude or (),
                follow_links=arguments.follow_links,
                truncated=arguments.truncated,
                max_pixels=arguments.max_pixels,
                progress=progress,
            )
        except KeyboardInterrupt:
            bar.close()
            error("the files written so far are kept. Run the same command again to continue.")
            raise
    for photo in report.bad[reported:]:
        error(printable(f"{photo.path}: {name_options(photo.reason)}"))
    for line in [*report.problems, *report.passed_over]:
        error(printable(name_options(line)))
    rate = f", {report.photos / report.seconds:.1f} photos a second" if report.photos else ""
    write(
        f"{plural(report.photos, 'new photo')} with {plural(report.faces, 'face')} in "
        f"{plural(report.files, 'new file')}, {report.known:,} known"
    )
    write(f"{report.seconds:.1f} seconds{rate}")
    return FAILED if report.bad or report.problems else OK

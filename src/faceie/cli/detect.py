"""``faceie detect``: find the faces in photos."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .. import DetectedFaces, DetectionOptions, ImageError, OptionError, detect_faces
from ..images.folders import Photo, search_folders
from ..types import Array
from .drawing import WRITTEN, annotate, is_picture, save
from .options import add_detection_options, add_folder_options, add_photo_options, detection_options, opened
from .results import Results, is_same_file
from .terminal import OK, TROUBLE, complain, of_options, printable, reason, write

__all__ = ["add_parser", "describe", "pixels"]

_DESCRIPTION = """\
Find the faces in photos, and print a table: a row a face, the most probable
first, with its number in the photo, its probability (0 to 1) and its box (left,
top, right and bottom in pixels of the photo as it is meant to be seen). The roll
of the face follows, in degrees, counter-clockwise, unless --rotations is 0. A row
of dashes is a photo without a face. The photo comes last, since its name may
hold spaces.
"""

_JSON = """\
--json prints JSON Lines, an object a photo:
  {"photo", "width", "height",
   "faces": [{"probability", "roll", "bounding_box", "landmarks"}, ...]}
or, for a photo that cannot be used, {"photo", "error"}.
The roll is in radians. The landmarks, [x, y] each, are the left and the right
eye, the nose, and the left and the right corner of the mouth, as the viewer
sees them.
"""

# The columns of the table, but for the photo, and their widths. The roll comes only if turned faces are searched for.
_WIDTHS = {"face": 4, "probability": 11, "x1": 5, "y1": 5, "x2": 5, "y2": 5, "roll": 5}


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "detect",
        help="find faces in photos",
        description=_DESCRIPTION,
        epilog=_JSON,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "photos", type=Path, nargs="+", metavar="PHOTO", help="a photo, or a folder: all photos in it, at any depth"
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument(
        "--draw",
        metavar="OUT",
        help="draw boxes and landmarks: into OUT if it ends in .jpg or .png, "
        "else into the folder OUT, under the names of the photos",
    )
    parser.add_argument(
        "--crops",
        type=Path,
        metavar="FOLDER",
        help="cut the faces out, into files with the photo's name and the face's number (party-1.png). "
        "What would overwrite a photo or another of these files gets a further number",
    )
    add_folder_options(parser)
    add_photo_options(parser)
    add_detection_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Work on photo after photo: what is wrong with one is no reason to stop."""
    from tqdm import tqdm  # takes its time

    options = detection_options(arguments, crops=arguments.crops is not None)
    columns = [name for name in _WIDTHS if name != "roll" or options.rotations == "auto" or any(options.rotations)]
    _check_draw(arguments)
    photos, problems, passed_over = search_folders(
        arguments.photos, exclude=arguments.exclude or (), follow_links=arguments.follow_links
    )
    results = Results(photos)
    for line in [*problems, *passed_over]:
        complain(printable(of_options(line)))
    bad = len(problems)
    with tqdm(photos, unit="photo", leave=False, disable=None if len(photos) > 1 else True) as progress:
        if photos and not arguments.json:
            write(_row(columns, "photo"))
        for photo in progress:
            try:
                image, faces = _work(photo, options, arguments, results)
                rows = list(_rows(photo, faces, columns))
                entry = {"photo": str(photo.path), **describe(image, faces)}
            except (ImageError, OSError, MemoryError) as error:
                bad += 1
                problem = reason(error).removeprefix(f"{photo.path}: ")
                rows = []
                entry = {"photo": str(photo.path), "error": problem}
                progress.clear()
                complain(printable(f"{photo.path}: {problem}"))
            progress.clear()  # is drawn again after the next photo
            for line in [json.dumps(entry)] if arguments.json else rows:
                write(line)
    return TROUBLE if bad else OK


def describe(image: Image.Image, faces: DetectedFaces) -> dict[str, Any]:
    """Return what was found in an image, for JSON."""
    return {
        "width": image.width,
        "height": image.height,
        "faces": [
            {
                "probability": round(float(probability), 6),
                "roll": round(float(roll), 6),
                "bounding_box": _rounded(box),
                "landmarks": _rounded(landmarks),
            }
            for probability, roll, box, landmarks in zip(*faces[:4], strict=True)
        ],
    }


def _rounded(pixels: Array) -> Any:
    return pixels.astype(np.float64).round(2).tolist()


def _check_draw(arguments: argparse.Namespace) -> None:
    """Raise OptionError if ``--draw`` names one picture, but there may be several."""
    out, photos = arguments.draw, arguments.photos
    if out is None or not is_picture(out):
        return
    if len(photos) > 1 or photos[0].is_dir():
        raise OptionError(f"--draw {out}: this names one picture, expected a folder for those of several photos")
    if is_same_file(photos[0], Path(out)):
        raise OptionError(f"--draw {out}: this would overwrite the photo")


def _work(
    photo: Photo, options: DetectionOptions, arguments: argparse.Namespace, results: Results
) -> tuple[Image.Image, DetectedFaces]:
    """Find the faces in a photo, and write the pictures that were asked for."""
    image = opened(photo.path, arguments)
    faces = detect_faces(image, options)
    if arguments.draw is not None:
        save(annotate(image, faces), _drawn(photo, arguments.draw, results))
    for number, crop in enumerate(faces.images or [], 1):
        place = photo.relative.with_name(f"{photo.relative.stem}-{number}.png")
        save(crop, results.name(arguments.crops / place))
    return image, faces


def _drawn(photo: Photo, out: str, results: Results) -> Path:
    """Return where the picture of this photo belongs."""
    if is_picture(out):
        return Path(out)
    place = photo.relative if photo.relative.suffix.lower() in WRITTEN else photo.relative.with_suffix(".jpg")
    return results.name(Path(out, place))


def _rows(photo: Photo, faces: DetectedFaces, columns: Sequence[str]) -> Iterator[str]:
    """Yield a row of the table for each face; one of dashes if there is none."""
    name = printable(photo.path)
    if not len(faces.probabilities):
        yield _row(["-"] * len(columns), f"{name} (no face)")
    for number, (probability, roll, box) in enumerate(zip(*faces[:3], strict=True), 1):
        cells = [number, f"{probability:.4f}", *pixels(box), round(math.degrees(roll))]
        yield _row(cells[: len(columns)], name)


def _row(cells: Sequence[object], photo: str) -> str:
    columns = [f"{cell!s:>{width}}" for cell, width in zip(cells, _WIDTHS.values(), strict=False)]
    return "  ".join([*columns, photo])


def pixels(box: Array) -> list[int]:
    """Return the corners of a box as whole numbers."""
    return [round(float(corner)) for corner in box]

"""``faceie detect``: find the faces in photos."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .. import DetectedFaces, DetectionOptions, ImageError, OptionError, detect_faces
from ..images.folders import Photo, search_folders
from ..types import Array
from .drawing import PICTURE_SUFFIXES, annotate, is_picture, save
from .options import (
    add_detection_options,
    add_folder_options,
    add_json_option,
    add_photo_options,
    detection_options,
    open_photo,
)
from .outputs import OutputPaths, is_same_file
from .parser import add_command
from .terminal import FAILED, OK, error, write
from .text import Table, name_options, printable, reason

__all__ = ["add_parser", "corners", "faces_as_json"]

_DESCRIPTION = """\
Find the faces in photos and print a table with a row per face, the most probable
first. A row holds the number of the face in its photo, its probability (0 to 1),
its box (left, top, right and bottom, in pixels of the upright photo), its roll
and the photo. The roll is in degrees, counter-clockwise; with --rotations 0 there
is no such column. A row of dashes stands for a photo without a face.
"""

_JSON = """\
--json prints an object per photo, a line each:
  {"photo", "width", "height",
   "faces": [{"probability", "roll", "bounding_box", "landmarks"}, ...]}
or, for a photo that cannot be used, {"photo", "error"}.
The roll is in radians. The landmarks, [x, y] each, are the left and the right
eye, the nose, and the left and the right corner of the mouth, as the viewer
sees them.
"""

_COLUMNS = {"face": ">4", "probability": ">11", "x1": ">5", "y1": ">5", "x2": ">5", "y2": ">5"}


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = add_command(commands, "detect", run, help="find faces in photos", description=_DESCRIPTION, epilog=_JSON)
    parser.add_argument(
        "photos", type=Path, nargs="+", metavar="PHOTO", help="a photo, or a folder: all photos in it, at any depth"
    )
    add_json_option(parser)
    parser.add_argument(
        "--draw",
        metavar="OUT",
        help="draw boxes and landmarks, into the picture OUT if it ends in .jpg or .png, "
        "otherwise into the folder OUT, under the names of the photos",
    )
    parser.add_argument(
        "--crops",
        type=Path,
        metavar="FOLDER",
        help="write a crop of each face, named by the photo and the number of the face (party-1.png). "
        "A further number is added if a photo or another output has the name already",
    )
    add_folder_options(parser)
    add_photo_options(parser)
    add_detection_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Search photo after photo. An error in one of them does not stop the others."""
    from tqdm import tqdm  # slow to import

    options = detection_options(arguments, crops=arguments.crops is not None)
    rolls = options.rotations == "auto" or any(options.rotations)
    table = Table({**_COLUMNS, **({"roll": ">5"} if rolls else {}), "photo": ""})
    _check_draw(arguments)
    photos, problems, passed_over = search_folders(
        arguments.photos, exclude=arguments.exclude or (), follow_links=arguments.follow_links
    )
    outputs = OutputPaths(photos)
    for line in [*problems, *passed_over]:
        error(printable(name_options(line)))
    bad = len(problems)
    with tqdm(photos, unit="photo", leave=False, disable=None if len(photos) > 1 else True) as progress:
        if photos and not arguments.json:
            write(table.header)
        for photo in progress:
            try:
                image, faces = _detect(photo, options, arguments, outputs)
                rows = list(_rows(photo, faces, table, rolls))
                entry = {"photo": str(photo.path), **faces_as_json(image, faces)}
            except (ImageError, OSError, MemoryError) as raised:
                bad += 1
                problem = reason(raised).removeprefix(f"{photo.path}: ")
                rows = []
                entry = {"photo": str(photo.path), "error": problem}
                progress.clear()
                error(printable(f"{photo.path}: {problem}"))
            progress.clear()  # tqdm draws it again after the next photo
            for line in [json.dumps(entry)] if arguments.json else rows:
                write(line)
    return FAILED if bad else OK


def faces_as_json(image: Image.Image, faces: DetectedFaces) -> dict[str, Any]:
    """Return the size of an image and its faces, for JSON."""
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


def _rounded(coordinates: Array) -> Any:
    return coordinates.astype(np.float64).round(2).tolist()


def _check_draw(arguments: argparse.Namespace) -> None:
    """Raise OptionError if ``--draw`` names a single picture but there may be several, or names the photo itself."""
    out, photos = arguments.draw, arguments.photos
    if out is None or not is_picture(out):
        return
    if len(photos) > 1 or photos[0].is_dir():
        raise OptionError(f"--draw {out}: this names one picture, but there may be several. Name a folder instead.")
    if is_same_file(photos[0], Path(out)):
        raise OptionError(f"--draw {out}: this would overwrite the photo. Choose another name.")


def _detect(
    photo: Photo, options: DetectionOptions, arguments: argparse.Namespace, outputs: OutputPaths
) -> tuple[Image.Image, DetectedFaces]:
    """Find the faces in a photo, and write its picture and crops if these options were given."""
    image = open_photo(photo.path, arguments)
    faces = detect_faces(image, options)
    if arguments.draw is not None:
        save(annotate(image, faces), _picture_path(photo, arguments.draw, outputs))
    for number, crop in enumerate(faces.images or [], 1):
        name = photo.relative.with_name(f"{photo.relative.stem}-{number}.png")
        save(crop, outputs.reserve(arguments.crops / name))
    return image, faces


def _picture_path(photo: Photo, out: str, outputs: OutputPaths) -> Path:
    """Return the path of the picture that is drawn of this photo."""
    if is_picture(out):
        return Path(out)
    is_written = photo.relative.suffix.lower() in PICTURE_SUFFIXES
    return outputs.reserve(Path(out, photo.relative if is_written else photo.relative.with_suffix(".jpg")))


def _rows(photo: Photo, faces: DetectedFaces, table: Table, rolls: bool) -> Iterator[str]:
    """Yield a row of the table per face, or a row of dashes for a photo without a face."""
    if not len(faces.probabilities):
        yield table.row(*"-" * (len(_COLUMNS) + rolls), f"{photo.path} (no face)")
    for number, (probability, roll, box) in enumerate(zip(*faces[:3], strict=True), 1):
        cells = [number, f"{probability:.4f}", *corners(box)]
        yield table.row(*cells, *([round(math.degrees(roll))] if rolls else []), photo.path)


def corners(box: Array) -> list[int]:
    """Return the corners of a box as whole numbers."""
    return [round(float(corner)) for corner in box]

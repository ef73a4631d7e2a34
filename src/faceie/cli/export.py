"""``faceie export``: print all faces of a gallery for other programs."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import Gallery
from .parser import add_command
from .search import face_as_json
from .terminal import OK, write
from .text import plural, printable

__all__ = ["add_parser"]

_DESCRIPTION = """\
Print all faces of the gallery, a line per face: JSON Lines, or CSV with a line of
titles. A line holds the photo, the position of the face in it and the person, and,
with --embeddings, the 512 numbers by which the face is recognized. With --parquet,
write the whole gallery to a new folder instead, for faceie import. Keep the output
as private as the photos.
"""


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = add_command(
        commands,
        "export",
        run,
        help="print all faces of the gallery as JSON or CSV",
        description=_DESCRIPTION,
        gallery=True,
    )
    parser.add_argument(
        "--format",
        choices=("json", "csv"),
        default="json",
        metavar="FORMAT",
        help="json (JSON Lines) or csv (default: %(default)s)",
    )
    parser.add_argument(
        "--parquet",
        type=Path,
        metavar="FOLDER",
        help="write a dataset of Parquet files to a new folder: photos, faces, people and your statements",
    )
    parser.add_argument("--embeddings", action="store_true", help="include the embeddings")


def run(arguments: argparse.Namespace) -> int:
    """Print a line per face."""
    with Gallery(arguments.gallery, create=False) as gallery:
        if arguments.parquet:
            faces = gallery.export_dataset(arguments.parquet)
            write(f"{printable(arguments.parquet)}: a dataset of {plural(faces, 'face')}")
            return OK
        titles: list[str] = []
        for face in gallery.faces():
            entry = face_as_json(face)
            if arguments.embeddings:
                entry["embedding"] = [round(float(number), 7) for number in gallery.embedding(face.id)]
            if arguments.format == "json":
                write(json.dumps(entry))
                continue
            entry = _flatten(entry)
            if not titles:
                titles = [*entry]
                write(_csv(titles))
            write(_csv([*entry.values()]))
    return OK


def _flatten(entry: dict[str, Any]) -> dict[str, Any]:
    """Give each number of a box, of landmarks and of an embedding a key of its own."""
    points = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    flat: dict[str, Any] = {}
    for key, value in entry.items():
        if key == "bounding_box":
            flat.update(zip(("x1", "y1", "x2", "y2"), value, strict=True))
        elif key == "landmarks":
            for point, (x, y) in zip(points, value, strict=True):
                flat.update({f"{point}_x": x, f"{point}_y": y})
        elif key == "embedding":
            flat.update({f"e{index}": number for index, number in enumerate(value)})
        else:
            flat[key] = value
    return flat


def _csv(cells: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()

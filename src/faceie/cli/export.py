"""``faceie export``: all faces of a gallery, for other programs."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from .. import Gallery
from .options import add_gallery_option
from .search import describe_face
from .terminal import OK, write

__all__ = ["add_parser"]

_DESCRIPTION = """\
Print all faces of the gallery, a line each: JSON, or CSV with a line of titles.
They hold where each face is, who it is, and, with --embeddings, the 512 numbers by
which it is recognized. Keep what you export as private as the photos.
"""


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "export",
        help="print all faces of the gallery as JSON or CSV",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("--format", choices=("json", "csv"), default="json", help="(default: %(default)s)")
    parser.add_argument("--embeddings", action="store_true", help="with the embeddings")
    add_gallery_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one line a face."""
    with Gallery(arguments.gallery, create=False) as gallery:
        titles: list[str] = []
        for face in gallery.faces():
            entry = describe_face(face)
            if arguments.embeddings:
                entry["embedding"] = [round(float(number), 7) for number in gallery.embedding(face.id)]
            if arguments.format == "json":
                write(json.dumps(entry))
                continue
            entry = _flat(entry)
            if not titles:
                titles = [*entry]
                write(_csv(titles))
            write(_csv([*entry.values()]))
    return OK


def _flat(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the same with a column for each number."""
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

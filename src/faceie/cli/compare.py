"""``faceie compare``: are these two the same person?"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .. import DetectedFaces, DetectionOptions, ImageError, OptionError, detect_faces, encode_faces, open_image
from ..facenet import load
from ..nn.tree import Array
from ..recognition import SAME_PERSON, pairwise_distances
from .detect import describe, pixels
from .drawing import Marked, is_picture, save, side_by_side
from .options import add_detection_options, detection_options
from .photos import is_same_file
from .terminal import OK, printable, write

__all__ = ["add_parser"]

_CALIBRATED = "vggface2"  # the weights that SAME_PERSON is for

_DESCRIPTION = f"""\
Find the two faces, one in each photo, that are most alike, and tell their
distance: 0 (the same face) to 2. Below {SAME_PERSON:.2f} they are probably of the same
person. If a photo has several faces, the distances of all pairs follow: a row a
face of photo A, a column a face of photo B.
"""

_JSON = """\
--json prints one object: {"a", "b", "weights", "distances", "closest",
"distance", "threshold", "same_person"}. "a" and "b" are what faceie detect
prints for a photo; "closest" is the numbers of the two faces, counted from 0.
"""


class Side(NamedTuple):
    """One of the two photos."""

    path: Path
    image: Image.Image
    faces: DetectedFaces
    crops: list[Image.Image]


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "compare",
        help="tell whether two photos show the same person",
        description=_DESCRIPTION,
        epilog=_JSON,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("a", type=Path, metavar="A", help="a photo")
    parser.add_argument("b", type=Path, metavar="B", help="another photo")
    parser.add_argument("--json", action="store_true", help="print JSON in place of text")
    parser.add_argument("--picture", metavar="OUT", help="draw both photos side by side into OUT, a .jpg or .png")
    parser.add_argument(
        "--weights",
        default=_CALIBRATED,
        metavar="NAME_OR_PATH",
        help="weights of the encoder: a name that faceie weights list knows, or a file (default: %(default)s)",
    )
    add_detection_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare all faces of one photo with all of the other, and tell of the closest two."""
    options = detection_options(arguments, crops=True)
    _check_picture(arguments)
    weights = load(_source(arguments.weights))
    a, b = (_find(path, options) for path in (arguments.a, arguments.b))
    distances = pairwise_distances(encode_faces(a.crops, weights), encode_faces(b.crops, weights))
    closest = np.unravel_index(distances.argmin(), distances.shape)
    pair = (int(closest[0]), int(closest[1]))
    distance = float(distances[pair])
    same = distance < SAME_PERSON
    verdict = "probably the same person" if same else "probably different people"
    if arguments.json:
        entry = {
            "a": {"photo": str(a.path), **describe(a.image, a.faces)},
            "b": {"photo": str(b.path), **describe(b.image, b.faces)},
            "weights": arguments.weights,
            "distances": [[round(float(d), 4) for d in row] for row in distances],
            "closest": pair,
            "distance": round(distance, 4),
            "threshold": SAME_PERSON,
            "same_person": same,
        }
        write(json.dumps(entry))
    else:
        write(f"distance {distance:.2f}: {verdict}")
        for side, index in zip((a, b), pair, strict=True):
            box = " ".join(map(str, pixels(side.faces.bounding_boxes[index])))
            write(f"  face {index + 1} of {printable(side.path)}, box {box}")
        if arguments.weights != _CALIBRATED:
            write(f'  The limit, {SAME_PERSON:.2f}, is that of the weights "{_CALIBRATED}": for others it may be off.')
        for line in _matrix(distances):
            write(line)
    if arguments.picture:
        left, right = (Marked(side.image, side.faces.bounding_boxes, i) for side, i in zip((a, b), pair, strict=True))
        save(side_by_side(left, right, distance, verdict, same), Path(arguments.picture))
    return OK


def _check_picture(arguments: argparse.Namespace) -> None:
    """Raise OptionError if ``--picture`` names something else than a new picture."""
    out = arguments.picture
    if out is None:
        return
    if not is_picture(out):
        raise OptionError(f"--picture {out}: expected the name of a picture, .jpg or .png")
    for photo in (arguments.a, arguments.b):
        if is_same_file(photo, Path(out)):
            raise OptionError(f"--picture {out}: this would overwrite the photo")


def _source(text: str) -> str | Path:
    """Return the path of a file if this looks like one, else the text: a name."""
    path = Path(text)
    is_path = path.is_file() or path.suffix or os.sep in text or (os.altsep or os.sep) in text
    return path if is_path else text


def _find(path: Path, options: DetectionOptions) -> Side:
    image = open_image(path)
    faces = detect_faces(image, **options.keywords())
    if not faces.images:
        raise ImageError(f"{path}: no face was found in this photo")
    return Side(path, image, faces, faces.images)


def _matrix(distances: Array) -> Iterator[str]:
    """Yield the lines of a table of distances, unless there is only one."""
    if distances.size > 1:
        yield ""
        yield "distances" + "".join(f"{f'B {number}':>7}" for number in range(1, distances.shape[1] + 1))
        for number, row in enumerate(distances, 1):
            yield f"{f'A {number}':>9}" + "".join(f"{distance:7.2f}" for distance in row)

"""``faceie compare``: tell whether two photos show the same person."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .. import (
    Cohort,
    DetectedFaces,
    DetectionOptions,
    GalleryError,
    ImageError,
    OptionError,
    detect_faces,
    encode_faces,
)
from ..facenet.loading import identify, load
from ..recognition import pairwise_distances, same_person_probability, thresholds
from ..types import Array
from .detect import corners, faces_as_json
from .drawing import MarkedPhoto, is_picture, save, side_by_side
from .options import (
    add_detection_options,
    add_json_option,
    add_photo_options,
    detection_options,
    open_photo,
    weights_source,
)
from .outputs import is_same_file
from .parser import add_command
from .terminal import OK, write
from .text import Table, printable

__all__ = ["add_parser"]

_DESCRIPTION = """\
Find the two most similar faces, one in each photo, and tell whether they belong to
the same person: in words, as a distance (0 to 2; 0 is the same face) and as a
probability. The probability depends on --prior, the share of such pairs of photos
that show one person. The default, 0.5, suits two photos that you have chosen. Use
0.001 for the most similar of a thousand faces. With --cohort, it also depends on
how many people of a gallery the faces resemble. If a photo has several faces, a
table of all distances follows: a row per face of photo A, a column per face of
photo B.
"""

_JSON = """\
--json prints one object: {"a", "b", "weights", "distances", "closest",
"distance", "probability", "prior", "false_match_rate", "same_person"}. "a" and
"b" are the objects that faceie detect --json prints for the photos. "closest"
holds the numbers of the two faces, counted from 0. "false_match_rate" is
[low, high], the bounds of the share of pairs of different people that are as
close. For weights without a calibration, "probability", "false_match_rate" and
"same_person" are null.
"""

# Words for a probability, from the highest to the lowest.
_WORDS = ((0.99, "almost certainly"), (0.9, "very probably"), (0.6, "probably"))


class Verdict(NamedTuple):
    """The meaning of a distance. For weights without a calibration, only the distance is known."""

    distance: float
    probability: float | None
    false_match_rate: tuple[float, float] | None

    @property
    def same(self) -> bool | None:
        return None if self.probability is None else self.probability >= 0.5

    def __str__(self) -> str:
        if self.probability is None:
            return "no verdict, since these weights have no calibration"
        certainty, people = max((self.probability, "the same person"), (1 - self.probability, "different people"))
        words = next((words for least, words in _WORDS if certainty >= least), None)
        return f"{words} {people}" if words else "undecided between the same person and different people"


class Side(NamedTuple):
    """One of the two photos."""

    path: Path
    image: Image.Image
    faces: DetectedFaces
    crops: list[Image.Image]


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = add_command(
        commands,
        "compare",
        run,
        help="tell whether two photos show the same person",
        description=_DESCRIPTION,
        epilog=_JSON,
    )
    parser.add_argument("a", type=Path, metavar="A", help="a photo")
    parser.add_argument("b", type=Path, metavar="B", help="another photo")
    add_json_option(parser, "JSON", "text")
    parser.add_argument("--picture", metavar="OUT", help="draw both photos side by side into OUT, a .jpg or .png")
    parser.add_argument(
        "--weights",
        default="vggface2",
        metavar="NAME_OR_PATH",
        help="weights of the encoder: a name from faceie weights list, or a file (default: %(default)s)",
    )
    parser.add_argument(
        "--prior",
        type=float,
        default=0.5,
        metavar="PROBABILITY",
        help="share of such pairs of photos that show one person, between 0 and 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--cohort",
        metavar="GALLERY",
        help="judge the faces among those of a gallery with the same weights, whose people have been listed",
    )
    add_photo_options(parser)
    add_detection_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare all faces of one photo with all faces of the other, and report the closest two."""
    options = detection_options(arguments, crops=True)
    _check_picture(arguments)
    if not 0 < arguments.prior < 1:
        raise OptionError(f"--prior {arguments.prior:g}: expected a probability greater than 0 and less than 1")
    source = weights_source(arguments.weights)
    cohort = _open_cohort(arguments.cohort, source) if arguments.cohort else None
    weights = load(source)
    name = source if isinstance(source, str) else identify(weights)
    a, b = (_find(path, options, arguments) for path in (arguments.a, arguments.b))
    embeddings = [encode_faces(side.crops, weights) for side in (a, b)]
    distances = pairwise_distances(*embeddings)
    closest = np.unravel_index(distances.argmin(), distances.shape)
    pair = (int(closest[0]), int(closest[1]))
    verdict = _judge(float(distances[pair]), name, arguments.prior)
    if cohort and name:
        one, other = (faces[[index]] for faces, index in zip(embeddings, pair, strict=True))
        probability = float(cohort.probability(one, other, prior=arguments.prior, weights=name)[0])
        verdict = verdict._replace(probability=probability)
    if arguments.json:
        entry = {
            "a": {"photo": str(a.path), **faces_as_json(a.image, a.faces)},
            "b": {"photo": str(b.path), **faces_as_json(b.image, b.faces)},
            "weights": arguments.weights,
            "distances": [[round(float(d), 4) for d in row] for row in distances],
            "closest": pair,
            "distance": round(verdict.distance, 4),
            "probability": None if verdict.probability is None else round(verdict.probability, 6),
            "prior": arguments.prior,
            "false_match_rate": verdict.false_match_rate,
            "same_person": verdict.same,
        }
        write(json.dumps(entry))
    else:
        for line in _report(verdict, arguments.prior):
            write(line)
        for side, index in zip((a, b), pair, strict=True):
            box = " ".join(map(str, corners(side.faces.bounding_boxes[index])))
            write(f"  face {index + 1} of {printable(side.path)}, box {box}")
        for line in _matrix(distances):
            write(line)
    if arguments.picture:
        left, right = (
            MarkedPhoto(side.image, side.faces.bounding_boxes, i) for side, i in zip((a, b), pair, strict=True)
        )
        picture = side_by_side(left, right, verdict.distance, str(verdict), bool(verdict.same))
        save(picture, Path(arguments.picture))
    return OK


def _open_cohort(path: str, weights: str | Path) -> Cohort:
    from ..gallery import Gallery  # slow to import

    with Gallery(path, create=False) as gallery:
        cohort, name = gallery.cohort(weights), gallery.path
    if not len(cohort):
        raise GalleryError(f"{name}: the faces of this gallery have not been clustered. Run faceie people first.")
    return cohort


def _judge(distance: float, weights: str | None, prior: float) -> Verdict:
    """Return the verdict for a distance. `weights` is the name of published weights, or None for others."""
    if weights is None:
        return Verdict(distance, None, None)
    limits = thresholds(weights)
    rates = (0.0, 0.0001, 0.001, 0.01, 1.0)
    passed = sum(distance >= limit for limit in limits)
    false_matches = rates[passed], rates[passed + 1]
    return Verdict(distance, same_person_probability(distance, prior=prior, weights=weights), false_matches)


def _report(verdict: Verdict, prior: float) -> Iterator[str]:
    yield f"distance {verdict.distance:.2f}: {verdict}"
    if verdict.probability is None or verdict.false_match_rate is None:
        return
    low, high = verdict.false_match_rate
    often = f"less than 1 in {1 / high:,.0f}" if high < 1 else f"more than 1 in {1 / low:,.0f}"
    yield f"  probability of the same person {_rounded(verdict.probability)}, if it was {prior:g} before looking"
    yield f"  pairs of different people that are as close: {often}"


def _rounded(probability: float) -> str:
    """Return three digits: more would not be significant."""
    if probability < 0.001:
        return "less than 0.001"
    return "more than 0.999" if probability > 0.999 else f"{probability:.3f}"


def _check_picture(arguments: argparse.Namespace) -> None:
    """Raise OptionError if ``--picture`` is not the name of a picture, or would overwrite a photo."""
    out = arguments.picture
    if out is None:
        return
    if not is_picture(out):
        raise OptionError(f"--picture {out}: expected the name of a picture, .jpg or .png")
    for photo in (arguments.a, arguments.b):
        if is_same_file(photo, Path(out)):
            raise OptionError(f"--picture {out}: this would overwrite the photo. Choose another name.")


def _find(path: Path, options: DetectionOptions, arguments: argparse.Namespace) -> Side:
    image = open_photo(path, arguments)
    faces = detect_faces(image, options)
    if not faces.images:
        raise ImageError(f"{path}: no face was found in this photo")
    return Side(path, image, faces, faces.images)


def _matrix(distances: Array) -> Iterator[str]:
    """Yield the lines of a table of distances, unless there is only one."""
    if distances.size > 1:
        table = Table({"distances": ">9", **{f"B {number}": ">5" for number in range(1, distances.shape[1] + 1)}})
        yield ""
        yield table.header
        for number, row in enumerate(distances, 1):
            yield table.row(f"A {number}", *(f"{distance:.2f}" for distance in row))

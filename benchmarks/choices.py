"""Choose a kind of crop by all pairs of labeled photos, against the defaults.

    python benchmarks/choices.py FOLDER [--family FOLDER] [--least N] [--weights NAME_OR_PATH] [--only NAME ...]
        [--cache FOLDER]

FOLDER and --family are those of truth.py. People with less than N photos are left out. Faces are detected once, and
all crops are cut at the same boxes. Crops differ by margin, filter, shape (the box stretched to the crop, or widened to
a square first), tilt (as returned, rotated until the eyes are level, or without the rotation of turned finds), and by
the face of a photo that is taken. Some variants average the embeddings of several crops, at several times the cost of
encoding. Embeddings are cached in the folder of --cache, by default that of temporary files. Photos of --family without
a find are taken whole. --only takes some of the variants, by their names.

Prints for each variant the true accept rates over all pairs at two false accept rates, by the distance and normalized
by a cohort of the other people, with their differences to the defaults. The intervals are those of the difference, by
bootstrap over people (95 %). "Cross-validated" is the difference on one half of the people of the variant that is best
on the other half, of those without extra cost, over 20 random splits.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest.mock import patch

import numpy as np
from gallery import Floats
from lfw import central
from numpy.typing import NDArray
from PIL import Image, ImageOps
from truth import (
    RATES,
    Doubles,
    Faces,
    PairScores,
    accept_rates,
    gallery_offsets,
    pair_scores,
    resampled,
)

from faceie import DetectedFaces, DetectionOptions, detect_faces, encode_faces, facenet, open_image
from faceie.mtcnn.detect import crop_face
from faceie.mtcnn.views import View

AT = (1e-3, 1e-4)
SAMPLES = 400  # of the bootstrap
SPLITS = 20
SIZE = 160

Filter = Literal["lanczos", "bicubic", "bilinear", "box"]
Choice = Callable[[Image.Image, DetectedFaces], "int | None"]
Find = tuple[View, NDArray[np.float32]]  # a face's view, and its box in this view


def most_probable(image: Image.Image, faces: DetectedFaces) -> int | None:
    return 0 if len(faces.probabilities) else None


def largest(image: Image.Image, faces: DetectedFaces) -> int | None:
    return int(np.argmax(faces.sizes)) if len(faces.sizes) else None


class Way(NamedTuple):
    """A kind of crop."""

    margin: float = 44
    filter: Filter = "lanczos"
    square: bool = False
    tilt: Literal["as returned", "leveled", "as in the photo"] = "as returned"
    whole_pixels: bool = True
    choice: Choice = central
    mirror: bool = False

    @property
    def file(self) -> str:
        values = (
            self.margin,
            self.filter,
            self.square,
            self.tilt,
            self.whole_pixels,
            self.choice.__name__,
            self.mirror,
        )
        return "-".join(str(value).replace(" ", "_") for value in values)


DEFAULT = Way()
MIRRORED = Way(mirror=True)
CHOICES: dict[str, tuple[Way, ...]] = {
    "the defaults": (DEFAULT,),
    "and mirrored": (DEFAULT, MIRRORED),
    "most probable face": (Way(choice=most_probable),),
    "largest face": (Way(choice=largest),),
    "turned finds as in the photo": (Way(tilt="as in the photo"),),
    "margin 32": (Way(margin=32),),
    "eyes level": (Way(tilt="leveled"),),
    "margin 56": (Way(margin=56),),
    "bilinear": (Way(filter="bilinear"),),
    "margin 14": (Way(margin=14),),
    "margin 0": (Way(margin=0),),
    "square, margin 32": (Way(margin=32, square=True),),
    "bicubic": (Way(filter="bicubic"),),
    "fractions of pixels": (Way(whole_pixels=False),),
    "margin 38": (Way(margin=38),),
    "margin 50": (Way(margin=50),),
    "square, margin 14": (Way(margin=14, square=True),),
    "margins 32, 44": (Way(margin=32), DEFAULT),
    "margins 32, 44, 56": (Way(margin=32), DEFAULT, Way(margin=56)),
    "margins 32, 44, 56, and mirrored": (Way(margin=32), DEFAULT, Way(margin=56), MIRRORED),
}


class Photo(NamedTuple):
    """A photo with its faces."""

    image: Image.Image
    person: str
    faces: DetectedFaces
    finds: list[Find]
    quality: float  # of the central face


def read_photos(folder: Path, least: int, whole: bool) -> Iterator[Photo]:
    """Yield the photos of a folder in which a face is found, or all of them, if the others are taken whole."""
    people = [person for person in sorted(folder.iterdir()) if len(list(person.glob("*.jpg"))) >= least]
    for path in (path for person in people for path in sorted(person.glob("*.jpg"))):
        image, finds = open_image(path), list[Find]()

        def keep(view: View, box: NDArray[np.float32], options: DetectionOptions, finds: list[Find] = finds) -> Any:
            finds.append((view, box))
            return crop_face(view, box, options)

        with patch("faceie.mtcnn.detect.crop_face", keep):
            faces = detect_faces(image)
        number = central(image, faces)
        if number is not None or whole:
            quality = 1.0 if whole or number is None else float(faces.qualities[number])
            yield Photo(image, path.parent.name, faces._replace(images=None), finds, quality)


def cut(photo: Photo, way: Way) -> Image.Image:
    """Crop the face of a photo that counts."""
    number = way.choice(photo.image, photo.faces)
    if number is None:
        crop = photo.image.resize((SIZE, SIZE))
        return ImageOps.mirror(crop) if way.mirror else crop
    view, box = photo.finds[number]
    if way.tilt == "as in the photo" and not np.array_equal(view.affine, np.eye(2, 3)):
        view, box = View(photo.image, np.eye(2, 3)), photo.faces.bounding_boxes[number]
    center, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    if way.tilt == "leveled":
        x, y = photo.faces.landmarks[number, 1] - photo.faces.landmarks[number, 0]
        degrees = math.degrees(math.atan2(y, x) + view.angle)
        image = view.crop((0, 0, *view.size))
        image = image.rotate(degrees, Image.Resampling.BICUBIC, center=(float(center[0]), float(center[1])))
        view = View(image, np.eye(2, 3))
    if way.square:
        box = np.concatenate([center - size.max() / 2, center + size.max() / 2])
    if way.whole_pixels:
        crop = crop_face(view, box, DetectionOptions(margin=way.margin, crop_filter=way.filter))
    else:
        wider = way.margin / (SIZE - way.margin) / 2 * size
        left, top = np.maximum(box[:2] - wider, 0)
        right, bottom = np.minimum(box[2:] + wider, view.size)
        image = view.crop((0, 0, *view.size))
        crop = image.resize((SIZE, SIZE), Image.Resampling[way.filter.upper()], (left, top, right, bottom))
    return ImageOps.mirror(crop) if way.mirror else crop


class Embeddings:
    """The embeddings of a folder's photos, for any kind of crop: cached in files."""

    def __init__(self, folder: Path, cache: Path, weights: str, least: int = 1, whole: bool = False) -> None:
        self._prefix = f"{folder.resolve().parent.name}-{folder.name}-{least}-{Path(weights).stem}"
        self._folder, self._cache, self._weights, self._least, self._whole = folder, cache, weights, least, whole
        self._photos: list[Photo] = []
        self.milliseconds: dict[Way, float] = {}  # to cut a face out

    def _read(self) -> list[Photo]:
        self._photos = self._photos or list(read_photos(self._folder, self._least, self._whole))
        return self._photos

    def faces(self, ways: tuple[Way, ...]) -> Faces:
        """Return the averaged embeddings of some kinds of crops."""
        total = np.sum([self._of(way) for way in ways], 0)
        with np.load(self._file(DEFAULT)) as file:
            people = np.unique(file["people"], return_inverse=True)[1]
            return Faces(total / np.linalg.norm(total, axis=1, keepdims=True), file["qualities"], people)

    def _file(self, way: Way) -> Path:
        return self._cache / f"faceie-choices-{self._prefix}-{way.file}.npz"

    def _of(self, way: Way) -> Floats:
        file = self._file(way)
        if not file.exists():
            photos = self._read()
            start = time.process_time()
            crops = [cut(photo, way) for photo in photos]
            milliseconds = 1e3 * (time.process_time() - start) / len(crops)
            digests = np.array([hashlib.sha256(crop.tobytes()).hexdigest() for crop in crops])
            changed, embeddings = np.arange(len(crops)), np.empty((len(crops), 512), np.float32)
            if way != DEFAULT:  # crops that are the same are not encoded again
                embeddings = self._of(DEFAULT).copy()
                with np.load(self._file(DEFAULT)) as default:
                    changed = np.flatnonzero(default["digests"] != digests)
            source = Path(self._weights) if "/" in self._weights else self._weights
            embeddings[changed] = encode_faces([crops[i] for i in changed], facenet.load(source))
            np.savez(
                file,
                embeddings=embeddings,
                digests=digests,
                changed=len(changed),
                milliseconds=milliseconds,
                people=np.array([photo.person for photo in photos]),
                qualities=np.array([photo.quality for photo in photos], np.float32),
                turned=np.array([np.any(photo.faces.rolls) for photo in photos]),
            )
        with np.load(file) as found:
            self.milliseconds[way] = float(found["milliseconds"])
            result: Floats = found["embeddings"]
        return result


def rates(scores: tuple[PairScores, PairScores], weights: Doubles | None = None) -> Doubles:
    """Return the true accept rates by the distance and normalized: [2 * len(AT)]."""
    found = np.array([accept_rates(kind, weights) for kind in scores], np.float64)
    return found[:, [RATES.index(at) for at in AT]].ravel()


def judge(faces: Faces) -> tuple[PairScores, PairScores]:
    """Return the scores of all pairs by the distance, and normalized by the other people."""
    offsets = gallery_offsets(faces, faces.people)
    return highest(pair_scores(faces, np.zeros_like(offsets))), highest(pair_scores(faces, offsets))


def highest(scores: PairScores) -> PairScores:
    """Keep as many pairs of different people as the rates need, and some more for the bootstrap."""
    kept = 1 + int(4 * max(AT) * scores.total)
    return scores._replace(different=scores.different[:kept], different_people=scores.different_people[:kept])


def show(source: Embeddings, choices: dict[str, tuple[Way, ...]]) -> None:
    scores = {name: judge(source.faces(ways)) for name, ways in choices.items()}
    people = source.faces((DEFAULT,)).people
    print(f"\n{len(people)} faces of {len(np.unique(people))} people")
    columns = [f"{kind}, {at:g}" for kind in ("distance", "normalized") for at in AT]
    print(f"| crop | encodings | ms to cut | {' | '.join(columns)} |\n" + "|---" * (3 + len(columns)) + "|")
    drawn = [resampled(people, seed) for seed in range(SAMPLES)]
    usual = rates(scores["the defaults"])
    usual_drawn = np.array([rates(scores["the defaults"], weights) for weights in drawn])
    for name, ways in choices.items():
        found = rates(scores[name])
        cells = [f"{rate:.4f}" for rate in found]
        if name != "the defaults":
            differences = np.array([rates(scores[name], weights) for weights in drawn]) - usual_drawn
            low, high = np.nanquantile(differences, [0.025, 0.975], axis=0)
            cells = [
                f"{rate:.4f}, {rate - was:+.4f} ({a:+.4f} to {b:+.4f})"
                for rate, was, a, b in zip(found, usual, low, high, strict=True)
            ]
        milliseconds = sum(source.milliseconds[way] for way in ways)
        print(f"| {name} | {len(ways)} | {milliseconds:.2f} | {' | '.join(cells)} |", flush=True)
    cross_validate({name: scores[name] for name, ways in choices.items() if len(ways) == 1}, people)


def cross_validate(scores: dict[str, tuple[PairScores, PairScores]], people: NDArray[np.int64]) -> None:
    """Print the differences on one half of the people of the choice by the other half."""
    count, gains, chosen = int(people.max()) + 1, list[Doubles](), list[str]()
    for seed in range(SPLITS):
        half = np.random.default_rng(seed).permutation(count) % 2 == 0
        for one in (half, ~half):
            here, other = one.astype(np.float64), (~one).astype(np.float64)
            measured = {name: float(rates(kinds, here).mean()) for name, kinds in scores.items()}
            best = max(measured, key=measured.__getitem__)
            gains.append(rates(scores[best], other) - rates(scores["the defaults"], other))
            chosen.append(best)
    cells = [f"{gain:+.4f}" for gain in np.mean(gains, 0)]
    print(f"cross-validated: {', '.join(cells)}")
    names, times = np.unique(chosen, return_counts=True)
    print("  chosen: " + ", ".join(f"{name} {n}" for name, n in zip(names, times, strict=True)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Choose a kind of crop by all pairs of labeled photos.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--family", type=Path)
    parser.add_argument("--least", type=int, default=1)
    parser.add_argument("--weights", default="vggface2")
    parser.add_argument("--only", nargs="+", choices=list(CHOICES), default=list(CHOICES), metavar="NAME")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    choices = {name: ways for name, ways in CHOICES.items() if name in ("the defaults", *arguments.only)}
    show(Embeddings(arguments.folder, arguments.cache, arguments.weights, arguments.least), choices)
    if arguments.family:
        show(Embeddings(arguments.family, arguments.cache, arguments.weights, whole=True), choices)


if __name__ == "__main__":
    main()

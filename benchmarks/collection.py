"""The smallest face of a collection: faces lost and time saved by a larger one.

    python benchmarks/collection.py [FOLDER ...] [--megapixels 12] [--shares 0.5 0.75 1 ...]

Takes the photos of examples/ and of the folders, enlarges those that are smaller to this size, as a phone would take
them, and saves them as JPEG in a temporary folder. Then prints, for each share of the longer side:

- how many of the faces with a quality of 0.5 or more are found that a search for faces of 20 pixels finds;
- how far their embeddings are apart from those of that search;
- CPU seconds a photo in one thread, decoding included and encoding not: median and worst.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from faceie import (
    DetectedFaces,
    DetectionOptions,
    ImageError,
    detect_faces,
    distance,
    encode_faces,
    open_image,
    set_threads,
)
from faceie.boxes import iou
from faceie.images.folders import search_folders
from faceie.types import Array

EXAMPLES = Path(__file__).parent.parent / "examples/photos"
GOOD = 0.5  # quality
SAME = 0.5  # intersection over union


class Result(NamedTuple):
    """The faces of a photo, and the CPU seconds of opening and searching it."""

    faces: DetectedFaces
    embeddings: Array
    seconds: float


def enlarge(folders: list[Path], megapixels: float, most: int, target: Path) -> list[Path]:
    """Write up to `most` photos of this size, and return their paths."""
    photos = [photo.path for photo in search_folders([EXAMPLES, *folders]).photos]
    random.Random(0).shuffle(photos)
    written: list[Path] = []
    for path in photos:
        try:
            image = open_image(path)
        except ImageError:
            continue
        scale = max((megapixels * 1e6 / (image.width * image.height)) ** 0.5, 1)
        size = (round(image.width * scale), round(image.height * scale))
        written.append(target / f"{len(written):04}.jpg")
        image.resize(size, Image.Resampling.LANCZOS).save(written[-1], quality=90)
        if len(written) == most:
            break
    return written


def analyze(path: Path, options: DetectionOptions) -> Result:
    start = time.process_time()
    faces = detect_faces(open_image(path), options)
    seconds = time.process_time() - start
    return Result(faces, encode_faces(faces.images or []), seconds)


def compare(reference: list[Result], results: list[Result]) -> tuple[int, int, Array]:
    """Return how many good faces of the reference there are, how many are found, and how far embeddings are apart."""
    good, apart = 0, []
    for before, now in zip(reference, results, strict=True):
        overlaps = iou(before.faces.bounding_boxes, now.faces.bounding_boxes)  # [before, now]
        for index in np.flatnonzero(before.faces.qualities >= GOOD):
            good += 1
            if overlaps.shape[1] and overlaps[index].max() > SAME:
                apart.append(float(distance(before.embeddings[index], now.embeddings[overlaps[index].argmax()])))
    return good, len(apart), np.array(apart, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure faces lost and time saved by a larger smallest face.")
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--photos", type=int, default=60, help="largest number of photos")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 0.75, 1, 1.5, 2], help="per cent")
    arguments = parser.parse_args()
    set_threads(1)
    analyze(EXAMPLES / "astronaut.jpg", DetectionOptions())
    print("| smallest face | good faces found | distance of embeddings, median, 90 % | CPU s a photo, median, worst |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        photos = enlarge(arguments.folders, arguments.megapixels, arguments.photos, Path(folder))
        reference = [analyze(path, DetectionOptions()) for path in photos]
        for share in (0, *arguments.shares):
            options = DetectionOptions(min_face_share=share / 100)
            results = [analyze(path, options) for path in photos] if share else reference
            good, found, apart = compare(reference, results)
            seconds = [result.seconds for result in results]
            middle, most = np.quantile(apart, [0.5, 0.9]) if len(apart) else (0, 0)
            name = f"{share:g} %" if share else "20 pixels"
            print(
                f"| {name} | {found} of {good} ({found / max(good, 1):.1%}) | {middle:.3f} / {most:.3f} "
                f"| {np.median(seconds):.2f} / {max(seconds):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""A collection of large photos: CPU seconds a photo, memory, photos a second, and the cost of small faces.

    python benchmarks/collection.py [FOLDER ...] [--photos 24] [--shares 0.5 0.75 1 ...]

Takes the photos of examples/ and of the folders, enlarges those that are smaller, as a phone would take them, and saves
them as JPEG in a temporary folder. Prints

- for photos of 12, 48 and 2 megapixels, for turned ones and for those without faces: CPU seconds a photo in one thread,
  decoding included and encoding not, and the peak of the memory, beside facenet-pytorch with the same smallest face;
- the photos that ``faceie index`` searches in a second, with 1 and 2 workers;
- with --shares, for smallest faces of these shares of the longer side, in per cent: how many of the faces with quality
  0.5 or more are found that a search for faces of 20 pixels finds, and how far their embeddings are apart.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import run
from PIL import Image

from faceie import (
    DetectedFaces,
    DetectionOptions,
    Gallery,
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


def rework(photos: list[Path], target: Path, change: Callable[[Image.Image], Image.Image]) -> Path:
    """Write changed copies of photos to a folder, and return it."""
    target.mkdir()
    for path in photos:
        change(open_image(path)).save(target / path.name, quality=90)
    return target


def paint_over(image: Image.Image) -> Image.Image:
    """Cover the faces of an image with gray."""
    image = image.copy()
    for left, top, right, bottom in detect_faces(image, crops=False).bounding_boxes.astype(int).tolist():
        image.paste((127, 127, 127), (left, top, right, bottom))
    return image


def turn(degrees: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.rotate(degrees, Image.Resampling.BICUBIC, expand=True)


def print_costs(folders: list[Path], photos: int, folder: Path) -> Path:
    """Print the table of costs. Return the folder with the photos of 12 megapixels."""
    photos_12 = enlarge(folders, 12, photos, new(folder / "12"))
    enlarge(folders, 48, max(photos // 4, 1), new(folder / "48"))
    for path in photos_12:
        image = open_image(path)
        scale = (2e6 / (image.width * image.height)) ** 0.5
        image.resize((round(image.width * scale), round(image.height * scale))).save(new(folder / "2") / path.name)
    works: list[tuple[str, Path, tuple[str, ...]]] = [
        ("12 megapixels", folder / "12", ()),
        ("48 megapixels", folder / "48", ()),
        ("2 megapixels, faces of 20 pixels", folder / "2", ("20", "0")),
        ("12 megapixels, without faces", rework(photos_12, folder / "none", paint_over), ()),
        ("12 megapixels, turned by 90 degrees", rework(photos_12, folder / "90", turn(90)), ()),
        ("12 megapixels, turned by 30 degrees", rework(photos_12, folder / "30", turn(30)), ()),
    ]
    print("| photos | Faceie, median, worst | memory | facenet-pytorch, upright | memory |\n|---|---|---|---|---|")
    for title, path, smallest in works:
        cells = [title]
        for subject in ("faceie", "facenet-pytorch") if run.PEERS_PYTHON.exists() else ("faceie",):
            process = [*run.command(subject, ("collection", str(path))), *smallest]
            output = subprocess.run(process, env=run.environment(1), stdout=subprocess.PIPE, text=True, check=True)
            *lines, megabytes = output.stdout.splitlines()
            seconds = [float(line.split()[0]) for line in lines]
            cells += [f"{np.median(seconds):.2f} / {max(seconds):.2f} s", f"{float(megabytes):.0f} MB"]
        print(f"| {' | '.join(cells)} |", flush=True)
    return folder / "12"


def print_throughput(photos: Path, folder: Path) -> None:
    """Print how many photos are indexed in a second."""
    print("\n| `faceie index`, 12 megapixels | photos a second |\n|---|---|")
    for workers in (1, 2):
        with Gallery(folder / f"{workers}.faceie") as gallery:
            report = gallery.index([photos], workers=workers)
        print(f"| workers: {workers} | {report.analyzed / report.seconds:.2f} |", flush=True)


def new(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the search of large photos.")
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--photos", type=int, default=24, help="largest number of photos")
    parser.add_argument(
        "--shares", type=float, nargs="+", help="smallest faces to compare, per cent of the longer side"
    )
    arguments = parser.parse_args()
    set_threads(1)
    with tempfile.TemporaryDirectory() as name:
        if arguments.shares:
            print_shares(arguments.folders, arguments.photos, arguments.shares, Path(name))
        else:
            print_throughput(print_costs(arguments.folders, arguments.photos, Path(name)), Path(name))


def print_shares(folders: list[Path], most: int, shares: list[float], folder: Path) -> None:
    analyze(EXAMPLES / "astronaut.jpg", DetectionOptions())
    print("| smallest face | good faces found | distance of embeddings, median, 90 % | CPU s a photo, median, worst |")
    print("|---|---|---|---|")
    photos = enlarge(folders, 12, most, folder)
    reference = [analyze(path, DetectionOptions()) for path in photos]
    for share in (0, *shares):
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

"""Measure the search of dark, faded and color-lit photos, with and without the second search.

    python benchmarks/tones.py PHOTOS ... [--every N] [--wider FOLDER --truth faces.json]

PHOTOS are folders of well exposed photos, of which every N-th is taken. Each photo is degraded in several ways and
searched twice: as is, and with the second search of `faceie.mtcnn.tones`. Prints for each degradation:

- the number of photos that are searched a second time;
- the number of faces of the undegraded photo that are found (IoU of at least 0.7, probability of at least 0.9);
- the number of other detections (false positives, or faces that only the degraded photo shows);
- the mean distance of embeddings to those of the undegraded photo, for crops of the photo and of the stretched copy at
  the same boxes.

With --wider, for photos in the layout of WIDER FACE, prints the number of photos that are searched a second time, the
number of changed detections, and average precision with and without the second search, undegraded and degraded. Pieces
of these photos without faces, degraded, count the false positives of the stretched copy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from wider import Finds, Truth, average_precision, overlaps, read_truth

from faceie import DetectedFaces, DetectionOptions, ImageError, detect_faces, encode_faces, open_image
from faceie.mtcnn.detect import crop_face
from faceie.mtcnn.tones import stretch_tones

Floats = NDArray[np.float32]

SURE = 0.9  # probability of faces that count
PIECE = 320  # pixels: the side of pieces without faces


def scaled(*channels: float) -> Callable[[Floats], Floats]:
    return lambda x: x * np.array(channels, np.float32)


def faded(low: float, high: float) -> Callable[[Floats], Floats]:
    return lambda x: low + x * np.float32((high - low) / 255)


def yellowed(x: Floats) -> Floats:
    """Return the tones of a print whose dyes faded unequally."""
    low, high = np.array([190, 150, 120], np.float32), np.array([255, 210, 175], np.float32)
    return low + x * ((high - low) / np.float32(255))


def dark_gamma(gamma: float, noise: float) -> Callable[[Floats], Floats]:
    """Return a function that darkens a photo by a gamma and adds the noise of a sensor."""

    def change(x: Floats) -> Floats:
        grain = np.random.default_rng(0).normal(0, noise, x.shape)
        return np.asarray((x / 255) ** gamma * 75 + grain, np.float32)

    return change


def lamp(x: Floats) -> Floats:
    """Return a dark photo with a lamp in 2 % of its area."""
    dark = x * np.float32(0.05)
    height, width = dark.shape[:2]
    side = int((0.02 * height * width) ** 0.5)
    dark[height // 8 :][:side, width // 8 :][:, :side] = 250
    return dark


def framed(x: Floats) -> Floats:
    """Return a faded print with a white border."""
    print_ = 180 + x * np.float32(55 / 255)
    edge = int(0.06 * min(x.shape[:2]))
    print_[:edge] = print_[-edge:] = 255
    print_[:, :edge] = print_[:, -edge:] = 255
    return print_


DEGRADATIONS: dict[str, Callable[[Floats], Floats]] = {
    "brightness 0.02": scaled(0.02),
    "brightness 0.04": scaled(0.04),
    "brightness 0.05": scaled(0.05),
    "brightness 0.08": scaled(0.08),
    "brightness 0.15": scaled(0.15),
    "brightness 0.3": scaled(0.3),
    "brightness 0.8": scaled(0.8),
    "brightness 0.05, a lamp": lamp,
    "brightness 0.16, 0.1, 0.05 (R, G, B)": scaled(0.16, 0.1, 0.05),
    "gamma 2.5 to 0..75, noise 2": dark_gamma(2.5, 2),
    "gamma 2 to 0..75, noise 4": dark_gamma(2, 4),
    "faded to 180..255": faded(180, 255),
    "faded to 220..255": faded(220, 255),
    "faded to 180..235, white border": framed,
    "faded, yellowed": yellowed,
    "blue light 0.02, 0.05, 1": scaled(0.02, 0.05, 1),
    "blue light 0.05, 0.1, 0.5": scaled(0.05, 0.1, 0.5),
    "blue light 0, 0, 1": scaled(0, 0, 1),
    "red light 1, 0.03, 0.03": scaled(1, 0.03, 0.03),
    "red light 1, 0.3, 0.3": scaled(1, 0.3, 0.3),
    "green light 0.1, 0.6, 0.1": scaled(0.1, 0.6, 0.1),
}
OF_WIDER = ("brightness 0.05", "gamma 2 to 0..75, noise 4", "faded to 220..255", "blue light 0.02, 0.05, 1")
OF_PIECES = ("brightness 0.8", *OF_WIDER)  # the first for comparison: false positives of a harmless change


class Photo(NamedTuple):
    """A well exposed photo and its faces."""

    image: Image.Image
    boxes: Floats  # [n, 4]
    embeddings: Floats  # [n, 512]


def degraded(image: Image.Image, change: Callable[[Floats], Floats]) -> Image.Image:
    x = change(np.asarray(image).astype(np.float32))
    return Image.fromarray(np.clip(x, 0, 255).astype(np.uint8))


@contextmanager
def no_second_look() -> Iterator[None]:
    with patch("faceie.mtcnn.detect.stretch_tones", lambda image: None):
        yield


def search_as_is(image: Image.Image) -> DetectedFaces:
    with no_second_look():
        return detect_faces(image)


def read_photos(folders: list[Path], every: int) -> Iterator[Photo]:
    paths = sorted(path for folder in folders for path in folder.rglob("*.jpg"))
    for path in paths[::every]:
        try:
            image = open_image(path)
        except ImageError:
            continue
        faces = search_as_is(image)
        sure = np.flatnonzero(faces.probabilities >= 0.95)
        assert faces.images is not None
        yield Photo(image, faces.bounding_boxes[sure], encode_faces([faces.images[i] for i in sure]))


def matches(faces: DetectedFaces, boxes: Floats) -> list[int | None]:
    """Return for each box the number of the probable face that is found there, if any."""
    best: list[int | None] = []
    sure = np.flatnonzero(faces.probabilities >= SURE)
    for box in boxes:
        iou = overlaps(box.astype(float), faces.bounding_boxes[sure].astype(float))
        best.append(int(sure[iou.argmax()]) if len(iou) and iou.max() >= 0.7 else None)
    return best


def report_degradation(photos: list[Photo], change: Callable[[Floats], Floats]) -> str:
    narrow = 0
    found, others = [0, 0], [0, 0]  # as is, with the second search
    crops: list[tuple[Image.Image, Image.Image, Image.Image]] = []  # of the photo, of the copy, as returned
    expected = []
    for photo in photos:
        image = degraded(photo.image, change)
        copy = stretch_tones(image)
        narrow += copy is not None
        for i, faces in enumerate((search_as_is(image), detect_faces(image))):
            found_here = matches(faces, photo.boxes)
            found[i] += sum(match is not None for match in found_here)
            others[i] += int((faces.probabilities >= SURE).sum()) - len(set(found_here) - {None})
        assert faces.images is not None
        for match, embedding in zip(found_here, photo.embeddings, strict=True):
            if match is not None and copy is not None and faces.rolls[match] == 0:
                box = faces.bounding_boxes[match]
                options = DetectionOptions()
                crops.append((crop_face(image, box, options), crop_face(copy, box, options), faces.images[match]))
                expected.append(embedding)
    distances = ["" for _ in range(3)]
    if crops:
        columns = (encode_faces(list(column)) - np.array(expected) for column in zip(*crops, strict=True))
        distances = [f"{np.linalg.norm(column, axis=1).mean():.3f}" for column in columns]
    return f"{narrow} | {found[0]} | {found[1]} | {others[0]} | {others[1]} | {' | '.join(distances)}"


def finds(faces: DetectedFaces) -> Finds:
    return Finds(*(np.asarray(f, float) for f in (faces.bounding_boxes, faces.probabilities, faces.landmarks)))


def report_wider(folder: Path, truth: Truth, change: Callable[[Floats], Floats] | None) -> str:
    before: dict[str, Finds] = {}
    after: dict[str, Finds] = {}
    narrow = changed = 0
    for name in truth:
        image = open_image(folder / name)
        image = degraded(image, change) if change else image
        with no_second_look():
            first = detect_faces(image, crops=False)
        second = detect_faces(image, crops=False)
        narrow += stretch_tones(image) is not None
        changed += not all(np.array_equal(a, b) for a, b in zip(first[:4], second[:4], strict=True))
        before[name], after[name] = finds(first), finds(second)
    columns = [str(narrow), str(changed)]
    for found in (before, after):
        scores = [average_precision(found, truth, size) for size in (20, 40, 80)]
        columns.append(" ".join(f"{score.average_precision:.3f}" for score in scores))
        columns.append(f"{scores[0].precision:.3f}")
    return " | ".join(columns)


def pieces_without_faces(folder: Path, truth: Truth) -> Iterator[Image.Image]:
    """Yield a piece of each photo without labeled faces and without detections, if there is one."""
    rng = np.random.default_rng(0)
    for name, (boxes, _) in truth.items():
        image = open_image(folder / name)
        for _ in range(20):
            left, top = (int(rng.integers(0, max(side - PIECE, 0) + 1)) for side in image.size)
            piece = np.array([left, top, left + PIECE, top + PIECE])
            if np.any((boxes[:, :2] < piece[2:] + 20).all(1) & (boxes[:, 2:] > piece[:2] - 20).all(1)):
                continue
            cut = image.crop((left, top, min(left + PIECE, image.width), min(top + PIECE, image.height)))
            if not len(search_as_is(cut).probabilities):
                yield cut
                break


def report_pieces(pieces: list[Image.Image], change: Callable[[Floats], Floats]) -> str:
    images = [degraded(piece, change) for piece in pieces]
    counts = [str(sum(stretch_tones(image) is not None for image in images))]
    for search in (search_as_is, detect_faces):
        probabilities = np.concatenate([search(image).probabilities for image in images])
        counts += [str(len(probabilities)), str(int((probabilities >= SURE).sum()))]
    return " | ".join(counts)


def print_header(*columns: str) -> None:
    print(f"\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the search of dark, faded and color-lit photos.")
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--wider", type=Path)
    parser.add_argument("--truth", type=Path)
    arguments = parser.parse_args()
    if (arguments.wider is None) != (arguments.truth is None):
        parser.error("--wider and --truth belong together")
    photos = list(read_photos(arguments.photos, arguments.every))
    print(f"{len(photos)} photos, {sum(len(photo.boxes) for photo in photos)} faces")
    found, others, distances = (
        ("found as is", "found"),
        ("others as is", "others"),
        ("of the photo", "of the copy", "returned"),
    )
    print_header("degradation", "narrow", *found, *others, *(f"distance, crop {name}" for name in distances))
    for name, change in DEGRADATIONS.items():
        print(f"| {name} | {report_degradation(photos, change)} |", flush=True)
    if arguments.wider is None:
        return
    truth = read_truth(arguments.truth)
    scores = ("AP 20 40 80 px", "precision")
    print_header("WIDER FACE", "narrow", "changed", *(f"{s} as is" for s in scores), *scores)
    print(f"| undegraded, {len(truth)} photos | {report_wider(arguments.wider, truth, None)} |", flush=True)
    eighth = read_truth(arguments.truth, 8)
    for name in OF_WIDER:
        row = report_wider(arguments.wider, eighth, DEGRADATIONS[name])
        print(f"| {name}, {len(eighth)} photos | {row} |", flush=True)
    pieces = list(pieces_without_faces(arguments.wider, truth))
    print_header(f"{len(pieces)} pieces without faces", "narrow", "finds as is", "sure", "finds", "sure")
    for name in OF_PIECES:
        print(f"| {name} | {report_pieces(pieces, DEGRADATIONS[name])} |", flush=True)


if __name__ == "__main__":
    main()

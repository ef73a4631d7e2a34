"""Accuracy of recognition on pairs of photos in the layout of LFW.

    python benchmarks/lfw.py FOLDER --pairs FILE [--mirror] [--margin PIXELS] [--weights NAME] [--plots FOLDER]

FOLDER holds ``NAME/NAME_0001.jpg``. FILE has a line for each pair, separated by tabs: ``NAME i j`` for one person,
``NAME i NAME j`` for two. LFW's own ``pairs.txt`` begins with a line of two numbers, those of the folds and of the
pairs of each kind in a fold. Without this line, every tenth pair of a kind makes a fold.

In each photo, one face counts: the one with the largest (area - 2 * squared distance of its center from the center of
the photo), as in David Sandberg's and facenet-pytorch's evaluations. Photos without a face are taken whole.

Prints:

- the accuracy with the threshold that is best for the other nine folds, mean and standard error;
- the true accept rate at a false accept rate of 1/1000;
- the separation of the two kinds of pairs, (difference of means) / sqrt(mean of variances);
- the expected calibration error of `same_person_probability`, in ten bins.

With --plots, draws the ROC curve and the reliability diagram (needs matplotlib).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceie import (
    DetectedFaces,
    DetectionOptions,
    detect_faces,
    distance,
    encode_faces,
    facenet,
    open_image,
    same_person_probability,
)

Floats = NDArray[np.float64]


class Pair(NamedTuple):
    a: str  # paths
    b: str
    same: bool
    fold: int


class Distances(NamedTuple):
    """The distances of the pairs."""

    distances: Floats  # [n]
    same: NDArray[np.bool_]  # [n]
    folds: NDArray[np.intp]  # [n]


def read_pairs(file: Path, folder: Path) -> list[Pair]:
    """Return the pairs of which both photos exist."""
    lines = [line.split("\t") for line in file.read_text().splitlines()]
    in_fold = 2 * int(lines[0][1]) if len(lines[0]) == 2 else None
    pairs, number, missing = [], {True: 0, False: 0}, 0
    for line in lines:
        match line:
            case [name, i, j]:
                a, b, same = photo(folder, name, i), photo(folder, name, j), True
            case [name, i, other, j]:
                a, b, same = photo(folder, name, i), photo(folder, other, j), False
            case _:
                continue
        fold = sum(number.values()) // in_fold if in_fold else number[same] % 10
        number[same] += 1
        if Path(a).exists() and Path(b).exists():
            pairs.append(Pair(a, b, same, fold))
        else:
            missing += 1
    if missing:
        sys.stderr.write(f"{missing} of {sum(number.values())} pairs are left out: their photos are not there\n")
    return pairs


def photo(folder: Path, name: str, number: str) -> str:
    return str(folder / name / f"{name}_{int(number):04}.jpg")


def central(image: Image.Image, faces: DetectedFaces) -> int | None:
    """Return the number of the face that counts, or None if there is no face."""
    boxes = faces.bounding_boxes
    if not len(boxes):
        return None
    center = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array(image.size, np.float32) / 2
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return int(np.argmax(area - 2 * (center**2).sum(1)))


def cut(path: str, margin: float) -> Image.Image:
    """Return the crop of the face that counts."""
    image = open_image(path)
    faces = detect_faces(image, margin=margin)
    number = central(image, faces)
    return image if number is None or faces.images is None else faces.images[number]


Encode = Callable[[list[Image.Image]], NDArray[np.float32]]


def embed(paths: list[str], crop: Callable[[str], Image.Image], encode: Encode) -> dict[str, NDArray[np.float32]]:
    """Return the embedding of each photo."""
    embeddings: dict[str, NDArray[np.float32]] = {}
    for start in range(0, len(paths), 500):
        part = paths[start : start + 500]
        embeddings.update(zip(part, encode([crop(path) for path in part]), strict=True))
        sys.stderr.write(f"{start + len(part)} of {len(paths)} photos\n")
    return embeddings


def measure(pairs: list[Pair], embeddings: dict[str, NDArray[np.float32]]) -> Distances:
    distances = np.array([distance(embeddings[pair.a], embeddings[pair.b]) for pair in pairs], np.float64)
    return Distances(distances, np.array([pair.same for pair in pairs]), np.array([pair.fold for pair in pairs]))


def ten_folds(found: Distances) -> tuple[float, float]:
    """Return mean and standard error of the accuracy over the folds, each with the threshold of the others."""
    distances, same, folds = found
    accuracies = []
    for fold in np.unique(folds):
        rest = folds != fold
        candidates = np.unique(distances[rest])
        accepted = np.searchsorted(np.sort(distances[rest & same]), candidates, "right")
        rejected = (rest & ~same).sum() - np.searchsorted(np.sort(distances[rest & ~same]), candidates, "right")
        best = int(np.argmax(accepted + rejected))
        threshold = candidates[best : best + 2].mean()  # half-way to the next distance
        accuracies.append((same[~rest] == (distances[~rest] <= threshold)).mean())
    return float(np.mean(accuracies)), float(np.std(accuracies) / np.sqrt(len(accuracies)))


def true_accept_rate(found: Distances, false_accept_rate: float = 1e-3) -> tuple[float, float]:
    """Return the true accept rate at a false accept rate, and the threshold."""
    different = np.sort(found.distances[~found.same])
    threshold = different[int(false_accept_rate * len(different))]  # is not accepted itself
    return float((found.distances[found.same] < threshold).mean()), float(threshold)


def separation(found: Distances) -> float:
    same, different = found.distances[found.same], found.distances[~found.same]
    return float((different.mean() - same.mean()) / np.sqrt((same.var() + different.var()) / 2))


def reliability(probabilities: Floats, same: NDArray[np.bool_], bins: int = 10) -> tuple[float, Floats]:
    """Return the expected calibration error, and a row for each bin that has pairs: mean probability, share of pairs of
    one person, number of pairs.
    """
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    rows = [
        (probabilities[place == i].mean(), same[place == i].mean(), (place == i).sum())
        for i in range(bins)
        if (place == i).any()
    ]
    table = np.array(rows, np.float64)
    return float(np.abs(table[:, 0] - table[:, 1]) @ table[:, 2] / len(same)), table


def report(found: Distances, weights: str = "vggface2") -> str:
    accuracy, error = ten_folds(found)
    accepted, threshold = true_accept_rate(found)
    off, _ = reliability(same_person_probability(found.distances, weights=weights), found.same)
    return (
        f"{len(found.same)} pairs: accuracy {accuracy:.4f} +- {error:.4f}, true accept rate {accepted:.4f} at 1/1000 "
        f"(distance {threshold:.3f}), separation {separation(found):.2f}, calibration error {off:.4f}"
    )


def draw(found: Distances, weights: str, folder: Path) -> None:
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    size = (5, 4.5)
    thresholds = np.sort(found.distances)
    rates = [(found.distances[found.same == kind][:, None] <= thresholds).mean(0) for kind in (False, True)]
    figure, axes = pyplot.subplots(figsize=size, layout="constrained")
    axes.semilogx(*rates)
    axes.set(xlabel="false accept rate", ylabel="true accept rate", ylim=(0.9, 1.001), title="ROC curve")
    axes.grid(alpha=0.3)
    figure.savefig(folder / "roc.png", dpi=110)
    off, table = reliability(same_person_probability(found.distances, weights=weights), found.same)
    figure, axes = pyplot.subplots(figsize=size, layout="constrained")
    axes.plot([0, 1], [0, 1], color="gray", linestyle=":")
    axes.plot(table[:, 0], table[:, 1], marker="o")
    for x, y, count in table:
        axes.annotate(f"{count:.0f}", (x, y), textcoords="offset points", xytext=(6, -10), fontsize=8)
    title = f"Reliability (pairs per bin; calibration error {off:.4f})"
    axes.set(xlabel="same_person_probability", ylabel="share of pairs of one person", title=title)
    figure.savefig(folder / "reliability.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of recognition on pairs of photos.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--margin", type=float, default=DetectionOptions().margin)
    parser.add_argument("--weights", default="vggface2")
    parser.add_argument("--plots", type=Path)
    arguments = parser.parse_args()
    pairs = read_pairs(arguments.pairs, arguments.folder)
    weights = facenet.load(arguments.weights)
    embeddings = embed(
        sorted({path for pair in pairs for path in pair[:2]}),
        lambda path: cut(path, arguments.margin),
        lambda crops: encode_faces(crops, weights, mirror=arguments.mirror),
    )
    found = measure(pairs, embeddings)
    print(f"{arguments.weights}, margin {arguments.margin:g}{', mirror' * arguments.mirror}:")
    print(report(found, arguments.weights))
    if arguments.plots:
        draw(found, arguments.weights, arguments.plots)


if __name__ == "__main__":
    main()

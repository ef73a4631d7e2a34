"""Fit and check the probability that a find is a face (`faceie.mtcnn.credibility`).

    python benchmarks/credibility.py FOLDER --truth faces.json [--every N]

FOLDER, faces.json and N are those of wider.py. All photos are searched with the defaults, and no find is dropped for
its probability. A find is right if wider.py says so for faces of at least 20 pixels; finds that do not count there do
not count here.

The photos are split into ten parts. The probability in one part comes from a logistic regression fitted on the other
nine. Prints, for O-Net's score alone and for growing sets of properties:

- the calibration error: the mean over all finds of |mean probability - share of faces| of the find's bin, of ten;
- the logarithmic loss of a find;
- average precision for faces of at least 20, 40 and 80 pixels, and precision at 20, with the least probability of the
  defaults, beside a search of upright faces;
- for all properties, the intervals of the differences to that search, by bootstrap over photos, the finds by bin, and
  the coefficients fitted on all photos.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from lfw import Floats, reliability
from numpy.typing import NDArray
from wider import Finds, Truth, average_precision, judge, read_truth, search

from faceie.mtcnn import credibility, detect
from faceie.mtcnn.cascade import Faces
from faceie.mtcnn.networks import MTCNN
from faceie.mtcnn.options import DEFAULTS
from faceie.mtcnn.views import View

SIZES = (20, 40, 80)  # pixels
PARTS = 10
RIDGE = 1e-3  # keeps coefficients finite where few finds are wrong
SAMPLES = 200  # of the bootstrap
COLUMNS = {
    "O-Net's score": [0, 4],
    "three looks": [0, 1],
    "three looks, roll": [0, 1, 2],
    "three looks, roll, size": [0, 1, 2, 3],
}


class Photo(NamedTuple):
    """The finds of a photo, with their properties."""

    finds: Finds
    properties: Floats  # [n, 5]: those of `credibility.evidence`, and the logit of O-Net's score
    verdicts: NDArray[np.float64]  # [n]: 1 for a face, 0 for a false positive, NaN if it does not count
    part: int


def gather(folder: Path, truth: Truth) -> dict[str, Photo]:
    """Search photos for all finds, whatever their probabilities."""
    properties: dict[float, Floats] = {}  # by probability, which differs from find to find

    def record(finds: Sequence[tuple[View, Faces]], main: View, w: MTCNN) -> Any:
        evidence = credibility.evidence(finds, main, w)
        probabilities = credibility.face_probabilities(finds, main, w)
        scores = np.concatenate([faces.probabilities for _, faces in finds]).astype(float)
        logits = np.log(scores / np.maximum(1 - scores, 1e-6))
        rows = np.column_stack([evidence, logits])
        properties.update(zip(probabilities.tolist(), rows, strict=True))
        return probabilities

    photos = {}
    for number, photo in enumerate(truth):
        properties.clear()
        with patch.object(detect, "face_probabilities", record):
            finds = search(folder, [photo], min_probability=0).found[photo]
        rows = np.array([properties[float(p)] for p in finds.probabilities]).reshape(-1, 5)
        verdicts = np.array(judge(finds, truth[photo], 20), float)
        photos[photo] = Photo(finds, rows, verdicts, number % PARTS)
    return photos


def fit(x: Floats, y: Floats) -> Floats:
    """Return the coefficients of a logistic regression by Newton's method."""
    coefficients = np.zeros(x.shape[1])
    for _ in range(50):
        p = predict(x, coefficients)
        curvature = (x.T * (p * (1 - p))) @ x + RIDGE * np.eye(x.shape[1])
        coefficients += np.linalg.solve(curvature, x.T @ (y - p) - RIDGE * coefficients)
    return coefficients


def predict(x: Floats, coefficients: Floats) -> Floats:
    return 1 / (1 + np.exp(-x @ coefficients))


def known(photos: list[Photo], columns: list[int]) -> tuple[Floats, Floats]:
    """Return properties and verdicts of the finds that count."""
    x = np.concatenate([photo.properties[:, columns] for photo in photos])
    y = np.concatenate([photo.verdicts for photo in photos])
    return x[~np.isnan(y)], y[~np.isnan(y)]


def cross_validated(photos: dict[str, Photo], columns: list[int]) -> dict[str, Floats]:
    """Return the probabilities of each photo's finds, fitted on the photos of other parts."""
    of_part = [
        fit(*known([photo for photo in photos.values() if photo.part != part], columns)) for part in range(PARTS)
    ]
    return {name: predict(photo.properties[:, columns], of_part[photo.part]) for name, photo in photos.items()}


def credible(photos: dict[str, Photo], probabilities: dict[str, Floats]) -> dict[str, Finds]:
    """Return the finds that are probable enough, with these probabilities."""
    found = {}
    for name, photo in photos.items():
        keep = probabilities[name] >= DEFAULTS.min_probability
        boxes, _, landmarks = (field[keep] for field in photo.finds)
        found[name] = Finds(boxes, probabilities[name][keep], landmarks)
    return found


def bootstrap(ours: dict[str, Finds], upright: dict[str, Finds], truth: Truth) -> list[str]:
    """Return the central 95 % of the differences of average precision, for each size."""
    random, names = np.random.default_rng(0), list(truth)
    differences = []
    for _ in range(SAMPLES):
        chosen = {str(i): names[j] for i, j in enumerate(random.integers(0, len(names), len(names)))}
        sample = {i: truth[name] for i, name in chosen.items()}
        both = [{i: found[name] for i, name in chosen.items()} for found in (ours, upright)]
        a, b = (
            np.array([average_precision(found, sample, size).average_precision for size in SIZES]) for found in both
        )
        differences.append(a - b)
    low, high = np.percentile(differences, [2.5, 97.5], axis=0)
    return [f"{a:+.4f} to {b:+.4f}" for a, b in zip(low, high, strict=True)]


def row(name: str, error: str, loss: str, found: dict[str, Finds], truth: Truth) -> str:
    scores = [average_precision(found, truth, size) for size in SIZES]
    cells = [f"{score.average_precision:.4f}" for score in scores] + [f"{scores[0].precision:.3f}"]
    return f"| {name} | {error} | {loss} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit and check the probability that a find is a face.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    truth = read_truth(arguments.truth, arguments.every)
    upright = search(arguments.folder, truth, rotations=(0,)).found
    photos = gather(arguments.folder, truth)
    print("| | calibration error | loss | AP 20 px | AP 40 px | AP 80 px | precision |\n" + "|---" * 7 + "|")
    print(row("upright search", "-", "-", upright, truth))
    for name, columns in COLUMNS.items():
        probabilities = cross_validated(photos, columns)
        p, y = np.concatenate([*probabilities.values()]), np.concatenate([photo.verdicts for photo in photos.values()])
        p, y = p[~np.isnan(y)], y[~np.isnan(y)]
        error, table = reliability(p, y == 1)
        loss = -np.log(np.where(y == 1, p, 1 - p)).mean()
        found = credible(photos, probabilities)
        print(row(name, f"{error:.4f}", f"{loss:.4f}", found, truth))
    print(f"difference of the last to upright search, 95 %: {'; '.join(bootstrap(found, upright, truth))}")
    print("probability, share of faces, finds: " + "; ".join(f"{a:.2f} {b:.2f} {n:.0f}" for a, b, n in table))
    print("coefficients:", fit(*known([*photos.values()], columns)).round(3).tolist())


if __name__ == "__main__":
    main()

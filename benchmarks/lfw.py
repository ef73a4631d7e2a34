"""Accuracy of recognition on pairs of photos in the layout of LFW.

    python benchmarks/lfw.py FOLDER --pairs FILE [--margin PIXELS] [--min-face-size PIXELS]

FOLDER holds ``NAME/NAME_0001.jpg``; FILE has a line for each pair, separated by tabs: ``NAME i j`` for one person,
``NAME i NAME j`` for two; lines of other forms (counts) are passed over. In each photo, the face that counts is the
largest close to the center: area - 2 * squared distance of its center from the center of the photo, as in David
Sandberg's and facenet-pytorch's evaluations. Photos without a face are taken whole.

Prints the accuracy at the best threshold, chosen on nine tenths of the pairs for the other tenth in turn, mean and
standard error; the true accept rate where one in a thousand pairs of different people is accepted; and the separation
of the two kinds of pairs, (difference of means) / sqrt(mean of variances).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceie import DetectedFaces, detect_faces, distance, encode_faces, open_image

Pair = tuple[str, str, bool]


def read_pairs(file: Path, folder: Path) -> list[Pair]:
    pairs = []
    for line in file.read_text().splitlines():
        match line.split("\t"):
            case [name, i, j]:
                pairs.append((photo(folder, name, i), photo(folder, name, j), True))
            case [name, i, other, j]:
                pairs.append((photo(folder, name, i), photo(folder, other, j), False))
    return pairs


def photo(folder: Path, name: str, number: str) -> str:
    return str(folder / name / f"{name}_{int(number):04}.jpg")


def central_face(image: Image.Image, faces: DetectedFaces) -> Image.Image:
    if not faces.images:
        return image
    boxes = faces.bounding_boxes
    center = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array(image.size, np.float32) / 2
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return faces.images[int(np.argmax(area - 2 * (center**2).sum(1)))]


def embed(paths: list[str], margin: float, min_face_size: float) -> dict[str, NDArray[np.float32]]:
    embeddings = {}
    for number, path in enumerate(paths, 1):
        image = open_image(path)
        faces = detect_faces(image, margin=margin, min_face_size=min_face_size)
        embeddings[path] = encode_faces(central_face(image, faces))
        if number % 500 == 0:
            sys.stderr.write(f"{number} of {len(paths)} photos\n")
    return embeddings


def ten_folds(distances: NDArray[np.float32], same: NDArray[np.bool_]) -> tuple[float, float]:
    """Return mean and standard error of the accuracy over ten folds, each with the threshold of the other nine."""
    folds = np.arange(len(distances)) * 10 // len(distances)
    # The pairs of a file come in blocks of one kind: a fold takes every tenth of each.
    for kind in (True, False):
        folds[same == kind] = np.arange((same == kind).sum()) % 10
    candidates = np.unique(distances)
    accuracies = []
    for fold in range(10):
        rest = folds != fold
        right = [(same[rest] == (distances[rest] <= threshold)).mean() for threshold in candidates]
        threshold = candidates[int(np.argmax(right))]
        accuracies.append((same[~rest] == (distances[~rest] <= threshold)).mean())
    return float(np.mean(accuracies)), float(np.std(accuracies) / np.sqrt(10))


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of recognition on pairs of photos.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--margin", type=float, default=32)
    parser.add_argument("--min-face-size", type=float, default=20)
    arguments = parser.parse_args()
    listed = read_pairs(arguments.pairs, arguments.folder)
    pairs = [pair for pair in listed if all(Path(path).exists() for path in pair[:2])]
    if len(pairs) < len(listed):
        missing = len(listed) - len(pairs)
        sys.stderr.write(f"{missing} of {len(listed)} pairs are left out: their photos are not there\n")
    paths = sorted({path for first, second, _ in pairs for path in (first, second)})
    embeddings = embed(paths, arguments.margin, arguments.min_face_size)
    distances = np.array([distance(embeddings[a], embeddings[b]) for a, b, _ in pairs])
    same = np.array([kind for _, _, kind in pairs])
    accuracy, error = ten_folds(distances, same)
    # The largest threshold that accepts at most one in a thousand pairs of different people.
    strict = np.sort(distances[~same])[max(0, int((~same).sum() / 1000) - 1)]
    accepted = (distances[same] < strict).mean()
    spread = np.sqrt((distances[same].var() + distances[~same].var()) / 2)
    separation = (distances[~same].mean() - distances[same].mean()) / spread
    print(
        f"{len(pairs)} pairs, margin {arguments.margin:g}: accuracy {accuracy:.4f} +- {error:.4f}, "
        f"true accept rate {accepted:.4f} at 1/1000 false ones (distance {strict:.3f}), separation {separation:.2f}"
    )


if __name__ == "__main__":
    main()

"""Accuracy of detection on photos whose faces are known, and how far it agrees with facenet-pytorch.

    python benchmarks/wider.py FOLDER --truth faces.json [--smallest PIXELS ...] [--reference]

faces.json: for each photo, by its path below FOLDER, ``{"faces": [{"bbox": [x, y, width, height], "invalid": 0 or 1},
...]}``: WIDER FACE's labels. Prints the average precision (a find counts if it overlaps a face by an IoU of 0.5 and is
the first to do so; finds on faces that are invalid or lower than PIXELS, and finds lower than that, do not count) for
each PIXELS, default 20 40 80.

With --reference, the same for facenet-pytorch, from the environment of the peers (README.md beside this file), and how
many of its faces of probability 0.9 and more are found by Faceie with an IoU of at least 0.9, and landmarks within 3 %
of the size of the face.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PEERS = Path(os.environ.get("FACEIE_PEERS", "~/.cache/faceie-peers")).expanduser()

# Runs in the environment of the peers: prints the faces of each photo as JSON.
REFERENCE = """
import json, sys
from facenet_pytorch import MTCNN
from PIL import Image
detector, found = MTCNN(keep_all=True), {}
for path in sys.stdin.read().splitlines():
    faces = detector.detect(Image.open(path).convert("RGB"), landmarks=True)
    found[path] = [[] if field is None or field[0] is None else field.tolist() for field in faces]
json.dump(found, sys.stdout)
"""


class Finds(NamedTuple):
    """The faces that were found in a photo."""

    boxes: Floats  # [n, 4]
    probabilities: Floats  # [n]
    landmarks: Floats  # [n, 5, 2]


def overlaps(box: Floats, boxes: Floats) -> Floats:
    """Return intersection over union of one box with many."""
    size = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    intersection = np.maximum(size, 0).prod(1)
    union = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - intersection
    return np.asarray(intersection / union)


def average_precision(found: dict[str, Finds], truth: dict[str, Any], smallest: float) -> float:
    """Return the area under precision over recall, precision made monotonous, over all photos."""
    verdicts, faces = [], 0
    for photo, finds in found.items():
        labels = truth[photo]["faces"]
        known = np.array([label["bbox"] for label in labels], float).reshape(-1, 4)
        known[:, 2:] += known[:, :2]
        counts = np.array([not label["invalid"] and label["bbox"][3] >= smallest for label in labels], bool)
        faces += counts.sum()
        taken = np.zeros(len(known), bool)
        for i in np.argsort(-finds.probabilities):
            box = finds.boxes[i]
            overlap = overlaps(box, known) if len(known) else np.zeros(1)
            best = int(overlap.argmax())
            if overlap[best] >= 0.5 and not counts[best]:
                continue
            if overlap[best] >= 0.5 and not taken[best]:
                taken[best] = True
                verdicts.append((finds.probabilities[i], True))
            elif box[3] - box[1] >= smallest:
                verdicts.append((finds.probabilities[i], False))
    verdicts.sort(key=lambda verdict: -verdict[0])
    right = np.cumsum([verdict for _, verdict in verdicts])
    precision = right / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(right / faces, prepend=0) * precision).sum())


def search(folder: Path, photos: list[str]) -> dict[str, Finds]:
    from faceie import detect_faces

    found = {}
    for photo in photos:
        faces = detect_faces(folder / photo, crops=False)
        found[photo] = Finds(
            *(np.asarray(f, float) for f in (faces.bounding_boxes, faces.probabilities, faces.landmarks))
        )
    return found


def search_reference(folder: Path, photos: list[str]) -> dict[str, Finds]:
    paths = "\n".join(str(folder / photo) for photo in photos)
    command = [str(PEERS / "venv/bin/python"), "-c", REFERENCE]
    run = subprocess.run(command, input=paths, stdout=subprocess.PIPE, text=True, check=True)
    fields = json.loads(run.stdout).values()
    shapes = ((-1, 4), (-1,), (-1, 5, 2))
    finds = (
        Finds(*(np.array(field, float).reshape(shape) for field, shape in zip(f, shapes, strict=True))) for f in fields
    )
    return dict(zip(photos, finds, strict=True))


def agreement(ours: dict[str, Finds], theirs: dict[str, Finds]) -> tuple[int, int, int]:
    """Return the number of the reference's sure faces, of those that we found, and of those with its landmarks."""
    sure = boxes = landmarks = 0
    for photo, finds in theirs.items():
        for i in np.flatnonzero(finds.probabilities >= 0.9):
            sure += 1
            overlap = overlaps(finds.boxes[i], ours[photo].boxes)
            if len(overlap) and overlap.max() >= 0.9:
                boxes += 1
                size = (finds.boxes[i, 2:] - finds.boxes[i, :2]).max()
                apart = np.abs(ours[photo].landmarks[overlap.argmax()] - finds.landmarks[i]).max()
                landmarks += bool(apart <= 0.03 * size)
    return sure, boxes, landmarks


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of detection.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--smallest", type=float, nargs="+", default=[20, 40, 80])
    parser.add_argument("--reference", action="store_true")
    arguments = parser.parse_args()
    truth = json.loads(arguments.truth.read_text())
    photos = list(truth)
    subjects = {"faceie": search(arguments.folder, photos)}
    if arguments.reference:
        subjects["facenet-pytorch"] = search_reference(arguments.folder, photos)
    for name, found in subjects.items():
        precisions = (
            f"{average_precision(found, truth, smallest):.4f} ({smallest:g} px)" for smallest in arguments.smallest
        )
        print(f"{name}: {len(photos)} photos, average precision {', '.join(precisions)}")
    if arguments.reference:
        sure, boxes, landmarks = agreement(subjects["faceie"], subjects["facenet-pytorch"])
        print(f"of {sure} faces that the reference is sure of, found {boxes}, with its landmarks {landmarks}")


if __name__ == "__main__":
    main()

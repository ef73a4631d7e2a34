"""Measure the accuracy of detection on labeled photos, and the agreement with facenet-pytorch.

    python benchmarks/wider.py FOLDER --truth faces.json [--smallest PIXELS ...] [--turned DEGREES ...] [--every N]
        [--rotations auto|DEGREES ...] [--megapixels N] [--share PER_CENT] [--reference]

faces.json: for each photo, by its path below FOLDER, ``{"faces": [{"bbox": [x, y, width, height], "invalid": 0 or 1},
...]}``: WIDER FACE's labels. Prints the average precision for each PIXELS (default 20 40 80), recall and precision of
all detections of at least 20 pixels, and the time per photo. A detection counts if it is the first to overlap a face by
an IoU of 0.5. Detections on invalid faces, on faces lower than PIXELS, and detections lower than that do not count.

With --turned, all photos are rotated by these angles, on a canvas that holds them whole. The true boxes become those
around the rotated ellipses that fit into them. --every N takes every N-th photo only.

With --megapixels, photos are enlarged to this size, as JPEG. PIXELS and boxes are those of the original. --share is the
smallest face to find, in per cent of the longer side.

With --reference, prints the same for facenet-pytorch, from the environment of the peers (README.md beside this file).
Of its faces with a probability of at least 0.9, in photos as they are, it also prints how many Faceie finds with an IoU
of at least 0.9, and with landmarks within 3 % of the size of the face.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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


class Known(NamedTuple):
    """The labeled faces of a photo."""

    boxes: Floats  # [n, 4]
    valid: NDArray[np.bool_]  # [n], whether they count


Truth = dict[str, Known]  # by photo


class Score(NamedTuple):
    """Measures of detections."""

    average_precision: float  # the area under precision over recall, precision made monotonous
    recall: float  # of all detections, at any probability
    precision: float  # the same


class Finds(NamedTuple):
    """The detections of a photo."""

    boxes: Floats  # [n, 4]
    probabilities: Floats  # [n]
    landmarks: Floats  # [n, 5, 2]


class Search(NamedTuple):
    """The detections of many photos."""

    found: dict[str, Finds]
    sizes: dict[str, tuple[int, int]]  # width and height of the photos, before they were turned
    seconds: float  # that a photo took


def overlaps(box: Floats, boxes: Floats) -> Floats:
    """Return intersection over union of one box with many."""
    size = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    intersection = np.maximum(size, 0).prod(1)
    union = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - intersection
    return np.asarray(intersection / union)


def countable(known: Known, smallest: float) -> NDArray[np.bool_]:
    """Tell which labeled faces (n,) count."""
    counts: NDArray[np.bool_] = known.valid & (known.boxes[:, 3] - known.boxes[:, 1] >= smallest)
    return counts


def judge(finds: Finds, known: Known, smallest: float) -> list[bool | None]:
    """Tell for each detection of a photo whether it is right; None for those that do not count."""
    counts, taken = countable(known, smallest), np.zeros(len(known.boxes), bool)
    verdicts: list[bool | None] = [None] * len(finds.boxes)
    for i in np.argsort(-finds.probabilities):
        box = finds.boxes[i]
        overlap = overlaps(box, known.boxes) if len(known.boxes) else np.zeros(1)
        best = int(overlap.argmax())
        if overlap[best] >= 0.5 and not counts[best]:
            continue
        if overlap[best] >= 0.5 and not taken[best]:
            taken[best] = verdicts[i] = True
        elif box[3] - box[1] >= smallest:
            verdicts[i] = False
    return verdicts


def average_precision(found: dict[str, Finds], truth: Truth, smallest: float) -> Score:
    """Compare detections with the labels, for faces at least `smallest` pixels high, over all photos."""
    verdicts, faces = [], 0
    for photo, finds in found.items():
        faces += int(countable(truth[photo], smallest).sum())
        verdicts += [
            (p, verdict)
            for p, verdict in zip(finds.probabilities, judge(finds, truth[photo], smallest), strict=True)
            if verdict is not None
        ]
    if not verdicts or not faces:
        return Score(0.0 if faces else math.nan, 0.0, math.nan)
    verdicts.sort(key=lambda verdict: -verdict[0])
    right = np.cumsum([verdict for _, verdict in verdicts])
    precision = right / np.arange(1, len(right) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    area = float((np.diff(right / faces, prepend=0) * falling).sum())
    return Score(area, float(right[-1] / faces), float(precision[-1]))


def read_truth(file: Path, every: int = 1) -> Truth:
    truth = {}
    for photo, labels in list(json.loads(file.read_text()).items())[::every]:
        boxes = np.array([face["bbox"] for face in labels["faces"]], float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        truth[photo] = Known(boxes, np.array([not face["invalid"] for face in labels["faces"]], bool))
    return truth


def turn_truth(truth: Truth, sizes: dict[str, tuple[int, int]], degrees: float) -> Truth:
    """Return the boxes around the ellipses in the boxes, after the photos, of these sizes, are rotated."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[cos, sin], [-sin, cos]])  # counter-clockwise, y down
    turned = {}
    for photo, (boxes, valid) in truth.items():
        size = np.array(sizes[photo])
        center = ((boxes[:, :2] + boxes[:, 2:]) / 2 - size / 2) @ turn.T + np.abs(turn) @ size / 2
        half = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (turn**2).T)
        turned[photo] = Known(np.concatenate([center - half, center + half], 1), valid)
    return turned


def enlarged(image: Image.Image, megapixels: float) -> tuple[Image.Image, float]:
    """Return an image of at least this size, and its scale."""
    scale = max((megapixels * 1e6 / (image.width * image.height)) ** 0.5, 1.0)
    if scale == 1:
        return image, 1.0
    file = io.BytesIO()
    size = (round(image.width * scale), round(image.height * scale))
    image.resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=90)
    return Image.open(file).convert("RGB"), scale


def search(folder: Path, photos: Iterable[str], degrees: float = 0, megapixels: float = 0, **options: Any) -> Search:
    """Find the faces of photos that are rotated counter-clockwise by `degrees`, and enlarged."""
    from faceie import detect_faces, open_image

    found, sizes, seconds = {}, {}, 0.0
    for photo in photos:
        image = open_image(folder / photo)
        sizes[photo] = image.size
        if degrees:
            image = image.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        image, scale = enlarged(image, megapixels)
        start = time.perf_counter()
        faces = detect_faces(image, crops=False, **options)
        seconds += time.perf_counter() - start
        found[photo] = Finds(
            np.asarray(faces.bounding_boxes, float) / scale,
            np.asarray(faces.probabilities, float),
            np.asarray(faces.landmarks, float) / scale,
        )
    return Search(found, sizes, seconds / len(found))


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
    """Return the number of the reference's probable faces, of those that we found, and of those with its landmarks."""
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


def report(found: dict[str, Finds], truth: Truth, smallest: list[float]) -> str:
    precisions = [f"{average_precision(found, truth, size).average_precision:.4f} ({size:g} px)" for size in smallest]
    _, recall, precision = average_precision(found, truth, 20)
    return f"average precision {', '.join(precisions)}; recall {recall:.4f}, precision {precision:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of detection.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--smallest", type=float, nargs="+", default=[20, 40, 80])
    parser.add_argument("--turned", type=float, nargs="+", default=[0])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--rotations", nargs="+", default=["auto"])
    parser.add_argument("--megapixels", type=float, default=0)
    parser.add_argument("--share", type=float, default=0)
    parser.add_argument("--reference", action="store_true")
    arguments = parser.parse_args()
    truth = read_truth(arguments.truth, arguments.every)
    rotations = "auto" if arguments.rotations == ["auto"] else [math.radians(float(r)) for r in arguments.rotations]
    ours: dict[str, Finds] = {}
    for degrees in arguments.turned:
        found, sizes, seconds = search(
            arguments.folder,
            truth,
            degrees,
            arguments.megapixels,
            rotations=rotations,
            min_face_share=arguments.share / 100,
        )
        ours = ours if degrees else found
        scores = report(found, turn_truth(truth, sizes, degrees), arguments.smallest)
        print(
            f"faceie, {len(truth)} photos turned by {degrees:g} degrees: {scores}; {seconds * 1000:.0f} ms", flush=True
        )
    if arguments.reference:
        theirs = search_reference(arguments.folder, list(truth))
        print(f"facenet-pytorch: {report(theirs, truth, arguments.smallest)}")
        ours = ours or search(arguments.folder, truth, rotations=rotations).found
        sure, boxes, landmarks = agreement(ours, theirs)
        print(f"of {sure} faces that the reference is sure of, found {boxes}, with its landmarks {landmarks}")


if __name__ == "__main__":
    main()

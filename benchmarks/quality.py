"""Measure how well the quality of faces predicts errors of their comparisons: error versus reject.

    python benchmarks/quality.py FOLDER [--degraded] [--every N]

FOLDER has a folder of photos for each person. In each photo, the face counts that lfw.py takes. Faces of low quality
are rejected, and the others are all compared. Prints the true accept rate at a false accept rate of 1/1000 among the
others, by the share of faces that is rejected, for several qualities:

- `qualities` of `DetectedFaces`;
- the size of the face alone;
- the norm of the encoder's last layer, before it is normalized, where less is better;
- a product of the first and the last (`with_norm`).

A person has the weight of the square root of their pairs, and one with a single photo counts as a stranger only. The
intervals are those of the difference to the size alone, by bootstrap over people (95 %).

With --degraded, photos are first reduced to 17 to 90 % of their size, a third of them is blurred before, and a third is
stored as JPEG of low quality. --every N takes every N-th person only.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lfw import Floats, central
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from faceie import detect_faces, encode_faces, open_image
from faceie.nn import layers

REJECTED = (0.0, 0.05, 0.1, 0.2, 0.3)
FALSE_ACCEPTS = 1e-3
SAMPLES = 1000  # of the bootstrap
BATCH = 256


class Collection(NamedTuple):
    """A face of each photo."""

    embeddings: NDArray[np.float32]  # [n, 512]
    people: NDArray[np.intp]  # [n]
    qualities: dict[str, Floats]  # [n] each, by name


def degrade(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Reduce a photo, and blur it or store it with loss now and then."""
    scale, is_blurred, is_lossy = np.exp(random.uniform(np.log(0.17), np.log(0.9))), *(random.random(2) < 0.33)
    if is_blurred:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 3.5)))
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    image = image.resize(size, Image.Resampling.LANCZOS)
    if is_lossy:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=int(random.integers(15, 70)))
        image = Image.open(file).convert("RGB")
    return image


def with_norm(qualities: Floats, norms: Floats) -> Floats:
    """Combine the quality of a crop and the norm of its embedding, which is 19 to 24 for most faces."""
    return qualities * np.exp((19 - norms) / 10)


def gather(folder: Path, every: int, degraded: bool) -> Collection:
    """Find and encode the faces of all photos."""
    random = np.random.default_rng(0)
    people = [person for person in sorted(folder.iterdir()) if person.is_dir()][::every]
    crops: list[Image.Image] = []
    found: list[tuple[int, float, float]] = []  # person, quality, size
    outputs: list[NDArray[np.float32]] = [np.empty((0, 512), np.float32)]
    normalize: Any = layers.normalize
    layers.normalize = lambda x: x  # embeddings keep their norm
    for number, person in enumerate(people):
        for photo in sorted(person.glob("*.jpg")):
            image = open_image(photo)
            image = degrade(image, random) if degraded else image
            faces = detect_faces(image)
            if faces.images and (index := central(image, faces)) is not None:
                crops.append(faces.images[index])
                found.append((number, float(faces.qualities[index]), float(faces.sizes[index])))
        if len(crops) >= BATCH or person == people[-1]:
            outputs.append(encode_faces(crops))
            crops = []
    layers.normalize = normalize
    output = np.concatenate(outputs)
    norms = np.linalg.norm(output, axis=1)
    owner, quality, size = (np.array(column) for column in zip(*found, strict=True))
    qualities = {
        "`qualities`": quality,
        "size": size,
        "norm": -norms,
        "`qualities` and norm": with_norm(quality, norms.astype(np.float64)),
    }
    return Collection(output / norms[:, None], owner, qualities)


def accepted(collection: Collection, kept: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return sums (people,) of weights of accepted pairs of one person, and of all of these pairs."""
    people = collection.people[kept]
    similarities = collection.embeddings[kept] @ collection.embeddings[kept].T
    pairs = np.triu_indices(len(people), 1)
    same = people[pairs[0]] == people[pairs[1]]
    scores = similarities[pairs]
    strangers = scores[~same]
    place = len(strangers) - 1 - int(FALSE_ACCEPTS * len(strangers))
    threshold = np.partition(strangers, place)[place] if len(strangers) else -np.inf
    person = people[pairs[0]][same]
    count = int(collection.people.max()) + 1
    of_person = np.bincount(person, minlength=count)
    weight = np.sqrt(np.maximum(of_person, 1))[person] / np.maximum(of_person, 1)[person]
    right, total = (np.bincount(person, weight * kind, count) for kind in (scores[same] > threshold, 1.0))
    return right.astype(np.float64), total.astype(np.float64)


def rate(rows: tuple[Floats, Floats], sample: NDArray[np.intp] | slice = slice(None)) -> float:
    """Return the true accept rate of some people."""
    right, total = rows
    return float(right[sample].sum() / max(total[sample].sum(), 1e-9))


def main() -> None:
    parser = argparse.ArgumentParser(description="Error versus reject.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--degraded", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    collection = gather(arguments.folder, arguments.every, arguments.degraded)
    rates: dict[str, list[tuple[Floats, Floats]]] = {}
    for name, quality in collection.qualities.items():
        limits = [np.quantile(quality, share) for share in REJECTED]
        rates[name] = [accepted(collection, quality >= limit) for limit in limits]
    random = np.random.default_rng(0)
    people = int(collection.people.max()) + 1
    samples = [random.integers(0, people, people) for _ in range(SAMPLES)]
    print(f"| {len(collection.people)} faces | {' | '.join(f'{share:.0%}' for share in REJECTED)} |")
    print("|---" * (len(REJECTED) + 1) + "|")
    for name, rows in rates.items():
        cells = []
        for row, by_size in zip(rows, rates["size"], strict=True):
            cell = f"{rate(row):.4f}"
            if name != "size":
                differences = [rate(row, sample) - rate(by_size, sample) for sample in samples]
                low, high = np.percentile(differences, [2.5, 97.5])
                cell += f" ({low:+.4f} to {high:+.4f})"
            cells.append(cell)
        print(f"| {name} | {' | '.join(cells)} |")
    good = (collection.qualities["`qualities`"] > 0.5).mean()
    print(f"faces with a quality above 0.5: {good:.3f}")


if __name__ == "__main__":
    main()

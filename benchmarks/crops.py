"""Compare kinds of crops, by the accuracy on pairs of photos in the layout of LFW.

    python benchmarks/crops.py FOLDER --pairs FILE

FOLDER and FILE are those of lfw.py. Prints a row of a table for each kind, with and without the mirror image. Crops
differ by shape (the box stretched to the crop, or widened to a square first), margin, rotation (until the eyes are
level), the filter that resizes them, and the face of a photo that is taken.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from lfw import Pair, central, measure, read_pairs, separation, ten_folds, true_accept_rate
from numpy.typing import NDArray
from PIL import Image, ImageOps

from faceie import DetectedFaces, DetectionOptions, detect_faces, encode_faces, open_image
from faceie.mtcnn.detect import crop_face

Filter = Literal["lanczos", "bicubic", "bilinear", "box"]
Choice = Callable[[Image.Image, DetectedFaces], "int | None"]


def most_probable(image: Image.Image, faces: DetectedFaces) -> int | None:
    return 0 if len(faces.probabilities) else None


def largest(image: Image.Image, faces: DetectedFaces) -> int | None:
    return int(np.argmax(faces.sizes)) if len(faces.sizes) else None


class Way(NamedTuple):
    margin: float = 44
    square: bool = False
    leveled: bool = False
    filter: Filter = "lanczos"
    choice: Choice = central

    def __str__(self) -> str:
        shape = "square" if self.square else "stretched"
        shape += ", leveled" * self.leveled
        return f"{shape} | {self.margin:g} | {self.filter} | {self.choice.__name__.replace('_', ' ')}"


WAYS = (
    *(Way(margin=margin) for margin in (0, 14, 32, 44, 56)),
    Way(filter="bilinear"),
    Way(margin=14, square=True),
    Way(margin=32, square=True),
    Way(leveled=True),
    Way(choice=most_probable),
    Way(choice=largest),
)


def cut(image: Image.Image, faces: DetectedFaces, way: Way) -> Image.Image:
    number = way.choice(image, faces)
    if number is None:
        return image.resize((160, 160), Image.Resampling[way.filter.upper()])
    box = faces.bounding_boxes[number]
    center, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    if way.leveled:
        x, y = faces.landmarks[number, 1] - faces.landmarks[number, 0]
        degrees = math.degrees(math.atan2(y, x))
        image = image.rotate(degrees, Image.Resampling.BICUBIC, center=(float(center[0]), float(center[1])))
    if way.square:
        box = np.concatenate([center - size.max() / 2, center + size.max() / 2])
    return crop_face(image, box, DetectionOptions(margin=way.margin, crop_filter=way.filter))


def scores(pairs: list[Pair], paths: list[str], embeddings: NDArray[np.float32]) -> str:
    found = measure(pairs, dict(zip(paths, embeddings, strict=True)))
    return f"{ten_folds(found)[0]:.4f} | {true_accept_rate(found)[0]:.4f} | {separation(found):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare ways of cutting faces out.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=Path, required=True)
    arguments = parser.parse_args()
    pairs = read_pairs(arguments.pairs, arguments.folder)
    paths = sorted({path for pair in pairs for path in pair[:2]})
    images = [open_image(path) for path in paths]
    found = [detect_faces(image, crops=False) for image in images]
    columns = "accuracy | true accept rate | separation"
    print(f"| crop | margin | filter | face | {columns} | mirror: {columns} |\n" + "|---" * 10 + "|")
    for way in WAYS:
        crops = [cut(image, faces, way) for image, faces in zip(images, found, strict=True)]
        embeddings = encode_faces(crops)
        mirrored = encode_faces([ImageOps.mirror(crop) for crop in crops])
        both = embeddings + mirrored  # as encode_faces(crops, mirror=True), but both are needed here
        both /= np.linalg.norm(both, axis=1, keepdims=True)
        print(f"| {way} | {scores(pairs, paths, embeddings)} | {scores(pairs, paths, both)} |", flush=True)


if __name__ == "__main__":
    main()

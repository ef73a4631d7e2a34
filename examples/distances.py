"""Find the faces in the photos beside this file, compare all with all, and leave a picture of it.

python examples/distances.py FOLDER        writes FOLDER/distances.jpg (default: demo)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from faceie import DetectedFaces, detect_faces, encode_faces, open_image, pairwise_distances, thresholds
from faceie.cli.drawing import annotate

PHOTOS = sorted((Path(__file__).parent / "photos").glob("*.jpg"))

HEIGHT = 420  # of a photo in the picture, in pixels
CELL = 84  # of the table of distances
GAP = 16
INK = (32, 36, 42)
LIMIT = thresholds().fmr1000
SAME, DIFFERENT, SELF = (198, 239, 206), (250, 224, 216), (238, 240, 243)


def main(folder: Path) -> None:
    images = [open_image(path) for path in PHOTOS]
    found = [detect_faces(image) for image in images]
    names, crops = [], []
    for path, faces in zip(PHOTOS, found, strict=True):
        # One face a photo is enough to show: the most probable.
        names.append(path.stem)
        crops += (faces.images or [])[:1]
        box = np.rint(faces.bounding_boxes[0]).astype(int)
        print(f"{path.name:22} face at {box.tolist()}, probability {faces.probabilities[0]:.4f}")
    distances = pairwise_distances(encode_faces(crops))
    print(f"\nDistances; below {LIMIT:.2f} is 1 in 1000 pairs of different people:")
    print(" " * 20 + "".join(f"{name[:12]:>14}" for name in names))
    for name, row in zip(names, distances, strict=True):
        print(f"{name:20}" + "".join(f"{distance:14.2f}" for distance in row))
    folder.mkdir(parents=True, exist_ok=True)
    picture = draw(images, found, crops, distances)
    picture.save(folder / "distances.jpg", quality=88)
    print(f"\nSee {folder / 'distances.jpg'}")


def draw(
    images: list[Image.Image], found: list[DetectedFaces], crops: list[Image.Image], distances: NDArray[np.float32]
) -> Image.Image:
    """Return the photos with their faces marked, in a row, and below it the table of distances."""
    photos = []
    for image, faces in zip(images, found, strict=True):
        scale = HEIGHT / image.height
        photo = image.resize((round(image.width * scale), HEIGHT), Image.Resampling.LANCZOS)
        boxes, landmarks = faces.bounding_boxes[:1] * scale, faces.landmarks[:1] * scale
        photos.append(
            annotate(
                photo, faces._replace(bounding_boxes=boxes, landmarks=landmarks, probabilities=faces.probabilities[:1])
            )
        )
    width = sum(photo.width + GAP for photo in photos) + GAP
    table = (len(crops) + 1) * CELL
    picture = Image.new("RGB", (width, HEIGHT + table + 3 * GAP), "white")
    left = GAP
    for photo in photos:
        picture.paste(photo, (left, GAP))
        left += photo.width + GAP
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=24)
    left, top = (width - table) // 2, HEIGHT + 2 * GAP
    for i, crop in enumerate(crops, 1):
        small = crop.resize((CELL - 6, CELL - 6), Image.Resampling.LANCZOS)
        picture.paste(small, (left + i * CELL + 3, top + 3))
        picture.paste(small, (left + 3, top + i * CELL + 3))
        for j, distance in enumerate(distances[i - 1], 1):
            x, y = left + j * CELL, top + i * CELL
            color = SELF if i == j else SAME if distance < LIMIT else DIFFERENT
            pen.rectangle((x + 3, y + 3, x + CELL - 4, y + CELL - 4), fill=color)
            pen.text((x + CELL / 2, y + CELL / 2), f"{distance:.2f}", INK, font, anchor="mm")
    return picture


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))

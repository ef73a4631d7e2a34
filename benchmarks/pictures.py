"""Draw the examples of docs/accuracy.md: detections in rotated photos.

    python benchmarks/pictures.py OUT.jpg [PHOTO ...]

Each photo (default: those of examples/) is rotated by angles from a list, and shown with the faces that `detect_faces`
finds with its defaults. Below it are the crops, each with its quality.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from faceie import detect_faces, open_image
from faceie.cli.drawing import annotate, save

PHOTOS = Path(__file__).parent.parent / "examples" / "photos"
ANGLES = (0, 35, 90, 180, -60)
SIDE = 300  # of a photo in the picture, in pixels
CROP = 120
GAP = 10


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw examples of detections.")
    parser.add_argument("out", type=Path)
    parser.add_argument("photos", type=Path, nargs="*", default=sorted(PHOTOS.glob("*.jpg")))
    arguments = parser.parse_args()
    columns = []
    for path, degrees in zip(arguments.photos, ANGLES * len(arguments.photos), strict=False):
        columns.append(example(open_image(path), degrees))
    height = max(column.height for column in columns)
    picture = Image.new("RGB", (len(columns) * (SIDE + GAP) + GAP, height + 2 * GAP), "white")
    for number, column in enumerate(columns):
        picture.paste(column, (GAP + number * (SIDE + GAP), GAP))
    save(picture, arguments.out)


def example(photo: Image.Image, degrees: float) -> Image.Image:
    """Return the rotated photo with its faces marked, and their crops and qualities below it."""
    photo = photo.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    photo.thumbnail((800, 800))
    faces = detect_faces(photo)
    marked = annotate(photo, faces)
    marked.thumbnail((SIDE, SIDE))
    column = Image.new("RGB", (SIDE, SIDE + CROP + 40), "white")
    column.paste(marked, ((SIDE - marked.width) // 2, (SIDE - marked.height) // 2))
    pen, font = ImageDraw.Draw(column), ImageFont.load_default(size=18)
    for number, (crop, quality) in enumerate(zip((faces.images or [])[:2], faces.qualities, strict=False)):
        column.paste(crop.resize((CROP, CROP)), (number * (CROP + GAP), SIDE + GAP))
        pen.text((number * (CROP + GAP), SIDE + CROP + GAP + 2), f"quality {quality:.2f}", "black", font)
    return column


if __name__ == "__main__":
    main()

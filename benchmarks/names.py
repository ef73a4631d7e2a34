"""Imported names: faces found by the second search, and names without regions on the right faces.

    python benchmarks/names.py search FOLDER --truth faces.json      the second search near missed faces, and elsewhere
    python benchmarks/names.py albums PEOPLE STRANGERS [--seed N]    simulated albums whose photos name their people

FOLDER and `faces.json` are those of wider.py. PEOPLE has a folder for each person, STRANGERS photos of others, each of
another person, at any depth. Pictures of up to 160 pixels are crops of faces. Of larger ones, `lfw.central` chooses the
face.

A photo of an album shows one to four of the people. With strangers, half of the photos show one or two of them. In the
worst kind of album, a tenth of the names and a tenth of the faces are missing.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lfw import cut
from numpy.typing import NDArray
from PIL import Image
from wider import read_truth

from faceie import detect_faces, encode_faces
from faceie.boxes import iou
from faceie.facenet import load
from faceie.gallery.analysis import find_named_faces
from faceie.gallery.import_match import OpenPhoto, match_regions, settle
from faceie.gallery.settings import GALLERY_DEFAULTS, Settings

Floats = NDArray[np.float32]

_ALBUMS, _PHOTOS = 40, 60
_SMALLEST = 12  # pixels of a labeled face
_RIGHT = 0.4  # intersection over union with the label


class Kind(NamedTuple):
    """A kind of album."""

    strangers: Sequence[int]
    missing: float
    """Share of the names, and of the faces, that are missing."""


_KINDS = {"all is named": Kind([0], 0), "strangers": Kind([0, 0, 1, 2], 0), "gaps": Kind([0, 0, 1, 2], 0.1)}


def search(folder: Path, truth: Path) -> None:
    """Print how many missed faces the second search finds, and how many it finds where no face is."""
    weights, settings = load("vggface2"), Settings("vggface2", replace(GALLERY_DEFAULTS, crops=True))
    missed = found = right = elsewhere = false = 0
    for name, known in read_truth(truth).items():
        photo = folder / name
        everything = known.boxes.astype(np.float32)
        labels = everything[known.valid & (np.ptp(everything.reshape(-1, 2, 2), 1).min(1) >= _SMALLEST)]
        detected = detect_faces(photo, settings.options).bounding_boxes
        partners = match_regions(labels, detected)
        regions = labels[[partner is None for partner in partners]]
        for region, face in zip(regions, find_named_faces(str(photo), regions, settings, weights), strict=True):
            missed += 1
            found += face is not None
            right += face is not None and iou(region[None], np.array([face.box], np.float32))[0, 0] > _RIGHT
        empty = _empty_regions(name, Image.open(photo).size, np.concatenate([everything, detected]))
        faces = find_named_faces(str(photo), empty, settings, weights)
        elsewhere, false = elsewhere + len(empty), false + sum(face is not None for face in faces)
    print(f"{missed} missed faces: {found} found, {right} of them on the label")
    print(f"{elsewhere} regions without a face: {false} found")


def _empty_regions(name: str, size: tuple[int, int], faces: Floats) -> Floats:
    """Return up to three random boxes that no face overlaps."""
    chance = random.Random(name)
    found: list[Floats] = []
    for _ in range(200):
        side = chance.uniform(20, 150)
        x, y = (chance.uniform(0, max(length - side, 0)) for length in size)
        box = np.array([[x, y, x + side, y + side]], np.float32)
        if len(found) < 3 and (not len(faces) or iou(box, faces, "min").max() < 0.05):
            found.append(box)
    return np.concatenate([np.empty((0, 4), np.float32), *found])


def albums(people: Path, strangers: Path, seed: int) -> None:
    """Print how many faces get the name that stands in their photo, and how many of the names are wrong."""
    persons = {folder.name: _embed(folder) for folder in sorted(people.iterdir()) if folder.is_dir()}
    others = _embed(strangers)
    for title, kind in _KINDS.items():
        nameable = right = wrong = 0
        for number in range(_ALBUMS):
            photos, embeddings, truth = _album(random.Random(f"{seed} {number}"), persons, others, kind)
            nameable += sum(truth[face] in photo.names for photo in photos for face in photo.faces)
            named = settle(photos, embeddings, np.full(len(embeddings), 0.9), {}, {})
            right += sum(truth[face] == who for face, who in named.items())
            wrong += sum(truth[face] != who for face, who in named.items())
        print(f"{title}: {right / nameable:.1%} of {nameable} faces named, {wrong} of {right + wrong} names wrong")


def _embed(folder: Path) -> Floats:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".png"))[:300]
    return encode_faces([_crop(path) for path in paths])


def _crop(path: Path) -> Image.Image:
    image = Image.open(path).convert("RGB")
    return image.resize((160, 160), Image.Resampling.LANCZOS) if max(image.size) <= 160 else cut(str(path), 44)


def _album(
    chance: random.Random, persons: dict[str, Floats], others: Floats, kind: Kind
) -> tuple[list[OpenPhoto], Floats, list[str | None]]:
    """Return the photos of an album, the embeddings of their faces, and the true people of these."""
    left = {name: chance.sample(list(faces), len(faces)) for name, faces in persons.items()}
    strangers = chance.sample(list(others), len(others))
    photos: list[OpenPhoto] = []
    embeddings: list[Floats] = []
    truth: list[str | None] = []
    for _ in range(_PHOTOS):
        shown = [
            name
            for name in chance.sample([*persons], min(chance.choice([1, 2, 2, 3, 3, 4]), len(persons)))
            if left[name]
        ]
        faces: list[tuple[Floats, str | None]] = [
            (left[name].pop(), name) for name in shown if chance.random() >= kind.missing
        ]
        faces += [(strangers.pop(), None) for _ in range(chance.choice(kind.strangers)) if strangers]
        start = len(truth)
        for face, name in chance.sample(faces, len(faces)):
            embeddings.append(face)
            truth.append(name)
        named = [name for name in shown if chance.random() >= kind.missing]
        photos.append(OpenPhoto(list(range(start, len(truth))), list(named)))
    return photos, np.array(embeddings, np.float32), truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("search")
    command.add_argument("folder", type=Path)
    command.add_argument("--truth", type=Path, required=True)
    command.set_defaults(run=lambda given: search(given.folder, given.truth))
    command = commands.add_parser("albums")
    command.add_argument("people", type=Path)
    command.add_argument("strangers", type=Path)
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run=lambda given: albums(given.people, given.strangers, given.seed))
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()

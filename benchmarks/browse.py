"""The page of a large gallery: made-up galleries, and the time of each request and action (docs/speed.md).

python benchmarks/browse.py make FILE FACES      makes a gallery
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceie import Gallery
from faceie.gallery.records import NewFace, PhotoAnalysis

Floats = NDArray[np.float32]

_SIZE = 10  # faces of each person
_NAMED = 5  # one person in this many has a name
_AGES = 10  # one person in this many has a second cluster, which is in question
_ALONE = 20  # one face in this many is of a person with one photo
_PHOTO = 3  # faces in a photo
_WITHIN = 0.62  # mean distance of two photos of one person in LFW
_DIRECTIONS = 43  # in which people differ: cosines of different people then deviate by 0.153, as in LFW
_AGE = 0.94  # distance of the mean of the second cluster


def make(path: Path, count: int) -> None:
    """Make a gallery of `count` faces, cluster it, and name some of the people."""
    rng = np.random.default_rng(0)
    embeddings = rng.permutation(_people(rng, count))
    with Gallery(path) as gallery:
        gallery._weights()  # so that the gallery knows the calibration
        store, pictures = gallery._store, list(_pictures(rng))
        with store.transaction():
            for number, start in enumerate(range(0, count, _PHOTO)):
                faces = [_face(rng, one, pictures) for one in embeddings[start : start + _PHOTO]]
                taken = f"{2000 + number % 25}-{1 + number % 12:02}-{1 + number % 28:02}T12:00:00"
                photo = store.put_photo(number.to_bytes(32, "big"), PhotoAnalysis(4000, 3000, taken, faces))
                store.put_file(f"/photos/{number % 500:03}/{number:06}.jpg", photo, 1, 1)
            for number in range(count // 500):
                store.put_file(f"/photos/damaged/{number:06}.jpg", None, 1, 1, error="the file ends too early")
        gallery.cluster()
        for number, person in enumerate(gallery.people()):
            if number % _NAMED == 0:
                gallery.name(person.number, f"Person {number:05}")
        alone = [face.id for face in gallery.unassigned_faces()]
        for number in range(0, len(alone) // 4, 50):
            gallery.ignore(alone[number : number + 50])
        with store.transaction():
            store.set("clustered", store.revision())  # the ignored faces were in no cluster


def _people(rng: np.random.Generator, count: int) -> Floats:
    """Return the embeddings of people: most with ten photos, some with another ten years later, some with one photo."""
    alone = count // _ALONE
    groups = -(-(count - alone) // _SIZE)
    directions = _unit(rng.standard_normal((_DIRECTIONS, 512), np.float32))
    centers = _unit(rng.standard_normal((groups, _DIRECTIONS), np.float32) @ directions)
    ages = np.arange(0, groups - 1, _AGES)
    cosine = np.float32(1 - _AGE**2 / 2)
    centers[ages + 1] = _unit(cosine * centers[ages] + np.sqrt(1 - cosine**2) * centers[ages + 1])
    noise = _WITHIN**2 / (2 - _WITHIN**2)
    parts = [_unit(rng.standard_normal((alone, _DIRECTIONS), np.float32) @ directions)]
    for center in centers:
        spread = rng.standard_normal((_SIZE, 512), np.float32) * np.float32((noise / 512) ** 0.5)
        parts.append(_unit(center + spread))
    return np.concatenate(parts)[:count]


def _pictures(rng: np.random.Generator) -> Iterator[bytes]:
    """Yield thumbnails of plain colors with some grain: 2 kB each."""
    for color in rng.integers(60, 200, (32, 3)):
        pixels = np.clip(color + rng.normal(0, 6, (128, 100, 3)), 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=60)
        yield file.getvalue()


def _face(rng: np.random.Generator, embedding: Floats, pictures: list[bytes]) -> NewFace:
    x, y, size = rng.uniform((0, 0, 100), (3000, 2000, 800)).tolist()
    landmarks = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)], np.float32) * size + (x, y)
    quality, picture = float(rng.uniform(0.5, 1)), pictures[int(rng.integers(len(pictures)))]
    return NewFace((x, y, x + size, y + size), landmarks, 0.0, 0.99, quality, embedding, picture)


def _unit(x: Floats) -> Floats:
    result: Floats = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make",))
    parser.add_argument("file", type=Path)
    parser.add_argument("faces", type=int)
    arguments = parser.parse_args()
    start, cpu = time.perf_counter(), time.process_time()
    make(arguments.file, arguments.faces)
    print(f"{time.perf_counter() - start:.1f} s, {time.process_time() - cpu:.1f} s of CPU time")


if __name__ == "__main__":
    main()

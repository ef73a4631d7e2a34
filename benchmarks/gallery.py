"""The gallery: photos per second, and search.

    python benchmarks/gallery.py index FOLDER [--peer PYTHON]     photos per second with one and two workers
    python benchmarks/gallery.py search [--peer PYTHON]           search among 1,000 to 1,000,000 faces

`--peer` is a Python that has facenet-pytorch and faiss-cpu (benchmarks/README.md). Embeddings for `search` are made
up: random people, each with ten photos at the distances of LFW. Clusters: scale.py (time), truth.py (quality).
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceie import DetectionOptions, Gallery
from faceie.gallery.matrix import Matrix, nearest, open_matrix, write_matrix

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

_WITHIN = 0.62  # mean distance of two photos of one person in LFW

_FACENET = """
import sys, time, torch
from pathlib import Path
from PIL import Image
from facenet_pytorch import MTCNN, InceptionResnetV1
torch.set_num_threads(2)
mtcnn, net = MTCNN(keep_all=True), InceptionResnetV1(num_classes=1).eval()
net.load_state_dict(torch.load(Path(sys.executable).parents[2] / "vggface2.pt"), strict=False)
paths = sorted(Path(sys.argv[1]).rglob("*.jpg"))
start = time.perf_counter()
with torch.inference_mode():
    for path in paths:
        crops = mtcnn(Image.open(path).convert("RGB"))
        if crops is not None:
            net(crops)
print(len(paths) / (time.perf_counter() - start))
"""

_FAISS = """
import sys, time, numpy as np, faiss
faiss.omp_set_num_threads(2)
x = np.load(sys.argv[1], mmap_mode="r")
index = faiss.IndexFlatIP(512)
index.add(np.ascontiguousarray(x))
q = np.ascontiguousarray(x[7:8])
times = []
for _ in range(9):
    start = time.perf_counter(); index.search(q, 20); times.append(time.perf_counter() - start)
print(1e3 * sorted(times)[4])
"""


def index_speed(folder: Path, peer: str | None) -> None:
    """Print photos per second: one worker with one thread, one with all, two workers, and the peer."""
    count = len(list(folder.rglob("*.jpg")))
    upright = DetectionOptions(rotations=(0,))
    for name, options in (("all angles", None), ("upright", upright)):
        for workers, threads in ((1, "1"), (1, "2"), (2, "1")):
            rates = [_index_once(folder, workers, threads, options) for _ in range(3)]
            who = f"{name}: {workers} worker(s), {threads} thread(s) each"
            print(f"{who}: {sorted(rates)[1]:.2f} of {count} photos a second")
    if peer:
        run = subprocess.run([peer, "-c", _FACENET, folder], capture_output=True, text=True, check=True)
        print(f"facenet-pytorch, upright, two threads: {float(run.stdout):.2f} photos a second")


def _index_once(folder: Path, workers: int, threads: str, options: DetectionOptions | None) -> float:
    from faceie import set_threads

    set_threads(int(threads))
    with tempfile.TemporaryDirectory() as temporary, Gallery(Path(temporary) / "g", options=options) as gallery:
        report = gallery.index([folder], workers=workers)
        return report.analyzed / report.seconds


def search_speed(peer: str | None) -> None:
    """Print the milliseconds of a search, warm, beside FAISS on the same embeddings."""
    for count in (1_000, 100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as temporary:
            embeddings = made_up(count)[0]
            path = Path(temporary) / "matrix"
            rows = ((i, embeddings[i].tobytes()) for i in range(count))
            write_matrix(path, b"0" * 16, 1, rows, count)
            matrix = open_matrix(path, b"0" * 16, 1)
            assert matrix
            times = [_seconds(partial(nearest, matrix, embeddings[7], 20)) for _ in range(11)]
            line = f"{count:>9,} faces: {1e3 * sorted(times)[5]:.2f} ms"
            naive = np.argsort(np.linalg.norm(embeddings[:100_000] - embeddings[7], axis=1), kind="stable")[:20]
            head = Matrix(matrix.ids[:100_000], matrix.embeddings[:100_000])
            line += f", as a naive search: {bool((nearest(head, embeddings[7], 20)[0] == naive).all())}"
            if peer:
                np.save(Path(temporary) / "x.npy", embeddings)
                command = [peer, "-c", _FAISS, str(Path(temporary) / "x.npy")]
                run = subprocess.run(command, capture_output=True, text=True, check=True)
                line += f", FAISS IndexFlatIP {float(run.stdout):.2f} ms"
            print(line)


def b_cubed(labels: Labels, truth: Labels) -> tuple[float, float, float]:
    """Return precision, recall and F (Bagga and Baldwin 1998); a label of -1 is a cluster of its own."""
    alone = labels < 0
    clusters = np.where(alone, labels.max() + 1 + np.arange(len(labels)), labels)
    _, a = np.unique(clusters, return_inverse=True)
    _, b = np.unique(truth, return_inverse=True)
    _, both = np.unique(a * (b.max() + 1) + b, return_inverse=True)
    shared = np.bincount(both)[both]
    precision = float((shared / np.bincount(a)[a]).mean())
    recall = float((shared / np.bincount(b)[b]).mean())
    return precision, recall, 2 * precision * recall / (precision + recall)


def made_up(count: int) -> tuple[Floats, Labels]:
    """Return made-up embeddings of `count` photos, ten of each person, and the number of each person."""
    rng = np.random.default_rng(0)
    people = np.arange(count) // 10
    centers = _unit(rng.standard_normal((people[-1] + 1, 512), np.float32))
    # Two photos at the distance d of each other have a noise of the squared length e each, with d^2 = 2 e / (1 + e).
    noise = _WITHIN**2 / (2 - _WITHIN**2)
    step, parts = 100_000, []
    for start in range(0, count, step):
        spread = rng.standard_normal((min(step, count - start), 512), np.float32) * np.float32((noise / 512) ** 0.5)
        parts.append(_unit(centers[people[start : start + step]] + spread))
    return np.concatenate(parts), people


def _unit(x: Floats) -> Floats:
    result: Floats = x / np.linalg.norm(x, axis=1, keepdims=True)
    return result


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("index", "search"))
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--peer", metavar="PYTHON")
    arguments = parser.parse_args()
    if arguments.what == "index":
        index_speed(arguments.folder, arguments.peer)
    else:
        search_speed(arguments.peer)


if __name__ == "__main__":
    main()

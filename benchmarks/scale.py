"""Beyond one machine: cost of the coordinator, overhead of Dask, datasets in and out.

    python benchmarks/scale.py coordinator [--photos 5000] [--faces 2]
    python benchmarks/scale.py engines FOLDER [--rounds 3]
    python benchmarks/scale.py datasets [--faces 1000000] [--folder FOLDER]
    python benchmarks/scale.py clusters [--sizes N ...] [--exact N]

- ``coordinator`` replaces the analysis by a stand-in that takes no time here, as if other machines did it, and prints
  the CPU time of the process that decides and writes, for a gallery: its share of one core at 100 photos a second.
- ``engines`` prints photos a second by this machine's processes and by Dask, with one and two workers of one thread.
- ``datasets`` imports made-up faces from a dataset into a gallery and exports them again: seconds, CPU seconds, memory.
- ``clusters`` clusters made-up faces: seconds, CPU seconds, memory, B-cubed precision, recall and F. Up to ``--exact``
  faces, all pairs are compared, too, and B-cubed between both ways is printed. If FAISS is installed, it searches for
  neighbors in as many cells.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from gallery import Floats, Labels, b_cubed

from faceie import Gallery
from faceie.batch.batches import choose_batch_settings, origin_of
from faceie.cluster import dask_executor
from faceie.dataset import Columns, write_part
from faceie.gallery import cells, clusters
from faceie.gallery.records import NewFace, PhotoAnalysis
from faceie.gallery.workers import worker_processes

_RATE = 100  # photos a second
_PART = 20_000  # rows of a file
# Of made-up people:
_MOST_OF_A_PERSON = 2000  # faces
_DIRECTIONS = 42  # decay of the spectrum: cosines of strangers deviate by about the root of 1 / 42
_SPREAD = (0.35, 0.75)
_COMMON = 0.047  # mean cosine of strangers


class StandIn(Executor):
    """Return prepared analyses at once. Their digests are those of the paths."""

    def __init__(self, faces: int) -> None:
        self._faces = [
            NewFace((1.0, 2.0, 90.0, 99.0), np.ones((5, 2), np.float32), 0.1, 0.99, 0.9, embedding, bytes(3500))
            for embedding in _embeddings(faces, 0)
        ]

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        digest = hashlib.sha256(arguments[0].encode()).digest()
        future.set_result(PhotoAnalysis(4000, 3000, "2019-06-01T12:00:00", self._faces, digest=digest))
        return future


def _embeddings(count: int, seed: int) -> Floats:
    return _unit(np.random.default_rng(seed).standard_normal((count, 512)))


def coordinator(photos: int, faces: int) -> None:
    """Print the CPU time of the coordinator."""
    with tempfile.TemporaryDirectory() as folder:
        album = Path(folder) / "album"
        album.mkdir()
        for number in range(photos):
            with (album / f"{number:06}.jpg").open("wb") as file:
                file.truncate(3_000_000 + number)  # takes no room
        with Gallery(Path(folder) / "gallery.faceie") as gallery:
            gallery._weights()
            marks: list[float] = []
            started = time.process_time()
            report = gallery.index(
                [album], executor=StandIn(faces), workers=2, progress=lambda *_: marks.append(time.process_time())
            )
            seconds = time.process_time() - started
        assert report.analyzed == photos
        each = (marks[-1] - marks[0]) / (photos - 1)
        print(f"{photos:,} photos with {faces} faces each: {seconds / photos * 1e3:.3f} ms of CPU a photo, all in all;")
        print(f"{each * 1e3:.3f} ms to decide and write: {each * _RATE:.1%} of one core at {_RATE} photos a second")


@contextmanager
def _dask(workers: int) -> Iterator[Executor]:
    import distributed

    with (
        distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,  # type: ignore[no-untyped-call]
        dask_executor(cluster.scheduler_address) as executor,
    ):
        list(executor.map(int, range(workers)))  # the workers are there
        yield executor


def engines(folder: Path, rounds: int) -> None:
    """Print photos a second of each engine, by turns."""
    speeds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for turn in range(rounds):
            for workers in (1, 2):
                for name in ("processes", "Dask"):
                    path = Path(temporary) / f"{turn}-{workers}-{name}.faceie"
                    speeds.setdefault(f"{name}, {workers}", []).append(_speed(name, workers, folder, path))
    for name, found in speeds.items():
        print(f"{name}: {statistics.median(found):.2f} photos a second ({min(found):.2f} to {max(found):.2f})")


def _speed(name: str, workers: int, folder: Path, path: Path) -> float:
    """Return the photos a second after the first ones, when all workers have loaded the weights."""
    times: list[float] = []
    with Gallery(path) as gallery, (_dask if name == "Dask" else worker_processes)(workers) as executor:
        gallery.index([folder], executor=executor, progress=lambda *_: times.append(time.monotonic()))
    skipped = 4 * workers
    return (len(times) - 1 - skipped) / (times[-1] - times[skipped])


def datasets(faces: int, folder: Path) -> None:
    """Print time and memory of an import and an export."""
    origin = origin_of(choose_batch_settings("vggface2", None, truncated=False, max_pixels=None))
    dataset = folder / "dataset"
    for part, start in enumerate(range(0, faces, _PART)):
        columns = Columns(origin)
        for number, embedding in enumerate(_embeddings(min(_PART, faces - start), part), start):
            columns.add(
                f"/archive/{number // 1000:05}/{number:09}.jpg",
                {
                    **{"sha256": number.to_bytes(32, "big"), "size": 3_000_000, "modified": 1, "changed": 1},
                    **{"width": 4000, "height": 3000, "taken": "2019-06-01T12:00:00", "face": 1, "angle": 0.0},
                    **{"x1": 1.0, "y1": 1.0, "x2": 90.0, "y2": 90.0, "probability": 0.99, "quality": 0.9},
                    **{"landmarks": bytes(40), "embedding": embedding.tobytes(), "thumbnail": bytes(3500)},
                    **{"person": number % 50_000, "confirmed": 0},
                },
            )
        write_part(dataset / f"part-{part:05}.parquet", [columns.to_batch()])
    with Gallery(folder / "gallery.faceie") as gallery:
        for name, work in (
            ("import", lambda: gallery.add(dataset)),
            ("export", lambda: gallery.export_dataset(folder / "again")),
        ):
            start_wall, start_cpu = time.monotonic(), time.process_time()
            work()
            wall, cpu = time.monotonic() - start_wall, time.process_time() - start_cpu
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            print(f"{name} of {faces:,} faces: {wall:.0f} seconds, {cpu:.0f} of CPU, peak of memory {peak:.0f} MB")


def made_up_people(count: int) -> tuple[Floats, Labels]:
    """Return embeddings of made-up people, in random order, and the person of each face.

    One person in k has more than k faces (Zipf). Cosines and distances are close to those of LFW, view 1: cosines of
    strangers 0.048 with a standard deviation of 0.144 (LFW: 0.047, 0.153), distances of a person's faces 0.66 and 0.10
    (0.64, 0.15).
    """
    rng = np.random.default_rng(0)
    sizes = np.minimum(1 / (1 - rng.random(count)), _MOST_OF_A_PERSON).astype(np.int64)
    people = np.repeat(np.arange(count), sizes)[:count]
    spectrum = np.exp(-np.arange(512) / _DIRECTIONS).astype(np.float32)
    centers = _unit(rng.standard_normal((people[-1] + 1, 512), np.float32) * spectrum)
    rng.shuffle(people)
    faces = np.empty((count, 512), np.float32)
    for start in range(0, count, _PART):
        part = people[start : start + _PART]
        noise = _unit(rng.standard_normal((len(part), 512), np.float32) * spectrum)
        own = _unit(centers[part] + noise * rng.uniform(*_SPREAD, (len(part), 1)))
        own[:, -1] = math.sqrt(_COMMON / (1 - _COMMON))  # the part that all faces share
        faces[start : start + _PART] = _unit(own)
    return faces, people


def cluster_speed(count: int, exact: int) -> None:
    """Print time, memory and quality of clustering."""
    faces, people = made_up_people(count)
    labels = _cluster(faces, people, "near cells" if count > clusters._MANY else "all pairs")
    if clusters._MANY < count <= exact:
        many, clusters._MANY = clusters._MANY, count
        by_all_pairs = _cluster(faces, people, "all pairs")
        clusters._MANY = many
        alone = by_all_pairs < 0
        by_all_pairs[alone] = count + np.flatnonzero(alone)
        print(f"    between both ways: {_quality(labels, by_all_pairs)}", flush=True)
    if find_spec("faiss"):
        print(f"    FAISS, 16 neighbors of each face: {_faiss_seconds(faces):.0f} seconds of CPU", flush=True)


def _cluster(faces: Floats, people: Labels, way: str) -> Labels:
    count = len(faces)
    start_wall, start_cpu = time.monotonic(), time.process_time()
    about = clusters.Constraints(np.arange(count), np.full(count, -1), {})
    labels = clusters.cluster(faces, np.ones(count, np.float32), about)
    wall, cpu = time.monotonic() - start_wall, time.process_time() - start_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{count:,} faces, {way}: {wall:.0f} seconds, {cpu:.0f} of CPU, peak of memory {peak:.2f} GB with the "
        f"faces themselves; {_quality(labels, people)}",
        flush=True,
    )
    return labels


def _quality(labels: Labels, truth: Labels) -> str:
    return "B-cubed {:.4f} {:.4f} F {:.4f}".format(*b_cubed(labels, truth))


def _faiss_seconds(faces: Floats) -> float:
    """Return the CPU seconds of FAISS for the nearest faces in as many cells as the first round of clustering uses."""
    faiss: Any = import_module("faiss")  # optional
    number = -(-len(faces) // cells._SIZE)
    index: Any = faiss.index_factory(512, f"IVF{number},Flat", faiss.METRIC_INNER_PRODUCT)
    index.nprobe = clusters._FIRST_PROBES
    start = time.process_time()
    index.train(faces[:: max(1, len(faces) // (cells._SAMPLE * number))])
    index.add(faces)
    index.search(faces, 16)
    return time.process_time() - start


def _unit(rows: Any) -> Floats:
    result: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("coordinator")
    one.add_argument("--photos", type=int, default=5000)
    one.add_argument("--faces", type=int, default=2)
    two = commands.add_parser("engines")
    two.add_argument("folder", type=Path)
    two.add_argument("--rounds", type=int, default=3)
    three = commands.add_parser("datasets")
    three.add_argument("--faces", type=int, default=1_000_000)
    three.add_argument("--folder", type=Path)
    four = commands.add_parser("clusters")
    four.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    four.add_argument("--exact", type=int, default=100_000)
    arguments = parser.parse_args()
    if arguments.command == "coordinator":
        coordinator(arguments.photos, arguments.faces)
    elif arguments.command == "engines":
        engines(arguments.folder, arguments.rounds)
    elif arguments.command == "clusters":
        for count in arguments.sizes:
            cluster_speed(count, arguments.exact)
    else:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            datasets(arguments.faces, Path(folder))


if __name__ == "__main__":
    main()

"""Time Faceie and its peers by turns, in one run: medians, spread and ratios.

    python benchmarks/run.py [--threads N] [--runs N]

Each subject is a process of its own, in its own environment, and waits while another works. Prints a table and appends
it to ``results/``, with machine, versions and date. README.md beside this file tells how to get the peers.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

HERE = Path(__file__).parent
PEERS = Path(os.environ.get("FACEIE_PEERS", "~/.cache/faceie-peers")).expanduser()
PEERS_PYTHON = PEERS / "venv/bin/python"
PHOTOS = sorted((HERE.parent / "examples/photos").glob("*.jpg"))
ALBUM = 4  # photos in the folder


class Row(NamedTuple):
    """A measurement: its title, worker.py's task, the divisor of its seconds, subjects, and number of threads."""

    title: str
    task: tuple[str, str]
    per: int
    subjects: tuple[str, ...]
    threads: int = 0  # 0: as many as asked for


ALL, TORCH = ("faceie", "facenet-pytorch", "onnxruntime"), ("faceie", "facenet-pytorch")

ENCODER = [
    *(Row(f"encode, batch {n}, ms a face", ("encode", str(n)), n, ALL) for n in (1, 4, 16)),
    Row("encode, batch 16, single thread, ms a face", ("encode", "16"), 16, ("faceie", "onnxruntime"), 1),
]


# Import, load the weights, encode one face, end: a process of its own each time.
START = Row("process start to first embedding, ms", ("encode", "1"), 1, ALL)


def detection(folder: Path) -> Iterator[Row]:
    """Yield the measurements of detection, on photos that are made in a folder."""
    for width, height in ((1200, 630), (1665, 2048)):
        photo = folder / f"{width}x{height}.png"
        collage(width, height, 0).save(photo)
        name = f"detect, {width} x {height}"
        yield Row(f"{name}, ms", ("detect", str(photo)), 1, TORCH)
        yield Row(f"{name}, all angles (peer: upright), ms", ("detect-all", str(photo)), 1, TORCH)
    album = folder / "album"
    album.mkdir()
    for number in range(ALBUM):
        collage(4000, 3000, number).save(album / f"{number}.jpg", quality=90)
    yield Row("folder of 12-megapixel JPEGs, ms a photo", ("folder", str(album)), ALBUM, TORCH)
    yield Row("folder, all angles (peer: upright), ms a photo", ("folder-all", str(album)), ALBUM, TORCH)


def collage(width: int, height: int, number: int) -> Image.Image:
    """Return a picture of this size with three of the shipped photos side by side; `number` chooses them."""
    picture = Image.new("RGB", (width, height), "gray")
    for place in range(3):
        photo = Image.open(PHOTOS[(number + place) % len(PHOTOS)]).convert("RGB")
        picture.paste(ImageOps.fit(photo, (width // 3, height)), (place * (width // 3), 0))
    return picture


def command(subject: str, task: tuple[str, str]) -> list[str]:
    """Return the command that starts a subject."""
    python = sys.executable if subject == "faceie" else str(PEERS_PYTHON)
    return [python, str(HERE / "worker.py"), subject, *task]


def environment(threads: int, **more: str) -> dict[str, str]:
    """Return the environment variables that set the threads of a subject."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "FACEIE_THREADS", "BENCHMARK_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(threads)), "FACEIE_PEERS": str(PEERS), **more}


class Worker:
    """A subject that waits for its turn."""

    def __init__(self, subject: str, row: Row, threads: int) -> None:
        self.command = command(subject, row.task)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, text=True, env=environment(threads))
        self.megabytes = 0.0
        self._read()

    def _read(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit(f"{' '.join(self.command)} failed")
        return line

    def seconds(self) -> float:
        """Return the seconds of one run."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        seconds, self.megabytes = map(float, self._read().split())
        return seconds

    def stop(self) -> None:
        self.process.communicate()


class Starter:
    """A subject that is started again for each run."""

    def __init__(self, subject: str, row: Row, threads: int) -> None:
        self.command = command(subject, row.task)
        self.environment = environment(threads, BENCHMARK_ONCE="1")
        self.megabytes = 0.0  # not known
        self.seconds()  # files are read from the disk once

    def seconds(self) -> float:
        start = time.perf_counter()
        subprocess.run(self.command, env=self.environment, check=True)
        return time.perf_counter() - start

    def stop(self) -> None:
        """Do nothing: no process runs between two runs."""


def measure(row: Row, threads: int, runs: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return the milliseconds of each run of each subject, taken in turn, and the peaks of their memory in MB."""
    subjects = [subject for subject in row.subjects if subject == "faceie" or PEERS_PYTHON.exists()]
    kind = Starter if row is START else Worker
    workers = {subject: kind(subject, row, row.threads or threads) for subject in subjects}
    times: dict[str, list[float]] = {subject: [] for subject in subjects}
    for _ in range(runs):
        for subject, worker in workers.items():
            time.sleep(0.05)  # threads of the last one may still spin
            times[subject].append(worker.seconds() / row.per * 1e3)
    for worker in workers.values():
        worker.stop()
    return times, {subject: worker.megabytes for subject, worker in workers.items()}


def describe(row: Row, times: dict[str, list[float]], memory: dict[str, float]) -> list[str]:
    """Return a line of the table for each subject: median, extremes, peak of memory, ratio of our median to theirs."""
    ours = statistics.median(times["faceie"])
    lines = []
    for subject, values in times.items():
        median = statistics.median(values)
        ratio = "" if subject == "faceie" else f"{ours / median:.2f}"
        peak = f"{memory[subject]:.0f}" if memory[subject] else ""
        extremes = f"{min(values):.1f} - {max(values):.1f}"
        lines.append(f"| {row.title} | {subject} | {median:.1f} | {extremes} | {peak} | {ratio} |")
    return lines


def machine(threads: int) -> str:
    """Return a line about the run: date, processor, threads and versions."""
    import numpy

    import faceie

    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        processor = names[0].split(":")[1].strip() if names else processor
    today = datetime.datetime.now(tz=datetime.timezone.utc).date()
    return (
        f"{today}, {processor}, {os.cpu_count()} cores, {threads} threads each; "
        f"Faceie {faceie.__version__}, NumPy {numpy.__version__}, Python {platform.python_version()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Time Faceie beside its peers.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    if not PEERS_PYTHON.exists():
        sys.stderr.write(f"no peers in {PEERS}: Faceie alone is timed (see benchmarks/README.md)\n")
    lines = [
        machine(arguments.threads),
        "",
        "| what | who | median | range | peak MB | Faceie's ratio to it |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    with tempfile.TemporaryDirectory() as folder:
        for row in [*ENCODER, *detection(Path(folder)), START]:
            new = describe(row, *measure(row, arguments.threads, arguments.runs))
            print("\n".join(new), flush=True)
            lines += new
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    with (results / "speed.md").open("a") as file:
        file.write("\n".join(lines) + "\n\n")


if __name__ == "__main__":
    main()

"""Time Faceie beside its peers, in turn, in one run: medians, spread and ratios.

    python benchmarks/run.py [PHOTO ...]

Each subject is a process of its own, in its own environment, and waits while another works. Prints a table and appends
it to ``results/``, with machine, versions and date. README.md beside this file says how to get the peers.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PEERS = Path(os.environ.get("FACEIE_PEERS", "~/.cache/faceie-peers")).expanduser()
PEERS_PYTHON = PEERS / "venv/bin/python"


class Row(NamedTuple):
    """What is timed: a title, worker.py's task, the divisor of its seconds, and who does it."""

    title: str
    task: tuple[str, str]
    per: int
    subjects: tuple[str, ...]


ENCODER = [
    Row(f"encode, batch {n}, ms a face", ("encode", str(n)), n, ("faceie", "facenet-pytorch", "onnxruntime"))
    for n in (1, 4, 16)
]


def detector(photo: Path) -> Row:
    return Row(f"detect, {photo.name}, ms", ("detect", str(photo)), 1, ("faceie", "facenet-pytorch"))


class Worker:
    """A subject that waits for its turn."""

    def __init__(self, subject: str, task: tuple[str, str], threads: int) -> None:
        python = sys.executable if subject == "faceie" else str(PEERS_PYTHON)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BENCHMARK_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, str(threads)), "FACEIE_PEERS": str(PEERS)}
        command = [python, str(HERE / "worker.py"), subject, *task]
        self.command = " ".join(command)
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._expect("ready")

    def _expect(self, expected: str | None = None) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        if not line or (expected and line != expected):
            assert self.process.stderr
            raise SystemExit(f"{self.command} failed:\n{line}\n{self.process.stderr.read()}")
        return line

    def seconds(self) -> float:
        """Let it work once."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._expect())

    def stop(self) -> None:
        self.process.communicate()


def measure(row: Row, threads: int, runs: int) -> dict[str, list[float]]:
    """Return the milliseconds of each run of each subject, taken in turn."""
    subjects = [subject for subject in row.subjects if subject == "faceie" or PEERS_PYTHON.exists()]
    workers = {subject: Worker(subject, row.task, threads) for subject in subjects}
    times: dict[str, list[float]] = {subject: [] for subject in subjects}
    for _ in range(runs):
        for subject, worker in workers.items():
            time.sleep(0.05)  # threads of the last one may still spin
            times[subject].append(worker.seconds() / row.per * 1e3)
    for worker in workers.values():
        worker.stop()
    return times


def describe(row: Row, times: dict[str, list[float]]) -> list[str]:
    """Return a line of the table for each subject: median, extremes, and the ratio of our median to theirs."""
    ours = statistics.median(times["faceie"])
    lines = []
    for subject, values in times.items():
        median = statistics.median(values)
        ratio = "" if subject == "faceie" else f"{ours / median:.2f}"
        lines.append(f"| {row.title} | {subject} | {median:.1f} | {min(values):.1f} - {max(values):.1f} | {ratio} |")
    return lines


def machine(threads: int) -> str:
    """Return what a number depends on: processor, threads, versions, date."""
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
    parser.add_argument("photos", nargs="*", type=Path, help="photos for detection (default: those of examples/)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=11)
    arguments = parser.parse_args()
    if not PEERS_PYTHON.exists():
        sys.stderr.write(f"no peers in {PEERS}: Faceie alone is timed (see benchmarks/README.md)\n")
    photos = arguments.photos or [HERE.parent / "examples/photos" / name for name in ("astronaut.jpg", "obama.jpg")]
    lines = [
        machine(arguments.threads),
        "",
        "| what | who | median | range | Faceie's ratio to it |",
        "|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for row in [*ENCODER, *map(detector, photos)]:
        new = describe(row, measure(row, arguments.threads, arguments.runs))
        print("\n".join(new))
        lines += new
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    with (results / "speed.md").open("a") as file:
        file.write("\n".join(lines) + "\n\n")


if __name__ == "__main__":
    main()

"""Compare the defaults of detection with other choices, by accuracy and time.

    python benchmarks/defaults.py FOLDER --truth faces.json [--every N] [--turned DEGREES]

FOLDER, faces.json, N and DEGREES are those of wider.py. Prints a row of a table for each choice: average precision for
faces of at least 20, 40 and 80 pixels, recall and precision of all detections, and the time relative to the defaults.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from wider import average_precision, read_truth, search, turn_truth

CHOICES: dict[str, dict[str, Any]] = {
    "the defaults": {},
    "upright only": {"rotations": (0,)},
    "five angles, each searched": {"rotations": [math.radians(degrees) for degrees in (0, 45, -45, 90, -90)]},
    "smallest face 15": {"min_face_size": 15},
    "smallest face 30": {"min_face_size": 30},
    "smallest face 40": {"min_face_size": 40},
    "finer pyramid (0.8)": {"factor": 0.8},
    "coarser pyramid (0.6)": {"factor": 0.6},
    "thresholds 0.6 0.7 0.5": {"thresholds": (0.6, 0.7, 0.5)},
    "thresholds 0.6 0.7 0.9": {"thresholds": (0.6, 0.7, 0.9)},
    "thresholds 0.6 0.6 0.7": {"thresholds": (0.6, 0.6, 0.7)},
    "thresholds 0.7 0.7 0.7": {"thresholds": (0.7, 0.7, 0.7)},
    "last overlap 0.5": {"nms_overlaps": (0.5, 0.7, 0.7, 0.5)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the defaults of detection with other choices.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--turned", type=float, default=0)
    arguments = parser.parse_args()
    truth = read_truth(arguments.truth, arguments.every)
    print("| options | AP 20 px | AP 40 px | AP 80 px | recall | precision | time |\n" + "|---" * 7 + "|")
    usual = 0.0
    for name, options in CHOICES.items():
        found, sizes, seconds = search(arguments.folder, truth, arguments.turned, **options)
        usual = usual or seconds
        known = turn_truth(truth, sizes, arguments.turned)
        scores = [average_precision(found, known, smallest) for smallest in (20, 40, 80)]
        columns = [f"{score.average_precision:.3f}" for score in scores]
        columns += [f"{scores[0].recall:.3f}", f"{scores[0].precision:.3f}", f"{seconds / usual:.2f}"]
        print(f"| {name} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()

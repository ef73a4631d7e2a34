"""Measure the constants of faceie.recognition, which turn distances into probabilities.

    python benchmarks/calibrate.py FOLDER --pairs FILE [--weights NAME] [--mirror]

FOLDER and FILE are those of lfw.py. Each photo of the pairs is compared with each. This gives millions of pairs of
different people, and so the frequency of rare distances.

Prints:

- the distance that is equally frequent among pairs of one person and pairs of two;
- the slope of the logarithm of the ratio of these frequencies (logistic regression, both kinds of pairs with the same
  weight);
- the thresholds by false match rate, and a table of both kinds of errors.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from lfw import Floats, cut, embed, read_pairs

from faceie import DetectionOptions, encode_faces, facenet, pairwise_distances


def logistic(same: Floats, different: Floats) -> tuple[float, float]:
    """Return the distance at which both kinds are equally frequent, and the slope there: Newton's method."""
    coefficients = np.array([0.0, -10.0])  # of 1 and of distance - 1
    for _ in range(50):
        gradient, curvature = np.zeros(2), np.zeros((2, 2))
        for distances, label in ((same, 1), (different, 0)):
            x = np.stack([np.ones_like(distances), distances - 1], 1)  # [n, 2]
            p = 1 / (1 + np.exp(-x @ coefficients))
            gradient += x.T @ (label - p) / len(x)
            curvature += (x * (p * (1 - p))[:, None]).T @ x / len(x)
        coefficients += np.linalg.solve(curvature, gradient)
    return float(1 - coefficients[0] / coefficients[1]), float(-coefficients[1])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what distances mean.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--weights", default="vggface2")
    parser.add_argument("--mirror", action="store_true")
    arguments = parser.parse_args()
    pairs = read_pairs(arguments.pairs, arguments.folder)
    paths = sorted({path for pair in pairs for path in pair[:2]})
    weights = facenet.load(arguments.weights)
    margin = DetectionOptions().margin
    embeddings = embed(
        paths, lambda path: cut(path, margin), lambda crops: encode_faces(crops, weights, mirror=arguments.mirror)
    )
    each = np.triu_indices(len(paths), 1)
    names = np.array([Path(path).parent.name for path in paths])
    distances = pairwise_distances(np.stack([embeddings[path] for path in paths]))[each].astype(np.float64)
    kind = (names[:, None] == names)[each]
    same, different = distances[kind], np.sort(distances[~kind])
    even, slope = logistic(same, different)
    print(f"{arguments.weights}: {len(same)} pairs of one person, {len(different)} of two")
    print(f"even {even:.4f}, slope {slope:.2f}")
    for rate in (1e-2, 1e-3, 1e-4):
        print(f"fmr{1 / rate:.0f} {different[int(rate * len(different))]:.3f}")
    print("| distance | false match rate | false non-match rate |\n|---|---|---|")
    for limit in np.arange(0.6, 1.31, 0.05):
        false_matches = np.searchsorted(different, limit) / len(different)
        print(f"| {limit:.2f} | {false_matches:.2g} | {(same >= limit).mean():.4f} |")


if __name__ == "__main__":
    main()

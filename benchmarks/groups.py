"""False matches by group: people whom many strangers resemble, beside the others, before and after normalization.

    python benchmarks/groups.py FOLDER [--cache FOLDER]

FOLDER and the cache are those of truth.py. The photos have no labels of groups. So people are split into tenths by
density: the mean cosine of their faces to the 20 nearest faces of other people, those of a random half of all people.
This half is the cohort, too. All pairs of the other half are judged, by one threshold for all. So no pair that is
counted decides on a group or on an offset.

Prints for each tenth, with 95 % intervals by bootstrap over people and random halves:

- the false match rate, relative to that of all pairs, of pairs with a person of this tenth, and of pairs of which both
  people are of this tenth;
- the true accept rate.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from gallery import Floats
from numpy.typing import NDArray
from truth import Doubles, Faces, labeled, resampled

from faceie import Cohort

AT = (1e-3, 1e-4)
SPLITS = 10
SAMPLES = 20  # of the bootstrap, for each half of each split
NEAREST = 20
GROUPS = 10


def tenths(faces: Faces, known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the tenth of each person who is not known, 0 for the densest, and -1 for the others: [people]."""
    cosines = faces.embeddings @ faces.embeddings[known].T
    dense = -np.partition(-cosines, NEAREST, axis=1)[:, :NEAREST].mean(1)
    count = np.bincount(faces.people)
    means = np.bincount(faces.people, dense) / count
    judged = np.setdiff1d(np.arange(len(count)), faces.people[known])
    result = np.full(len(count), -1)
    result[judged[np.argsort(-means[judged])]] = np.arange(len(judged)) * GROUPS // len(judged)
    return result


def measure(faces: Faces, offsets: Floats, group: NDArray[np.int64], at: float, seeds: list[int]) -> Doubles:
    """Return the relative false match rates of one and of both faces of each group, and the true accept rates.

    Of all people, then of samples of them: [1 + seeds, 3, groups].
    """
    judged = np.flatnonzero(group[faces.people] >= 0)
    embeddings, people, offset = faces.embeddings[judged], faces.people[judged], offsets[judged]
    scores = embeddings @ embeddings.T - (offset[:, None] + offset) / 2
    i, j = np.triu_indices(len(judged), 1)
    scores, p, q = scores[i, j], people[i], people[j]
    same = p == q
    rank = int(at * (~same).sum())
    threshold = -np.partition(-scores[~same], rank)[rank]
    matched = ~same & (scores > threshold)
    own, accepted, p_own, p, q = p[same], scores[same] > threshold, p[same], p[matched], q[matched]
    count = np.bincount(people, minlength=len(group))
    rows = []
    for weights in (np.ones(len(group)), *(resampled(people, seed) for seed in seeds)):
        weights = np.pad(weights, (0, len(group) - len(weights)))
        size = np.bincount(group[group >= 0], (weights * count)[group >= 0], GROUPS)
        wrong = weights[p] * weights[q]
        total, usual = size.sum(), wrong.sum() / (size.sum() ** 2 / 2)
        one = (np.bincount(group[p], wrong, GROUPS) + np.bincount(group[q], wrong, GROUPS)) / (size * total)
        inside = group[p] == group[q]
        both = np.bincount(group[p][inside], wrong[inside], GROUPS) / (size**2 / 2)
        found = np.bincount(group[own], weights[own] * accepted, GROUPS)
        rows.append([one / usual, both / usual, found / np.bincount(group[p_own], weights[own], GROUPS)])
    return np.array(rows, np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description="False matches by group.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    faces = labeled(arguments.folder, arguments.cache)
    count = int(faces.people.max()) + 1
    found: dict[tuple[str, float], list[Doubles]] = {}
    for split in range(SPLITS):
        half = np.random.default_rng(split).permutation(count) % 2 == 0
        for chosen in (half, ~half):
            known = chosen[faces.people]
            group = tenths(faces, known)
            cohort = Cohort(faces.embeddings[known], faces.people[known])
            kinds = {
                "distance": np.zeros(len(known), np.float32),
                "normalized": cohort.offsets(faces.embeddings, faces.people),
            }
            for (kind, offsets), at in ((item, at) for item in kinds.items() for at in AT):
                seeds = [SAMPLES * split + seed for seed in range(SAMPLES)]
                found.setdefault((kind, at), []).append(measure(faces, offsets, group, at, seeds))
    print(f"{len(faces.people)} faces of {count} people, {GROUPS} groups")
    for number, title in enumerate(("one of the two in the group", "both in the group", "true accept rate")):
        print(
            f"\n| {title} | {' | '.join(f'{kind}, {at:g}' for kind, at in found)} |\n" + "|---" * (1 + len(found)) + "|"
        )
        for tenth in range(GROUPS):
            cells = []
            for rows in found.values():
                values = np.array(rows)[:, :, number, tenth]
                low, high = np.nanquantile(values[:, 1:], [0.025, 0.975])
                cells.append(f"{np.nanmean(values[:, 0]):.3f} ({low:.3f}-{high:.3f})")
            print(f"| {tenth + 1} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

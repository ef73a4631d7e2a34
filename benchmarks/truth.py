"""Who is who: scores among a cohort, and clusters, on labeled photos.

    python benchmarks/truth.py FOLDER [--family FOLDER] [--strangers N] [--only pairs|cohorts|clusters] [--cache F]

FOLDER is in the layout of LFW: a folder for each person. In each photo, the face close to the center and large counts
(`lfw.central`). The photos of --family are taken whole: they are crops of faces, few people with many photos each. N
faces of FOLDER are the strangers around them. Embeddings are cached in the folder F, by default that
of temporary files.

Prints, with 95 % confidence intervals by bootstrap over people:

- the true accept rate over all pairs, at four false accept rates, by the distance and by the normalized one. Its cohort
  is chosen as in a gallery, by the clusters that were found, or by the true people;
- the same for cohorts of other sizes;
- the calibration error of `same_person_probability` on all pairs of one person and a sample of others;
- B-cubed precision, recall and F of clusters, of all faces and of people with four photos or more alone, and of the
  family with strangers; the clusters that hold ten or more faces of a person; the faces of the family left alone; and
  the corrections that put all in order (merges of clusters, and faces moved one by one);
- how many of new faces join the right cluster.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from gallery import Floats, Labels, b_cubed
from lfw import central, reliability
from numpy.typing import NDArray

from faceie import Cohort, detect_faces, encode_faces, open_image, same_person_probability
from faceie.gallery.clusters import Constraints, choose_cohort, cluster, join

Doubles = NDArray[np.float64]

RATES = (1e-2, 1e-3, 1e-4, 1e-5)
_TAIL = 0.02  # share of the pairs of different people, the closest ones, that is kept for the bootstrap
_RESAMPLES = 200


class Faces(NamedTuple):
    embeddings: Floats  # [n, 512]
    qualities: Floats  # [n]
    people: Labels  # [n]

    def take(self, index: NDArray[np.bool_] | Labels) -> Faces:
        return Faces(self.embeddings[index], self.qualities[index], self.people[index])


def labeled(folder: Path, cache: Path, whole: bool = False) -> Faces:
    """Return the faces in the photos of a folder."""
    kept = cache / f"faceie-truth-{folder.resolve().parent.name}-{folder.name}.npz"
    if not kept.exists():
        names, crops, qualities = [], [], []
        for path in sorted(folder.rglob("*.jpg")):
            image = open_image(path)
            if whole:
                crop, quality = image, 1.0
            else:
                found = detect_faces(image)
                best = central(image, found)
                if best is None or found.images is None:
                    continue
                crop, quality = found.images[best], float(found.qualities[best])
            names.append(path.parent.name)
            crops.append(crop.resize((160, 160)) if whole else crop)
            qualities.append(quality)
        np.savez(kept, embeddings=encode_faces(crops), qualities=np.array(qualities), names=np.array(names))
    with np.load(kept) as file:
        people = np.unique(file["names"], return_inverse=True)[1]
        return Faces(file["embeddings"], file["qualities"].astype(np.float32), people)


def find_clusters(faces: Faces) -> Labels:
    count = len(faces.people)
    return cluster(faces.embeddings, faces.qualities, Constraints(np.arange(count), np.full(count, -1), {}))


def gallery_offsets(faces: Faces, labels: Labels) -> Floats:
    """Return the offsets of faces as a gallery with these clusters stores them."""
    people = np.where(labels < 0, -1 - np.arange(len(labels)), labels)
    members = choose_cohort(faces.embeddings, labels)
    return Cohort(faces.embeddings[members], people[members]).offsets(faces.embeddings, people)


class PairScores(NamedTuple):
    """Normalized cosines of pairs: all of one person, and the closest of two, with their people."""

    same: Doubles
    same_people: Labels
    different: Doubles
    different_people: Labels  # [n, 2]
    total: int  # pairs of two people


def pair_scores(faces: Faces, offsets: Floats) -> PairScores:
    cosines = (faces.embeddings @ faces.embeddings.T - (offsets[:, None] + offsets) / 2).astype(np.float64)
    i, j = np.triu_indices(len(offsets), 1)
    values, p, q = cosines[i, j], faces.people[i], faces.people[j]
    same = p == q
    others = np.flatnonzero(~same)
    keep = others[np.argsort(-values[others])[: 1 + int(_TAIL * len(others))]]
    return PairScores(values[same], p[same], values[keep], np.stack([p[keep], q[keep]], 1), len(others))


def accept_rates(scores: PairScores, weights: Doubles | None = None) -> list[float]:
    """Return the true accept rates; `weights`: how often each person is drawn."""
    if weights is None:
        weights = np.ones(max(scores.same_people.max(), scores.different_people.max()) + 1)
    passed = np.cumsum(weights[scores.different_people].prod(1))
    own = weights[scores.same_people]
    total = scores.total * weights.mean() ** 2
    places = np.minimum(np.searchsorted(passed, np.array(RATES) * total, "right"), len(passed) - 1)
    return [float(own[scores.same > scores.different[place]].sum() / own.sum()) for place in places]


def resampled(people: Labels, seed: int) -> Doubles:
    count = int(people.max()) + 1
    drawn = np.random.default_rng(seed).choice(np.unique(people), len(np.unique(people)))
    return np.bincount(drawn, minlength=count).astype(np.float64)


def print_pairs(name: str, faces: Faces, offsets: Floats) -> None:
    scores = pair_scores(faces, offsets)
    rates = accept_rates(scores)
    drawn = np.array([accept_rates(scores, resampled(faces.people, seed)) for seed in range(_RESAMPLES)])
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)  # a draw may have no pair of one person
    cells = [f"{rate:.4f} ({a:.3f}-{b:.3f})" for rate, a, b in zip(rates, low, high, strict=True)]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def show_pairs(faces: Faces) -> None:
    none = np.zeros(len(faces.people), np.float32)
    offsets = gallery_offsets(faces, find_clusters(faces))
    print("| true accept rate at | " + " | ".join(f"{rate:g}" for rate in RATES) + " |\n|---|---|---|---|---|")
    print_pairs("distance", faces, none)
    print_pairs("normalized, as a gallery does", faces, offsets)
    print_pairs("normalized, true people", faces, gallery_offsets(faces, faces.people))
    i, j = np.triu_indices(len(none), 1)
    same = faces.people[i] == faces.people[j]
    # One pair of two people in many is enough for a weight.
    kept = same | (np.arange(len(same)) % max(1, len(same) // 250_000) == 0)
    i, j, same = i[kept], j[kept], same[kept]
    distances = np.linalg.norm(faces.embeddings[i] - faces.embeddings[j], axis=1)
    prior = float(same.mean())
    weight = Cohort(faces.embeddings).weight
    for name, cohort in (("distance", None), ("normalized", ((offsets[i] + offsets[j]) / 2, weight))):
        found = same_person_probability(distances, prior=prior, cohort=cohort)
        off, table = reliability(found, same)
        loss = -np.log(np.where(same, found, 1 - found)).mean()
        print(f"{name}, prior {prior:.4f}: calibration error {off:.5f}, log loss {loss:.5f}")
        print("  " + ", ".join(f"{p:.2f}: {share:.2f}" for p, share, _ in table))


def show_cohorts(faces: Faces) -> None:
    """Print the accept rates of all pairs for cohorts of other sizes: faces of other people, drawn at random."""
    print("| cohort | " + " | ".join(f"{rate:g}" for rate in RATES) + " |\n|---|---|---|---|---|")
    for size in (10, 30, 100, 300, 1000, 3000):
        if size > len(faces.people):
            break
        drawn = np.random.default_rng(size).choice(len(faces.people), size, replace=False)
        cohort = Cohort(faces.embeddings[drawn], faces.people[drawn])
        print_pairs(f"{size:,}", faces, cohort.offsets(faces.embeddings, faces.people))


def corrections(labels: Labels, people: Labels) -> int:
    """Count the corrections that put all in order: moves of the faces of minorities, and merges of clusters."""
    alone = np.where(labels < 0, -1 - np.arange(len(labels)), labels)
    clusters, of = np.unique(alone, return_inverse=True)
    owners = np.array([np.bincount(people[of == k]).argmax() for k in range(len(clusters))])
    moved = int((people != owners[of]).sum())
    return moved + len(clusters) - len(np.unique(owners))


def print_clusters(name: str, faces: Faces, about: NDArray[np.bool_] | None = None) -> None:
    labels = find_clusters(faces)
    about = np.ones(len(labels), np.bool_) if about is None else about
    alone = np.where(labels < 0, labels.max() + 1 + np.arange(len(labels)), labels)
    _, a = np.unique(alone, return_inverse=True)
    _, b = np.unique(faces.people, return_inverse=True)
    both = np.unique(a * (b.max() + 1) + b, return_inverse=True)[1]
    shared = np.bincount(both)[both]
    precision, recall = (shared / np.bincount(a)[a])[about], (shared / np.bincount(b)[b])[about]

    def measure(weights: Doubles) -> tuple[float, float, float]:
        p, r = np.average(precision, weights=weights), np.average(recall, weights=weights)
        return float(p), float(r), float(2 * p * r / (p + r))

    drawn = [measure(resampled(b[about], seed)[b[about]])[2] for seed in range(_RESAMPLES)]
    p, r, f = measure(np.ones(len(precision)))
    if about.all():
        assert abs(f - b_cubed(labels, faces.people)[2]) < 1e-9
    many = [who for who in np.unique(b[about]) if (b == who).sum() >= 10]
    tens = [(np.bincount(a[b == who]) >= 10).sum() for who in many]
    low, high = np.quantile(drawn, [0.025, 0.975])
    ten = f"{np.mean(tens):.2f}" if many else "-"
    print(
        f"| {name} | {p:.3f} | {r:.3f} | {f:.4f} ({low:.3f}-{high:.3f}) | {ten} | {(labels[about] < 0).mean():.3f} "
        f"| {corrections(labels, b)} of {len(labels)} |",
        flush=True,
    )


def print_joins(name: str, faces: Faces) -> None:
    """Print how many of a fifth of the faces join the right cluster of the others, as new photos do."""
    count = len(faces.people)
    order = np.random.default_rng(3).permutation(count)
    faces, old = faces.take(order), count - count // 5
    known = faces.take(np.arange(old))
    labels = find_clusters(known)
    people = np.where(labels < 0, -1 - np.arange(old), labels)
    members = choose_cohort(known.embeddings, labels)
    cohort = Cohort(known.embeddings[members], people[members])
    offsets = np.concatenate([cohort.offsets(known.embeddings, people), cohort.offsets(faces.embeddings[old:])])
    constraints = Constraints(np.arange(count), np.concatenate([labels, np.full(count - old, -1)]), {})
    found = join(faces.embeddings, np.arange(old, count), constraints, offsets)
    owners = {int(k): int(np.bincount(known.people[labels == k]).argmax()) for k in np.unique(labels[labels >= 0])}
    right = [owners.get(int(k)) == who for k, who in zip(found, faces.people[old:], strict=True)]
    possible = np.isin(faces.people[old:], list(owners.values())).sum()
    print(f"{name}: of {count - old} new faces, {possible} show the person of a cluster; {sum(right)} join one of that")
    print(f"  person, {(found >= 0).sum() - sum(right)} another one", flush=True)


def print_small(name: str, draws: list[Faces]) -> None:
    """Print the averages over several collections."""
    rows = []
    for faces in draws:
        labels = find_clusters(faces)
        rows.append((*b_cubed(labels, faces.people), (labels < 0).mean(), corrections(labels, faces.people)))
    p, r, f, alone, wrong = np.mean(rows, 0)
    size = np.mean([len(faces.people) for faces in draws])
    print(f"| {name} | {p:.3f} | {r:.3f} | {f:.4f} | - | {alone:.3f} | {wrong:.1f} of {size:.0f} |", flush=True)


def some_people(people: Labels, size: int, seed: int) -> NDArray[np.bool_]:
    """Choose people at random, until they have this many faces."""
    drawn = np.random.default_rng(seed).permutation(int(people.max()) + 1)
    total = np.cumsum(np.bincount(people)[drawn])
    chosen: NDArray[np.bool_] = np.isin(people, drawn[: np.searchsorted(total, size) + 1])
    return chosen


def three(people: Labels, size: int, seed: int) -> Labels:
    """Choose this many faces of three people at random."""
    rng = np.random.default_rng(seed)
    chosen = np.isin(people, rng.choice(int(people.max()) + 1, 3, replace=False))
    drawn: Labels = rng.choice(np.flatnonzero(chosen), size, replace=False)
    return drawn


def show_clusters(faces: Faces, family: Faces | None, strangers: int) -> None:
    print("| faces | precision | recall | F | clusters of ten a person | alone | corrections |")
    print("|---|---|---|---|---|---|---|")
    counts = np.bincount(faces.people)[faces.people]
    print_clusters("all", faces)
    for least in (2, 4):
        if (counts >= least).any():
            print_clusters(f"people of {least} or more", faces.take(counts >= least))
    for size in (10, 30, 100, 300, 1000):
        if size > len(faces.people):
            break
        print_small(f"{size:,} faces", [faces.take(some_people(faces.people, size, seed)) for seed in range(30)])
    if family is None:
        print_joins("all", faces)
        return
    print_clusters("family", family)
    for size in (20, 60, 200):
        if size > len(family.people) // 4:
            break
        print_small(
            f"{size} faces of three of the family", [family.take(three(family.people, size, s)) for s in range(30)]
        )
    around = some_people(faces.people, strangers, 1)
    mixed = Faces(
        np.concatenate([family.embeddings, faces.embeddings[around]]),
        np.concatenate([family.qualities, faces.qualities[around]]),
        np.concatenate([family.people, faces.people[around] + family.people.max() + 1]),
    )
    print_clusters(f"family and {around.sum()} strangers", mixed)
    print_clusters("of these, the family", mixed, mixed.people <= family.people.max())
    print_joins("all", faces)
    print_joins("family and strangers", mixed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--family", type=Path)
    parser.add_argument("--strangers", type=int, default=3000)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--only", choices=("pairs", "cohorts", "clusters"))
    arguments = parser.parse_args()
    faces = labeled(arguments.folder, arguments.cache)
    family = labeled(arguments.family, arguments.cache, whole=True) if arguments.family else None
    print(f"{len(faces.people)} faces of {len(np.unique(faces.people))} people")
    if arguments.only in (None, "pairs"):
        show_pairs(faces)
    if arguments.only in (None, "cohorts"):
        show_cohorts(faces)
    if arguments.only in (None, "clusters"):
        show_clusters(faces, family, arguments.strangers)


if __name__ == "__main__":
    main()

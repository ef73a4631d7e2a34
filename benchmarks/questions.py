"""The questions to the user, and probes of several photos.

    python benchmarks/questions.py fit FOLDER       probability of a question: its fit, and five-fold cross-validation
    python benchmarks/questions.py order FOLDER     questions until 99 % of the faces are right, by size or suggestions
    python benchmarks/questions.py photos FOLDER    search with one, two and three photos of a person

FOLDER is in the layout of LFW: a folder for each person. Its embeddings are cached as those of truth.py.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from credibility import fit as regress
from gallery import Floats, Labels
from numpy.typing import NDArray
from truth import Faces, find_clusters, gallery_offsets, labeled

from faceie import Cohort, same_person_probability
from faceie.gallery.clusters import Constraints, choose_cohort
from faceie.gallery.pairs import find_pairs
from faceie.gallery.records import FaceTable
from faceie.gallery.search import mean_probe
from faceie.gallery.suggestions import Question, find_questions, probability_of

_GOAL = 0.99
_PHOTOS = 3  # of people who count
_REFRESH = 10  # questions from one list
_LEAST = 0.0  # probability of a question: all, the most probable ones first
_LOWEST = -0.2  # score of the pairs that are fitted
_FOLDS = 5
_UNIT = 0.1  # of scores in the fit: its ridge must not count


class Collection:
    """Labeled faces, their clusters, and the statements of the user."""

    def __init__(self, faces: Faces, seed: int = 0) -> None:
        order = np.random.default_rng(seed).permutation(len(faces.people))  # the names of files are sorted by person
        faces = faces.take(order)
        self.embeddings, self.qualities, self.truth = faces
        labels = find_clusters(faces)
        self.offsets = gallery_offsets(faces, labels)
        self.people = np.where(labels >= 0, labels + self.truth.max() + 1, -1)  # clusters come after all names
        self.rejections: dict[int, set[int]] = {}
        self.named: set[int] = set()
        self.counts = np.bincount(self.truth)[self.truth] >= _PHOTOS
        self.questions = 0

    def right(self) -> float:
        """Return the share of right faces, among those of people with enough photos."""
        named = np.isin(self.people, list(self.named))
        return float((named & (self.people == self.truth))[self.counts].mean())

    def clusters(self) -> list[Labels]:
        """Return the members of the clusters without a name, the largest first."""
        numbers, sizes = np.unique(self.people[self.people >= 0], return_counts=True)
        order = np.argsort(-sizes, kind="stable")
        return [np.flatnonzero(self.people == n) for n in numbers[order].tolist() if n not in self.named]

    def name(self, members: Labels) -> None:
        """Answer who most of these faces are. Each of the others is put right by a statement of its own."""
        who = int(np.bincount(self.truth[members]).argmax())
        self.named.add(who)
        self.questions += 1
        for face in members.tolist():
            is_right = self.truth[face] == who
            self.people[face] = who if is_right else -1
            if not is_right:
                self.questions += 1
                self.rejections.setdefault(face, set()).add(who)

    def answer(self, question: Question) -> None:
        """Answer yes if most of both groups are one person. If not, say who it is."""
        others = np.flatnonzero(self.people == question.person)
        who = int(np.bincount(self.truth[question.faces]).argmax())
        if who == int(np.bincount(self.truth[others]).argmax()) and question.person not in self.named:
            self.questions += 1
            self.people[question.faces] = question.person
        else:
            self.name(question.faces)

    def table(self) -> FaceTable:
        indices = np.arange(len(self.truth))
        named = np.array(sorted(self.named), np.int64)
        is_confirmed = np.isin(self.people, named)
        return FaceTable(
            indices, indices, self.qualities.astype(np.float64), self.people, is_confirmed, self.rejections, named
        )

    def suggestions(self) -> list[Question]:
        return find_questions(self.table(), self.embeddings, self.offsets, _LEAST)


def by_size(collection: Collection) -> Iterator[None]:
    """Ask for the name of each cluster, the largest first, then of each single face."""
    while members := collection.clusters():
        collection.name(members[0])
        yield
    for face in np.flatnonzero(collection.people < 0).tolist():
        collection.name(np.array([face]))
        yield


def by_suggestions(collection: Collection) -> Iterator[None]:
    """Ask for names as above, but questions as soon as they settle more faces."""
    while True:
        asked = 0
        clusters = collection.clusters()
        for question in collection.suggestions()[:_REFRESH]:
            if clusters and len(clusters[0]) >= question.settled:
                break
            if question.cluster >= 0 and not (collection.people == question.cluster).any():
                continue  # an answer since has changed it
            collection.answer(question)
            asked += 1
            yield
        for members in clusters[: 0 if asked else _REFRESH]:
            collection.name(members)
            asked += 1
            yield
        if not asked:
            break
    yield from by_size(collection)


def order(faces: Faces) -> None:
    """Print the questions until each share of right faces."""
    shares = (0.9, 0.95, 0.97, 0.98, _GOAL)
    for ask in (by_size, by_suggestions):
        counts = []
        for seed in range(3):
            collection = Collection(faces, seed)
            needed: dict[float, int] = {}
            for _ in ask(collection):
                share = collection.right()
                needed.update({goal: collection.questions for goal in shares if share >= goal and goal not in needed})
                if _GOAL in needed:
                    break
            counts.append([needed.get(goal, 0) for goal in shares])
        medians = np.median(counts, axis=0).astype(int)
        print(f"{ask.__name__}: " + ", ".join(f"{share:.0%} {n:,}" for share, n in zip(shares, medians, strict=True)))


def fit(faces: Faces) -> None:
    """Print the logistic function, and the share of yes among pairs of similar probability."""
    labels = find_clusters(faces)
    constraints = Constraints(np.arange(len(labels)), labels, {})
    pairs = find_pairs(faces.embeddings, constraints, gallery_offsets(faces, labels), _LOWEST)
    owners = {k: np.bincount(faces.people[labels == k]).argmax() for k in np.unique(labels[labels >= 0]).tolist()}
    people = np.array([owners.get(k, who) for k, who in zip(labels.tolist(), faces.people, strict=True)])
    pairs = pairs.take((labels[pairs.a] >= 0) | (labels[pairs.b] >= 0))  # two single faces are not in question
    a, b, same = people[pairs.a], people[pairs.b], people[pairs.a] == people[pairs.b]
    print(f"of the 50 pairs with the highest scores, {same[:50].sum()} are one person")
    slope, offset = fitted(pairs.scores, same)
    print(f"{len(same):,} pairs, {same.sum()} of one person: even at {-offset / slope:.3f}, slope {slope:.1f}")
    held_out = np.empty(len(same))
    for first, second in itertools.product(range(_FOLDS), repeat=2):
        tested = (a % _FOLDS == first) & (b % _FOLDS == second)
        others = ~np.isin(a % _FOLDS, (first, second)) & ~np.isin(b % _FOLDS, (first, second))
        slope, offset = fitted(pairs.scores[others], same[others])
        offset += log_odds(same) - log_odds(same[others])  # more pairs of two people are left out than of one
        held_out[tested] = 1 / (1 + np.exp(-(slope * pairs.scores[tested] + offset)))
    for name, chances in (("other people", held_out), ("as shipped", probability_of(pairs.scores))):
        print(f"{name}: log loss {-np.log(np.where(same, chances, 1 - chances)).mean():.5f}")
        for low, high in ((0.01, 0.05), (0.05, 0.2), (0.2, 0.5), (0.5, 1.01)):
            within = (chances >= low) & (chances < high)
            if within.any():
                told, true = chances[within].mean(), same[within].mean()
                print(f"{name}: {within.sum():>5} questions told {told:.3f}, yes {true:.3f}")


def fitted(scores: Floats, same: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the slope and the offset of the log odds."""
    slope, offset = regress(np.column_stack([scores / _UNIT, np.ones(len(scores))]), same.astype(np.float64))
    return float(slope / _UNIT), float(offset)


def log_odds(same: NDArray[np.bool_]) -> float:
    share = float(same.mean())
    return float(np.log(share / (1 - share)))


def photos(faces: Faces) -> None:
    """Print how often the other photos of a person come first, for probes of one photo or several."""
    rng = np.random.default_rng(0)
    everyone = [np.flatnonzero(faces.people == person) for person in range(faces.people.max() + 1)]
    people = [rng.permutation(members) for members in everyone if len(members) >= 4]
    print(f"{len(people)} people with at least four photos, among {len(faces.people):,} faces")
    labels = find_clusters(faces)
    numbers = np.where(labels < 0, -1 - np.arange(len(labels)), labels)
    members, offsets = choose_cohort(faces.embeddings, labels), gallery_offsets(faces, labels)
    for count in (1, 2, 3):
        precisions: list[float] = []
        told, right, wanted = 0, 0, 0
        for own in people:
            candidates = np.setdiff1d(np.arange(len(labels)), own[:3])  # the same whatever the number of probes
            same = faces.people[candidates] == faces.people[own[0]]
            others = np.setdiff1d(members, own[:3])
            cohort = Cohort(faces.embeddings[others], numbers[others])
            for chosen in itertools.combinations(own[:3].tolist(), count):
                mean = mean_probe(faces.embeddings[list(chosen)])
                distances = mean.distances(np.linalg.norm(faces.embeddings[candidates] - mean.direction, axis=1))
                offset = (offsets[candidates] + cohort.offsets(mean.direction[None])) / 2
                chances = same_person_probability(distances, prior=0.001, cohort=(offset, cohort.weight))
                ranked = same[np.argsort(-chances, kind="stable")]
                precisions.append(float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked].mean()))
                is_told = chances >= 0.5
                told, right, wanted = told + is_told.sum(), right + (is_told & same).sum(), wanted + same.sum()
        print(
            f"{count} photos: mean average precision {np.mean(precisions):.4f}; of the faces with a probability of "
            f"at least 0.5, {right / told:.3f} are right, and {right / wanted:.3f} of all are among them"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fit", "order", "photos"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    program = {"fit": fit, "order": order, "photos": photos}[arguments.what]
    program(labeled(arguments.folder, arguments.cache))


if __name__ == "__main__":
    main()

"""The questions to the user, and probes of several photos.

    python benchmarks/questions.py fit FOLDER       probability of a question: its fit, and five-fold cross-validation
    python benchmarks/questions.py order FOLDER     questions until 99 % of the faces are right, by size or suggestions
    python benchmarks/questions.py photos FOLDER    search with one, two and three photos of a person

FOLDER is in the layout of LFW: a folder for each person. Its embeddings are cached among the temporary files.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gallery import labeled
from numpy.typing import NDArray

from faceie import same_person_probability
from faceie.gallery.clusters import Constraints, cluster
from faceie.gallery.records import FaceTable
from faceie.gallery.search import mean_probe
from faceie.gallery.suggestions import Question, find_questions, normalized_similarity, probability_of

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_GOAL = 0.99
_PHOTOS = 3  # of people who count
_REFRESH = 10  # questions from one list
_LEAST = 0.0  # probability of a question: all, the most probable ones first


class Collection:
    """Labeled faces, their clusters, and the statements of the user."""

    def __init__(self, embeddings: Floats, qualities: Floats, truth: Integers, seed: int = 0) -> None:
        order = np.random.default_rng(seed).permutation(len(truth))  # the names of the files are sorted by person
        self.embeddings, self.qualities, self.truth = embeddings[order], qualities[order], truth[order]
        count = len(order)
        constraints = Constraints(np.arange(count), np.full(count, -1), {})
        labels = cluster(self.embeddings, self.qualities, constraints)
        self.people = np.where(labels >= 0, labels + truth.max() + 1, -1)  # clusters come after all names
        self.rejections: dict[int, set[int]] = {}
        self.named: set[int] = set()
        self.counts = np.bincount(truth)[self.truth] >= _PHOTOS
        self.questions = 0

    def right(self) -> float:
        """Return the share of right faces, among those of people with enough photos."""
        named = np.isin(self.people, list(self.named))
        return float((named & (self.people == self.truth))[self.counts].mean())

    def clusters(self) -> list[Integers]:
        """Return the members of the clusters without a name, the largest first."""
        numbers, sizes = np.unique(self.people[self.people >= 0], return_counts=True)
        order = np.argsort(-sizes, kind="stable")
        return [np.flatnonzero(self.people == n) for n in numbers[order].tolist() if n not in self.named]

    def name(self, members: Integers) -> None:
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
        return find_questions(self.table(), self.embeddings, _LEAST)


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


def order(embeddings: Floats, qualities: Floats, truth: Integers) -> None:
    """Print the questions until each share of right faces."""
    shares = (0.9, 0.95, 0.97, 0.98, _GOAL)
    for ask in (by_size, by_suggestions):
        counts = []
        for seed in range(3):
            collection = Collection(embeddings, qualities, truth, seed)
            needed: dict[float, int] = {}
            for _ in ask(collection):
                share = collection.right()
                needed.update({goal: collection.questions for goal in shares if share >= goal and goal not in needed})
                if _GOAL in needed:
                    break
            counts.append([needed.get(goal, 0) for goal in shares])
        medians = np.median(counts, axis=0).astype(int)
        print(f"{ask.__name__}: " + ", ".join(f"{share:.0%} {n:,}" for share, n in zip(shares, medians, strict=True)))


def fit(embeddings: Floats, qualities: Floats, truth: Integers) -> None:
    """Print the logistic function, and the share of yes among questions of similar probability."""
    from scipy.optimize import minimize

    labels = cluster(embeddings, qualities, Constraints(np.arange(len(truth)), np.full(len(truth), -1), {}))
    keys = np.where(labels >= 0, labels, len(truth) + np.arange(len(truth)))
    _, group, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), embeddings.shape[1]), np.float32)
    np.add.at(sums, group, embeddings)
    people = np.array([np.bincount(truth[group == number]).argmax() for number in range(len(sizes))])
    a, b, similarity = normalized_similarity(sums / np.linalg.norm(sums, axis=1, keepdims=True))
    asked = (sizes[a] > 1) | (sizes[b] > 1)
    a, b, x = a[asked], b[asked], similarity[asked].astype(np.float64)
    same = people[a] == people[b]

    def fitted(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        def loss(parameters: NDArray[np.float64]) -> float:
            odds = parameters[0] * x[chosen] + parameters[1]
            return float((np.logaddexp(0, odds) - same[chosen] * odds).sum())

        result: NDArray[np.float64] = minimize(loss, np.zeros(2)).x
        return result

    centers = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    for name, order_by in (("cosine", np.einsum("ij,ij->i", centers[a], centers[b])), ("normalized", x)):
        print(f"of the first 50 pairs by {name}, {same[np.argsort(-order_by)[:50]].sum()} are one person")
    slope, offset = fitted(np.ones(len(x), np.bool_))
    print(f"{len(x):,} pairs, {same.sum()} of one person: even {-offset / slope:.3f}, slope {slope:.1f}")
    fold = (people[a] + people[b]) % 5
    held_out = np.empty(len(x))
    for number in range(5):
        slope, offset = fitted(fold != number)
        held_out[fold == number] = 1 / (1 + np.exp(-(slope * x[fold == number] + offset)))
    for name, chances in (("five folds", held_out), ("as shipped", probability_of(x.astype(np.float32)))):
        for low, high in ((0.01, 0.05), (0.05, 0.2), (0.2, 0.5), (0.5, 1.01)):
            within = (chances >= low) & (chances < high)
            if within.any():
                told, true = chances[within].mean(), same[within].mean()
                print(f"{name}: {within.sum():>5} questions told {told:.3f}, yes {true:.3f}")


def photos(embeddings: Floats, truth: Integers) -> None:
    """Print how often the other photos of a person come first, for probes of one photo or several."""
    rng = np.random.default_rng(0)
    people = [np.flatnonzero(truth == person) for person in range(truth.max() + 1)]
    people = [rng.permutation(members) for members in people if len(members) >= 4]
    print(f"{len(people)} people with at least four photos, among {len(truth):,} faces")
    for count in (1, 2, 3):
        precisions: list[float] = []
        told, right, wanted = 0, 0, 0
        for members in people:
            candidates = np.setdiff1d(np.arange(len(truth)), members[:3])  # the same whatever the number of probes
            same = truth[candidates] == truth[members[0]]
            for chosen in itertools.combinations(members[:3].tolist(), count):
                mean = mean_probe(embeddings[list(chosen)])
                distances = mean.distances(np.linalg.norm(embeddings[candidates] - mean.direction, axis=1))
                ranked = same[np.argsort(distances)]
                precisions.append(float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked].mean()))
                is_told = same_person_probability(distances, prior=0.001) >= 0.5
                told, right, wanted = told + is_told.sum(), right + (is_told & same).sum(), wanted + same.sum()
        print(
            f"{count} photos: mean average precision {np.mean(precisions):.4f}; of the faces with a probability of "
            f"at least 0.5, {right / told:.3f} are right, and {right / wanted:.3f} of all are among them"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fit", "order", "photos"))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    embeddings, qualities, names = labeled(arguments.folder)
    truth = np.unique(names, return_inverse=True)[1].astype(np.int64)
    if arguments.what == "fit":
        fit(embeddings, qualities, truth)
    elif arguments.what == "order":
        order(embeddings, qualities, truth)
    else:
        photos(embeddings, truth)


if __name__ == "__main__":
    main()

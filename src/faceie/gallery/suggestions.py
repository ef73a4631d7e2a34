"""Questions for the user: which faces and clusters are probably a person, or probably one.

Clustering joins two groups of faces if they are similar enough without any doubt. This module finds the pairs below
that, for the user to answer. Groups are people, clusters and single faces, and each is represented by the mean of its
embeddings. The cosine of two means alone says little, since some faces resemble many others: those that are blurred,
small, old or young. So the similarity is normalized (symmetric score normalization, Auckenthaler et al. 2000, without
the division): from the cosine, the mean cosine of each group with its `_COHORT` most similar groups is subtracted, half
of it for each. Groups within `_RADIUS` may be the same person, and do not belong to the cohort.

A logistic function turns the result into a probability. benchmarks/questions.py fits it, and measures how many
questions the order saves (docs/accuracy.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..nn.parallel import parallel
from ..types import Array
from .assignment import snapshot
from .records import FaceTable, Suggestion
from .store import Store

__all__ = ["Question", "find_questions", "find_suggestions", "normalized_similarity", "probability_of"]

_COHORT = 30  # most similar groups
_RADIUS = 0.65  # cosine of groups that may be the same person
_USUAL = 0.46  # mean cosine with a cohort in LFW: stands for the missing groups in a small gallery
_LEAST = 0.45  # cosine of pairs that are looked at
_EVEN, _SLOPE = 0.244, 36.6  # normalized similarity of probability one half, and the slope of the log odds there
_EVIDENCE = 3  # groups that are apart in one of this many photos are different people

_TILE = 2048  # groups along each side of a block of cosines: 16 MB

Integers = NDArray[np.int64]


class Question(NamedTuple):
    """A pair of groups that are probably one person."""

    faces: Integers
    """Indices of the faces of the first group, by falling quality."""
    cluster: int
    """Number of the first group, or -1 for a single face."""
    person: int
    """Number of the second group: a person, or a cluster that is at least as large."""
    probability: float
    """Probability that both are the same person."""

    @property
    def settled(self) -> float:
        """Expected number of faces that the answer assigns to the right person."""
        return self.probability * len(self.faces)


def find_suggestions(store: Store, limit: int | None, least: float) -> list[Suggestion]:
    """Return the questions of a gallery (see `Gallery.suggestions`)."""
    faces, matrix, _ = snapshot(store)
    hidden, unborn = set(store.faces.hidden_ids()), store.people.unborn()
    suggestions: list[Suggestion] = []
    for question in find_questions(faces, matrix.embeddings, least):
        left_out = hidden | unborn.get(question.person, set())
        asked = tuple(face for face in faces.ids[question.faces].tolist() if face not in left_out)
        if asked:
            cluster = None if question.cluster < 0 else question.cluster
            name = store.people.name_of(question.person)
            suggestions.append(Suggestion(asked, cluster, question.person, name, question.probability))
        if len(suggestions) == limit:
            break
    return suggestions


def find_questions(faces: FaceTable, embeddings: Array, least: float) -> list[Question]:
    """Return the pairs with at least this probability, those first whose answers settle most.

    Each face and each cluster is in question once: the next person for it comes after a no. Pairs that the user has
    ruled out are left out.
    """
    groups = _Groups(faces, embeddings)
    a, b, similarities = normalized_similarity(groups.centers)
    probabilities = probability_of(similarities)
    likely = probabilities >= least
    order = np.argsort(-probabilities[likely], kind="stable")
    asked: set[int] = set()
    questions = []
    for i, j, probability in zip(
        a[likely][order].tolist(), b[likely][order].tolist(), probabilities[likely][order].tolist(), strict=True
    ):
        pair = groups.ask(i, j)
        if pair is None or pair[0] in asked:
            continue
        probability *= 1 - min(1.0, _EVIDENCE * groups.apart(i, j))
        if probability >= least:
            asked.add(pair[0])
            questions.append(
                Question(groups.faces[pair[0]], groups.people[pair[0]], groups.people[pair[1]], probability)
            )
    return sorted(questions, key=lambda question: (-question.settled, -question.probability, question.faces[0]))


class _Groups:
    """People, clusters and single faces."""

    def __init__(self, faces: FaceTable, embeddings: Array) -> None:
        count = len(faces.ids)
        alone = faces.people < 0
        keys = np.where(alone, np.arange(count), count + faces.people)
        found, index = np.unique(keys, return_inverse=True)
        sums = np.zeros((len(found), embeddings.shape[1]), np.float32)
        np.add.at(sums, index, embeddings)
        self.centers: Array = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)  # [groups, 512]
        order = np.lexsort((-faces.qualities, index))
        self.faces = np.split(order, np.flatnonzero(np.diff(index[order])) + 1)
        self.people: list[int] = np.where(found < count, -1, found - count).tolist()
        self._named = set(faces.named.tolist())
        self._photos = [set(faces.photos[members].tolist()) for members in self.faces]
        self._rejections: dict[int, set[int]] = {}
        for face, people in faces.rejections.items():
            self._rejections.setdefault(int(index[face]), set()).update(people)

    def ask(self, a: int, b: int) -> tuple[int, int] | None:
        """Return the pair as a question: whether the first group is the second one. None if it is not to be asked."""
        p, q = self.people[a], self.people[b]
        if p in self._named or (q not in self._named and len(self.faces[a]) > len(self.faces[b])):
            a, b, p, q = b, a, q, p
        if p in self._named or q < 0 or (p < 0 and q not in self._named):
            return None  # two names; two single faces; a face and a cluster without a name
        if q in self._rejections.get(a, ()) or p in self._rejections.get(b, ()):
            return None
        return a, b

    def apart(self, a: int, b: int) -> float:
        """Return the share of the photos of the smaller group that show the other one, too."""
        few, many = sorted((self._photos[a], self._photos[b]), key=len)
        return len(few & many) / len(few)


def normalized_similarity(centers: Array) -> tuple[Integers, Integers, Array]:
    """Return the pairs of similar groups, as two arrays of indices, and their normalized similarities.

    `centers`: [n, 512], unit length.
    """
    blocks = [slice(start, start + _TILE) for start in range(0, len(centers), _TILE)]
    found = parallel(lambda block: _compare(centers, block), blocks)
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    cohorts, a, b, cosines = map(np.concatenate, zip(*found, strict=True))
    return a, b, cosines - (cohorts[a] + cohorts[b]) / 2


def _compare(centers: Array, rows: slice) -> tuple[Array, Integers, Integers, Array]:
    """Return the cohort of each of these groups, and their pairs with later groups."""
    best = np.full((len(centers[rows]), 0), -1, np.float32)
    pairs = []
    for start, cosines in _tiles(centers, rows):
        i, j = np.nonzero(cosines > _LEAST)
        later = start + j > rows.start + i
        pairs.append((rows.start + i[later], start + j[later], cosines[i[later], j[later]]))
        others = np.where(cosines > _RADIUS, np.float32(-1), cosines)  # a group's cosine with itself is 1
        best = np.concatenate([best, others], axis=1)
        count = min(_COHORT, best.shape[1])
        best = np.partition(best, best.shape[1] - count, axis=1)[:, -count:]
    known = best > -1
    missing = _COHORT - known.sum(axis=1)
    cohorts = (np.where(known, best, 0).sum(axis=1) + missing * _USUAL) / _COHORT
    a, b, values = map(np.concatenate, zip(*pairs, strict=True))
    return cohorts, a, b, values


def _tiles(centers: Array, rows: slice) -> Iterator[tuple[int, Array]]:
    for start in range(0, len(centers), _TILE):
        yield start, centers[rows] @ centers[start : start + _TILE].T


def probability_of(similarities: Array) -> NDArray[np.float64]:
    """Return the probability that two groups are the same person, for their normalized similarity."""
    result: NDArray[np.float64] = 1 / (1 + np.exp(-_SLOPE * (similarities.astype(np.float64) - _EVEN)))
    return result

"""Questions for the user: which faces and clusters are probably a person, or probably one.

Clustering joins two groups of faces if their score is positive (`faceie.gallery.clusters`). This module finds the pairs
below that, for the user to answer. Groups are people, clusters and single faces. A logistic function turns the score
into a probability: at the limit of clustering, both answers are equally probable. benchmarks/questions.py fits it, and
measures how many questions the order saves (docs/accuracy.md).
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..types import Array
from .assignment import load_offsets, snapshot
from .clusters import Constraints, find_pairs
from .records import FaceTable, Suggestion
from .store import Store

__all__ = ["Question", "find_questions", "find_suggestions", "probability_of"]

_SLOPE = 46.0  # growth of the log odds with the score
_RAREST = 1e-4  # least probability of pairs that are looked at

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
    for question in find_questions(faces, matrix.embeddings, load_offsets(store, faces.ids, matrix), least):
        left_out = hidden | unborn.get(question.person, set())
        asked = tuple(face for face in faces.ids[question.faces].tolist() if face not in left_out)
        if asked:
            cluster = None if question.cluster < 0 else question.cluster
            name = store.people.name_of(question.person)
            suggestions.append(Suggestion(asked, cluster, question.person, name, question.probability))
        if len(suggestions) == limit:
            break
    return suggestions


def find_questions(faces: FaceTable, embeddings: Array, offsets: Array, least: float) -> list[Question]:
    """Return the pairs with at least this probability, those first whose answers settle most.

    `offsets`: [n], by `faceie.cohort`. Each face and each cluster is in question once: the next person for it comes
    after a no. Pairs that the user has ruled out are left out.
    """
    groups = _Groups(faces)
    known = Constraints(faces.photos, faces.people, faces.rejections)
    pairs = find_pairs(embeddings, known, offsets, _score_of(least))
    probabilities = probability_of(pairs.scores)
    asked: set[int] = set()
    questions = []
    for i, j, probability in zip(pairs.a.tolist(), pairs.b.tolist(), probabilities.tolist(), strict=True):
        pair = groups.ask(i, j)
        if pair is not None and pair[0] not in asked and probability >= least:
            asked.add(pair[0])
            a, b = pair
            questions.append(Question(groups.faces[a], groups.people[a], groups.people[b], probability))
    return sorted(questions, key=lambda question: (-question.settled, -question.probability, question.faces[0]))


def probability_of(scores: Array) -> NDArray[np.float64]:
    """Return the probability that two groups with this score are the same person."""
    result: NDArray[np.float64] = 1 / (1 + np.exp(-_SLOPE * scores.astype(np.float64)))
    return result


def _score_of(probability: float) -> float:
    """Return a score just below that of a probability. Rarer pairs are not looked at."""
    rare = min(max(probability, _RAREST), 1 - _RAREST)
    return log(rare / (1 - rare)) / _SLOPE - 1e-6


class _Groups:
    """People, clusters and single faces, by number."""

    def __init__(self, faces: FaceTable) -> None:
        count = len(faces.ids)
        keys = np.where(faces.people < 0, np.arange(count), count + faces.people)
        found, index = np.unique(keys, return_inverse=True)
        order = np.lexsort((-faces.qualities, index))
        self.faces = np.split(order, np.flatnonzero(np.diff(index[order])) + 1)
        self.people: list[int] = np.where(found < count, -1, found - count).tolist()
        self._of_face: list[int] = index.tolist()
        self._named = set(faces.named.tolist())
        self._rejections: dict[int, set[int]] = {}
        for face, people in faces.rejections.items():
            self._rejections.setdefault(int(index[face]), set()).update(people)

    def ask(self, face: int, other: int) -> tuple[int, int] | None:
        """Return the groups of two faces as a question, whether the first is the second. None if it is not asked."""
        a, b = self._of_face[face], self._of_face[other]
        p, q = self.people[a], self.people[b]
        if p in self._named or (q not in self._named and len(self.faces[a]) > len(self.faces[b])):
            a, b, p, q = b, a, q, p
        if p in self._named or q < 0 or (p < 0 and q not in self._named):
            return None  # two names; two single faces; a face and a cluster without a name
        if q in self._rejections.get(a, ()) or p in self._rejections.get(b, ()):
            return None
        return a, b

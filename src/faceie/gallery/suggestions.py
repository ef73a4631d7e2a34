"""Questions for the user: which faces and clusters are probably a person, or probably one.

Clustering joins two groups of faces if their score is positive (`faceie.gallery.clusters`). This module finds the pairs
below that, for the user to answer. Groups are people, clusters and single faces. A logistic function turns the score
into a probability: at the limit of clustering, both answers are equally probable. benchmarks/questions.py fits it, and
measures how many questions the order saves (docs/accuracy.md).

The pairs are kept while a gallery is open. Each time that questions are asked for, the groups whose faces have changed
are compared again, and only these. So questions never lag behind the gallery, even if another program has changed it.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..types import Array
from .assignment import load_offsets
from .clusters import score_limit
from .groups import in_collages
from .matrix import Matrix, load_matrix
from .pairs import GroupPairs, split_groups
from .records import FaceTable, Suggestion
from .store import Store

__all__ = ["Question", "Questions", "StoredQuestions", "find_questions", "probability_of"]

_SLOPE = 46.0  # growth of the log odds with the score
_RAREST = 1e-4  # least probability of pairs that are looked at
_SLACK = 0.001  # of scores: the limit may grow by this much before all pairs are compared again
_NEWLY = 0.5  # share of faces that have changed, above which all pairs are compared again

Integers = NDArray[np.int64]
Rejections = dict[int, set[int]]


class Question(NamedTuple):
    """A pair of groups that are probably one person."""

    faces: Integers
    """Ids of the faces of the first group, by falling quality."""
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


class _Faces(NamedTuple):
    """Faces that are not ignored, as columns, by ascending id. As in `FaceTable`."""

    ids: Integers
    photos: Integers
    qualities: NDArray[np.float64]
    people: Integers
    offsets: Array

    @property
    def keys(self) -> Integers:
        """Number of the group of each face: of its person, or below 0 for a single face."""
        return np.where(self.people < 0, -1 - self.ids, self.people)

    def take(self, index: NDArray[np.bool_] | Integers) -> _Faces:
        ids, photos, qualities, people, offsets = self
        return _Faces(ids[index], photos[index], qualities[index], people[index], offsets[index])

    def replaced(self, changed: Integers, rows: _Faces) -> _Faces:
        """Return a copy in which these rows stand for the changed faces."""
        kept = self.take(~np.isin(self.ids, changed))
        joined = _Faces(
            np.concatenate([kept.ids, rows.ids]),
            np.concatenate([kept.photos, rows.photos]),
            np.concatenate([kept.qualities, rows.qualities]),
            np.concatenate([kept.people, rows.people]),
            np.concatenate([kept.offsets, rows.offsets]),
        )
        return joined.take(np.argsort(joined.ids, kind="stable"))

    def changed(self, new: _Faces) -> Integers:
        """Return the ids of faces that another state has in another way, or that only one state has."""
        common, i, j = np.intersect1d(self.ids, new.ids, assume_unique=True, return_indices=True)
        differs = np.any([a != b for a, b in zip(self.take(i), new.take(j), strict=True)], axis=0)
        return np.concatenate([common[differs], np.setxor1d(self.ids, new.ids, assume_unique=True)])


_NONE = np.empty(0, np.int64)
_NO_FACES = _Faces(_NONE, _NONE, np.empty(0, np.float64), _NONE, np.empty(0, np.float32))


class Questions:
    """The questions about faces. Knows nothing of databases."""

    def __init__(self, least: float) -> None:
        self.least = least
        self.faces = _NO_FACES
        self._pairs = GroupPairs(0.0)
        self._numbers: dict[int, int] = {}  # of the groups, by their keys
        self._in_collages: set[int] = set()

    def update(self, faces: _Faces, changed: Integers, matrix: Matrix) -> None:
        """Compare the groups of changed faces. The matrix has the embeddings of all faces."""
        bound = score_limit(len(faces.ids)) + _score_of(self.least)
        spare = bound - self._pairs.bound
        if not 0 <= spare <= 2 * _SLACK or len(changed) > _NEWLY * len(faces.ids):
            self.faces, changed = _NO_FACES, faces.ids
            self._pairs, self._numbers, self._in_collages = GroupPairs(bound - _SLACK), {}, set()
        before, self.faces = self.faces, faces
        changed = np.union1d(changed, self._update_collages(before, changed, matrix))
        keys = np.concatenate([state.keys[np.isin(state.ids, changed)] for state in (before, faces)])
        self._pairs.remove(self._numbers.pop(key) for key in set(keys.tolist()) & self._numbers.keys())
        members = faces.take(np.isin(faces.keys, keys))
        alone = np.isin(members.ids, np.fromiter(self._in_collages, np.int64))
        photos = np.where(alone, -1, members.photos)
        groups = split_groups(members.ids, members.people, members.qualities, photos, members.offsets)
        first = len(self._pairs.groups)
        self._pairs.add(groups, matrix)
        for number, group in enumerate(groups, first):
            self._numbers[group.person if group.person >= 0 else -1 - int(group.faces[0])] = number

    def _update_collages(self, before: _Faces, changed: Integers, matrix: Matrix) -> Integers:
        """Find the collages among the photos of changed faces. Return the faces for which this makes a difference."""
        photos = np.concatenate([state.photos[np.isin(state.ids, changed)] for state in (before, self.faces)])
        seen = self.faces.take(np.isin(self.faces.photos, photos))
        rows = np.searchsorted(matrix.ids, seen.ids)
        now = {int(seen.ids[i]) for i in in_collages(matrix.embeddings, seen.photos, rows)}
        was = self._in_collages & {*seen.ids.tolist(), *changed.tolist()}
        self._in_collages = self._in_collages - was | now
        return np.fromiter(was ^ now, np.int64)

    def ask(self, named: Integers, rejections: Rejections, least: float) -> list[Question]:
        """Return the pairs with at least this probability, those first whose answers settle most.

        `named`: numbers of the people with a name; `rejections`: for the id of a face, the people that it is not. Each
        face and each cluster is in question once: the next person for it comes after a no. Pairs that the user has
        ruled out are left out.
        """
        groups, people, sizes, first = self._pairs.groups, self._pairs.people, self._pairs.sizes, self._pairs.first
        pairs = self._pairs.pairs
        forward = first[pairs.a] < first[pairs.b]  # the order of pairs depends on faces only, not on earlier states
        pairs = pairs._replace(a=np.where(forward, pairs.a, pairs.b), b=np.where(forward, pairs.b, pairs.a))
        pairs = pairs.take(np.lexsort((first[pairs.b], first[pairs.a], -pairs.scores)))
        probabilities = probability_of(pairs.scores - np.float32(score_limit(len(self.faces.ids))))
        has_name = np.isin(people, named)
        swap = has_name[pairs.a] | (~has_name[pairs.b] & (sizes[pairs.a] > sizes[pairs.b]))
        a, b = np.where(swap, pairs.b, pairs.a), np.where(swap, pairs.a, pairs.b)
        # Not asked: two names; two single faces; a face and a cluster without a name.
        asked = (probabilities >= least) & ~has_name[a] & (people[b] >= 0) & ((people[a] >= 0) | has_name[b])
        ruled_out = self._ruled_out(rejections)
        if ruled_out:
            for at in np.flatnonzero(asked & (np.isin(a, [*ruled_out]) | np.isin(b, [*ruled_out]))).tolist():
                x, y = int(a[at]), int(b[at])
                asked[at] = people[y] not in ruled_out.get(x, ()) and people[x] not in ruled_out.get(y, ())
        chosen = np.flatnonzero(asked)
        chosen = chosen[np.unique(a[chosen], return_index=True)[1]]  # the best pair of each
        questions = [
            Question(group.faces, group.person, int(people[other]), probability)
            for number, other, probability in zip(*(x[chosen].tolist() for x in (a, b, probabilities)), strict=True)
            if (group := groups[number]) is not None
        ]
        return sorted(questions, key=lambda question: (-question.settled, -question.probability, question.faces[0]))

    def _ruled_out(self, rejections: Rejections) -> Rejections:
        """Return the people that each group is not."""
        faces = np.array([*rejections], np.int64)
        ruled_out: Rejections = {}
        at = np.searchsorted(self.faces.ids, faces)
        for face, row in zip(faces.tolist(), at.tolist(), strict=True):
            if row < len(self.faces.ids) and self.faces.ids[row] == face:
                person = int(self.faces.people[row])
                number = self._numbers[person if person >= 0 else -1 - face]
                ruled_out.setdefault(number, set()).update(rejections[face])
        return ruled_out


class StoredQuestions:
    """The questions of a gallery in a file."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._questions: Questions | None = None

    def find(self, limit: int | None, least: float, person: int | None = None) -> list[Suggestion]:
        """Return the questions (see `Gallery.suggestions`)."""
        with self._store.snapshot():
            questions = self._up_to_date(least)
            named, rejections = self._store.faces.named(), self._store.faces.rejections()
            suggestions: list[Suggestion] = []
            for question in questions.ask(named, rejections, least):
                if person not in (None, question.person):
                    continue
                if len(suggestions) == limit:
                    break
                left_out = self._store.faces.out_of_question(question.faces.tolist(), question.person)
                asked = tuple(face for face in question.faces.tolist() if face not in left_out)
                if asked:
                    cluster = None if question.cluster < 0 else question.cluster
                    name = self._store.people.name_of(question.person)
                    suggestions.append(Suggestion(asked, cluster, question.person, name, question.probability))
            return suggestions

    def _up_to_date(self, least: float) -> Questions:
        if self._questions is None or least < self._questions.least:
            self._questions = Questions(least)
            self._store.changes.watch()
        before = self._questions.faces
        noted = self._store.changes.take()
        if noted is not None and not noted:
            return self._questions
        matrix = load_matrix(self._store)
        if noted is None:  # another program has written, or very many faces have changed
            faces = self._load(matrix, None)
            changed = before.changed(faces)
        else:
            changed = np.array(sorted(noted), np.int64)
            faces = before.replaced(changed, self._load(matrix, changed.tolist()))
        self._questions.update(faces, changed, matrix)
        return self._questions

    def _load(self, matrix: Matrix, ids: list[int] | None) -> _Faces:
        found, photos, qualities, people, _ = self._store.faces.columns(ids)
        return _Faces(found, photos, qualities, people, load_offsets(self._store, found, matrix))


def find_questions(faces: FaceTable, embeddings: Array, offsets: Array, least: float) -> list[Question]:
    """Return the questions about the faces of a table, whose ids are 0, 1, 2 and so on. `offsets`: [n]."""
    questions = Questions(least)
    columns = _Faces(faces.ids, faces.photos, faces.qualities, faces.people, offsets)
    questions.update(columns, faces.ids, Matrix(faces.ids, embeddings))
    return questions.ask(faces.named, faces.rejections, least)


def probability_of(scores: Array) -> NDArray[np.float64]:
    """Return the probability that two groups with this score are the same person."""
    result: NDArray[np.float64] = 1 / (1 + np.exp(-_SLOPE * scores.astype(np.float64)))
    return result


def _score_of(probability: float) -> float:
    """Return a score just below that of a probability. Rarer pairs are not looked at."""
    rare = min(max(probability, _RAREST), 1 - _RAREST)
    return log(rare / (1 - rare)) / _SLOPE - 1e-6

"""Faces that match an ignored stranger: they are ignored, too.

A new face is ignored if it belongs to no person or cluster, and if the most similar face of all that are labeled is a
stranger whom the user ignores, with a probability of at least `_PROBABILITY` at a prior of `_PRIOR`. Both are judged
among the gallery's cohort. The face is ignored as long as there is such a stranger. False positives (not a face)
resemble each other too little for this.
"""

from __future__ import annotations

import numpy as np

from ..recognition import pairwise_distances, same_person_probability
from ..types import Array
from .matrix import Matrix, load_cohort, load_matrix, nearest
from .store import Store

__all__ = ["ignore_new", "release_unmatched"]

_PRIOR = 0.001  # one of a thousand new faces shows this stranger
_PROBABILITY = 0.99
_STRANGER = "stranger"
_NEAREST = 32  # most similar faces, among which the nearest labeled one is looked for


def ignore_new(store: Store) -> int:
    """Ignore the faces that were added since the last time and match a stranger. Return how many."""
    watched = store.setting("watched")
    if watched is None or store.faces.newest_id() <= int(watched):
        return 0
    with store.transaction():
        table = store.faces.table()
        new = table.ids[(table.ids > int(watched)) & (table.people < 0)].tolist()
        drawn = store.faces.drawn()  # the user wants to see these
        matching = _matching(store, [face for face in new if face not in drawn])
        store.people.ignore(matching, _STRANGER, confirmed=False)
        store.set("watched", int(table.ids[-1]))
    return len(matching)


def release_unmatched(store: Store) -> list[int]:
    """Take back the faces that were ignored since they matched a stranger who is no longer ignored. Return them."""
    guessed = store.people.ignored(_STRANGER, confirmed=False)
    released = sorted({*guessed} - {*_matching(store, guessed)})
    store.people.notice(released)
    return released


def _matching(store: Store, faces: list[int]) -> list[int]:
    """Return those of these faces, ascending, that match a stranger whom the user ignores."""
    strangers = store.people.ignored(_STRANGER, confirmed=True)
    weights = store.setting("calibration")
    if not faces or not strangers or not weights:
        return []
    matrix, table = load_matrix(store), store.faces.table()
    known = {*strangers, *table.ids[table.people >= 0].tolist()}
    embeddings = matrix.embeddings[np.searchsorted(matrix.ids, faces)]  # [faces, 512]
    theirs = matrix.embeddings[np.searchsorted(matrix.ids, strangers)]  # [strangers, 512]
    cohort = load_cohort(store, matrix)
    offsets = (cohort.offsets(embeddings)[:, None] + cohort.offsets(theirs)) / 2  # [faces, strangers]
    chances = same_person_probability(
        pairwise_distances(embeddings, theirs), prior=_PRIOR, weights=weights, cohort=(offsets, cohort.weight)
    ).max(axis=1)
    return [
        face
        for face, embedding, chance in zip(faces, embeddings, chances, strict=True)
        if chance >= _PROBABILITY and _nearest_of(known - {face}, matrix, embedding) in strangers
    ]


def _nearest_of(faces: set[int], matrix: Matrix, embedding: Array) -> int | None:
    """Return the nearest of these faces, or None if it is not among the nearest of all."""
    rows, _ = nearest(matrix, embedding, _NEAREST)
    return next((face for face in matrix.ids[rows].tolist() if face in faces), None)

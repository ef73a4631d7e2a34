"""Which faces belong to which person or cluster: computed by `clusters`, stored if nothing has changed since.

Faces are compared outside of any transaction, so other programs can write during that. The result is stored only if the
compared faces and the user's statements about them are still the same. Otherwise, the comparison starts again. Faces
that were added in between wait for the next time.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import GalleryError
from ..types import Array
from .clusters import Constraints, choose_cohort, cluster, join
from .database import is_full, is_locked
from .matrix import Matrix, load_cohort, load_matrix
from .records import FaceTable
from .store import Store

__all__ = ["assign_new", "cluster_all", "cluster_if_possible", "is_clustered", "load_offsets", "snapshot"]

_ATTEMPTS = 5  # to finish a comparison before another program changes the gallery
_MANY = 1000  # faces, from which all rows are read
_PATIENCE = 1.0  # seconds to wait for the write lock when clustering was not asked for

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

_NONE = np.empty(0, np.int64)


def is_clustered(store: Store) -> bool:
    """Tell whether the faces have been clustered since the last one was added or deleted."""
    return store.setting("clustered") == str(store.revision())


def cluster_if_possible(store: Store) -> None:
    """Cluster all faces if they have changed, unless another program holds the lock or the disk is full."""
    if not is_clustered(store) and not store.is_read_only:
        try:
            _cluster_all(store, _PATIENCE)
        except sqlite3.OperationalError as error:
            if not (is_locked(error) or is_full(error)):
                raise


def cluster_all(store: Store) -> None:
    """Cluster all faces, except those that the user has assigned. Raises GalleryError.

    Clusters keep their numbers if most of their faces stay.
    """
    if not _cluster_all(store):
        raise GalleryError(
            f"{store.path}: other programs keep changing this gallery; try again when they have finished"
        )


def _cluster_all(store: Store, patience: float | None = None) -> bool:
    for _ in range(_ATTEMPTS):
        faces, matrix, revision = snapshot(store)
        if not len(faces.ids):
            return True
        constraints = Constraints(faces.photos, faces.fixed_people, faces.rejections)
        labels = cluster(matrix.embeddings, faces.qualities, constraints)
        members, offsets = _judge(matrix.embeddings, labels)
        with store.transaction(patience):
            if faces.is_prefix_of(store.faces.table()):
                _store_clusters(store, faces, labels)
                store.faces.delete_offsets()
                store.faces.put_offsets(_offset_rows(faces.ids, offsets, members))
                store.set("clustered", revision)
                return True
    return False


def _judge(embeddings: Array, labels: Integers) -> tuple[Integers, Array]:
    """Return the faces of the gallery's cohort, and the offsets of all faces."""
    people = np.where(labels < 0, -1 - np.arange(len(labels)), labels)
    members = choose_cohort(embeddings, labels)
    return members, Cohort(embeddings[members], people[members]).offsets(embeddings, people)


def _offset_rows(ids: Integers, offsets: Array, members: Integers) -> Iterator[tuple[int, float, bool]]:
    """Yield rows to store. Four digits, since others depend on the machine."""
    chosen = np.zeros(len(ids), np.bool_)
    chosen[members] = True
    yield from zip(ids.tolist(), offsets.astype(np.float64).round(4).tolist(), chosen.tolist(), strict=True)


def _store_clusters(store: Store, faces: FaceTable, labels: Integers) -> None:
    people = _without_unborn(store, faces.ids, _number_clusters(store, labels, faces), faces.confirmed)
    changed = np.flatnonzero(people != faces.people)
    numbers = (int(number) if number >= 0 else None for number in people[changed])
    store.people.assign(zip(faces.ids[changed].tolist(), numbers, strict=True))
    store.people.delete_empty_clusters()
    store.set("joined", max(int(faces.ids[-1]), int(store.setting("joined") or 0)))


def assign_new(store: Store) -> int:
    """Assign faces that were added since the last time to known people and clusters. Return how many were assigned."""
    for _ in range(_ATTEMPTS):
        last = int(store.setting("joined") or 0)
        if store.faces.newest_id() <= last:
            return 0
        faces, matrix, _ = snapshot(store)
        new = np.flatnonzero((faces.ids > last) & (faces.people < 0))
        people = np.full(len(new), -1)
        offsets = load_offsets(store, faces.ids, matrix)
        if (faces.people >= 0).any():
            people = join(matrix.embeddings, new, Constraints(faces.photos, faces.people, faces.rejections), offsets)
        people = _without_unborn(store, faces.ids[new], people)
        known = people >= 0
        with store.transaction():
            if faces.is_prefix_of(store.faces.table()):
                store.people.assign(zip(faces.ids[new[known]].tolist(), people[known].tolist(), strict=True))
                store.faces.put_offsets(_offset_rows(faces.ids[new], offsets[new], _NONE))
                store.set("joined", int(faces.ids[-1]))
                return int(known.sum())
    return 0  # the next run or the next clustering does it


def load_offsets(store: Store, faces: Integers, matrix: Matrix) -> Array:
    """Return the offsets of faces by their ids: those stored, or else among the cohort of the last clustering."""
    ids = faces.tolist()
    known = store.faces.offsets(ids if len(ids) < _MANY else None)
    offsets = np.array([known.get(face, 0.0) for face in ids], np.float32)
    missing = np.array([face not in known for face in ids], np.bool_)
    if missing.any():
        rows = np.searchsorted(matrix.ids, faces[missing])
        offsets[missing] = load_cohort(store, matrix).offsets(matrix.embeddings[rows])
    return offsets


def _without_unborn(store: Store, ids: Integers, people: Integers, confirmed: Booleans | None = None) -> Integers:
    """Take the faces away from people who were born after the photo was taken, unless the user has confirmed them."""
    for person, faces in store.people.unborn().items():
        unborn = (people == person) & np.isin(ids, list(faces))
        people = np.where(unborn if confirmed is None else unborn & ~confirmed, -1, people)
    return people


def snapshot(store: Store) -> tuple[FaceTable, Matrix, int]:
    """Return all faces that are not ignored, their embeddings and the revision, all of one state of the gallery."""
    with store.snapshot():
        faces, matrix, revision = store.faces.table(), load_matrix(store), store.revision()
    if len(faces.ids) < len(matrix.ids):
        matrix = Matrix(faces.ids, matrix.embeddings[np.searchsorted(matrix.ids, faces.ids)])
    return faces, matrix, revision


def _number_clusters(store: Store, labels: Integers, faces: FaceTable) -> Integers:
    """Return the number of each face's person or cluster, or -1: for each label an existing one, or else a new one."""
    fixed = faces.fixed_people
    number_of: dict[int, int] = {}
    of_person = fixed >= 0
    number_of.update(zip(labels[of_person].tolist(), fixed[of_person].tolist(), strict=True))
    # Clusters without a statement of the user keep their number where most of their faces are.
    untouched = store.people.clusters() - set(fixed[of_person].tolist())
    was = np.isin(faces.people, list(untouched)) & (labels >= 0)
    rejected = {(int(labels[face]), number) for face, numbers in faces.rejections.items() for number in numbers}
    shared = Counter(zip(labels[was].tolist(), faces.people[was].tolist(), strict=True))
    for (label, number), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if label not in number_of and number in untouched and (label, number) not in rejected:
            number_of[label] = number
            untouched.discard(number)
    sizes = Counter(labels[labels >= 0].tolist())
    for label in sorted(sizes, key=lambda label: (-sizes[label], label)):
        if label not in number_of:
            number_of[label] = store.people.insert()
    return np.array([number_of.get(label, -1) for label in labels.tolist()], np.int64)

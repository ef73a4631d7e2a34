"""Clusters follow their rules: beside a slow twin that is written from them, and one by one."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceie import FaceieError
from faceie.gallery import clusters as module
from faceie.gallery.clusters import GOOD_QUALITY, RADIUS, STRICT, TWIN, Constraints, cluster, join

from .conftest import face_of, near, person


def known(count: int, **changes: Any) -> Constraints:
    """Return constraints without any known fact."""
    return Constraints(np.arange(count), np.full(count, -1), {})._replace(**changes)


def groups(labels: np.ndarray) -> set[frozenset[int]]:
    """Return the clusters as sets of faces."""
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist()) - {-1}}


def twin(embeddings: np.ndarray, qualities: np.ndarray, about: Constraints) -> set[frozenset[int]]:
    """Apply the rules in the docstring of `faceie.gallery.clusters` pair by pair, in float64."""
    x = embeddings.astype(np.float64)
    square = ((x[:, None] - x[None]) ** 2).sum(-1)
    good = np.flatnonzero(qualities >= GOOD_QUALITY)
    sets = [frozenset([i]) for i in range(len(x))]
    in_collages = set[int]()
    for photo in set(about.photos.tolist()):
        faces = np.flatnonzero(about.photos == photo).tolist()
        close = [square[i, j] < RADIUS**2 for i in faces for j in faces if i < j]
        if sum(close) >= 4 and sum(close) >= len(close) / 4:
            in_collages |= set(faces)
    for person_ in set(about.people.tolist()) - {-1}:
        together = frozenset(np.flatnonzero(about.people == person_).tolist())
        sets = [one for one in sets if not one & together] + [together]

    def of(face: int) -> frozenset[int]:
        return next(one for one in sets if face in one)

    def people(one: Iterable[int]) -> set[int]:
        return {int(about.people[face]) for face in one} - {-1}

    def attempt(a: int, b: int) -> None:
        nonlocal sets
        p, q = of(a), of(b)
        denied = any(about.rejections.get(f, set()) & people(o) for one, o in ((p, q), (q, p)) for f in one)
        in_p, in_q = ({about.photos[f] for f in one if f not in in_collages} for one in (p, q))
        apart = 0
        for photo in in_p & in_q:
            pairs = [square[i, j] for i in p for j in q if about.photos[i] == about.photos[j] == photo]
            apart += min(pairs) > TWIN**2
        share = min(3 * apart / max(min(len(in_p), len(in_q)), 1), 1)
        limit = RADIUS**2 + share * (STRICT**2 - RADIUS**2)
        far = np.mean([square[i, j] for i in p for j in q]) > limit
        if p != q and not denied and not far and not (people(p) and people(q)):
            sets = [one for one in sets if one not in (p, q)] + [p | q]

    def edges(rows: Iterable[int], columns: Iterable[int]) -> list[tuple[float, int, int]]:
        return sorted((square[i, j], i, j) for i in rows for j in columns if i != j and square[i, j] < RADIUS**2)

    trees = [{int(i)} for i in good]
    for _, i, j in edges(good, good):
        a, b = (next(tree for tree in trees if face in tree) for face in (i, j))
        if a is not b:
            trees = [tree for tree in trees if tree is not a and tree is not b] + [a | b]
            attempt(i, j)
    poor = [i for i in range(len(x)) if qualities[i] < GOOD_QUALITY]
    for _, i, j in edges(poor, good):
        settled = [len(of(face)) > 1 or bool(people(of(face))) for face in (i, j)]
        if not settled[0] and settled[1]:
            attempt(i, j)
    return {one for one in sets if len(one) > 1 or people(one)}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_clusters_are_those_of_the_twin(seed: int) -> None:
    """Random people with look-alikes, poor faces, shared photos, known people and rejections."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 40))
    centers = [person(0), near(person(0), 0.75, 1), near(person(0), 0.85, 2), person(3)]
    embeddings = np.stack(
        [near(centers[rng.integers(4)], rng.uniform(0.2, 0.7), int(rng.integers(10**6))) for _ in range(count)]
    )
    qualities = np.where(rng.random(count) < 0.2, 0.3, 0.9)
    about = Constraints(
        rng.integers(0, count, count),
        np.where(rng.random(count) < 0.15, rng.integers(0, 3, count), -1),
        {int(face): {int(rng.integers(0, 3))} for face in rng.integers(0, count, 2)},
    )
    about = about._replace(rejections={face: who - {int(about.people[face])} for face, who in about.rejections.items()})
    labels = cluster(embeddings, qualities, about)
    assert groups(labels) == twin(embeddings, qualities, about)


def test_people_are_found() -> None:
    """Three people of five photos each, and one of one: three clusters."""
    faces = [face_of(who, variant) for who in (1, 2, 3) for variant in range(5)] + [person(9)]
    labels = cluster(np.stack(faces), np.ones(16), known(16))
    assert groups(labels) == {frozenset(range(5)), frozenset(range(5, 10)), frozenset(range(10, 15))}
    assert labels[15] == -1


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of any size, and an early thinning of edges, give the same clusters; a minimum of two has no effect."""
    rng = np.random.default_rng(1)
    faces = np.stack([face_of(int(who), variant) for variant, who in enumerate(rng.integers(0, 9, 90))])
    qualities = np.where(rng.random(90) < 0.2, 0.2, 1)
    expected = groups(cluster(faces, qualities, known(90)))
    assert len(expected) == 9
    monkeypatch.setattr(module, "_TILE", 7)
    monkeypatch.setattr(module, "_EDGES", 20)
    assert groups(cluster(faces, qualities, known(90))) == expected


def test_a_chain_is_no_person() -> None:
    """PhotoAnalysis-alikes, each close to the next, do not make one of two people."""
    a, b = person(1).astype(np.float64), person(2).astype(np.float64)
    steps = [np.cos(t) * a + np.sin(t) * b for t in np.linspace(0, np.pi / 2, 4)]
    chain = np.stack([step / np.linalg.norm(step) for step in steps]).astype(np.float32)
    assert (np.linalg.norm(np.diff(chain, axis=0), axis=1) < RADIUS).all()
    labels = cluster(chain, np.ones(4), known(4))
    assert labels[0] != labels[3]


def test_two_faces_of_a_photo_are_two_people() -> None:
    """Two who look alike, side by side, stay two, alone and in many photos; unless the user has said that they are
    one.
    """
    faces = np.stack([face_of(1, 1), near(face_of(1, 1), 0.7, 5)])
    photos = np.zeros(2, np.int64)
    assert groups(cluster(faces, np.ones(2), known(2, photos=photos))) == set()
    said = known(2, photos=photos, people=np.array([4, 4]))
    assert groups(cluster(faces, np.ones(2), said)) == {frozenset([0, 1])}
    anna, ben = person(1), near(person(1), 0.7, 5)
    both = np.stack([near(one, 0.3, 10 * k + v) for v in range(6) for k, one in enumerate((anna, ben))])
    photos = np.repeat(np.arange(6), 2)
    expected = {frozenset(range(0, 12, 2)), frozenset(range(1, 12, 2))}
    assert groups(cluster(both, np.ones(12), known(12, photos=photos))) == expected


def test_a_mirror_shows_one_person() -> None:
    """Two faces in one photo that are closer than those of siblings are one."""
    faces = np.stack([face_of(1, 1), near(face_of(1, 1), 0.4, 5), face_of(1, 2)])
    assert groups(cluster(faces, np.ones(3), known(3, photos=np.array([0, 0, 1])))) == {frozenset(range(3))}


@pytest.mark.parametrize("size", [4, 9, 16])
def test_a_collage_does_not_shatter_a_person(size: int) -> None:
    """One person many times in one photo is one, with her single photos."""
    faces = np.stack([face_of(1, v) for v in range(12 + size)])
    photos = np.array([*range(12), *[12] * size])
    assert groups(cluster(faces, np.ones(len(faces)), known(len(faces), photos=photos))) == {
        frozenset(range(12 + size))
    }


def test_a_minimum_of_three_leaves_pairs_alone() -> None:
    """Faces with fewer neighbors build nothing."""
    faces = np.stack([face_of(1, 1), face_of(1, 2), *(face_of(2, v) for v in range(3))])
    assert groups(cluster(faces, np.ones(5), known(5), minimum=3)) == {frozenset([2, 3, 4])}


def test_poor_faces_join_but_do_not_build() -> None:
    """Two poor faces alone are no cluster; with a good pair they join it."""
    faces = np.stack([face_of(1, v) for v in range(4)])
    assert groups(cluster(faces[:2], np.full(2, 0.2), known(2))) == set()
    assert groups(cluster(faces, np.array([0.2, 0.2, 0.9, 0.9]), known(4))) == {frozenset(range(4))}


def test_new_faces_join_people() -> None:
    """Only those who are close, not denied, and not there in the same photo."""
    faces = np.stack([face_of(1, 1), face_of(2, 1), face_of(1, 2), face_of(1, 3), person(9), face_of(2, 2)])
    about = Constraints(np.array([0, 1, 2, 0, 3, 4]), np.array([7, 8, -1, -1, -1, -1]), {5: {8}})
    assert join(faces, np.array([2, 3, 4, 5]), about).tolist() == [7, -1, -1, -1]


def test_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said what to install."""
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(FaceieError, match="pip install scipy"):
        cluster(np.stack([person(1), person(2)]), np.ones(2), known(2))

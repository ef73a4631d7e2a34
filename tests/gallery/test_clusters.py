"""Clusters follow their rules: beside a slow twin that is written from them, and one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import NormalDist
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceie import set_threads
from faceie.gallery import cells, scores
from faceie.gallery import clusters as module
from faceie.gallery.clusters import GOOD_QUALITY, Constraints, cluster, join
from faceie.gallery.groups import RADIUS, TWIN

from .conftest import face_of, near, person


def known(count: int, **changes: Any) -> Constraints:
    """Return constraints without any known fact."""
    return Constraints(np.arange(count), np.full(count, -1), {})._replace(**changes)


def groups(labels: np.ndarray) -> set[frozenset[int]]:
    """Return the clusters as sets of faces."""
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist()) - {-1}}


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def twin(embeddings: np.ndarray, qualities: np.ndarray, about: Constraints) -> set[frozenset[int]]:
    """Apply the rules in the docstrings of `faceie.gallery.clusters` and `faceie.cohort` pair by pair, in float64."""
    x = embeddings.astype(np.float64)
    cosine, square = x @ x.T, ((x[:, None] - x[None]) ** 2).sum(-1)
    order = module._canonical_order(embeddings).tolist()
    good = [face for face in order if qualities[face] >= GOOD_QUALITY]
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
    offsets = np.zeros(len(x))

    def of(face: int) -> frozenset[int]:
        return next(one for one in sets if face in one)

    def people(one: Iterable[int]) -> set[int]:
        return {int(about.people[face]) for face in one} - {-1}

    def settled(one: frozenset[int]) -> bool:
        return len(one) > 1 or bool(people(one))

    def score(p: frozenset[int], q: frozenset[int], stricter: float) -> float:
        lengths = [np.sqrt(np.mean([cosine[i, j] for i in one for j in one])) for one in (p, q)]
        mean = np.mean([cosine[i, j] for i in p for j in q])
        bonus = min(0.08 * np.log2(1 + (max(len(p), len(q)) - 1) / 24), 0.2)
        limit = 0.67 + 0.02 * np.log2(max(len(x), 500) / 5000) + stricter
        own = (offsets[list(p)].mean() + offsets[list(q)].mean()) / 2
        return float(mean / np.sqrt(lengths[0] * lengths[1]) - own + bonus - limit)

    def allowed(p: frozenset[int], q: frozenset[int], value: float) -> bool:
        if people(p) and people(q):
            return False
        if any(about.rejections.get(f, set()) & people(o) for one, o in ((p, q), (q, p)) for f in one):
            return False
        in_p, in_q = ({about.photos[f] for f in one if f not in in_collages} for one in (p, q))
        apart = 0
        for photo in in_p & in_q:
            pairs = [
                square[i, j]
                for i in p
                for j in q
                if about.photos[i] == about.photos[j] == photo and not {i, j} & in_collages
            ]
            apart += min(pairs) > TWIN**2
        return value > 0.25 * min(3 * apart / max(min(len(in_p), len(in_q)), 1), 1)

    def unite(p: frozenset[int], q: frozenset[int]) -> None:
        nonlocal sets
        sets = [one for one in sets if one not in (p, q)] + [p | q]

    def judge(faces: list[int]) -> None:
        cohort, counts = list[int](), Counter[frozenset[int]]()
        for face in faces:
            counts[of(face)] += 1
            if counts[of(face)] <= 4:
                cohort.append(face)
        new = [
            offset(cosine[face], [other for other in cohort if other not in of(face)], len(cohort)) for face in faces
        ]
        offsets[faces] = new

    for number in range(4):
        stricter = 0.0 if number else 0.11
        if number:
            judge(good)
        refused = set[frozenset[frozenset[int]]]()
        while True:
            groups_ = {of(face) for face in good}
            ranked = sorted(
                (-score(p, q, stricter), *sorted((p, q), key=min)) for p in groups_ for q in groups_ if min(p) < min(q)
            )
            ranked = [(-value, p, q) for value, p, q in ranked if value < 0 and frozenset([p, q]) not in refused]
            best: dict[frozenset[int], int] = {}
            for at, (_, p, q) in enumerate(ranked):
                best.setdefault(p, at)
                best.setdefault(q, at)
            if not ranked:
                break
            stale, grown = set[frozenset[int]](), Counter[frozenset[int]]()
            for at, (value, p, q) in enumerate(ranked):
                large, small = (p, q) if len(p) > len(q) else (q, p)
                mutual = best[p] == best[q] == at
                size = grown[large] + len(small)
                if {p, q} & stale or not (mutual or (best[small] == at and 2 * size <= len(large))):
                    continue
                if not allowed(of(min(large)), of(min(small)), value):
                    refused.add(frozenset([p, q]))
                    continue
                unite(of(min(large)), of(min(small)))
                stale.add(small)
                grown[large] = size
                if 2 * size > len(large):
                    stale.add(large)
    poor = [face for face in order if qualities[face] < GOOD_QUALITY]
    judge(order)
    to = [one for one in sets if settled(one)]
    waiting = [(score(of(face), one, 0.0), face, one) for face in poor if not settled(of(face)) for one in to]
    for value, face, one in sorted(((v, f, o) for v, f, o in waiting if v > 0), key=lambda item: -item[0]):
        if not settled(of(face)) and allowed(of(face), of(min(one)), value):
            unite(of(face), of(min(one)))
    return {one for one in sets if settled(one)}


def offset(cosines: np.ndarray, others: list[int], size: int) -> float:
    """Return the offset of a face with these cosines among a cohort, of which `others` are not of its person."""
    nearest = sorted(cosines[others].tolist(), reverse=True)[: max(30, -(-size // 100))]
    if not nearest:
        return 0.0
    share = len(nearest) / len(others)
    normal = NormalDist()
    tail = normal.pdf(normal.inv_cdf(1 - share)) / share if share < 1 else 0.0
    return float((np.mean(nearest) - 0.047 - 0.153 * tail) * size / (size + 500))


@pytest.mark.parametrize("many", [10**6, 0], ids=["all pairs", "near cells"])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_clusters_are_those_of_the_twin(many: int, seed: int) -> None:
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
    with (
        mock.patch.object(module, "_MANY", many),
        mock.patch.object(cells, "_SIZE", 5),
    ):  # at most 8 cells: all are near
        labels = cluster(embeddings, qualities, about)
    assert groups(labels) == twin(embeddings, qualities, about)


def test_near_cells_miss_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking only into near cells finds the clusters that comparing all pairs does, whatever the number of threads."""
    rng = np.random.default_rng(3)
    people = rng.permuted(np.repeat(np.arange(400), np.minimum(1 / (1 - rng.random(400)), 300).astype(int)))
    count = len(people)
    spectrum = np.exp(-np.arange(512) / 70)  # as many dimensions as embeddings of FaceNet use
    centers, noise = (_unit(rng.standard_normal((n, 512)) * spectrum) for n in (400, count))
    faces = _unit(centers[people] + rng.uniform(0.35, 0.75, (count, 1)) * noise).astype(np.float32)
    by_all_pairs = cluster(faces, np.ones(count), known(count))
    monkeypatch.setattr(module, "_MANY", 100)
    monkeypatch.setattr(cells, "_SIZE", 10)
    by_cells = list[np.ndarray]()
    for number in (1, 3):
        set_threads(number)
        by_cells.append(cluster(faces, np.ones(count), known(count)))
    assert (by_cells[0] == by_cells[1]).all()
    together = [labels[:, None] == labels for labels in (by_all_pairs, by_cells[0])]
    precision, recall = ((together[0] & together[1]).sum() / one.sum() for one in together[::-1])
    assert len(set(by_all_pairs.tolist())) > 100
    assert min(precision, recall) > 0.99


def test_people_are_found() -> None:
    """Three people of five photos each, and one of one: three clusters."""
    faces = [face_of(who, variant) for who in (1, 2, 3) for variant in range(5)] + [person(9)]
    labels = cluster(np.stack(faces), np.ones(16), known(16))
    assert groups(labels) == {frozenset(range(5)), frozenset(range(5, 10)), frozenset(range(10, 15))}
    assert labels[15] == -1


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of any size, and few candidates, give the same clusters."""
    rng = np.random.default_rng(1)
    faces = np.stack([face_of(int(who), variant) for variant, who in enumerate(rng.integers(0, 9, 90))])
    qualities = np.where(rng.random(90) < 0.2, 0.2, 1)
    expected = groups(cluster(faces, qualities, known(90)))
    assert len(expected) == 9
    monkeypatch.setattr(module, "_TILE", 7)
    monkeypatch.setattr(scores, "CANDIDATES", 3)
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


def test_poor_faces_join_but_do_not_build() -> None:
    """Two poor faces alone are no cluster; with a good pair they join it."""
    faces = np.stack([face_of(1, v) for v in range(4)])
    assert groups(cluster(faces[:2], np.full(2, 0.2), known(2))) == set()
    assert groups(cluster(faces, np.array([0.2, 0.2, 0.9, 0.9]), known(4))) == {frozenset(range(4))}


def test_new_faces_join_people() -> None:
    """Only those who are close, not denied, and not there in the same photo."""
    faces = np.stack([face_of(1, 1), face_of(2, 1), face_of(1, 2), face_of(1, 3), person(9), face_of(2, 2)])
    about = Constraints(np.array([0, 1, 2, 0, 3, 4]), np.array([7, 8, -1, -1, -1, -1]), {5: {8}})
    assert join(faces, np.array([2, 3, 4, 5]), about, np.zeros(6, np.float32)).tolist() == [7, -1, -1, -1]

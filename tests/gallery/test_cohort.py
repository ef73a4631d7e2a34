"""The gallery is its own cohort: offsets are stored with the clusters, and searches use them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceie import Gallery, distance, same_person_probability
from faceie.gallery.clusters import PER_CLUSTER, Constraints, choose_cohort, cluster

from ..conftest import assert_close
from .conftest import face_of, near, person, put


def fill(gallery: Gallery) -> None:
    """Eight people of six photos each, and eight strangers."""
    for who in range(8):
        for v in range(6):
            put(gallery, f"/{who}-{v}.jpg", face_of(who, v))
        put(gallery, f"/s{who}.jpg", person(100 + who))


def test_offsets_are_stored_with_the_clusters(gallery: Gallery) -> None:
    """They are those of `Cohort`, of four faces of each cluster; a deleted face leaves nothing behind."""
    fill(gallery)
    assert len(gallery.cohort()) == 0
    gallery.cluster()
    cohort = gallery.cohort()
    assert len(cohort) == 8 * PER_CLUSTER + 8
    stored = gallery._store.faces.offsets()
    ids = sorted(stored)
    assert len(ids) == 56
    people = [face.person if face.person else -face.id for face in map(gallery.face, ids)]
    expected = cohort.offsets(np.stack([gallery.embedding(face) for face in ids]), people)
    assert_close(np.array([stored[face] for face in ids], np.float32), expected, 1e-4)
    gallery.forget_photo("/0-0.jpg")
    assert len(gallery._store.faces.offsets()) == 55
    gallery.cluster()
    assert len(gallery._store.faces.offsets()) == 55


def test_a_new_face_is_judged_among_the_stored_cohort(path: Path, gallery: Gallery) -> None:
    """It gets its offset when it joins, and does not enter the cohort before the next clustering."""
    from faceie.gallery.assignment import assign_new

    fill(gallery)
    gallery.cluster()
    before = gallery.cohort()
    (new,) = put(gallery, "/new.jpg", face_of(3, 50))
    assert assign_new(gallery._store) == 1
    assert gallery.face(new).person == gallery.search(face_of(3, 0))[0].face.person
    assert len(gallery.cohort()) == len(before)
    expected = before.offsets(gallery.embedding(new)[None])[0]
    assert gallery._store.faces.offsets([new])[new] == pytest.approx(expected, abs=1e-4)


def test_a_search_uses_the_cohort(gallery: Gallery) -> None:
    """Probabilities are those of `Cohort` with the stored offsets, the most probable first; `distance` stays."""
    fill(gallery)
    probe = face_of(2, 77)
    plain = {match.face.id: match for match in gallery.search(probe, limit=None)}
    gallery.cluster()
    found = gallery.search(probe, limit=None, prior=0.1)
    cohort, stored = gallery.cohort(), gallery._store.faces.offsets()
    own = cohort.offsets(probe[None])[0]
    for match in found:
        exact = float(distance(probe, gallery.embedding(match.face.id)))
        assert match.distance == pytest.approx(exact, abs=1e-6) == plain[match.face.id].distance
        judged = ((own + stored[match.face.id]) / 2, cohort.weight)
        expected = same_person_probability(match.distance, prior=0.1, cohort=judged)
        assert match.probability == pytest.approx(expected, abs=1e-6)
    chances = [match.probability for match in found]
    assert chances == sorted(chances, key=lambda chance: -(chance or 0))
    assert [match.face.id for match in gallery.search(probe, limit=3, prior=0.1)] == [m.face.id for m in found[:3]]


def test_a_gallery_without_offsets_works(gallery: Gallery) -> None:
    """As one of an older version, until its faces are clustered again."""
    fill(gallery)
    gallery.cluster()
    gallery._store.db.execute("DELETE FROM cohort")
    (match,) = gallery.search(face_of(1, 9), limit=1)
    assert match.probability == pytest.approx(same_person_probability(match.distance, prior=0.01), abs=1e-6)


@pytest.mark.file_only
def test_a_gallery_of_an_older_version_is_clustered_again(path: Path, gallery: Gallery) -> None:
    """Its clusters are known, but no cohort: the next list of people makes it."""
    fill(gallery)
    gallery.cluster()
    db = gallery._store.db
    db.execute("DROP TABLE cohort")
    db.execute("DELETE FROM migrations WHERE name = 'm010_cohort'")
    gallery.close()
    with Gallery(path) as again:
        assert not again.is_clustered()
        assert len(again.cohort()) == 0
        assert len(again.people()) == 8
        assert len(again.cohort()) == 8 * PER_CLUSTER + 8


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_photos_makes_no_difference(seed: int) -> None:
    """Any order of faces gives the same clusters and the same cohort, and the user's statements are law."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 60))
    centers = [person(0), near(person(0), 0.75, 1), near(person(0), 0.85, 2), person(3)]
    faces = [near(centers[rng.integers(4)], rng.uniform(0.2, 0.7), int(rng.integers(10**6))) for _ in range(count)]
    embeddings, qualities = np.stack(faces), np.where(rng.random(count) < 0.2, 0.3, 0.9)
    people = np.where(rng.random(count) < 0.1, rng.integers(0, 3, count), -1)
    rejections = {int(face): {0, 1, 2} - {int(people[face])} for face in rng.integers(0, count, 4)}
    about = Constraints(rng.integers(0, count, count), people, rejections)
    labels = cluster(embeddings, qualities, about)
    of_person = {who: set(labels[people == who].tolist()) for who in range(3) if (people == who).any()}
    assert all(len(found) == 1 and -1 not in found for found in of_person.values())
    assert len(set.union(set(), *of_person.values())) == len(of_person)
    assert not [face for face, whom in rejections.items() for who in whom if labels[face] in of_person.get(who, ())]
    order = rng.permutation(count)
    again = np.empty(count, np.int64)
    again[order] = cluster(embeddings[order], qualities[order], about.take(order))
    assert np.array_equal(labels < 0, again < 0)
    same = labels[:, None] == labels
    assert np.array_equal(same, again[:, None] == again)
    chosen = choose_cohort(embeddings, labels)
    assert set(order[choose_cohort(embeddings[order], labels[order])].tolist()) == set(chosen.tolist())

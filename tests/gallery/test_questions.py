"""Questions: which ones are asked, and that answers last. Ignored faces, covers, dates of birth, forgotten photos."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceie import Gallery, GalleryError, OptionError
from faceie.gallery import Suggestion
from faceie.gallery.clusters import Constraints
from faceie.gallery.pairs import find_pairs
from faceie.gallery.search import mean_probe
from faceie.gallery.strangers import ignore_new

from .conftest import Prepared, an_analysis, by_words, face_of, fakes, near, person, put, units
from .test_forget import left


def apart(who: int, variant: int, angle: float = 0.89) -> np.ndarray:
    """Return an embedding of a made-up person at another age: those of one variant are close to each other, but just
    not close enough to the others to join them without a question.
    """
    return near(near(person(who), angle, 5000 + 10 * who), 0.35, 9000 + variant)


def doubtful(gallery: Gallery) -> tuple[list[int], list[int]]:
    """Fill a gallery with Anna in two clusters, of five and four faces, and others; return the faces of both."""
    young = [put(gallery, f"/young-{v}.jpg", near(person(1), 0.35, v))[0] for v in range(5)]
    old = [put(gallery, f"/old-{v}.jpg", apart(1, v))[0] for v in range(4)]
    for who in range(2, 6):
        for v in range(3):
            put(gallery, f"/{who}-{v}.jpg", near(person(who), 0.35, 100 * who + v))
    return young, old


def cluster_of(gallery: Gallery, faces: list[int]) -> int:
    """Return the number of the cluster or person that all these faces belong to."""
    (number,) = {gallery.face(face).person for face in faces}
    assert number is not None
    return number


def test_a_cluster_that_is_probably_a_person(gallery: Gallery) -> None:
    """Once one cluster has a name, the other one is in question. After a yes, both are one for good."""
    young, old = doubtful(gallery)
    gallery.people()
    gallery.name(cluster_of(gallery, young), "Anna")
    (question,) = gallery.suggestions()
    assert set(question.faces) == set(old)
    assert (question.cluster, question.name) == (cluster_of(gallery, old), "Anna")
    assert 0.1 < question.probability < 1
    assert gallery.answer(question, True) == gallery.person("Anna").number
    gallery.cluster()
    assert {face.id for face in gallery.faces_of("Anna")} == {*young, *old}
    assert gallery.suggestions() == []


def test_two_clusters_without_names(gallery: Gallery) -> None:
    """The smaller one is in question. After a yes, they stay one however often faces are clustered."""
    young, old = doubtful(gallery)
    (question,) = gallery.suggestions()
    assert (set(question.faces), question.name) == (set(old), None)
    number = gallery.answer(question, True)
    put(gallery, "/new.jpg", face_of(9, 1))
    gallery.cluster()
    assert {face.id for face in gallery.faces_of(number)} == {*young, *old}


@pytest.mark.parametrize("named", [True, False])
def test_no_lasts(gallery: Gallery, named: bool) -> None:
    """A denied question is never asked again, with new photos and new clusters."""
    young, old = doubtful(gallery)
    gallery.people()
    if named:
        gallery.name(cluster_of(gallery, young), "Anna")
    (question,) = gallery.suggestions()
    gallery.answer(question, False)
    for v in range(3):
        put(gallery, f"/young-{v + 20}.jpg", near(person(1), 0.35, v + 20))
        put(gallery, f"/old-{v + 20}.jpg", apart(1, v + 20))
        gallery.cluster()
        first, second = cluster_of(gallery, young), cluster_of(gallery, old)
        assert first != second
        assert not [one for one in gallery.suggestions() if {one.cluster, one.person} == {first, second}]


def test_a_single_face(gallery: Gallery) -> None:
    """It is in question for a person with a name only; after a no, it is not asked about again."""
    young, old = doubtful(gallery)
    gallery.ignore(old[1:])
    assert gallery.suggestions() == []
    gallery.name(cluster_of(gallery, young), "Anna")
    (question,) = gallery.suggestions()
    assert (question.faces, question.cluster, question.name) == ((old[0],), None, "Anna")
    gallery.answer(question, False)
    gallery.cluster()
    assert gallery.suggestions() == []
    gallery.undo()
    assert gallery.suggestions() == [question]


def test_most_settled_first(gallery: Gallery) -> None:
    """A cluster of forty comes before one of two that is equally probable; the limit keeps the first."""
    for who, count in ((1, 3), (2, 40), (3, 2)):
        for v in range(60):
            put(gallery, f"/young {who}-{v}.jpg", near(person(who), 0.35, 1000 * who + v))
        for v in range(count):
            put(gallery, f"/old {who}-{v}.jpg", apart(who, 200 * who + v, 1.02))  # large groups join at once if closer
    questions = gallery.suggestions(min_probability=0.01)
    assert [len(question.faces) for question in questions] == [40, 3, 2]
    assert gallery.suggestions(limit=1, min_probability=0.01) == questions[:1]
    least = questions[0].probability
    assert all(one.probability >= least for one in gallery.suggestions(min_probability=least))


def test_people_in_the_same_photos(gallery: Gallery) -> None:
    """Two clusters that share their photos are different people: brother and sister are not in question."""
    for v in range(5):
        put(gallery, f"/{v}.jpg", near(person(1), 0.35, v), apart(1, v))
    assert gallery.suggestions() == []


def test_bad_questions(gallery: Gallery) -> None:
    """Unknown faces and people, and options out of range, are errors that change nothing."""
    _, old = doubtful(gallery)
    gallery.people()
    for question in (Suggestion((9999,), None, 1, None, 0.5), Suggestion((old[0],), None, 999, None, 0.5)):
        for yes in (True, False):
            with pytest.raises(GalleryError, match="there is no"):
                gallery.answer(question, yes)
    with pytest.raises(OptionError, match="limit is 0"):
        gallery.suggestions(limit=0)
    with pytest.raises(OptionError, match=r"min_probability is 1\.5"):
        gallery.suggestions(min_probability=1.5)
    assert gallery.actions() == []


def test_an_empty_gallery_asks_nothing(gallery: Gallery) -> None:
    """Nor does one with a single face."""
    assert gallery.suggestions() == []
    put(gallery, "/a.jpg", person(1))
    assert gallery.suggestions() == []


def test_pairs_of_many_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles give the scores of one comparison of all: cosine - offset + bonus - limit, less for shared photos."""
    rng = np.random.default_rng(0)
    embeddings = units(300, 1) + 1.2 * units(1, 2)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    photos, people = np.arange(300), np.where(np.arange(300) < 60, np.arange(300) % 12, -1)
    photos[12] = photos[1]  # persons 0 and 1 share one of five photos
    offsets = rng.uniform(-0.1, 0.1, 300).astype(np.float32)
    groups = [*(np.flatnonzero(people == who) for who in range(12)), *np.arange(60, 300)[:, None]]
    means = [embeddings[group].mean(axis=0) for group in groups]
    rows = np.stack([mean / np.sqrt(np.linalg.norm(mean)) for mean in means])
    halves = np.array([offsets[group].mean() / 2 for group in groups])
    bonuses = np.array([0.08 * np.log2(1 + (len(group) - 1) / 24) for group in groups])
    expected = rows @ rows.T - np.add.outer(halves, halves) + np.maximum.outer(bonuses, bonuses)
    expected -= 0.67 + 0.02 * np.log2(500 / 5000)
    expected[0, 1] -= 0.25 * 3 / 5
    monkeypatch.setattr("faceie.gallery.pairs._TILE", 64)
    pairs = find_pairs(embeddings, Constraints(photos, people, {}), offsets, -0.1)
    assert len(pairs.a) == (np.triu(expected > -0.1, 1)).sum() > 1000
    assert (np.diff(pairs.scores) <= 0).all()
    number = {int(face): k for k, group in enumerate(groups) for face in group}
    for a, b, score in zip(*(column.tolist() for column in pairs), strict=True):
        i, j = sorted((number[a], number[b]))
        assert score == pytest.approx(expected[i, j], abs=1e-5)


def test_a_face_with_many_likes_is_less_probable(gallery: Gallery) -> None:
    """The stored offsets lower the probability of a question. A face without one is judged when it is asked about."""
    _, old = doubtful(gallery)
    (before,) = gallery.suggestions()
    offsets = dict.fromkeys(old, 0.02)
    gallery._store.faces.put_offsets((face, offset, False) for face, offset in offsets.items())
    (after,) = gallery.suggestions()
    assert set(after.faces) == set(before.faces)
    assert after.probability < before.probability
    gallery._store.db.execute("DELETE FROM cohort WHERE NOT member")
    assert len(gallery.suggestions()) == 1


# Ignored faces


def test_ignored_faces_leave_everything_but_their_photo(gallery: Gallery) -> None:
    """People, clusters, suggestions and searches are without them. They can be taken back."""
    faces = [put(gallery, f"/{v}.jpg", face_of(1, v))[0] for v in range(3)]
    other = put(gallery, "/other.jpg", face_of(2, 1))
    (cluster,) = gallery.people()
    gallery.ignore(faces[:2])
    gallery.ignore(other, "not a face")
    assert gallery.people() == []
    assert [match.face.id for match in gallery.search(face_of(1, 0))] == faces[2:]
    assert [face.id for face in gallery.unassigned_faces()] == faces[2:]
    assert [(face.id, face.ignored, face.confirmed) for face in gallery.ignored_faces()] == [
        (faces[0], "stranger", True),
        (faces[1], "stranger", True),
        (other[0], "not a face", True),
    ]
    assert len(list(gallery.faces())) == 4
    assert gallery.unignore(faces[:2]) == 2
    assert [one.faces for one in gallery.people()] == [3]
    assert gallery.people()[0].number > cluster.number


def test_bad_ignoring(gallery: Gallery) -> None:
    """Unknown faces, faces that are not ignored, and unknown reasons."""
    (face,) = put(gallery, "/a.jpg", person(1))
    with pytest.raises(GalleryError, match="there is no face 99"):
        gallery.ignore([face, 99])
    with pytest.raises(OptionError, match=r"reason is 'ugly', expected 'stranger' or 'not a face'"):
        gallery.ignore([face], "ugly")
    with pytest.raises(GalleryError, match=f"face {face} is not ignored"):
        gallery.unignore([face])
    assert gallery.ignored_faces() == []


def test_a_named_face_that_is_ignored(gallery: Gallery) -> None:
    """The last statement counts: ignored, then confirmed again."""
    (face,) = put(gallery, "/a.jpg", person(1))
    gallery.confirm("Anna", [face])
    gallery.ignore([face])
    assert (gallery.face(face).name, gallery.person("Anna").faces) == (None, 0)
    gallery.confirm("Anna", [face])
    assert (gallery.face(face).name, gallery.face(face).ignored) == ("Anna", None)


def test_a_stranger_with_many_likes(gallery: Gallery) -> None:
    """Among a hundred people who resemble the stranger, a new face must be closer to be ignored."""
    (stranger,) = put(gallery, "/stranger.jpg", person(1))
    for v in range(100):
        put(gallery, f"/like-{v}.jpg", near(person(1), 0.9, v))
    gallery.ignore([stranger])
    gallery.cluster()
    put(gallery, "/close.jpg", near(person(1), 0.3, 200))
    assert ignore_new(gallery._store) == 1
    put(gallery, "/new.jpg", near(person(1), 0.55, 201))
    assert ignore_new(gallery._store) == 0
    gallery._store.db.execute("DELETE FROM cohort")
    put(gallery, "/again.jpg", near(person(1), 0.55, 202))
    assert ignore_new(gallery._store) == 1


def test_a_stranger_comes_again(gallery: Gallery, tmp_path: Path) -> None:
    """New faces that closely match an ignored stranger are ignored, and counted; others are not, nor are known people.
    When the stranger is taken back, so are they.
    """
    stranger, words = face_of(1, 0), {"anna.jpg": "2.1", "stranger.jpg": "stranger"}
    answers = {
        "stranger": an_analysis(stranger),
        "again": an_analysis(near(stranger, 0.4, 1), face_of(2, 3)),
        "like": an_analysis(near(stranger, 0.75, 2)),
        "not": an_analysis(near(face_of(3, 0), 0.3, 3)),
        "no face": an_analysis(face_of(3, 0)),
    }

    def analyze(text: str) -> Any:
        return answers.get(text.strip()) or by_words(text)

    folder = fakes(tmp_path / "album", words | {"no face.jpg": "no face"})
    gallery.index([folder], executor=Prepared(analyze))
    ids = {face.path.stem: face.id for face in gallery.faces()}
    gallery.confirm("Anna", [ids["anna"]])
    gallery.ignore([ids["stranger"]])
    gallery.ignore([ids["no face"]], "not a face")
    fakes(folder, {"again.jpg": "again", "like.jpg": "like", "not.jpg": "not"})
    report = gallery.index([folder], executor=Prepared(analyze))
    assert (report.recognized, report.ignored) == (1, 1)
    again, anna = sorted((face for face in gallery.faces() if face.path.stem == "again"), key=lambda face: face.id)
    assert (again.ignored, again.confirmed, anna.name) == ("stranger", False, "Anna")
    assert [face.path.stem for face in gallery.ignored_faces()] == ["no face", "stranger", "again"]
    (folder / "stranger.jpg").write_text("stranger ")  # a new version of the photo
    assert gallery.index([folder], executor=Prepared(analyze)).ignored == 0
    ids = {face.path.stem: face.id for face in gallery.ignored_faces()}
    assert set(ids) == {"no face", "stranger", "again"}
    assert gallery.unignore([ids["stranger"]]) == 2
    assert [face.path.stem for face in gallery.ignored_faces()] == ["no face"]
    gallery.undo()
    assert {face.path.stem for face in gallery.ignored_faces() if face.confirmed} == {"no face", "stranger"}


# Covers and births


def test_cover(gallery: Gallery) -> None:
    """A face of the person stands for it, as long as it belongs to the person."""
    faces = [put(gallery, f"/{v}.jpg", face_of(1, v), quality=0.5 + v / 10)[0] for v in range(3)]
    other = put(gallery, "/other.jpg", face_of(2, 1), quality=0.4)
    gallery.confirm("Anna", faces)
    assert gallery.person("Anna").example == faces[2]
    gallery.cover("Anna", faces[0])
    assert gallery.person("Anna").example == faces[0]
    assert gallery.people()[0].example == faces[0]
    with pytest.raises(GalleryError, match=f"face {other[0]} does not belong to Anna"):
        gallery.cover("Anna", other[0])
    gallery.confirm("Ann", other)
    gallery.merge("Ann", "Anna")
    assert gallery.person("Ann").example == faces[0]
    gallery.deny("Ann", faces[:1])
    assert gallery.person("Ann").example == faces[2]
    gallery.undo()
    gallery.cover("Ann", None)
    assert gallery.person("Ann").example == faces[2]
    gallery.undo()
    gallery.forget_photo("/0.jpg")
    assert gallery.person("Ann").example == faces[2]


def test_a_cluster_has_neither_cover_nor_birth(gallery: Gallery) -> None:
    """Clusters may vanish, and would take the statement with them."""
    faces = [put(gallery, f"/{v}.jpg", face_of(1, v))[0] for v in range(3)]
    (cluster,) = gallery.people()
    with pytest.raises(GalleryError, match="has no name"):
        gallery.cover(cluster.number, faces[0])
    with pytest.raises(GalleryError, match="has no name"):
        gallery.born(cluster.number, "2001")


def test_nobody_is_recognized_before_birth(gallery: Gallery, tmp_path: Path) -> None:
    """Recognized faces in earlier photos are taken away, confirmed ones stay; later runs and clusterings obey."""
    dates = {"1": "1999-12-31T23:59:59", "2": "2000-01-01T00:00:00", "3": None}

    def analyze(text: str) -> Any:
        variant, date = text.split()
        return an_analysis(face_of(1, int(variant)), taken=dates[date])

    first = {f"{v}.jpg": f"{v} 3" for v in range(3)}
    folder = fakes(tmp_path / "album", first | {"said.jpg": "7 1"})
    gallery.index([folder], executor=Prepared(analyze))
    gallery.confirm("Anna", [face.id for face in gallery.faces()])
    fakes(folder, {"before.jpg": "10 1", "after.jpg": "11 2", "never.jpg": "12 3"})
    assert gallery.index([folder], executor=Prepared(analyze)).recognized == 3
    assert gallery.born("Anna", datetime.date(2000, 1, 1)) == 1
    assert gallery.person("Anna").born == "2000-01-01"
    fakes(folder, {"before 2.jpg": "13 1", "after 2.jpg": "14 2"})
    assert gallery.index([folder], executor=Prepared(analyze)).recognized == 1
    gallery.cluster()
    missing = {"before.jpg", "before 2.jpg"}
    assert {face.path.name for face in gallery.faces()} - missing == {f.path.name for f in gallery.faces_of("Anna")}
    assert not [one for one in gallery.suggestions(min_probability=0) if one.name == "Anna"]
    gallery.undo()
    gallery.cluster()
    assert gallery.person("Anna").faces == 9
    assert gallery.person("Anna").born is None


@pytest.mark.parametrize("date", ["", "1.2.2003", "2003-13", "2003-02-30", "20030101", "soon", "2003-01-01T10:00", 12])
def test_bad_dates(gallery: Gallery, date: Any) -> None:
    """They are refused, and the message shows a valid one."""
    gallery.confirm("Anna", put(gallery, "/a.jpg", person(1)))
    with pytest.raises(OptionError, match=r"born is .*, expected a date as 2001-05-23, 2001-05 or 2001"):
        gallery.born("Anna", date)
    with pytest.raises(OptionError, match=r"since is .*, expected a date"):
        gallery.search(person(1), since=date)
    assert gallery.person("Anna").born is None


# Search


def test_dates_of_a_search(gallery: Gallery) -> None:
    """Both ends belong to the period, and photos without a date do not."""
    taken = ["2018-12-31T23:59:59", "2019-01-01", "2019-06-30T12:00:00+02:00", "2019-12-31T23:59:59", None]
    faces = [put(gallery, f"/{v}.jpg", face_of(1, v), taken=date)[0] for v, date in enumerate(taken)]
    gallery.confirm("Anna", faces)

    def found(**dates: Any) -> list[int]:
        matches = {match.face.id for match in gallery.search(face_of(1, 0), **dates)}
        assert {photo.faces[0].id for photo in gallery.photos_of("Anna", **dates)} == matches
        return sorted(faces.index(face) for face in matches)

    assert found() == [0, 1, 2, 3, 4]
    assert found(since="2019") == [1, 2, 3]
    assert found(until="2019") == [0, 1, 2, 3]
    assert found(since="2019-01", until="2019-06") == [1, 2]
    assert found(since=datetime.date(2019, 6, 30), until="2019-06-30") == [2]
    assert found(since="2020") == []
    with pytest.raises(OptionError, match="since is 2020, which is after until, 2019"):
        gallery.search(face_of(1, 0), since="2020", until="2019")


def test_several_probes(gallery: Gallery) -> None:
    """Distances are the root mean square of those from all probes, and the order is theirs."""
    for v in range(20):
        put(gallery, f"/{v}.jpg", face_of(v % 3, v))
    probes = [face_of(0, 50), face_of(0, 51), face_of(0, 52)]
    matches = gallery.search(probes, limit=None)
    assert len(matches) == 20
    for match in matches:
        embedding = gallery.embedding(match.face.id)
        expected = np.sqrt(np.mean([np.linalg.norm(embedding - probe) ** 2 for probe in probes]))
        assert abs(match.distance - expected) < 1e-5
    assert [m.distance for m in matches] == sorted(m.distance for m in matches)
    alone = [(match.face.id, match.distance, match.probability) for match in gallery.search(probes[0])]
    assert [(match.face.id, match.distance, match.probability) for match in gallery.search([probes[0]])] == alone
    with pytest.raises(OptionError, match="probe is an empty list"):
        gallery.search([])
    with pytest.raises(OptionError, match="opposite"):
        gallery.search([probes[0], -probes[0]])


def test_one_of_several_probes_is_known_exactly() -> None:
    """The mean of one embedding is that embedding, to the bit."""
    (one,) = units(1, 3)
    direction, length = mean_probe(one[None])
    assert (direction == one).all()
    assert length == 1


# Forgotten photos


@pytest.mark.file_only
def test_a_forgotten_photo_stays_away(gallery: Gallery, tmp_path: Path) -> None:
    """With its copies, until forgotten photos are asked for. Its hash is in no byte of the files."""
    folder = fakes(tmp_path / "album", {"a.jpg": "1.1", "b.jpg": "1.2", "c.jpg": "1.3"})
    gallery.index([folder], executor=Prepared(by_words))
    digest = gallery._store.digest(1)
    gallery.forget_photo(folder / "a.jpg")
    assert digest not in b"".join(file.read_bytes() for file in gallery.path.parent.iterdir())
    assert left(gallery.path.parent, [face_of(1, 1).tobytes()]) == 0
    (folder / "copy.jpg").write_text("1.1")
    (folder / "b.jpg").write_text("1.1")  # which was another photo
    report = gallery.index([folder], executor=Prepared(by_words), verify=True)
    assert (report.analyzed, report.unchanged, report.forgotten, report.done) == (0, 1, 3, 4)
    assert [face.path.name for face in gallery.faces()] == ["c.jpg"]
    assert gallery.index([folder], executor=Prepared(by_words), retry=True).forgotten == 3
    report = gallery.index([folder / "a.jpg"], executor=Prepared(by_words), forgotten=True)
    assert (report.analyzed, report.forgotten) == (1, 0)
    assert gallery.index([folder], executor=Prepared(by_words)).copies == 2
    assert len(gallery) == 2


def test_statements_of_two_programs(gallery: Gallery) -> None:
    """Questions that another program has answered, or whose cluster it has changed, are answered without harm."""
    young, _ = doubtful(gallery)
    gallery.people()
    gallery.name(cluster_of(gallery, young), "Anna")
    (question,) = gallery.suggestions()
    with Gallery(gallery.path) as other:
        assert other.suggestions() == [question]
        gallery.answer(question, True)
        other.answer(question, False)
        assert gallery.suggestions() == []
        gallery.forget_person("Anna")
        with pytest.raises(GalleryError, match="there is no cluster"):
            other.answer(question, True)

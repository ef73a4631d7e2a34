"""Undo: the last actions of the user are taken back, and nothing else."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from faceie import Gallery, GalleryError, OptionError
from faceie.gallery import Suggestion, store_history
from faceie.gallery.postgres import Postgres

from ..conftest import ROOT
from .conftest import Prepared, assert_intact, by_words, face_of, fakes, open_database, put, rows
from .test_forget import left
from .test_fuzz import SEQUENCES, World

Said = tuple[dict[int, Any], dict[bytes, Any], set[tuple[bytes, str]]]


def said(path: Path) -> Said:
    """Return all statements of the user: names, confirmed and ignored faces, and rejections of people with names.

    Faces are told by their embeddings, which new versions of a photo keep.
    """
    with open_database(path) as db:
        names = dict(db.execute("SELECT id, name FROM people WHERE name IS NOT NULL"))
        confirmed = "SELECT embedding, person, ignored FROM faces JOIN portraits ON face = id WHERE confirmed > 0"
        denials = (
            "SELECT embedding, name FROM denials JOIN portraits USING (face) JOIN people ON id = person"
            " WHERE name IS NOT NULL"
        )
        of_faces: dict[bytes, list[Any]] = {}
        for embedding, person, ignored in db.execute(confirmed):  # an edited copy of a photo has the same embedding
            statement = ignored if person is None else person
            of_faces[embedding] = sorted([*of_faces.get(embedding, []), statement], key=str)
        return names, of_faces, set(db.execute(denials))


def _pair(gallery: Gallery, faces: list[int], yes: bool) -> int:
    """Answer the question whether the cluster is Anna."""
    cluster = gallery.face(faces[0]).person or 0
    return gallery.answer(Suggestion(tuple(faces[:3]), cluster, gallery.person("Anna").number, "Anna", 0.5), yes)


ACTIONS: dict[str, Callable[[Gallery, list[int]], Any]] = {
    "name": lambda gallery, faces: gallery.name(gallery.face(faces[0]).person or 0, "Cleo"),
    "rename": lambda gallery, faces: gallery.name("Anna", "Anne"),
    "merge": lambda gallery, faces: gallery.merge("Anna", "Ben"),
    "merge a cluster": lambda gallery, faces: gallery.merge("Anna", gallery.face(faces[0]).person or 0),
    "split": lambda gallery, faces: gallery.split("Anna", [faces[3]]),
    "confirm": lambda gallery, faces: gallery.confirm("Ben", [faces[0], faces[3]]),
    "confirm all of a cluster": lambda gallery, faces: gallery.confirm("Ben", faces[:3]),
    "confirm someone new": lambda gallery, faces: gallery.confirm("Dora", [faces[0], faces[3]]),
    "confirm a denied face": lambda gallery, faces: gallery.confirm("Ben", [faces[8]]),
    "answer yes": lambda gallery, faces: _pair(gallery, faces, True),
    "answer no": lambda gallery, faces: _pair(gallery, faces, False),
    "ignore": lambda gallery, faces: gallery.ignore([faces[0], faces[3]]),
    "ignore a cluster": lambda gallery, faces: gallery.ignore(faces[:3], "not a face"),
    "cover": lambda gallery, faces: gallery.cover("Anna", faces[4]),
    "born": lambda gallery, faces: gallery.born("Anna", "2001"),
    "deny": lambda gallery, faces: gallery.deny("Anna", [faces[3]]),
    "deny a cluster": lambda gallery, faces: gallery.deny(gallery.face(faces[0]).person or 0, [faces[0]]),
}


def filled(gallery: Gallery) -> list[int]:
    """Fill a gallery with a cluster of three, with Anna, with Ben, and with a face that is not Ben's."""
    faces = [put(gallery, f"/{who}-{v}.jpg", face_of(who, v))[0] for who in (1, 2, 3) for v in range(3)]
    gallery.confirm("Anna", faces[3:6])
    gallery.confirm("Ben", faces[6:8])
    gallery.deny("Ben", [faces[8]])
    gallery.people()
    return faces


@pytest.mark.parametrize("name", ACTIONS)
def test_everything_can_be_undone(gallery: Gallery, name: str) -> None:
    """After an action and its undo, all rows are the same, numbers of clusters included."""
    faces = filled(gallery)
    before = rows(gallery.path)
    ACTIONS[name](gallery, faces)
    assert [rows(gallery.path)[table] != before[table] for table in ("faces", "people", "denials")].count(True)
    assert gallery.undo().name == name.split()[0].removeprefix("re")
    after = rows(gallery.path)
    for table in ("people", "faces", "denials", "actions", "changes"):
        assert after[table] == before[table], table
    assert_intact(gallery.path)


@pytest.mark.parametrize("name", ACTIONS)
def test_undo_after_a_restart_and_new_photos(gallery: Gallery, tmp_path: Path, name: str) -> None:
    """Another program, later, with new and edited photos: the statements are those from before."""
    folder = fakes(tmp_path / "album", {f"{who}-{v}.jpg": f"{who}.{v}" for who in (1, 2, 3) for v in range(3)})
    gallery.index([folder], executor=Prepared(by_words))
    faces = [face.id for face in sorted(gallery.faces(), key=lambda face: face.path)]
    gallery.confirm("Anna", faces[3:6])
    gallery.confirm("Ben", faces[6:8])
    gallery.deny("Ben", [faces[8]])
    gallery.people()
    before = said(gallery.path)
    ACTIONS[name](gallery, faces)
    assert said(gallery.path) != before or name in ("cover", "born")
    for file in sorted(folder.iterdir()):
        file.write_text(f"{file.read_text()} ")
    fakes(folder, {f"new {who}.jpg": f"{who}.{v}" for who, v in ((1, 7), (2, 8), (3, 9))})
    gallery.index([folder], executor=Prepared(by_words))
    gallery.cluster()
    gallery.close()
    with Gallery(gallery.path) as again:
        again.undo()
        assert said(gallery.path) == before
        again.cluster()
        assert said(gallery.path) == before
        chosen = "SELECT 1 FROM people WHERE cover IS NOT NULL OR born IS NOT NULL"
        assert again._store.db.execute(chosen).fetchall() == []
    assert_intact(gallery.path)


def test_faces_recognized_because_of_it(gallery: Gallery, tmp_path: Path) -> None:
    """Faces that were recognized after a wrong statement lose the wrong name with it; those from before keep it."""
    others = {f"other {v}.jpg": f"2.{v}" for v in range(12)}
    folder = fakes(tmp_path / "album", {"1.jpg": "1.1", **others})
    gallery.index([folder], executor=Prepared(by_words))
    anna, *strangers = [face.id for face in sorted(gallery.faces(), key=lambda face: face.path)]
    gallery.confirm("Anna", [anna])
    fakes(folder, {"2.jpg": "1.2"})
    assert gallery.index([folder], executor=Prepared(by_words)).recognized == 1
    gallery.confirm("Anna", strangers)  # which is wrong
    fakes(folder, {"other 99.jpg": "2.99"})
    assert gallery.index([folder], executor=Prepared(by_words)).recognized == 1
    assert len(gallery.faces_of("Anna")) == 15
    assert gallery.undo().faces == 12
    assert {face.path.name for face in gallery.faces_of("Anna")} == {"1.jpg", "2.jpg"}
    fakes(folder, {"3.jpg": "1.3"})
    assert gallery.index([folder], executor=Prepared(by_words)).recognized == 1
    assert {face.path.name for face in gallery.faces_of("Anna")} == {"1.jpg", "2.jpg", "3.jpg"}


def test_several_in_a_row(gallery: Gallery) -> None:
    """The last one first, and the list shows them in this order, with the names that they are about."""
    faces = filled(gallery)
    states = [said(gallery.path)]
    for name in ("merge", "split", "rename", "deny"):
        if name == "deny":
            gallery.deny("Anne", [faces[4]])
        else:
            ACTIONS[name](gallery, faces)
        states.append(said(gallery.path))
    listed = [(action.name, action.faces, set(action.people)) for action in gallery.actions(4)]
    assert listed[0] == ("deny", 1, {"Anne"})
    assert listed[1] == ("name", 0, {"Anne", "Anna"})
    assert listed[3] == ("merge", 3, {"Anne", "Ben"})  # one of them was not Ben, and now is not Anne
    for state in reversed(states[:-1]):
        gallery.undo()
        assert said(gallery.path) == state


def test_nothing_to_undo(gallery: Gallery) -> None:
    """An error, as an action that changed nothing is not one, nor is one that failed."""
    with pytest.raises(GalleryError, match="there is no action to undo"):
        gallery.undo()
    (face,) = put(gallery, "/a.jpg", face_of(1, 1))
    gallery.confirm("Anna", [face])
    gallery.confirm("Anna", [face])
    with pytest.raises(GalleryError, match="there is no face 99"):
        gallery.confirm("Ben", [face, 99])
    assert [action.name for action in gallery.actions()] == ["confirm"]
    gallery.undo()
    assert gallery.actions() == []
    assert gallery.people() == []
    with pytest.raises(OptionError, match="limit is 0"):
        gallery.actions(0)


def test_of_what_is_gone(gallery: Gallery) -> None:
    """Faces of a forgotten photo stay forgotten, and an action of which nothing is left does not count."""
    faces = [put(gallery, f"/{v}.jpg", face_of(1, v))[0] for v in range(3)]
    gallery.confirm("Anna", faces[:1])
    gallery.confirm("Anna", faces[1:])
    gallery.deny("Anna", faces[2:])
    gallery.forget_photo("/2.jpg")
    assert gallery.undo().name == "confirm"
    assert [face.id for face in gallery.faces_of("Anna")] == faces[:1]
    assert_intact(gallery.path)


@pytest.mark.file_only
def test_nothing_remains_of_a_forgotten_person(gallery: Gallery) -> None:
    """Former names are in no byte of the files: that of the person, and that of one who was merged into it."""
    faces = [put(gallery, f"/{v}.jpg", face_of(1, v))[0] for v in range(4)]
    names = ["Annabel of the first name", "Annika of the second name", "Anneliese, who is Annika", "Benjamin, a friend"]
    gallery.confirm(names[0], faces[:2])
    gallery.name(names[0], names[1])
    gallery.confirm(names[2], faces[2:3])
    gallery.merge(names[1], names[2])
    gallery.confirm(names[3], faces[3:])
    assert left(gallery.path.parent, [name.encode() for name in names]) == 4
    gallery.forget_person(names[1])
    assert left(gallery.path.parent, [name.encode() for name in names]) == 1
    assert gallery.actions() == []


def test_the_history_is_short(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old actions are dropped: a hundred are kept, or fewer with many changes, but always the last one."""
    faces = put(gallery, "/a.jpg", *(face_of(1, v) for v in range(6)))
    for number in range(110):
        gallery.confirm(f"Person {number}", faces[:1])
    assert len(gallery.actions(1000)) == 100
    monkeypatch.setattr(store_history, "_CHANGES", 8)
    gallery.deny("Person 109", faces[:1])
    assert len(gallery.actions(1000)) == 4
    gallery.confirm("Anna", faces)
    assert [action.name for action in gallery.actions()] == ["confirm"]
    assert gallery._store.db.execute("SELECT count(*) FROM changes").fetchone()[0] <= 16


def test_by_two_programs(gallery: Gallery) -> None:
    """The last action of any program is undone, whichever asks."""
    faces = filled(gallery)
    before = said(gallery.path)
    with Gallery(gallery.path) as other:
        gallery.merge("Anna", "Ben")
        between = said(gallery.path)
        other.confirm("Dora", faces[:1])
        gallery.undo()
        assert said(gallery.path) == between
        other.undo()
    assert said(gallery.path) == before


def test_read_only(gallery: Gallery) -> None:
    """A gallery that cannot be written says so."""
    filled(gallery)
    if isinstance(gallery._store.db, Postgres):  # it asks the server again
        gallery._store.db.run("SET default_transaction_read_only = on")
    gallery._store.db.read_only = True
    with pytest.raises(GalleryError, match="can only be read here"):
        gallery.undo()


def by_name(path: Path) -> dict[bytes, str]:
    """Return the names of all confirmed faces: those who are added again have other numbers."""
    names, confirmed, _ = said(path)
    return {embedding: names[person] for embedding, (person,) in confirmed.items()}


_UNDO = """
import sys
from faceie import Gallery
with Gallery(sys.argv[1]) as gallery:
    print("ready", flush=True)
    while True:
        gallery.confirm("Dora", range(1, 400))
        gallery.undo()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.file_only  # many processes
def test_killed_while_it_undoes(gallery: Gallery, tmp_path: Path) -> None:
    """Killed at any moment, an action and its undo are complete or have not begun."""
    put(gallery, "/many.jpg", *(face_of(v % 7, v) for v in range(400)))
    gallery.confirm("Anna", [400])
    before = by_name(gallery.path)
    gallery.confirm("Dora", range(1, 400))
    after = by_name(gallery.path)
    gallery.undo()
    gallery.close()
    script = tmp_path / "undo.py"
    script.write_text(_UNDO)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(ROOT)])}
    environment.pop("COVERAGE_PROCESS_CONFIG", None)
    moments, found = random.Random(0), list[Any]()
    while len(found) < 10 or not (before in found and after in found):
        assert len(found) < 60, "the kills missed the writing"
        with subprocess.Popen([sys.executable, script, gallery.path], stdout=subprocess.PIPE, env=environment) as run:
            assert run.stdout
            assert run.stdout.readline() == b"ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                run.wait(moments.uniform(0.01, 0.1))
            run.send_signal(signal.SIGKILL)
        assert_intact(gallery.path)
        found.append(by_name(gallery.path))
        assert found[-1] in (before, after)
        if found[-1] == after:
            with Gallery(gallery.path) as again:
                again.undo()
    assert by_name(gallery.path) == before


@pytest.mark.file_only
def test_a_file_of_an_older_version(gallery: Gallery, tmp_path: Path) -> None:
    """Actions before the migration are not known; those after it can be undone."""
    faces = filled(gallery)
    gallery.close()
    old = Path(shutil.copy(gallery.path, tmp_path / "old.faceie"))
    with closing(sqlite3.connect(old)) as db:
        db.execute("DROP TABLE changes")
        db.execute("DROP TABLE actions")
        db.execute("ALTER TABLE faces DROP COLUMN assigned_after")
        db.execute("DELETE FROM migrations WHERE name LIKE '%undo'")
        db.commit()
    with Gallery(old) as again:
        assert again.actions() == []
        before = said(old)
        again.merge("Anna", "Ben")
        again.undo()
        assert said(old) == before
        assert {face.id for face in again.faces_of("Anna")} == set(faces[3:6])


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_random_sequences(seed: int, tmp_path: Path, no_weights: None) -> None:
    """Random changes of an album between actions and clusterings. Undone one by one, each action leaves the statements
    from before. Each change is indexed, so that no face is there twice, with statements of its own.
    """
    world = World(seed, tmp_path)

    def index() -> None:
        world.gallery.index([world.album], executor=Prepared(by_words), prune=True, prune_limit=1)

    for _ in range(8):
        world.add()
    index()

    def ignore() -> None:
        ignored = [face.id for face in world.gallery.ignored_faces()]
        if ignored and world.random.random() < 0.4:
            world.gallery.unignore([world.random.choice(ignored)])
        elif faces := [face.id for face in world.gallery.faces() if not face.ignored]:
            world.gallery.ignore([world.random.choice(faces)], world.random.choice(["stranger", "not a face"]))

    def ask() -> None:
        if questions := world.gallery.suggestions(min_probability=0):
            world.gallery.answer(world.random.choice(questions), world.random.random() < 0.5)

    states: list[Said] = []
    for _ in range(40):
        before, count = said(world.gallery.path), len(world.gallery.actions(1000))
        change = world.random.choice([world.add, world.move, world.edit, world.rename_and_edit, world.cluster])
        say = world.random.choice([world.confirm, world.deny, world.name_a_cluster, ignore, ask])
        world.random.choice([change, say])()
        states += [before] * (len(world.gallery.actions(1000)) - count)
        index()
    for state in reversed(states):
        world.gallery.undo()
        if world.random.random() < 0.3:
            world.cluster()
        assert said(world.gallery.path) == state
    world.gallery.close()
    assert_intact(tmp_path / "g.faceie")


def test_numbers_of_people_are_never_given_again(gallery: Gallery) -> None:
    """A person whose addition was undone is not mistaken for one that comes later."""
    (face,) = put(gallery, "/a.jpg", face_of(1, 1))
    number = gallery.confirm("Anna", [face])
    gallery.undo()
    assert gallery.confirm("Ben", [face]) > number

"""A gallery in PostgreSQL: its address, several writers at once, a lost connection, readers, and the index."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceie import Gallery
from faceie.errors import GalleryError, OptionError
from faceie.gallery import schema_postgres
from faceie.gallery.postgres import Postgres, is_address, name_of
from faceie.gallery.schema import MIGRATIONS

from .conftest import QUICK, Prepared, by_words, face_of, fakes, person, put
from .postgres_server import run, server


def schema_of(address: str) -> str:
    return address.rpartition("schema=")[2]


def at_once(*works: Callable[[], object]) -> None:
    """Do several things in threads at the same moment. Raises their errors."""
    barrier, errors = threading.Barrier(len(works)), list[BaseException]()

    def run_one(work: Callable[[], object]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run_one, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


# Addresses


def test_no_message_has_the_password() -> None:
    """Messages name the database without passwords."""
    pytest.importorskip("psycopg")
    assert is_address("postgresql://anna@host/db")
    assert not is_address("family.faceie")
    assert not is_address(Path("postgresql:/host"))
    assert name_of("postgresql://anna:secret@host:5433/db?password=secret&schema=a") == (
        "postgresql://anna@host:5433/db?schema=a"
    )
    with pytest.raises(GalleryError, match="cannot be reached") as caught:
        Gallery("postgresql://anna:secret@127.0.0.1:1/db?connect_timeout=2")
    assert "secret" not in str(caught.value)
    for wrong in ("postgresql://anna:secret@[::1/db", "postgresql://anna:x#secret@host/db"):
        with pytest.raises(OptionError, match="not valid") as refused:
            Gallery(wrong)
        assert "secret" not in str(refused.value)


def test_without_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the package to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(GalleryError, match=r"install the package psycopg\[binary\]"):
        Gallery("postgresql://host/db")


def test_a_bad_schema_is_refused() -> None:
    """A schema is a plain name, since statements hold it."""
    with pytest.raises(OptionError, match="schema"):
        Gallery('postgresql://host/db?schema=a"; DROP TABLE x; --')


def test_a_missing_gallery_is_not_made(address: str) -> None:
    """Without `create`, a database stays as it is."""
    with pytest.raises(GalleryError, match="there is no gallery here"):
        Gallery(address, create=False)
    assert not run(server(), f"SELECT 1 FROM pg_namespace WHERE nspname = '{schema_of(address)}'")


def test_tables_of_others_are_left_alone(address: str, no_weights: None) -> None:
    """A schema with other tables is refused."""
    schema = schema_of(address)
    run(server(), f"CREATE SCHEMA {schema}", f"CREATE TABLE {schema}.photos (id int)")
    with pytest.raises(GalleryError, match="belongs to another program"):
        Gallery(address)
    assert run(server(), f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'") == [(1,)]


def test_a_newer_gallery_is_refused(shared: Gallery, address: str) -> None:
    """A migration that this version does not know stops it, even while it has the gallery open."""
    run(server(), f"INSERT INTO {schema_of(address)}.migrations VALUES ('m999_future', now())")
    with pytest.raises(GalleryError, match="newer version"):
        Gallery(address)
    with pytest.raises(GalleryError, match="newer version"):
        shared.ignore([])


def test_both_databases_have_the_same_tables(shared: Gallery, tmp_path: Path) -> None:
    """A migration of one needs one of the other."""
    with Gallery(tmp_path / "family.faceie") as file:
        names = [
            name
            for (name,) in file._store.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith("sqlite_")
        ]
        expected = {
            name: {row[1] for row in file._store.db.execute(f"SELECT * FROM pragma_table_info('{name}')")}
            for name in names
        }
    found: dict[str, set[str]] = {}
    for table, column in shared._store.db.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    ):
        found.setdefault(table, set()).add(column)
    assert found.pop("recording")
    assert found == expected
    assert schema_postgres.MIGRATIONS[-1].__name__ == MIGRATIONS[-1].__name__
    assert {*schema_postgres.TABLES, "migrations"} == {*expected, "recording"}


def test_the_path_is_the_address(shared: Gallery, address: str) -> None:
    """It is the address as in messages."""
    assert isinstance(shared._store.db, Postgres)
    assert shared.path == name_of(address)


# Several writers


def test_two_programs_make_a_gallery_at_once(address: str, no_weights: None) -> None:
    """One makes the tables, the others find them, and all have one key."""
    keys = []

    def make() -> None:
        with Gallery(address, options=QUICK) as gallery:
            keys.append(gallery._store.setting("key"))

    at_once(*[make] * 4)
    assert len(set(keys)) == 1


def test_names_of_two_people_at_once(shared: Gallery, address: str) -> None:
    """Each confirms faces of other people, face by face. Nothing is lost."""
    for number in range(40):
        put(shared, f"/{number}", face_of(number % 4, number))

    def say(name: str, faces: range) -> None:
        with Gallery(address) as gallery:
            for face in faces:
                gallery.confirm(name, [face])

    at_once(lambda: say("Anna", range(1, 21)), lambda: say("Ben", range(21, 41)), shared.people)
    assert [shared.face(face).name for face in range(1, 41)] == ["Anna"] * 20 + ["Ben"] * 20
    assert all(shared.face(face).confirmed for face in range(1, 41))
    assert len(shared.actions(100)) == 40


def test_one_name_from_two_people_at_once(shared: Gallery, address: str) -> None:
    """Both mean the same person, who is made once."""
    for number in range(2):
        put(shared, f"/{number}", face_of(number, 0))

    def say(face: int) -> None:
        with Gallery(address) as gallery:
            gallery.confirm("Anna", [face])

    at_once(lambda: say(1), lambda: say(2))
    assert shared.person("Anna").faces == 2


def test_merges_at_once(shared: Gallery, address: str) -> None:
    """Two programs merge the same people in opposite directions. One is told that a person is gone; no face is lost."""
    for number in range(30):
        put(shared, f"/{number}", face_of(number % 3, number))
    shared.cluster()
    for one, name in zip(shared.people(), ("Anna", "Ben", "Cleo"), strict=True):
        shared.name(one.number, name)
    refused = []

    def merge(*names: str) -> None:
        with Gallery(address) as gallery:
            try:
                gallery.merge(*names)
            except GalleryError as error:
                refused.append(str(error))

    at_once(lambda: merge("Anna", "Ben"), lambda: merge("Ben", "Anna"), lambda: merge("Cleo", "Ben"))
    assert all("no person is called" in text for text in refused)
    assert 1 <= len(refused) <= 2
    assert sum(one.faces for one in shared.people()) == 30
    assert all(shared.face(face).confirmed for face in range(1, 31))


def test_two_runs_index_at_once(shared: Gallery, address: str, tmp_path: Path) -> None:
    """Two programs index overlapping folders: each photo is there once."""
    photos = fakes(tmp_path / "photos", {f"{number}.jpg": f"{number}.1" for number in range(30)})

    def index() -> None:
        with Gallery(address, options=QUICK) as gallery:
            report = gallery.index([photos], executor=Prepared(by_words))
            assert not report.bad

    at_once(index, index)
    assert len(shared) == 30
    assert len(shared.index([photos], executor=Prepared(by_words)).bad) == 0


def test_a_writer_that_takes_long_is_waited_for_or_named(
    shared: Gallery, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others wait for a transaction, and say so when their patience is over. Readers never wait."""
    put(shared, "/1", person(1))
    with Gallery(address) as other, other._store.transaction():
        assert len(shared) == 1
        with pytest.raises(sqlite3.OperationalError, match="locked"), shared._store.transaction(0.05):
            pass
        monkeypatch.setattr("faceie.gallery.assignment._PATIENCE", 0.05)
        assert shared.people() == []  # without clustering
    shared.ignore([1])


# A lost connection


def pid_of(gallery: Gallery) -> int:
    return int(gallery._store.db.execute("SELECT pg_backend_pid()").fetchone()[0])


def test_a_lost_connection_leaves_nothing_half_done(shared: Gallery) -> None:
    """The server ends the connection within an action: a clear error, nothing stored, and the next call works."""
    put(shared, "/1", person(1))
    before = pid_of(shared)

    def confirm_and_lose_it() -> None:
        with shared._writing("confirm"):
            shared._store.people.confirm([1], shared._store.people.insert("Anna"))
            run(server(), f"SELECT pg_terminate_backend({before})")
            shared._store.people.insert("Ben")

    with pytest.raises(GalleryError, match="cannot be used"):
        confirm_and_lose_it()
    assert not [one for one in shared.people() if one.name]  # on another connection
    assert pid_of(shared) != before
    assert not shared.face(1).confirmed
    shared.confirm("Anna", [1])
    assert shared.face(1).name == "Anna"


def test_a_lost_connection_ends_a_run(shared: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it is lost while a photo is stored, the run ends with a clear error, and the next one finishes its work."""
    photos = fakes(tmp_path / "photos", {f"{number}.jpg": f"{number}.1" for number in range(6)})
    put_photo = shared._store.put_photo

    def put_and_lose_it(*arguments: Any) -> int:
        if len(shared) == 3:
            run(server(), f"SELECT pg_terminate_backend({pid_of(shared)})")
        return put_photo(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(shared._store, "put_photo", put_and_lose_it)
        with pytest.raises(GalleryError, match="cannot be used"):
            shared.index([photos], executor=Prepared(by_words))
    assert len(shared) == 3
    shared.index([photos], executor=Prepared(by_words))
    assert len(shared) == 6


# Rights


def test_a_role_that_reads_only(shared: Gallery, address: str) -> None:
    """It can search and list; all else is refused with the reason."""
    put(shared, "/1", person(1))
    schema = schema_of(address)
    role = f"reader_{schema}"
    run(
        server(),
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
    )
    with Gallery(address.replace("postgres:@", f"{role}@")) as gallery:
        assert gallery.is_read_only
        assert len(gallery.search(person(1))) == 1
        assert len(gallery.people()) == 0
        with pytest.raises(GalleryError, match="can only be read"):
            gallery.ignore([1])


def test_a_role_that_writes(shared: Gallery, address: str) -> None:
    """The rights that the documents name suffice for everything except deleting the tables."""
    schema = schema_of(address)
    role = f"writer_{schema}"
    run(
        server(),
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    )
    with Gallery(address.replace("postgres:@", f"{role}@")) as gallery:
        put(gallery, "/1", person(1))
        put(gallery, "/2", face_of(1, 2))
        gallery.cluster()
        gallery.confirm("Anna", [1])
        gallery.undo()
        gallery.confirm("Anna", [1, 2])
        assert gallery.forget_person("Anna").faces == 2
        put(gallery, "/3", person(3))
        with pytest.raises(GalleryError, match="owner"):
            gallery.forget_all()
        assert len(gallery) == 1


def test_it_is_copied_by_the_tools_of_the_server(shared: Gallery, tmp_path: Path) -> None:
    """There is no file to copy."""
    with pytest.raises(GalleryError, match="pg_dump"):
        shared.backup(tmp_path / "copy.faceie")


def test_a_forgotten_photo_and_person(shared: Gallery, address: str) -> None:
    """Their rows go, from all tables. A photo stays away, and another program does not find the faces."""
    put(shared, "/1", person(1), person(2))
    put(shared, "/2", person(3))
    shared.confirm("Anna", [1])
    with Gallery(address) as other:
        other.cluster()  # holds the embeddings
        assert shared.forget_photo("/2").faces == 1
        assert shared.forget_person("Anna").faces == 1
        assert [match.face.id for match in other.search(person(1), limit=None)] == [2]
        other.cluster()
        assert shared.actions() == []
    count = "SELECT count(*) FROM portraits"
    assert shared._store.db.execute(count).fetchone() == (1,)


def test_nothing_stays_of_a_deleted_gallery(shared: Gallery, address: str) -> None:
    """The tables go, and the schema."""
    put(shared, "/1", person(1))
    assert shared.forget_all().faces == 1
    assert not run(server(), f"SELECT 1 FROM pg_namespace WHERE nspname = '{schema_of(address)}'")

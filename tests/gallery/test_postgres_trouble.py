"""A server that refuses: a replica, missing rights, a full disk, limits of time and of connections, pgvector."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from faceie import Gallery
from faceie.cli import main
from faceie.errors import GalleryError
from faceie.web.desk import Desk

from .conftest import QUICK, Prepared, by_words, face_of, fakes, person, put
from .postgres_server import replica, run, server
from .test_postgres import pid_of, schema_of
from .test_postgres_search import everything


def new_role(address: str, name: str, *statements: str) -> str:
    """Make a role, and execute statements that name it and the schema. Return the address of the gallery for it."""
    schema = schema_of(address)
    role = f"{name}_{schema}"
    run(server(), f"CREATE ROLE {role} LOGIN", *(text.format(role=role, schema=schema) for text in statements))
    return address.replace("postgres:@", f"{role}@")


def administrator(address: str) -> str:
    """Return an address without the schema, which only Faceie knows."""
    return address.partition("&schema=")[0]


USAGE = "GRANT USAGE ON SCHEMA {schema} TO {role}"
ALL = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"


def on_replica(address: str) -> str:
    """Return the address of the same gallery on the replica, which has all changes then."""
    there = replica()
    flush = ("SET synchronous_commit = on", "SELECT txid_current()")
    ((now,),) = run(server(), *flush, "SELECT pg_current_wal_insert_lsn()::text")
    for _ in range(500):
        if run(there, f"SELECT pg_last_wal_replay_lsn() >= '{now}'::pg_lsn") == [(True,)]:
            return f"{there}&schema={schema_of(address)}"
        time.sleep(0.01)
    raise AssertionError("the replica does not follow")


@contextmanager
def trigger(address: str, table: str, body: str, when: str = "true") -> Iterator[None]:
    """Have the server execute statements before each insertion into a table."""
    schema = schema_of(address)
    run(
        server(),
        f"CREATE FUNCTION {schema}.trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$",
        f"CREATE TRIGGER trouble BEFORE INSERT ON {schema}.{table} FOR EACH ROW WHEN ({when})"
        f" EXECUTE FUNCTION {schema}.trouble()",
    )
    yield
    run(server(), f"DROP FUNCTION {schema}.trouble CASCADE")


DISK_FULL = "RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'"


# A replica

WRITES: dict[str, Callable[[Gallery, Path], object]] = {
    "index": lambda gallery, folder: gallery.index([folder], executor=Prepared(by_words)),
    "cluster": lambda gallery, _: gallery.cluster(),
    "name": lambda gallery, _: gallery.name("Anna", "Ben"),
    "merge": lambda gallery, _: gallery.merge("Anna", 2),
    "split": lambda gallery, _: gallery.split("Anna", [1]),
    "confirm": lambda gallery, _: gallery.confirm("Anna", [1]),
    "deny": lambda gallery, _: gallery.deny("Anna", [1]),
    "ignore": lambda gallery, _: gallery.ignore([1]),
    "unignore": lambda gallery, _: gallery.unignore([1]),
    "undo": lambda gallery, _: gallery.undo(),
    "forget person": lambda gallery, _: gallery.forget_person("Anna"),
    "forget photo": lambda gallery, _: gallery.forget_photo("/1"),
    "forget all": lambda gallery, _: gallery.forget_all(),
}


def test_a_replica_is_read(shared: Gallery, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """People, faces, photos and searches are as on the primary server, even if faces wait for clustering."""
    put(shared, "/1", person(1), person(2))
    put(shared, "/2", face_of(1, 2))
    shared.cluster()
    shared.confirm("Anna", [1])
    people = shared.people()
    put(shared, "/3", face_of(2, 2))
    with Gallery(on_replica(address)) as copy:
        assert copy.is_read_only
        assert not copy.is_clustered()
        assert copy.people() == people  # without clustering
        assert copy.person("Anna") == people[0]
        assert [face.id for face in copy.faces_of("Anna")] == [face.id for face in shared.faces_of("Anna")]
        assert everything(copy, person(1), limit=3) == everything(shared, person(1), limit=3)
        assert everything(copy, person(1), limit=None) == everything(shared, person(1), limit=None)
        assert copy.thumbnail(1) == b"JPEG"
        assert copy.suggestions() == copy.suggestions()
        assert [action.name for action in copy.actions()] == ["confirm"]
        assert copy._store.vectors
        assert not copy._store.vectors.has_index()
    assert main(["people", "--gallery", on_replica(address)]) == 0
    out, err = capsys.readouterr()
    assert "Anna" in out
    assert "read-only here" in err


def test_a_replica_is_browsed(shared: Gallery, address: str) -> None:
    """The galleries of the local page open, and its thread neither writes nor fails."""
    put(shared, "/1", person(1), person(2))
    desk = Desk(on_replica(address))
    desk.start()
    try:
        with desk.gallery("quick") as gallery:
            assert gallery.people() == []
        time.sleep(0.1)
        assert desk._keeper.is_alive()
    finally:
        desk.close()


def test_all_writes_to_a_replica_are_refused(shared: Gallery, address: str, tmp_path: Path) -> None:
    """The reason names the replica, and where to write instead."""
    put(shared, "/1", person(1), person(2))
    shared.confirm("Anna", [1])
    photos = fakes(tmp_path / "photos", {"1.jpg": "3.1"})
    with Gallery(on_replica(address)) as copy:
        for name, write in WRITES.items():
            with pytest.raises(GalleryError) as refused:
                write(copy, photos)
            assert "read-only replica. Use the address of its primary" in str(refused.value), name
        assert copy.face(1).name == "Anna"


def test_a_replica_makes_no_gallery(address: str) -> None:
    """The reason is the replica, not pgvector."""
    with pytest.raises(GalleryError, match="there is no gallery here, and this server is a read-only replica"):
        Gallery(on_replica(address))


def test_a_replica_of_an_older_gallery(shared: Gallery, address: str) -> None:
    """It cannot be migrated there."""
    (last,) = shared._store.db.execute("DELETE FROM migrations WHERE name > 'm011' RETURNING name").fetchone()
    with pytest.raises(GalleryError, match=rf"older version .*{last} is missing.*read-only replica"):
        Gallery(on_replica(address))


def test_a_query_that_the_replica_cancels(shared: Gallery, address: str) -> None:
    """A single query is tried again. In a snapshot, the reason and what to do are told; the next query works."""
    put(shared, "/1", person(1))
    schema = schema_of(address)
    run(server(), f"CREATE TABLE {schema}.rows (i int)")

    def get_in_the_way() -> None:
        time.sleep(0.1)
        run(
            server(),
            "SET synchronous_commit = on",
            f"INSERT INTO {schema}.rows SELECT generate_series(1, 1000)",
            f"DELETE FROM {schema}.rows",
            f"VACUUM {schema}.rows",
        )

    with Gallery(on_replica(address)) as copy:
        thread = Thread(target=get_in_the_way)
        thread.start()
        query = "SELECT count(*), (SELECT pg_sleep(0.5)) IS NULL FROM faces"
        assert copy._store.db.execute(query).fetchone() == (1, False)
        thread.join()

        def read() -> None:
            with copy._reading(), copy._store.snapshot():
                copy._store.faces.count()
                get_in_the_way()
                on_replica(address)
                copy._store.faces.count()

        with pytest.raises(GalleryError, match=r"it is a replica .*Run the command again"):
            read()
        assert len(copy) == 1


def test_a_session_that_may_not_write(shared: Gallery, address: str) -> None:
    """An administrator can forbid all writes of a role."""
    put(shared, "/1", person(1))
    there = new_role(address, "still", USAGE, ALL, "ALTER ROLE {role} SET default_transaction_read_only = on")
    with Gallery(there) as gallery:
        assert gallery.is_read_only
        assert len(gallery.search(person(1))) == 1
        assert gallery.people() == []
        with pytest.raises(GalleryError, match="default_transaction_read_only is on"):
            gallery.ignore([1])
        gallery._store.db.run("SET default_transaction_read_only = off")  # as a replica that becomes the primary
        gallery.ignore([1])
        assert not gallery.is_read_only
        gallery._store.db.run("SET default_transaction_read_only = on")  # and the other way round
        with pytest.raises(GalleryError, match=r"can only be read here .*primary server"):
            gallery.unignore([1])


# Rights


def test_a_role_without_rights_on_one_table(shared: Gallery, address: str) -> None:
    """Without the right to write a table, the gallery is read only. Without that to read it, the table is named."""
    put(shared, "/1", person(1))
    there = new_role(address, "half", USAGE, ALL, "REVOKE DELETE ON {schema}.denials FROM {role}")
    with Gallery(there) as gallery:
        assert gallery.is_read_only
        assert len(gallery.search(person(1))) == 1
        with pytest.raises(GalleryError, match=r"this role may not write denials\. Have their owner grant SELECT, INS"):
            gallery.ignore([1])
        role = there.partition("//")[2].partition("@")[0]
        run(server(), f"REVOKE SELECT ON {schema_of(address)}.portraits FROM {role}")
        with pytest.raises(GalleryError, match=r"lacks a right \(permission denied for table portraits\)"):
            gallery.search(person(1))


def test_a_role_without_the_schema(shared: Gallery, address: str) -> None:
    """It is not told that there is no gallery."""
    with pytest.raises(GalleryError, match="lacks a right"):
        Gallery(new_role(address, "guest"))


def test_only_the_owner_migrates(shared: Gallery, address: str) -> None:
    """Others are told to ask for it."""
    shared._store.db.execute("DELETE FROM migrations WHERE name > 'm011'")
    with pytest.raises(GalleryError, match=r"older version .*Have the owner of its tables open it once"):
        Gallery(new_role(address, "early", USAGE, ALL))


# A full disk


def test_the_disk_is_full_during_a_run(shared: Gallery, address: str, tmp_path: Path) -> None:
    """The run ends, stored photos stay, and the next run goes on."""
    photos = fakes(tmp_path / "photos", {f"{number}.jpg": f"{number}.1" for number in range(6)})
    with (
        trigger(address, "faces", DISK_FULL, "NEW.id > 3"),
        pytest.raises(GalleryError, match=r"disk of the server is full.*make room, and run the command again"),
    ):
        shared.index([photos], executor=Prepared(by_words))
    assert len(shared) == 3
    assert run(server(), f"SELECT count(*) FROM {schema_of(address)}.photos") == [(3,)]
    report = shared.index([photos], executor=Prepared(by_words))
    assert (report.analyzed, report.unchanged, len(shared)) == (3, 3, 6)


def test_the_disk_is_full_during_an_action(shared: Gallery, address: str) -> None:
    """All of a confirmation is rolled back, earlier ones stay, and the same call works later."""
    put(shared, "/1", person(1), person(2), person(3))
    shared.confirm("Anna", [1])
    with trigger(address, "changes", DISK_FULL), pytest.raises(GalleryError, match="disk of the server is full"):
        shared.confirm("Ben", [2, 3])
    assert [one.name for one in shared.people() if one.name] == ["Anna"]
    assert len(shared.actions()) == 1
    shared.confirm("Ben", [2, 3])
    assert shared.person("Ben").faces == 2


# Limits of the server


@contextmanager
def before_indexes(body: str) -> Iterator[None]:
    """Have the server execute statements before an index is made."""
    run(
        server(),
        f"CREATE FUNCTION public.trouble() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$",
        "CREATE EVENT TRIGGER trouble ON ddl_command_start WHEN TAG IN ('CREATE INDEX')"
        " EXECUTE FUNCTION public.trouble()",
    )
    try:
        yield
    finally:
        run(server(), "DROP FUNCTION public.trouble CASCADE")


def test_a_statement_takes_too_long(shared: Gallery, address: str) -> None:
    """The reason is told, and nothing of the action is stored."""
    put(shared, "/1", person(1))
    with Gallery(f"{address}&options=-c%20statement_timeout%3D100") as gallery:
        with trigger(address, "people", "PERFORM pg_sleep(5)"), pytest.raises(GalleryError, match="statement_timeout"):
            gallery.confirm("Anna", [1])
        assert gallery.actions() == []
        gallery.confirm("Anna", [1])


def test_the_index_may_take_longer_than_a_statement(shared: Gallery, address: str) -> None:
    """Its construction has no limits of time. Later statements have them."""
    put(shared, "/1", person(1))
    with Gallery(f"{address}&options=-c%20statement_timeout%3D100%20-c%20lock_timeout%3D50") as gallery:
        assert gallery._store.vectors
        with before_indexes("PERFORM pg_sleep(0.3)"):
            assert gallery._store.vectors.build_index(least=1)
        for limit, value in (("statement_timeout", "100ms"), ("lock_timeout", "50ms")):
            assert gallery._store.db.execute(f"SHOW {limit}").fetchone() == (value,)


def test_an_index_that_fails_leaves_nothing(shared: Gallery) -> None:
    """The construction tells the reason, and another one can be started, by another program, too."""
    put(shared, "/1", person(1))
    vectors = shared._store.vectors
    assert vectors
    with (
        before_indexes(DISK_FULL),
        pytest.raises(GalleryError, match="disk of the server is full"),
        shared._reading(),
    ):
        vectors.build_index(least=1)
    assert not shared._store.db.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'").fetchall()
    assert vectors.build_index(least=1)


def test_too_many_connections(shared: Gallery, address: str) -> None:
    """The reason is told, with what to do."""
    there = new_role(address, "crowd", "ALTER ROLE {role} CONNECTION LIMIT 0")
    with pytest.raises(GalleryError, match=r"too many connections .*allow more connections"):
        Gallery(there)


# A server that restarts


def test_a_restart_between_two_statements(shared: Gallery) -> None:
    """The next statement opens another connection, without an error."""
    put(shared, "/1", person(1))
    before = pid_of(shared)
    run(server(), f"SELECT pg_terminate_backend({before})")
    shared.confirm("Anna", [1])
    assert pid_of(shared) != before
    run(server(), f"SELECT pg_terminate_backend({pid_of(shared)})")
    assert [one.name for one in shared.people()] == ["Anna"]


def test_a_restart_at_the_end_of_a_transaction(shared: Gallery) -> None:
    """A lost COMMIT is never taken for one that succeeded."""
    put(shared, "/1", person(1))

    def lose_it() -> None:
        with shared._changing():
            shared._store.people.confirm([1], shared._store.people.insert("Anna"))
            run(server(), f"SELECT pg_terminate_backend({pid_of(shared)})")

    with pytest.raises(GalleryError, match="connection to the server was lost"):
        lose_it()
    assert not shared.face(1).confirmed


def test_a_run_survives_a_restart_between_photos(shared: Gallery, tmp_path: Path) -> None:
    """Nothing is missing."""
    photos = fakes(tmp_path / "photos", {f"{number}.jpg": f"{number}.1" for number in range(6)})

    def progress(done: int, *_: object) -> None:
        if done == 3:
            run(server(), f"SELECT pg_terminate_backend({pid_of(shared)})")

    report = shared.index([photos], executor=Prepared(by_words), progress=progress)
    assert report.analyzed == len(shared) == 6


# pgvector


@pytest.fixture
def other(address: str) -> Iterator[str]:
    """Return the address of a gallery in a new database without pgvector."""
    name = f"other_{schema_of(address)}"
    run(server(), f"CREATE DATABASE {name}")
    yield address.replace("/postgres?", f"/{name}?")
    run(server(), f"DROP DATABASE {name} WITH (FORCE)")


def test_without_pgvector_and_the_right_to_add_it(other: str) -> None:
    """The administrator has to add it."""
    with pytest.raises(GalleryError, match=r"no pgvector \(permission denied.*run CREATE EXTENSION vector"):
        Gallery(new_role(other, "poor"))


def test_pgvector_is_too_old(other: str) -> None:
    """The version is told, and the expected one."""
    old = "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'"
    run(administrator(other), "CREATE EXTENSION vector", old)
    with pytest.raises(GalleryError, match=r"pgvector 0\.7\.4, expected 0\.8 or newer.*ALTER EXTENSION vector UPDATE"):
        Gallery(other)


def test_pgvector_in_a_schema_of_its_own(other: str, no_weights: None) -> None:
    """It is found there. A role without rights on that schema is told so."""
    run(administrator(other), "CREATE SCHEMA ext", "CREATE EXTENSION vector SCHEMA ext")
    with Gallery(other, options=QUICK) as gallery:
        put(gallery, "/1", person(1))
        assert len(gallery.search(person(1))) == 1
    with pytest.raises(GalleryError, match="GRANT USAGE ON SCHEMA ext"):
        Gallery(new_role(other, "lone"))

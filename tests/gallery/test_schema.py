"""The file of a gallery: made, brought up to date, or refused and left alone."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from faceie import Gallery, GalleryError
from faceie.gallery import database, default_path
from faceie.gallery.schema import MIGRATIONS

from .conftest import QUICK, Prepared, assert_intact, by_words, contents, fakes, person, put, rows

pytestmark = pytest.mark.file_only

posix = pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def applied(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT name, applied FROM migrations ORDER BY rowid").fetchall()


def with_migrations(path: Path, migrations: tuple[Callable[[sqlite3.Connection], None], ...]) -> None:
    """Make a gallery by hand that has seen these migrations only."""
    database._create(path)
    with closing(sqlite3.connect(path)) as db, db:
        for migration in migrations:
            migration(db)
            db.execute("INSERT INTO migrations VALUES (?, '2026-01-01 00:00:00')", (migration.__name__,))


# Migrations


def test_each_migration_is_recorded_once_and_in_order(path: Path) -> None:
    """A new gallery has seen all migrations, in their order; opening it again applies none."""
    Gallery(path).close()
    first = applied(path)
    assert [name for name, _ in first] == [migration.__name__ for migration in MIGRATIONS]
    assert [name for name, _ in first] == sorted(name for name, _ in first)
    before = contents(path.parent)
    Gallery(path).close()
    assert applied(path) == first
    assert contents(path.parent) == before


def test_names_of_migrations_are_unique() -> None:
    """The names by which migrations are remembered differ, and so do their numbers."""
    names = [migration.__name__ for migration in MIGRATIONS]
    assert len({name[:4] for name in names}) == len(names)


def test_a_gallery_of_the_first_version_is_brought_up_to_date(path: Path, no_weights: None) -> None:
    """A gallery that has seen the first migration only keeps its rows, and can do all that a new one can."""
    with_migrations(path, MIGRATIONS[:1])
    embedding = person(1).tobytes()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO settings VALUES ('key', ?)", ("ab" * 16,))
        db.execute("INSERT INTO settings VALUES ('weights', '{\"name\": \"vggface2\"}')")
        db.execute("INSERT INTO settings VALUES ('options', '{}')")
        db.execute("INSERT INTO photos VALUES (7, x'00', 640, 480, '2019-06-01T12:30:00', NULL, NULL)")
        db.execute("INSERT INTO files VALUES ('/a.jpg', 7, 1, 2, NULL)")
        db.execute("INSERT INTO faces VALUES (3, 7, 1, 1, 2, 3, 4, zeroblob(40), 0.5, 0.9, 0.8)")
        db.execute("INSERT INTO portraits VALUES (3, ?, x'FF')", (embedding,))
    old = rows(path)
    with Gallery(path) as gallery:
        (face,) = gallery.faces()
        assert (face.id, face.path, face.box, face.taken) == (3, Path("/a.jpg"), (1, 2, 3, 4), "2019-06-01T12:30:00")
        assert (face.person, face.name, face.confirmed) == (None, None, False)
        assert gallery.search(person(1))[0].face.id == 3
        gallery.confirm("Anna", [3])
    assert [name for name, _ in applied(path)] == [migration.__name__ for migration in MIGRATIONS]
    assert applied(path)[0][1] == "2026-01-01 00:00:00"
    new = rows(path)
    for table in ("photos", "files", "portraits"):
        assert [row[: len(old[table][0])] for row in new[table]] == old[table]


def test_a_gallery_of_every_version_ends_with_one_schema(tmp_path: Path) -> None:
    """Whichever migrations a gallery had seen, all have the same tables, indexes and triggers afterwards."""
    schemas = []
    for count in range(len(MIGRATIONS) + 1):
        path = tmp_path / f"{count}.faceie"
        with_migrations(path, MIGRATIONS[:count])
        Gallery(path).close()
        with closing(sqlite3.connect(path)) as db:
            schemas.append(db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall())
    assert all(tables == schemas[0] for tables in schemas)


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All migrations are applied, or none: after an error the file is as it was, and opens later."""
    with_migrations(path, MIGRATIONS[:1])
    before = rows(path)

    def m999_fails(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (done)")
        db.execute("nonsense")

    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", (*MIGRATIONS, m999_fails))
        with pytest.raises(GalleryError, match=r"cannot be used .*nonsense"):
            Gallery(path)
    assert rows(path) == before
    Gallery(path).close()


def test_a_gallery_of_a_newer_version_is_left_alone(path: Path) -> None:
    """An unknown migration is named in the error, and no byte of the file changes."""
    Gallery(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO migrations VALUES ('m999_aura', datetime('now'))")
    before = contents(path.parent)
    for create in (True, False):
        with pytest.raises(GalleryError, match=r"newer version .*m999_aura.*Install a newer version"):
            Gallery(path, create=create)
    assert contents(path.parent) == before


# Other files


def text(path: Path) -> None:
    path.write_text("Dear diary, today I lost my gallery.\n" * 20)


def empty(path: Path) -> None:
    path.touch()


def other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE cookies (host, value)")


def other_program_with_a_log(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE cookies (host, value)")


def short_header(path: Path) -> None:
    Gallery(path).close()
    path.write_bytes(path.read_bytes()[:60])


def half(path: Path) -> None:
    Gallery(path).close()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 // 4096 * 4096])


def last_page_gone(path: Path) -> None:
    Gallery(path).close()
    path.write_bytes(path.read_bytes()[:-4096])


def zeros_within(path: Path) -> None:
    Gallery(path).close()
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(len(content) - 100))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (text, "not a gallery of Faceie, nor any database"),
        (empty, "not a gallery of Faceie, nor any database"),
        (other_program, "a database, but of another program"),
        (other_program_with_a_log, "a database, but of another program"),
        (short_header, "another program|damaged"),
        (half, "damaged or not a gallery .*restore it"),
        (last_page_gone, "damaged or not a gallery .*restore it"),
        (zeros_within, "damaged or not a gallery .*restore it"),
    ],
)
def test_what_is_no_gallery_is_left_alone(path: Path, make: Callable[[Path], None], reason: str) -> None:
    """Other files, and damaged galleries, give an error that names the file, and no byte of it changes."""
    make(path)
    before = contents(path.parent)
    for create in (True, False):
        with pytest.raises(GalleryError, match=reason) as caught:
            Gallery(path, create=create)
        assert str(path) in str(caught.value)
    assert contents(path.parent) == before


def test_a_folder_is_no_gallery(path: Path) -> None:
    """A folder instead of a file gives a GalleryError, and nothing appears in it."""
    path.mkdir()
    with pytest.raises(GalleryError, match=r"family\.faceie: "):
        Gallery(path)
    assert [*path.parent.iterdir()] == [path]
    assert not [*path.iterdir()]


def test_a_link_to_nowhere_is_no_gallery(path: Path) -> None:
    """A link that leads nowhere gives a GalleryError, and stays as it is."""
    path.symlink_to(path.parent / "nowhere")
    with pytest.raises(GalleryError, match=r"family\.faceie: "):
        Gallery(path)
    assert [*path.parent.iterdir()] == [path]


def test_without_create_nothing_is_made(tmp_path: Path) -> None:
    """A gallery that is not there, and is not to be made, gives an error that says how, and leaves no folder."""
    with pytest.raises(GalleryError, match="there is no gallery here; faceie index"):
        Gallery(tmp_path / "folder" / "family.faceie", create=False)
    assert not [*tmp_path.iterdir()]


def test_a_closed_gallery_says_so(path: Path) -> None:
    """A gallery that is used after it was closed says so by a GalleryError."""
    gallery = Gallery(path)
    gallery.close()
    with pytest.raises(GalleryError, match="closed"):
        len(gallery)


def test_default_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FACEIE_GALLERY names the gallery; without it, there is one for each user, which is not made by asking."""
    monkeypatch.setenv("FACEIE_GALLERY", str(tmp_path / "mine.faceie"))
    with Gallery() as gallery:
        assert gallery.path == default_path() == tmp_path / "mine.faceie"
    monkeypatch.delenv("FACEIE_GALLERY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_path().name == "gallery.faceie"
    assert not (tmp_path / "data").exists()


# Who may read it


@posix
def test_only_the_owner_may_read_it(tmp_path: Path, no_weights: None) -> None:
    """The file, its log, the matrix, and the folder that is made for them are readable by their owner only."""
    path = tmp_path / "new" / "folder" / "family.faceie"
    before = os.umask(0o000)
    try:
        with Gallery(path) as gallery:
            put(gallery, "/a.jpg", person(1), person(2))
            gallery.search(person(1))
            names = sorted(file.name for file in path.parent.iterdir())
            assert names == [f"family.faceie{end}" for end in ("", "-shm", "-wal", ".matrix")]
            assert {mode(file) for file in path.parent.iterdir()} == {0o600}
            assert mode(path.parent) == 0o700
    finally:
        os.umask(before)
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}


@posix
def test_a_folder_that_is_there_keeps_its_mode(path: Path) -> None:
    """The mode of a folder that was there already is not touched."""
    path.parent.chmod(0o755)
    Gallery(path).close()
    assert mode(path.parent) == 0o755


def test_nothing_is_left_of_the_making(path: Path) -> None:
    """A gallery is made under another name, of which nothing is left; nor is there a log once it is closed."""
    Gallery(path).close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_nothing_in_it_is_a_pickle(path: Path, gallery: Gallery) -> None:
    """No value in any table begins as a pickle does, and all are numbers, texts, or packed numbers and JPEGs."""
    put(gallery, "/a.jpg", person(1), person(1))
    gallery.people()
    for table, values in rows(path).items():
        for value in (value for row in values for value in row if isinstance(value, bytes)):
            assert not value.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"cposix")), table


# Several at a time


def test_threads_that_make_a_gallery_at_once_share_it(path: Path) -> None:
    """Of several that make a gallery at the same moment, all end with the same one."""
    for round in range(10):
        file = path.with_name(f"{round}.faceie")
        start, keys, errors = threading.Barrier(4), set[str | None](), list[BaseException]()

        def make(file: Path = file, start: threading.Barrier = start, keys: set[str | None] = keys) -> None:
            start.wait()
            try:
                with Gallery(file) as gallery:
                    keys.add(gallery._store.setting("key"))
            except BaseException as error:
                errors.append(error)  # noqa: B023  # within this round

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert len(keys) == 1
        assert_intact(file)
    assert len([*path.parent.iterdir()]) == 10


def test_processes_that_make_a_gallery_at_once_share_it(path: Path) -> None:
    """Two processes that make a gallery at the same moment end with the same one."""
    program = (
        "import sys; from faceie import Gallery; print('ready', flush=True); sys.stdin.readline()\n"
        "with Gallery(sys.argv[1]) as gallery: print(gallery._store.setting('key'))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
    keys = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(keys) == 1
    assert_intact(path)


def test_a_second_gallery_in_one_process_takes_no_lock_away(path: Path) -> None:
    """Rows written after this process opened the gallery a second time are there for other processes.

    POSIX releases all locks of a process on a file, those of SQLite included, when the process closes any handle of it.
    Another process would then assume that it is alone, and delete the log that this one writes to.
    """
    ask = (
        "import sys; from faceie import Gallery\n"
        "with Gallery(sys.argv[1]) as gallery: print(gallery._store.setting('said'))"
    )

    def another_process() -> str:
        return subprocess.run([sys.executable, "-c", ask, path], check=True, capture_output=True, text=True).stdout

    with Gallery(path) as first:
        with Gallery(path):
            pass
        assert another_process() == "None\n"
        with database.transaction(first._store.db):
            first._store.set("said", "hello")
        assert another_process() == "hello\n"


def test_another_program_that_writes_is_waited_for_and_then_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch, no_weights: None, tmp_path: Path
) -> None:
    """While another connection writes, reading works, and writing gives an error that says so; afterwards all works."""
    monkeypatch.setattr(database, "_PATIENCE", 0.1)
    photos = fakes(tmp_path / "photos", {"a.jpg": "1.1 2.1", "b.jpg": "1.2"})
    with Gallery(path, options=QUICK) as gallery, closing(sqlite3.connect(path, isolation_level=None)) as other:
        gallery._weights()
        (face, *_) = put(gallery, "/x.jpg", person(1), person(2))
        before = rows(path)
        other.execute("BEGIN IMMEDIATE")
        for write in (
            lambda: gallery.confirm("Anna", [face]),
            lambda: gallery.cluster(),
            lambda: gallery.forget_photo("/x.jpg"),
            lambda: gallery.index([photos], executor=Prepared(by_words)),
        ):
            with pytest.raises(GalleryError, match=r"another program is writing .*try again"):
                write()
        assert gallery.search(person(1))[0].face.id == face
        assert rows(path) == before
        other.execute("ROLLBACK")
        gallery.confirm("Anna", [face])
        assert gallery.index([photos], executor=Prepared(by_words)).analyzed == 2
    assert_intact(path)


def test_a_full_disk_spoils_nothing(path: Path, gallery: Gallery, tmp_path: Path) -> None:
    """When the disk is full, an error says so; stored photos are intact, and the next run continues there."""
    photos = fakes(tmp_path / "photos", {f"{i:03}.jpg": f"1.{i} 2.{i}" for i in range(60)})
    db = gallery._store.db
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages + 40}")
    with pytest.raises(GalleryError, match="disk is full; all photos stored so far are intact"):
        gallery.index([photos], executor=Prepared(by_words))
    (stored,) = db.execute("SELECT count(*) FROM photos").fetchone()
    assert 0 < stored < 60
    assert len(gallery) == 2 * stored
    assert_intact(path)
    assert len(gallery.search(face := person(1), limit=None)) == 2 * stored
    db.execute("PRAGMA max_page_count = 1000000")
    report = gallery.index([photos], executor=Prepared(by_words))
    assert (report.unchanged, report.analyzed) == (stored, 60 - stored)
    assert len(gallery.search(face, limit=None)) == 120
    with Gallery(path.with_name("other.faceie"), options=QUICK) as undisturbed:
        undisturbed.index([photos], executor=Prepared(by_words))
    assert rows(path) == rows(path.with_name("other.faceie"))

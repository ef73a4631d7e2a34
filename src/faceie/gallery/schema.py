"""The file of a gallery: one SQLite database, its tables, and how they came about.

=============  =======================================================================================================
``settings``   names and values: which encoder and options made the embeddings; counters
``photos``     a row for each photo by its content (SHA-256): its size, when it was taken, or why it cannot be used;
               for one that is in no file any more, until the end of a run, the one that took its place. Photos without
               files stay if the user has said something of their faces
``files``      a row for each path: the photo that it holds, or why it cannot be read; size and time show a change
``faces``      a row for each face: where it is in its photo, how sure and how good it is, and who it is thought to be
``portraits``  the embedding and the thumbnail of each face: apart, so that going through the faces is quick
``people``     a row for each cluster of faces (without a name) and each person (with one)
``denials``    faces of which the user has said who they are *not*
=============  =======================================================================================================

The schema grows by migrations, functions that are never changed once they are released. A gallery remembers which of
them it has seen. It is opened by whatever version is as new as the one that wrote it.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ..errors import GalleryError
from ..files import draft_prefix
from .drives import is_on_network
from .log import address, mark_copy, mark_session, mark_transaction, put_aside_foreign_log
from .names import name_key

__all__ = ["MIGRATIONS", "Database", "back_up", "connect", "reported", "transaction"]

# What SQLite keeps in the header of a file to tell whose it is ("Face").
_APPLICATION = 0x46616365
_TRIES = 10
_PATIENCE = 30.0  # seconds to wait for another program that writes: 100,000 faces are clustered in 20
_LONGEST = 247  # bytes of a gallery's name: SQLite adds 8 for its journal, and file systems allow 255


def m001_photos_and_faces(db: sqlite3.Connection) -> None:
    """Photos, the files that hold them, and the faces in them."""
    db.execute("CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    db.execute(
        "CREATE TABLE photos (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, width INTEGER, height INTEGER,"
        " taken TEXT, error TEXT, successor INTEGER)"
    )
    db.execute(
        "CREATE TABLE files (path TEXT PRIMARY KEY, photo INTEGER REFERENCES photos ON DELETE CASCADE,"
        " size INTEGER NOT NULL, modified INTEGER NOT NULL, error TEXT) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX files_of_photo ON files (photo)")
    db.execute(
        "CREATE TABLE faces (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " photo INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,"
        " number INTEGER NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,"
        " landmarks BLOB NOT NULL, angle REAL NOT NULL, probability REAL NOT NULL, quality REAL NOT NULL,"
        " UNIQUE (photo, number))"
    )
    db.execute(
        "CREATE TABLE portraits (face INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE,"
        " embedding BLOB NOT NULL, thumbnail BLOB NOT NULL)"
    )
    # How often the faces have changed: what is derived from them knows whether it is up to date.
    db.execute("INSERT INTO settings VALUES ('revision', '0')")
    for event in ("INSERT", "DELETE"):
        db.execute(
            f"CREATE TRIGGER faces_after_{event.lower()} AFTER {event} ON faces BEGIN"
            " UPDATE settings SET value = value + 1 WHERE name = 'revision'; END"
        )


def m002_people(db: sqlite3.Connection) -> None:
    """Who the faces are: as clusters have it, and as the user has said."""
    db.execute("CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE)")
    db.execute("ALTER TABLE faces ADD COLUMN person INTEGER REFERENCES people ON DELETE SET NULL")
    db.execute("ALTER TABLE faces ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX faces_of_person ON faces (person)")
    db.execute(
        "CREATE TABLE denials (face INTEGER NOT NULL REFERENCES faces ON DELETE CASCADE,"
        " person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE, PRIMARY KEY (face, person)) WITHOUT ROWID"
    )


def m003_names_in_any_case(db: sqlite3.Connection) -> None:
    """What names of one person have in common, whatever their case and Unicode form."""
    db.execute("ALTER TABLE people ADD COLUMN key TEXT")
    for number, name in db.execute("SELECT id, name FROM people WHERE name IS NOT NULL").fetchall():
        db.execute("UPDATE people SET key = ? WHERE id = ?", (name_key(name), number))
    db.execute("CREATE INDEX people_by_key ON people (key)")  # not unique: older versions told "Anna" from "anna"


def m004_times_of_change(db: sqlite3.Connection) -> None:
    """When a file was last changed in any way, which tools that keep its time cannot hide; NULL if not known."""
    db.execute("ALTER TABLE files ADD COLUMN changed INTEGER")


def m005_incomplete_photos(db: sqlite3.Connection) -> None:
    """What is missing of a photo that is used all the same."""
    db.execute("ALTER TABLE photos ADD COLUMN note TEXT")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    m001_photos_and_faces,
    m002_people,
    m003_names_in_any_case,
    m004_times_of_change,
    m005_incomplete_photos,
)


class Database(sqlite3.Connection):
    """A connection that knows which version of the schema it has checked, and whether it can write."""

    schema = -1
    read_only = False
    is_marked = False
    """Whether this connection has seen to the mark of its session (`log`)."""


def connect(path: Path, *, create: bool) -> Database:
    """Open the gallery in this file, brought to the current schema; create it if there is none, and if so asked.

    Raises GalleryError, and leaves the file unchanged, if it is no gallery or one of a newer Faceie.
    """
    with reported(path):
        if len(os.fsencode(path.name)) > _LONGEST:
            raise GalleryError(f"{path}: this name is too long for a gallery: expected at most {_LONGEST} bytes")
        if not path.exists():
            if not create:
                raise GalleryError(f"{path}: there is no gallery here; faceie index makes one")
            _create(path)
        _check_owner(path)
        if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            return _open_read_only(path)
        put_aside_foreign_log(path)
        db = _open(path)
        try:
            _migrate(db)
            _choose_journal(db, path)
            db.execute("PRAGMA synchronous = NORMAL")  # a loss of power may cost the last photos, never the file
        except BaseException:
            db.close()
            raise
        return db


def _open(path: Path) -> Database:
    db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False, factory=Database)
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
    return db


def _open_read_only(path: Path) -> Database:
    """Open a gallery where nothing can be written: a snapshot, a backup, another user's share."""
    for how in ("mode=ro", "mode=ro&immutable=1"):  # the latter where even the memory that is shared cannot be written
        db = sqlite3.connect(
            f"{address(path)}?{how}", uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False,
            factory=Database,
        )  # fmt: skip
        db.read_only = True
        try:
            _check_schema(db)
            if missing := sorted({migration.__name__ for migration in MIGRATIONS} - _seen(db)):
                raise GalleryError(
                    f"{path}: an older version of Faceie has written this gallery ({missing[0]} is missing), and it "
                    "cannot be written here. Open it once where it can, or copy it there"
                )
            return db
        except sqlite3.OperationalError:
            db.close()
            if "immutable" in how:
                raise
        except BaseException:
            db.close()
            raise
    raise AssertionError


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All that is written within is there afterwards, or, after an error, nothing of it."""
    if getattr(db, "read_only", False):
        raise GalleryError(f"{_file(db)}: this gallery can only be read here. Copy it to where it can be written")
    if isinstance(db, Database) and not db.is_marked:
        db.is_marked = True
        mark_session(db, Path(_file(db)))
    db.execute("BEGIN IMMEDIATE")
    try:
        _check_schema(db)
        mark_transaction(db)
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite may have rolled back by itself, as when the disk is full
            db.execute("ROLLBACK")
        raise


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn SQLite's errors, and those of the file system, into GalleryErrors that say what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise GalleryError(f"{path}: {_explain(error)}") from error
    except OSError as error:
        raise GalleryError(f"{error.filename or path}: {error.strerror or error}") from error


def _explain(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return "another program is writing to this gallery; nothing was changed, try again when it has finished"
    if "full" in text:
        return "the disk is full; what was stored so far is intact, make room and start again"
    if "readonly" in text or "unable to open" in text:
        return f"this file cannot be written ({text}); are the file and its folder yours?"
    if "malformed" in text or "not a database" in text:
        return f"this file is damaged, or no gallery ({text}); restore it from a copy, or index anew into another file"
    return f"the gallery cannot be used ({text})"


def _create(path: Path) -> None:
    """Make an empty gallery that only its owner can read. It has its name only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(prefix=draft_prefix(path), dir=path.parent)  # readable by its owner only
    os.close(handle)
    draft = Path(name)
    try:
        with closing(_open(draft)) as db, transaction(db):
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied TEXT NOT NULL)")
        try:
            path.hardlink_to(draft)  # unlike a replacement, spares a gallery that another program has just made
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _choose_journal(db: Database, path: Path) -> None:
    """Keep a write-ahead log, so that others can read while one writes; on a drive of the network, a rollback journal.

    Where another program has the gallery open, or the file system allows no such log, it stays as it is.
    """
    wanted = "delete" if is_on_network(path) else "wal"
    with suppress(sqlite3.OperationalError):
        if db.execute("PRAGMA journal_mode").fetchone() != (wanted,):
            db.execute("PRAGMA busy_timeout = 0")
            db.execute(f"PRAGMA journal_mode = {wanted}")
    db.execute(f"PRAGMA busy_timeout = {_PATIENCE * 1000:.0f}")


def back_up(db: sqlite3.Connection, target: Path) -> None:
    """Copy a database to a file that only its owner can read, by SQLite's online backup."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(prefix=draft_prefix(target), dir=target.parent)
    os.close(handle)
    draft = Path(name)
    try:
        with closing(sqlite3.connect(draft)) as copy:
            db.backup(copy)
            mark_copy(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # so that it is one file
        for suffix in ("-wal", "-shm", "-journal", "-old-log", ".matrix"):  # of what was there before
            target.with_name(f"{target.name}{suffix}").unlink(missing_ok=True)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _check_owner(path: Path) -> None:
    """Raise GalleryError for a file of another program, without writing to it or beside it.

    SQLite reads it, and not we: POSIX takes all locks that this process has on a file as soon as it closes it once, and
    SQLite knows how to live with that.
    """
    try:
        application = _application(path)
    except sqlite3.DatabaseError as error:
        if path.is_dir() or "not a database" not in str(error):
            raise
        raise GalleryError(f"{path}: this is no gallery of Faceie, nor a database; it is left alone") from None
    if application != _APPLICATION:
        what = "a database, but of another program" if path.stat().st_size else "no gallery of Faceie, nor a database"
        raise GalleryError(f"{path}: this is {what}; it is left alone")


def _application(path: Path) -> int:
    """Return whose database this is, without looking at locks and logs, unless another program is just moving its log
    into the file, so that it seems to be damaged.
    """
    for attempt in range(_TRIES):
        has_log = path.with_name(f"{path.name}-wal").exists()
        how = "mode=ro" if attempt and has_log else "mode=ro&immutable=1"
        try:
            with closing(sqlite3.connect(f"{address(path)}?{how}", uri=True, timeout=_PATIENCE)) as db:
                (application,) = db.execute("PRAGMA application_id").fetchone()
                return int(application)
        except sqlite3.DatabaseError as error:
            if attempt == _TRIES - 1 or "not a database" in str(error):
                raise
            time.sleep(0.01)
    raise AssertionError


def _migrate(db: Database) -> None:
    """Make the changes to the schema that this gallery has not seen, each with its record: all or none of them."""
    _check_schema(db)
    known = {migration.__name__: migration for migration in MIGRATIONS}
    if _seen(db) < known.keys():
        with transaction(db):
            for name in sorted(known.keys() - _seen(db)):
                known[name](db)
                db.execute("INSERT INTO migrations VALUES (?, datetime('now'))", (name,))


def _check_schema(db: sqlite3.Connection) -> None:
    """Raise GalleryError if a newer version has changed the schema, which it may do while this one is open."""
    assert isinstance(db, Database)
    (schema,) = db.execute("PRAGMA schema_version").fetchone()
    if schema != db.schema or schema == 0:
        known = {migration.__name__ for migration in MIGRATIONS}
        if unknown := sorted(_seen(db) - known):
            raise GalleryError(
                f"{_file(db)}: a newer version of Faceie has written this gallery ({', '.join(unknown)}); "
                "it is left alone. Install a newer version of Faceie to open it"
            )
        db.schema = schema


def _file(db: sqlite3.Connection) -> str:
    """Return the path of a database."""
    (path,) = db.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()
    return str(path)


def _seen(db: sqlite3.Connection) -> set[str]:
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").fetchone() is None:
        return set()  # the gallery is being made
    return {name for (name,) in db.execute("SELECT name FROM migrations")}

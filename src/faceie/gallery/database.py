"""The file of a gallery: one SQLite database. Create, check, open, migrate and copy it; transactions."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from ..errors import GalleryError
from ..files import draft_prefix
from .drives import is_on_network
from .log import address, mark_copy, mark_session, mark_transaction, put_aside_foreign_log
from .postgres import Postgres
from .postgres_errors import ServerError
from .schema import MIGRATIONS

__all__ = ["AnyDatabase", "Database", "back_up", "connect", "is_full", "is_locked", "transaction", "translate_errors"]

# SQLite keeps this number in the header of a file, to tell which program it belongs to ("Face").
_APPLICATION = 0x46616365
_TRIES = 10  # attempts to read a header, while another program moves its log into the file
_PATIENCE = 30.0  # seconds to wait for another program that writes
_LONGEST = 247  # bytes of a gallery's name: SQLite adds 8 for its journal, and file systems allow 255


class Database(sqlite3.Connection):
    """A connection with its state: the checked version of the schema, whether it can write, whether it has a mark."""

    snapshot_statement = "BEGIN"
    schema = -1
    read_only = False
    is_marked = False
    """Whether this connection has set the mark of its session (see `log`)."""


AnyDatabase: TypeAlias = Database | Postgres


def connect(path: Path, *, create: bool) -> Database:
    """Open the gallery in a file, and apply missing migrations. If the file is missing, create it if asked.

    Raises GalleryError, and leaves the file unchanged, if it is not a gallery, or if a newer version has written it.
    """
    with translate_errors(path):
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
    db.execute("PRAGMA secure_delete = ON")  # deleted rows are overwritten
    return db


def _open_read_only(path: Path) -> Database:
    """Open a gallery that cannot be written: in a snapshot, a backup or another user's share."""
    for how in ("mode=ro", "mode=ro&immutable=1"):  # the latter where shared memory cannot be written
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
def transaction(db: sqlite3.Connection | Postgres, patience: float | None = None) -> Iterator[None]:
    """Open a transaction: all writes within it succeed, or, after an error, none of them.

    `patience`: seconds to wait for another program that writes, by default half a minute.
    """
    if isinstance(db, Postgres):
        with db.transaction(patience):
            yield
        return
    if getattr(db, "read_only", False):
        raise GalleryError(f"{_file(db)}: this gallery can only be read here. Copy it to where it can be written")
    with _waiting(db, patience):
        if isinstance(db, Database) and not db.is_marked:
            mark_session(db, Path(_file(db)))
            db.is_marked = True
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
def _waiting(db: sqlite3.Connection, patience: float | None) -> Iterator[None]:
    """Wait this many seconds for locks, or as long as usual."""
    if patience is None:
        yield
        return
    (usual,) = db.execute("PRAGMA busy_timeout").fetchone()
    db.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
    try:
        yield
    finally:
        db.execute(f"PRAGMA busy_timeout = {usual}")


@contextmanager
def translate_errors(path: Path | str) -> Iterator[None]:
    """Turn errors of the database and of the file system into GalleryErrors with advice."""
    try:
        yield
    except sqlite3.Error as error:
        raise GalleryError(f"{path}: {_explain(error)}") from error
    except OSError as error:
        raise GalleryError(f"{error.filename or path}: {error.strerror or error}") from error


def is_locked(error: sqlite3.Error) -> bool:
    """Tell whether an error means that another program holds the lock."""
    return "locked" in str(error) or "busy" in str(error)


def is_full(error: sqlite3.Error) -> bool:
    """Tell whether an error means that the disk is full."""
    return "full" in str(error)


def _explain(error: sqlite3.Error) -> str:
    text = str(error)
    if isinstance(error, ServerError):
        return text
    if is_locked(error):
        return "another program is writing to this gallery; nothing was changed, try again when it has finished"
    if is_full(error):
        return "the disk is full; all photos stored so far are intact, make room and start again"
    if "readonly" in text or "unable to open" in text:
        return f"this file cannot be written ({text}); are the file and its folder yours?"
    if "malformed" in text or "not a database" in text:
        return f"this file is damaged or not a gallery ({text}); restore it from a copy, or index into another file"
    return f"the gallery cannot be used ({text})"


def _create(path: Path) -> None:
    """Create an empty gallery that only its owner can read. It appears under its name when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(prefix=draft_prefix(path), dir=path.parent)  # readable by its owner only
    os.close(handle)
    draft = Path(name)
    try:
        with closing(_open(draft)) as db, transaction(db):
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied TEXT NOT NULL)")
        try:
            path.hardlink_to(draft)  # unlike `replace`, keeps a gallery that another program has just created
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _choose_journal(db: Database, path: Path) -> None:
    """Choose a write-ahead log, which allows reading during writing; on a network drive, a rollback journal.

    The journal stays as it is if another program has the gallery open, or if the file system allows no such log.
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
        for suffix in ("-wal", "-shm", "-journal", "-old-log", ".matrix"):  # the former gallery's files
            target.with_name(f"{target.name}{suffix}").unlink(missing_ok=True)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _check_owner(path: Path) -> None:
    """Raise GalleryError for a file of another program, without writing to it or beside it.

    SQLite must read the file. POSIX releases all locks of a process on a file when the process closes any handle of it,
    and only SQLite knows how to deal with that.
    """
    try:
        application = _application(path)
    except sqlite3.DatabaseError as error:
        if path.is_dir() or "not a database" not in str(error):
            raise
        raise GalleryError(f"{path}: this is not a gallery of Faceie, nor any database; it is left alone") from None
    if application != _APPLICATION:
        what = (
            "a database, but of another program" if path.stat().st_size else "not a gallery of Faceie, nor any database"
        )
        raise GalleryError(f"{path}: this is {what}; it is left alone")


def _application(path: Path) -> int:
    """Return the number of the program that a database belongs to, without reading locks and logs.

    The file may seem damaged while another program moves its log into it. Then try again, with the log.
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
    """Apply and record the missing migrations: all or none of them."""
    _check_schema(db)
    known = {migration.__name__: migration for migration in MIGRATIONS}
    if _seen(db) < known.keys():
        with transaction(db):
            for name in sorted(known.keys() - _seen(db)):
                known[name](db)
                db.execute("INSERT INTO migrations VALUES (?, datetime('now'))", (name,))


def _check_schema(db: sqlite3.Connection) -> None:
    """Raise GalleryError if a newer version has changed the schema, which may happen while the gallery is open."""
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
        return set()  # the gallery is being created
    return {name for (name,) in db.execute("SELECT name FROM migrations")}

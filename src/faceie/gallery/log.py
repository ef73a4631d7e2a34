"""Check whether the write-ahead log beside a gallery belongs to it.

A killed program leaves its log behind, and the next one that opens the gallery applies it. But if a backup was copied
over the gallery in between, the log belongs to another state, and would damage the backup. SQLite cannot tell. So a
gallery has a mark: a number in the header of its file (``user_version``) that grows with each session of writing. Each
transaction writes the mark into the log, too:

- At the start of a session, while the log is empty, the mark grows by one, and goes into the file by a checkpoint.
- A log with the mark of the file belongs to it. So does one whose mark is larger by one, if it has seen no checkpoint:
  its program was killed before the mark went into the file.
- A copy that `Gallery.backup` makes has a mark of its own.

Formats: https://www.sqlite.org/fileformat2.html, sections 1.3 (header) and 4.1 (log).
"""

from __future__ import annotations

import secrets
import sqlite3
import struct
import time
import warnings
from contextlib import closing, suppress
from pathlib import Path

__all__ = ["address", "log_of", "mark_copy", "mark_session", "mark_transaction", "put_aside_foreign_log"]

_MARK = 60  # offset in the header
_HEADER = struct.Struct(">8I")  # of the log: magic, version, page size, checkpoint number, ...
_FRAME = 24  # bytes before each page in the log. The first four are the number of the page
_LARGEST = 2**31 - 1
_TRIES, _PAUSE = 5, 0.2  # seconds: another program may be about to put its mark into the file


def address(path: Path) -> str:
    """Return the URI of a file for SQLite. The host of a Windows share becomes a part of the path."""
    uri = path.absolute().as_uri()
    return uri if uri.startswith("file:///") else uri.replace("file://", "file:////", 1)


def log_of(gallery: Path) -> Path:
    """Return the path of a gallery's log."""
    return gallery.with_name(f"{gallery.name}-wal")


def mark_session(db: sqlite3.Connection, gallery: Path) -> None:
    """Give the gallery a new mark, if its log is empty. For the first transaction of a connection."""
    db.execute("BEGIN IMMEDIATE")
    try:
        log = log_of(gallery)
        is_first = log.exists() and log.stat().st_size == 0
        if is_first:
            db.execute(f"PRAGMA user_version = {_mark_of(db) % _LARGEST + 1}")
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    if is_first:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def mark_transaction(db: sqlite3.Connection) -> None:
    """Write the mark into the log, within an open transaction."""
    db.execute(f"PRAGMA user_version = {_mark_of(db)}")


def mark_copy(db: sqlite3.Connection) -> None:
    """Give a copy a random mark, which no log has."""
    db.execute(f"PRAGMA user_version = {secrets.randbelow(_LARGEST) + 1}")


def put_aside_foreign_log(gallery: Path) -> None:
    """Rename a log that belongs to another state of the gallery, so that SQLite does not apply it."""
    log = log_of(gallery)
    for attempt in range(_TRIES):
        if not _is_foreign(gallery, log):
            return
        if attempt < _TRIES - 1:
            time.sleep(_PAUSE)
    aside = gallery.with_name(f"{gallery.name}-old-log")
    log.replace(aside)
    gallery.with_name(f"{gallery.name}-shm").unlink(missing_ok=True)
    warnings.warn(
        f"{gallery}: the log beside this gallery belonged to another state of it (was a backup copied over it?). "
        f"It was not applied, and is kept as {aside.name}",
        RuntimeWarning,
        stacklevel=2,
    )


def _is_foreign(gallery: Path, log: Path) -> bool:
    try:
        with log.open("rb") as file:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return False
            _, _, page_size, checkpoints, *_ = _HEADER.unpack(header)
            mark = None
            while mark is None and len(frame := file.read(_FRAME)) == _FRAME:
                page = file.read(page_size)
                if frame[:4] == b"\0\0\0\1" and len(page) == page_size:
                    mark = int.from_bytes(page[_MARK : _MARK + 4], "big")
    except FileNotFoundError:
        return False
    # SQLite must read the gallery's file: if we closed it, POSIX would release the locks of this process.
    try:
        with closing(sqlite3.connect(f"{address(gallery)}?mode=ro&immutable=1", uri=True)) as db:
            own = _mark_of(db)
    except sqlite3.DatabaseError:  # another program is just moving its log into the file
        return False
    return mark not in (None, own) and not (mark == own % _LARGEST + 1 and checkpoints == 0)


def _mark_of(db: sqlite3.Connection) -> int:
    (mark,) = db.execute("PRAGMA user_version").fetchone()
    return int(mark)

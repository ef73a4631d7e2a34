"""Forgetting: rows go, and with them the bytes that held them.

SQLite overwrites what is deleted (``secure_delete``), but pages that were moved earlier may still hold copies, and the
write-ahead log does. So the log is emptied, and the whole file written anew without what is gone. The matrix of
embeddings is deleted; it is made again from what is left. What the file system and the drive keep of blocks that are
free again is beyond the reach of a program; docs/privacy.md says so.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import GalleryError
from ..files import draft_prefix
from . import people
from .matrix import matrix_path
from .records import Forgotten
from .store import Store

__all__ = ["UNFINISHED", "everything", "files", "person", "photo", "traces"]


UNFINISHED = "unfinished"  # the setting that says that rows have been deleted whose traces are still to be removed


def person(store: Store, number: int) -> Forgotten:
    """Delete the rows of a person or cluster and of its faces."""
    faces = store.db.execute("DELETE FROM faces WHERE person = ?", (number,)).rowcount
    store.db.execute("DELETE FROM people WHERE id = ?", (number,))
    return Forgotten(photos=0, faces=faces)


def photo(store: Store, path: Path) -> Forgotten:
    """Delete the rows of a photo, of its copies and of its faces. Raises GalleryError for one that is not known."""
    known = store.file(str(path))
    if known is None:
        raise GalleryError(f"{path}: this photo is not in the gallery")
    if known.photo is None:
        store.remove_file(str(path))
        return Forgotten(photos=1, faces=0)
    photos = len(store.paths(known.photo))
    (faces,) = store.db.execute("SELECT count(*) FROM faces WHERE photo = ?", (known.photo,)).fetchone()
    store.remove_photo(known.photo)
    people.remove_empty(store)
    return Forgotten(photos, faces)


def everything(store: Store) -> Forgotten:
    """Delete all rows that tell of anybody."""
    faces = store.face_count()
    (photos,) = store.db.execute("SELECT count(*) FROM files").fetchone()
    for table in ("files", "photos", "people"):
        store.db.execute(f"DELETE FROM {table}")  # and what belongs to them
    return Forgotten(photos, faces)


def traces(store: Store) -> None:
    """Remove what is left of deleted rows in the files of the gallery.

    Raises GalleryError if another program reads from it just now, so that the log cannot be emptied.
    """
    store.path.with_name(f"{store.path.name}-old-log").unlink(missing_ok=True)
    try:
        _remove_matrix(store.path)
        is_in_use = False
    except PermissionError:  # on Windows, of a file that is mapped
        is_in_use = True
    store.db.execute("VACUUM")
    (busy, _, _) = store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy or is_in_use:
        raise GalleryError(
            f"{store.path}: all that was to be forgotten is deleted, but another program that reads this gallery keeps "
            "bytes of it in use: end that, and say it again"
        )
    store.unset(UNFINISHED)


def files(gallery: Path) -> None:
    """Delete the files of a gallery that is closed."""
    _remove_matrix(gallery)
    for suffix in ("", "-wal", "-shm", "-journal", "-old-log"):
        gallery.with_name(gallery.name + suffix).unlink(missing_ok=True)


def _remove_matrix(gallery: Path) -> None:
    path = matrix_path(gallery)
    path.unlink(missing_ok=True)
    for draft in path.parent.iterdir():
        if draft.name.startswith(draft_prefix(path)):  # of a program that was killed while it wrote
            draft.unlink(missing_ok=True)

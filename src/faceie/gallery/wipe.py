"""Delete rows, and overwrite the bytes that held them.

SQLite overwrites deleted rows (``secure_delete``). Copies may remain in pages that were moved earlier, and in the
write-ahead log. So the log is emptied, and the whole file is rewritten without the deleted rows. The matrix of
embeddings is deleted, and made again from the remaining faces. File systems and drives may keep copies of free blocks,
beyond the reach of any program: see docs/privacy.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import GalleryError
from .matrix import remove_matrix
from .people import find_number
from .reports import Forgotten
from .store import Store

__all__ = ["everything", "files", "forget", "person", "photo"]

_UNFINISHED = "unfinished"  # setting: rows have been deleted, but copies may remain in the files


def forget(store: Store, delete: Callable[[Store], Forgotten]) -> Forgotten:
    """Delete rows, then their traces in the files. If a former call could not do the latter, it is done now.

    Raises GalleryError, after deleting the rows, if another program keeps traces in use.
    """
    try:
        with store.transaction():
            forgotten = delete(store)
            store.set(_UNFINISHED, "yes")
    except GalleryError:
        if store.setting(_UNFINISHED) is None:
            raise
        forgotten = Forgotten(0, 0)  # a former call has deleted the rows, but not their traces
    _remove_traces(store)
    return forgotten


def person(store: Store, who: int | str) -> Forgotten:
    """Delete the rows of a person or cluster and of its faces."""
    number = find_number(store, who)
    faces = store.faces.delete_of_person(number)
    store.people.delete(number)
    store.history.forget()  # it may hold former names of this person
    return Forgotten(photos=0, faces=faces)


def photo(store: Store, path: Path) -> Forgotten:
    """Delete the rows of a photo, of its copies and of its faces. People stay, even without faces.

    Raises GalleryError for an unknown path.
    """
    known = store.file(str(path))
    if known is None:
        raise GalleryError(f"{path}: this photo is not in the gallery")
    if known.photo is None:
        store.remove_file(str(path))
        return Forgotten(photos=1, faces=0)
    forgotten = Forgotten(len(store.paths(known.photo)), len(store.faces.of_photo(known.photo)))
    store.mark_forgotten(store.digest(known.photo))
    store.remove_photo(known.photo)
    store.people.delete_empty_clusters()
    return forgotten


def everything(store: Store) -> Forgotten:
    """Delete the rows of all photos, faces and people."""
    forgotten = Forgotten(store.file_count(), store.faces.count())
    store.remove_everything()
    return forgotten


def _remove_traces(store: Store) -> None:
    """Remove copies of deleted rows from the files of the gallery."""
    try:
        if isinstance(store.path, Path):
            store.path.with_name(f"{store.path.name}-old-log").unlink(missing_ok=True)
            remove_matrix(store.path)
        is_free = True
    except PermissionError:  # Windows refuses to delete a file that is mapped
        is_free = False
    if not (store.compact() and is_free):
        raise GalleryError(
            f"{store.path}: deleted, but another program has the gallery open, so old bytes remain in its files. "
            "Close it and run the command again"
        )
    store.unset(_UNFINISHED)


def files(gallery: Path) -> None:
    """Delete the files of a closed gallery."""
    remove_matrix(gallery)
    for suffix in ("", "-wal", "-shm", "-journal", "-old-log"):
        gallery.with_name(gallery.name + suffix).unlink(missing_ok=True)

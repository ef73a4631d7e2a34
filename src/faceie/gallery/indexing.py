"""A run over folders: which photos are new, who looks at them, and what is stored.

Photos are handed out to an executor and come back in the order in which they were handed out, so the rows of a gallery
do not depend on how many look at them at a time, nor on how often the run was interrupted. Each photo is a transaction.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ..errors import GalleryError, WeightsError
from ..files import not_a_file
from ..images.folders import search_folders
from . import people
from .absence import is_missing, look_for_absent
from .look import Look, failed
from .records import BadPhoto, IndexReport
from .schema import transaction
from .settings import Settings
from .store import Store
from .workers import ExecutorFailed, Workforce

__all__ = ["Progress", "Run"]

Progress = Callable[[int, int, IndexReport], None]
"""Called after each photo with how many are done, how many there are in all, and the report so far."""

_FEW = 10  # photos that may be pruned whatever share of all they are
_LARGEST = 2**63 - 1  # number that SQLite holds: nanoseconds from 1970 to 2262
_OF_THE_RUN = (GalleryError, WeightsError, ExecutorFailed, sqlite3.OperationalError, sqlite3.InternalError)


#: Size of a file, when its content was modified, and when anything of it was changed (None on Windows), in nanoseconds.
Version: TypeAlias = tuple[int, int, "int | None"]


class _Task(NamedTuple):
    """A photo that is new or has changed."""

    path: str
    digest: bytes
    version: Version
    answer: Future[Look] | None
    """None if the same content is known, or on its way, already."""


class Run:
    """One run of `Gallery.index`."""

    def __init__(self, store: Store, settings: Settings, workforce: Workforce, *, verify: bool = False) -> None:
        self.report = IndexReport()
        self._store = store
        self._settings = settings
        self._workforce = workforce
        self._verify = verify
        self._waiting: deque[_Task] = deque()

    def work(
        self,
        folders: Iterable[Path],
        *,
        prune: bool,
        prune_limit: float,
        retry: bool,
        exclude: Iterable[str] = (),
        follow_links: bool = False,
    ) -> Generator[int, None, None]:
        """Bring the gallery up to date with these folders; yield the number of photos whenever there is progress.

        Whatever one photo does, it is noted, and the run goes on.
        """
        report, started = self.report, time.monotonic()
        tops = [os.path.abspath(folder) for folder in folders]  # noqa: PTH100  # Path.resolve would follow links
        found = search_folders(map(Path, tops), exclude=exclude, follow_links=follow_links)
        photos, report.problems, report.passed_over = found
        paths = list(dict.fromkeys(str(photo.path) for photo in photos))
        for _ in self._work(paths, retry):
            report.seconds = time.monotonic() - started
            yield len(paths)
        if prune:
            self._prune(tops, prune_limit)
        with transaction(self._store.db):
            self._remove_orphans()
        report.joined = people.join_new(self._store)
        report.seconds = time.monotonic() - started

    def _work(self, paths: Iterable[str], retry: bool) -> Iterator[None]:
        """Work through the photos; yield whenever there is progress."""
        with self._workforce:
            for path in paths:
                task = None
                with self._noting(path):
                    task = self._task(path, retry)
                if task is None:
                    yield
                    continue
                self._waiting.append(task)
                while len(self._waiting) >= self._workforce.in_flight:
                    self._finish_first()
                    yield
            while self._waiting:
                self._finish_first()
                yield

    def _task(self, path: str, retry: bool) -> _Task | None:
        """Hand a photo out if need be; return None for one that has not changed."""
        store, version = self._store, _version(path)
        known = store.file(path)
        same = known and known[1:3] == version[:2] and known.changed in (None, version[2]) and not self._verify
        if known and same and known.photo is not None and not (retry and store.is_bad(known.photo)):
            self.report.unchanged += 1
            return None
        digest = _digest(path)
        photo = store.photo(digest)
        if any(task.digest == digest for task in self._waiting) or (
            photo is not None and not (retry and store.is_bad(photo))
        ):
            return _Task(path, digest, version, None)
        return _Task(path, digest, version, self._workforce.submit(path, self._settings))

    def _finish_first(self) -> None:
        """Wait for the photo that was handed out first, and store what there is in it."""
        task = self._waiting.popleft()
        with self._noting(task.path):
            seen = None
            if task.answer:
                try:
                    seen = self._workforce.result(task.answer, task.path)
                except BrokenExecutor as error:
                    seen = self._recover(task, error)
            if seen is not None and seen.passing:
                self._reject(task.path, seen.error or "")
            else:
                self._store_photo(task, seen)

    def _recover(self, task: _Task, error: BrokenExecutor) -> Look:
        """A worker died. Look at this photo alone, to see whether that is its fault; hand the others out again."""
        seen = self._workforce.look_alone(task.path, self._settings, error)
        again = [
            other._replace(answer=self._workforce.submit(other.path, self._settings)) if other.answer else other
            for other in self._waiting
        ]
        self._waiting = deque(again)
        return seen

    def _store_photo(self, task: _Task, seen: Look | None) -> None:
        store, report, path = self._store, self.report, task.path
        if _version(path) != task.version:
            report.bad.append(BadPhoto(Path(path), "it changed while it was looked at: index it again"))
            return
        with transaction(store.db):
            photo = store.photo(task.digest)
            if seen is not None and (photo is None or store.is_bad(photo)):
                photo = store.put_photo(task.digest, seen)
            if photo is None:  # the file that had the same content, and was looked at, has changed since
                report.bad.append(BadPhoto(Path(path), "a copy of it changed while it was looked at: index it again"))
                return
            former = store.file(path)
            gone = [other for other in store.paths(photo) if other != path and is_missing(other)]
            for other in gone:
                store.remove_file(other)
            store.put_file(path, photo, *task.version)
            # What was in this file may turn up in another one: it is removed when the run is over.
            if former and former.photo is not None and former.photo != photo:
                store.set_successor(former.photo, photo)
            problem = store.error(photo)
        if problem is not None:
            report.bad.append(BadPhoto(Path(path), problem))
        elif seen is None and former and former.photo == photo:
            report.unchanged += 1
        elif seen is None:
            report.copies += 1
            report.moved += bool(gone)
        else:
            report.looked_at += 1
            if seen.note:
                report.incomplete.append(BadPhoto(Path(path), seen.note))
            report.faces += len(seen.faces)

    @contextmanager
    def _noting(self, path: str) -> Iterator[None]:
        """Note an error as that of a photo, unless the run cannot go on after it."""
        try:
            yield
        except Exception as error:
            if _ends_the_run(error):
                raise
            reason = failed(error, path).error or ""
            if isinstance(error, FileNotFoundError):  # it has been deleted in this moment
                self.report.bad.append(BadPhoto(Path(path), reason))
            else:
                self._reject(path, reason)

    def _reject(self, path: str, reason: str) -> None:
        """Note a file that cannot be used now: it is tried again in the next run. What is known of it is kept."""
        self.report.bad.append(BadPhoto(Path(path), reason))
        try:
            known = self._store.file(path)
            if known is None or known.photo is None:
                with transaction(self._store.db):
                    self._store.put_file(path, None, 0, 0, error=reason)
        except Exception as error:  # not even that can be stored: it stands in the report
            if _ends_the_run(error):
                raise

    def _prune(self, tops: Iterable[str], limit: float) -> None:
        """Remove what is known of files that are known to be gone."""
        found = look_for_absent(self._store, tops)
        if found.doubtful:
            self.report.problems.append(
                f"not pruned: {found.doubtful} known photos below folders that cannot be read, or that are empty "
                "(is a disk not mounted?)"
            )
        if len(found.absent) > max(limit * found.known, _FEW):
            self.report.problems.append(
                f"not pruned: {len(found.absent)} of {found.known} known photos are gone, which is more than "
                f"{limit:.0%}. If that is right, raise the limit (--yes)"
            )
            return
        with transaction(self._store.db):
            for path in found.absent:
                self._store.remove_file(path)
        self.report.pruned = len(found.absent)

    def _remove_orphans(self) -> None:
        """Remove photos that are in no file any more. What was said of their faces goes to their successors; if they
        have none, it is kept with them, in case they come back.
        """
        orphans = self._store.orphans()
        for photo, successor in orphans:
            if successor is None and self._store.is_spoken_of(photo):
                successor = people.new_version(self._store, photo)
            if successor is not None:
                people.carry_over(self._store, photo, successor)
        for photo, _ in orphans:
            if not self._store.is_spoken_of(photo):
                self._store.remove_photo(photo)
        if orphans:
            people.remove_empty(self._store)


def _digest(path: str) -> bytes:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def _ends_the_run(error: Exception) -> bool:
    """Tell an error of the gallery, the weights or the executor from one of a photo."""
    return isinstance(error, _OF_THE_RUN) or type(error) is sqlite3.DatabaseError  # of which others are subclasses


def _version(path: str) -> Version:
    """Return size and times of a file, by which a change is told. Raises OSError for what is not a file."""
    about = os.stat(path)  # noqa: PTH116  # there are many of them
    if what := not_a_file(about.st_mode):
        raise OSError(errno.EINVAL, f"this is {what}, expected a file")
    modified, changed = (min(max(time, -_LARGEST), _LARGEST) for time in (about.st_mtime_ns, about.st_ctime_ns))
    return about.st_size, modified, None if sys.platform == "win32" else changed  # there, it is when it was made

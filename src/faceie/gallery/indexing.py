"""A run over folders: which photos are new, who looks at them, and what is stored.

Photos are handed out to an executor and come back in the order in which they were handed out, so the rows of a gallery
do not depend on how many look at them at a time, nor on how often the run was interrupted. Each photo is a transaction.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from typing import NamedTuple

from ..photos import find_photos
from . import people
from .look import Look, Settings
from .records import BadPhoto, IndexReport
from .schema import transaction
from .store import Store
from .workers import Workforce

__all__ = ["Progress", "Run"]

Progress = Callable[[int, int, IndexReport], None]
"""Called after each photo with how many are done, how many there are in all, and the report so far."""


class _Task(NamedTuple):
    """A photo that is new or has changed."""

    path: str
    digest: bytes
    stat: os.stat_result
    answer: Future[Look] | None
    """None if the same content is known, or on its way, already."""


class Run:
    """One run of `Gallery.index`."""

    def __init__(self, store: Store, settings: Settings, workforce: Workforce) -> None:
        self.report = IndexReport()
        self._store = store
        self._settings = settings
        self._workforce = workforce
        self._waiting: deque[_Task] = deque()

    def index(self, folders: Iterable[Path], *, prune: bool, retry: bool, progress: Progress | None) -> IndexReport:
        """Bring the gallery up to date with what is in these folders."""
        report, started = self.report, time.monotonic()
        tops = [os.path.abspath(folder) for folder in folders]  # noqa: PTH100  # Path.resolve would follow links
        photos, report.problems = find_photos(map(Path, tops))
        paths = list(dict.fromkeys(str(photo.path) for photo in photos))
        for _ in self._work(paths, retry):
            report.seconds = time.monotonic() - started
            if progress:
                progress(report.done, len(paths), report)
        if prune:
            for top in tops:
                # An empty folder may be one where no disk is mounted now.
                inside = os.path.join(top, "")  # noqa: PTH118
                if self._store.file(top) or any(path.startswith(inside) for path in paths):
                    self._prune(top)
        with transaction(self._store.db):
            self._remove_orphans()
            report.joined = people.join_new(self._store)
        report.seconds = time.monotonic() - started
        return report

    def _work(self, paths: Iterable[str], retry: bool) -> Iterator[None]:
        """Work through the photos; yield whenever there is progress."""
        with self._workforce:
            for path in paths:
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
        """Hand a photo out if need be; return None for one that has not changed, or cannot be read."""
        store = self._store
        try:
            stat = os.stat(path)  # noqa: PTH116  # there are many of them
            known = store.file(path)
            same = known and (known.size, known.modified) == (stat.st_size, stat.st_mtime_ns)
            if known and same and known.photo is not None and not (retry and store.is_bad(known.photo)):
                self.report.unchanged += 1
                return None
            digest = _digest(path)
        except OSError as error:
            self._reject(path, error)
            return None
        photo = store.photo(digest)
        if any(task.digest == digest for task in self._waiting) or (
            photo is not None and not (retry and store.is_bad(photo))
        ):
            return _Task(path, digest, stat, None)
        return _Task(path, digest, stat, self._workforce.submit(path, self._settings))

    def _finish_first(self) -> None:
        """Wait for the photo that was handed out first, and store what there is in it."""
        task = self._waiting.popleft()
        seen = None
        if task.answer:
            try:
                seen = task.answer.result()
            except BrokenExecutor as error:
                seen = self._recover(task, error)
            except (OSError, MemoryError) as error:
                self._reject(task.path, error)
                return
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
        try:
            now = os.stat(path)  # noqa: PTH116
        except OSError as error:
            self._reject(path, error)
            return
        if (now.st_size, now.st_mtime_ns) != (task.stat.st_size, task.stat.st_mtime_ns):
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
            gone = [other for other in store.paths(photo) if other != path and not os.path.exists(other)]  # noqa: PTH110
            for other in gone:
                store.remove_file(other)
            store.put_file(path, photo, now.st_size, now.st_mtime_ns)
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
            report.faces += len(seen.faces)

    def _reject(self, path: str, error: OSError | MemoryError) -> None:
        """Note a file that cannot be read: it is tried again in the next run. What is known of it is kept."""
        reason = "there is not enough memory for it" if isinstance(error, MemoryError) else error.strerror or str(error)
        self.report.bad.append(BadPhoto(Path(path), reason))
        known = self._store.file(path)
        if (known is None or known.photo is None) and not isinstance(error, FileNotFoundError):
            with transaction(self._store.db):
                self._store.put_file(path, None, 0, 0, reason)

    def _prune(self, top: str) -> None:
        """Remove what is known of files that are gone."""
        gone = [path for path in self._store.paths_below(top) if not os.path.lexists(path)]
        with transaction(self._store.db):
            for path in gone:
                self._store.remove_file(path)
        self.report.pruned += len(gone)

    def _remove_orphans(self) -> None:
        """Remove photos that are in no file any more. What was said of their faces goes to their successors."""
        orphans = self._store.orphans()
        for photo, successor in orphans:
            if successor is not None:
                people.carry_over(self._store, photo, successor)
        for photo, _ in orphans:
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

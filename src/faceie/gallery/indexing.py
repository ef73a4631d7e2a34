"""Index folders: find new photos, have them analyzed, store the results.

Photos are submitted to an executor, and their results are stored in the order of submission. So the rows of a gallery
do not depend on the number of workers, nor on interruptions of the run. Each photo is a transaction.
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
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ..errors import GalleryError, OptionError, WeightsError
from ..files import not_a_file
from ..images.folders import search_folders
from . import people
from .absence import find_absent, is_missing
from .analysis import failed_analysis
from .assignment import assign_new
from .database import translate_errors
from .records import PhotoAnalysis
from .reports import BadPhoto, IndexReport
from .settings import Settings
from .store import Store
from .strangers import ignore_new
from .workers import ExecutorFailed, WorkerPool

__all__ = ["IndexRun", "Progress", "absolute_paths", "digest_of", "file_version", "run_to_end"]

Progress = Callable[[int, int, IndexReport], None]
"""Called after each photo with the number of finished photos, the number of all photos, and the report so far."""

_FEW = 10  # photos that may always be pruned
_LARGEST = 2**63 - 1  # largest integer of SQLite: nanoseconds from 1970 to 2262
_ENDING = (GalleryError, WeightsError, ExecutorFailed, sqlite3.OperationalError, sqlite3.InternalError)


#: Size of a file, and the times of the last changes of its content and of its inode (None on Windows), in nanoseconds.
FileVersion: TypeAlias = tuple[int, int, "int | None"]


class _Task(NamedTuple):
    """A photo that is new or has changed."""

    path: str
    digest: bytes
    version: FileVersion
    future: Future[PhotoAnalysis] | None
    """None if the same content is known or already submitted."""


class IndexRun:
    """A run of `Gallery.index`."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        workers: WorkerPool,
        *,
        verify: bool = False,
        newest_first: bool = False,
        forgotten: bool = False,
    ) -> None:
        self.report = IndexReport()
        self.path = store.path
        self._store = store
        self._settings = settings
        self._workers = workers
        self._verify = verify
        self._newest_first = newest_first
        self._add_forgotten = forgotten
        self._waiting: deque[_Task] = deque()

    def work(
        self,
        tops: list[str],
        *,
        prune: bool,
        prune_limit: float,
        retry: bool,
        exclude: Iterable[str] = (),
        follow_links: bool = False,
    ) -> Generator[int, None, None]:
        """Bring the gallery up to date with folders, given by absolute paths. Yield the number of photos after each.

        Errors of single photos are recorded, and the run goes on.
        """
        report, started = self.report, time.monotonic()
        found = search_folders(map(Path, tops), exclude=exclude, follow_links=follow_links)
        photos, report.problems, report.passed_over = found
        paths = list(dict.fromkeys(str(photo.path) for photo in photos))
        if self._newest_first:
            paths.sort(key=_time_of_change, reverse=True)
        for _ in self._work(paths, retry):
            report.seconds = time.monotonic() - started
            yield len(paths)
        if prune:
            self._prune(tops, prune_limit)
        with self._store.transaction():
            self._remove_orphans()
        report.recognized = assign_new(self._store)
        report.ignored = ignore_new(self._store)
        self._store.build_index()
        report.seconds = time.monotonic() - started

    def _work(self, paths: Iterable[str], retry: bool) -> Iterator[None]:
        """Submit the photos and store their analyses. Yield after each photo."""
        with self._workers:
            for path in paths:
                task = None
                with self._recording_errors(path):
                    task = self._task(path, retry)
                if task is None:
                    yield
                    continue
                self._waiting.append(task)
                while len(self._waiting) >= self._workers.in_flight:
                    self._finish_first()
                    yield
            while self._waiting:
                self._finish_first()
                yield

    def _task(self, path: str, retry: bool) -> _Task | None:
        """Submit a photo if needed. Return None if it has not changed."""
        store, version = self._store, file_version(path)
        known = store.file(path)
        same = known and known[1:3] == version[:2] and known.changed in (None, version[2]) and not self._verify
        if known and same and known.photo is not None and not (retry and store.is_bad(known.photo)):
            self.report.unchanged += 1
            return None
        digest = digest_of(path)
        if store.is_forgotten(digest) and not self._add_forgotten:
            self.report.forgotten += 1
            if known:  # the file held another photo before
                with store.transaction():
                    store.remove_file(path)
            return None
        photo = store.photo(digest)
        if any(task.digest == digest for task in self._waiting) or (
            photo is not None and not (retry and store.is_bad(photo))
        ):
            return _Task(path, digest, version, None)
        return _Task(path, digest, version, self._workers.submit(path, self._settings))

    def _finish_first(self) -> None:
        """Wait for the photo that was submitted first, and store its analysis."""
        task = self._waiting.popleft()
        with self._recording_errors(task.path):
            analysis = None
            if task.future:
                try:
                    analysis = self._workers.result(task.future, task.path)
                except BrokenExecutor as error:
                    analysis = self._recover(task, error)
            if analysis is not None and analysis.transient:
                self._reject(task.path, analysis.error or "")
            else:
                self._store_photo(task, analysis)

    def _recover(self, task: _Task, error: BrokenExecutor) -> PhotoAnalysis:
        """Analyze a photo alone, after a worker died, to find out whether it is the cause. Submit the others again."""
        analysis = self._workers.analyze_alone(task.path, self._settings, error)
        again = [
            other._replace(future=self._workers.submit(other.path, self._settings)) if other.future else other
            for other in self._waiting
        ]
        self._waiting = deque(again)
        return analysis

    def _store_photo(self, task: _Task, analysis: PhotoAnalysis | None) -> None:
        store, report, path = self._store, self.report, task.path
        if file_version(path) != task.version:
            report.bad.append(BadPhoto(Path(path), "it changed during the analysis: index it again"))
            return
        with store.transaction():
            photo = store.photo(task.digest)
            if analysis is not None and (photo is None or store.is_bad(photo)):
                photo = store.put_photo(task.digest, analysis)
                store.remove_forgotten(task.digest)
            if photo is None:  # the analyzed file with this content has changed since
                report.bad.append(BadPhoto(Path(path), "a copy of it changed during the analysis: index it again"))
                return
            former = store.file(path)
            gone = [other for other in store.paths(photo) if other != path and is_missing(other)]
            for other in gone:
                store.remove_file(other)
            store.put_file(path, photo, *task.version)
            # The run may still find the former content in another file. If not, it is removed at the end.
            if former and former.photo is not None and former.photo != photo:
                store.set_successor(former.photo, photo)
            problem = store.error(photo)
        if problem is not None:
            report.bad.append(BadPhoto(Path(path), problem))
        elif analysis is None and former and former.photo == photo:
            report.unchanged += 1
        elif analysis is None:
            report.copies += 1
            report.moved += bool(gone)
        else:
            report.analyzed += 1
            if analysis.note:
                report.incomplete.append(BadPhoto(Path(path), analysis.note))
            report.faces += len(analysis.faces)

    @contextmanager
    def _recording_errors(self, path: str) -> Iterator[None]:
        """Record an error for a photo, unless it ends the run."""
        try:
            yield
        except Exception as error:
            if _ends_the_run(error):
                raise
            reason = failed_analysis(error, path).error or ""
            if isinstance(error, FileNotFoundError):  # deleted just now
                self.report.bad.append(BadPhoto(Path(path), reason))
            else:
                self._reject(path, reason)

    def _reject(self, path: str, reason: str) -> None:
        """Record a file that cannot be used now. The next run tries it again. Earlier results are kept."""
        self.report.bad.append(BadPhoto(Path(path), reason))
        try:
            known = self._store.file(path)
            if known is None or known.photo is None:
                with self._store.transaction():
                    self._store.put_file(path, None, 0, 0, error=reason)
        except Exception as error:  # the report has it, even if the gallery cannot store it
            if _ends_the_run(error):
                raise

    def _prune(self, tops: Iterable[str], limit: float) -> None:
        """Remove the records of files that are gone."""
        found = find_absent(self._store, tops)
        if found.doubtful:
            self.report.problems.append(
                f"not pruned: {found.doubtful} known photos below folders that cannot be read or are empty "
                "(is a disk not mounted?)"
            )
        if len(found.absent) > max(limit * found.known, _FEW):
            self.report.problems.append(
                f"not pruned: {len(found.absent)} of {found.known} known photos are gone, which is more than "
                f"{limit:.0%}. If that is right, raise the limit (--yes)"
            )
            return
        with self._store.transaction():
            for path in found.absent:
                self._store.remove_file(path)
        self.report.pruned = len(found.absent)

    def _remove_orphans(self) -> None:
        """Remove photos without files. The user's labels move to their successors.

        Labeled photos without a successor are kept, in case their files come back.
        """
        orphans = self._store.orphans()
        for photo, successor in orphans:
            if successor is None and self._store.people.labeled_faces(photo):
                successor = people.find_new_version(self._store, photo)
            if successor is not None:
                people.move_labels(self._store, photo, successor)
        for photo, _ in orphans:
            if not (self._store.people.labeled_faces(photo) or self._store.imports.people_of_photo(photo)):
                self._store.remove_photo(photo)
        if orphans:
            self._store.people.delete_empty_clusters()


def run_to_end(run: IndexRun, work: Generator[int, None, None], progress: Progress | None) -> IndexReport:
    """Drain a run. Errors of the gallery become GalleryErrors; those of `progress` and executors stay as they are."""
    with closing(work):
        while True:
            try:
                with translate_errors(run.path):
                    photos = next(work, None)
            except ExecutorFailed as failed:
                raise failed.error from None
            if photos is None:
                return run.report
            if progress:
                progress(run.report.done, photos, run.report)


def absolute_paths(folders: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return absolute paths, with the home of "~". Links are not resolved. Raises OptionError for a single path."""
    if isinstance(folders, str | bytes | os.PathLike):
        raise OptionError(f"folders is one path, {folders!r}, expected a list of paths")
    return [os.path.abspath(Path(folder).expanduser()) for folder in folders]  # noqa: PTH100  # resolve follows links


def digest_of(path: str) -> bytes:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def _ends_the_run(error: Exception) -> bool:
    """Tell whether an error lies with the gallery, the weights or the executor, not with a photo."""
    return isinstance(error, _ENDING) or type(error) is sqlite3.DatabaseError  # its subclasses may lie with a photo


def _time_of_change(path: str) -> float:
    """Return the time of the last change of a file's contents; 0 if it cannot be told."""
    try:
        return os.stat(path).st_mtime  # noqa: PTH116  # for many paths, which are strings
    except OSError:
        return 0.0


def file_version(path: str) -> FileVersion:
    """Return size and times of a file, which show whether it has changed. Raises OSError if it is not a file."""
    about = os.stat(path)  # noqa: PTH116  # for many paths, which are strings
    if what := not_a_file(about.st_mode):
        raise OSError(errno.EINVAL, f"this is {what}, expected a file")
    modified, changed = (min(max(time, -_LARGEST), _LARGEST) for time in (about.st_mtime_ns, about.st_ctime_ns))
    return about.st_size, modified, None if sys.platform == "win32" else changed  # there, it is the time of creation

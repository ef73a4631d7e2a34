"""Index folders: find new photos, have them analyzed, store the results.

Photos are submitted to an executor, and their results are stored in the order of submission. So the rows of a gallery
do not depend on the number of workers, nor on interruptions of the run. Each photo is a transaction.

The workers read the photos. This process compares sizes and times, decides and writes. A photo whose content may be
known, because a known file has its size, is hashed first, and analyzed only if its content is new.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from operator import is_not
from pathlib import Path
from typing import TypeAlias

from ..errors import GalleryError, WeightsError
from ..files import not_a_file
from ..images.folders import search_folders
from . import people
from .absence import find_absent, is_missing
from .analysis import digest_of, failed_analysis, load_cached
from .assignment import assign_new
from .database import translate_errors
from .drawn import find_again
from .progress import ProgressRecord
from .records import NewFace, PhotoAnalysis
from .reports import BadPhoto, IndexReport
from .settings import Settings
from .store import Store
from .strangers import ignore_new
from .workers import WorkerDied, WorkerPool

__all__ = ["IndexRun", "Progress", "digest_of", "file_version", "run_to_end"]

Progress = Callable[[int, int, IndexReport], None]
"""Called after each photo with the number of finished photos, the number of all photos, and the report so far."""

_FEW = 10  # photos that may always be pruned
_LARGEST = 2**63 - 1  # largest integer of SQLite: nanoseconds from 1970 to 2262
_ENDING = (GalleryError, WeightsError, sqlite3.OperationalError, sqlite3.InternalError)


#: Size of a file, and the times of the last changes of its content and of its inode (None on Windows), in nanoseconds.
FileVersion: TypeAlias = tuple[int, int, "int | None"]


@dataclass(eq=False)
class _Task:
    """A photo that is new or has changed."""

    path: str
    version: FileVersion
    hashing: Future[PhotoAnalysis] | None = None
    """Set until it is decided whether a photo whose content may be known is analyzed."""
    future: Future[PhotoAnalysis] | None = None
    """None if the same content is known or already submitted."""
    digest: bytes | None = None

    def is_decided(self) -> bool:
        """Tell whether `known_digest` will not change."""
        return self.hashing is None and (self.digest is not None or self.future is None or self.future.done())

    def known_digest(self) -> bytes | None:
        """Return the SHA-256, if it is known yet."""
        if self.digest is None and self.future and self.future.done() and not self.future.exception():
            self.digest = self.future.result().digest
        return self.digest


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
        self._undecided: deque[_Task] = deque()  # those of them with `hashing`
        self._sizes: set[int] | None = None  # of known files; None until the first new one
        self._hash_all = False

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
        self._retry = retry
        found = search_folders(map(Path, tops), exclude=exclude, follow_links=follow_links)
        photos, report.problems, report.passed_over = found
        paths = list(dict.fromkeys(str(photo.path) for photo in photos))
        if self._newest_first:
            paths.sort(key=_time_of_change, reverse=True)
        record = ProgressRecord(self._store)
        for _ in self._work(paths):
            record.update(report.done, len(paths))
            report.seconds = time.monotonic() - started
            yield len(paths)
        if prune:
            self._prune(tops, prune_limit)
        drawn = find_again(self._store, self._settings, lambda: load_cached(self._settings.weights))
        with self._store.transaction():
            self._remove_orphans(drawn)
            record.remove()
        report.recognized = assign_new(self._store)
        report.ignored = ignore_new(self._store)
        self._store.build_index()
        report.seconds = time.monotonic() - started

    def _work(self, paths: Iterable[str]) -> Iterator[None]:
        """Submit the photos and store their analyses. Yield after each photo."""
        with self._workers:
            for path in paths:
                task = None
                with self._recording_errors(path):
                    task = self._task(path)
                if task is None:
                    yield
                    continue
                self._waiting.append(task)
                if task.hashing:
                    self._undecided.append(task)
                self._decide_early()
                while len(self._waiting) >= self._workers.in_flight:
                    self._finish_first()
                    yield
            while self._waiting:
                self._finish_first()
                yield

    def _task(self, path: str) -> _Task | None:
        """Submit a photo if needed. Return None if it has not changed."""
        version = file_version(path)
        known = self._store.file(path)
        same = known and known[1:3] == version[:2] and known.changed in (None, version[2]) and not self._verify
        if known and same and known.photo is not None and not (self._retry and self._store.is_bad(known.photo)):
            self.report.unchanged += 1
            return None
        if self._may_be_known(version[0]):
            return _Task(path, version, hashing=self._workers.submit_hash(path, self._settings))
        return _Task(path, version, future=self._workers.submit(path, self._settings))

    def _may_be_known(self, size: int) -> bool:
        """Tell whether a known photo, or one of this run, may have the content of a new file of this size."""
        if self._sizes is None:
            self._sizes = set(self._store.sizes())
            self._hash_all = self._store.has_contents_without_files()
        may_be = self._hash_all or size in self._sizes
        self._sizes.add(size)
        return may_be

    def _decide_early(self) -> None:
        """Submit the photos that have been hashed and are new, in their order, as far as that can be told."""
        while self._undecided:
            task = self._undecided[0]
            earlier = takewhile(partial(is_not, task), self._waiting)
            twins = [one for one in earlier if one.version[0] == task.version[0]]
            if not (task.hashing and task.hashing.done() and all(one.is_decided() for one in twins)):
                return
            try:
                self._decide(task, {one.known_digest() for one in twins})
            except Exception:  # raised again when it is the photo's turn
                return
            self._undecided.popleft()

    def _decide(self, task: _Task, submitted: set[bytes | None]) -> None:
        """Submit a photo that has been hashed, unless its content is known or among those already submitted."""
        assert task.hashing
        hashed = self._workers.result(task.hashing, task.path)
        if hashed.digest is None:  # it cannot be read
            task.future = task.hashing
        elif not (hashed.digest in submitted or self._is_known(hashed.digest)):
            task.future = self._workers.submit(task.path, self._settings)
        task.digest, task.hashing = hashed.digest, None

    def _is_known(self, digest: bytes) -> bool:
        """Tell whether a content needs no analysis."""
        photo = self._store.photo(digest)
        return self._is_left_out(digest) or (photo is not None and not (self._retry and self._store.is_bad(photo)))

    def _is_left_out(self, digest: bytes) -> bool:
        """Tell whether the user has deleted the photo with this content."""
        return not self._add_forgotten and self._store.is_forgotten(digest)

    def _finish_first(self) -> None:
        """Wait for the photo that was submitted first, and store its analysis."""
        task = self._waiting[0]
        with self._recording_errors(task.path):
            try:
                analysis = self._result(task)
            finally:
                self._waiting.popleft()
            digest = task.digest or (analysis.digest if analysis else None)
            if analysis is not None and (analysis.transient or digest is None):
                self._reject(task.path, analysis.error or "it cannot be read")
            elif digest is not None:
                self._store_photo(task, digest, analysis)
        self._decide_early()

    def _result(self, task: _Task) -> PhotoAnalysis | None:
        """Wait for the analysis of the first photo in the queue. Return None for one with a known content."""
        try:
            if task.hashing:
                self._undecided.popleft()
                self._decide(task, set())
            return self._workers.result(task.future, task.path) if task.future else None
        except BrokenExecutor as error:
            return self._recover(task, error)
        except WorkerDied:
            others = [future for one in self._waiting for future in (one.hashing, one.future) if future]
            return self._workers.analyze_again(task.path, self._settings, others)

    def _recover(self, task: _Task, error: BrokenExecutor) -> PhotoAnalysis:
        """Analyze a photo alone, after a worker died, to find out whether it is the cause. Submit the others again."""
        analysis = self._workers.analyze_alone(task.path, self._settings, error)
        for other in self._waiting:
            if other is not task and other.future:
                other.future = self._workers.submit(other.path, self._settings)
        return analysis

    def _store_photo(self, task: _Task, digest: bytes, analysis: PhotoAnalysis | None) -> None:
        store, report, path = self._store, self.report, task.path
        if self._is_left_out(digest):
            report.forgotten += 1
            if store.file(path):  # the file held another photo before
                with store.transaction():
                    store.remove_file(path)
            return
        if file_version(path) != task.version:
            report.bad.append(BadPhoto(Path(path), "it changed during the analysis: index it again"))
            return
        with store.transaction():
            photo = store.photo(digest)
            if analysis is not None and (photo is None or store.is_bad(photo)):
                photo = store.put_photo(digest, analysis)
                store.remove_forgotten(digest)
            else:
                analysis = None  # another run has stored it
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

    def _remove_orphans(self, drawn: Mapping[int, tuple[int, NewFace]]) -> None:
        """Remove photos without files. The user's labels move to their successors.

        Labeled photos without a successor are kept, in case their files come back.
        """
        orphans = self._store.orphans()
        for photo, successor in orphans:
            if successor is None and self._store.people.labeled_faces(photo):
                successor = people.find_new_version(self._store, photo)
            if successor is not None:
                people.move_labels(self._store, photo, successor, drawn)
        for photo, _ in orphans:
            if not (self._store.people.labeled_faces(photo) or self._store.imports.people_of_photo(photo)):
                self._store.remove_photo(photo)
        if orphans:
            self._store.people.delete_empty_clusters()


def run_to_end(run: IndexRun, work: Generator[int, None, None], progress: Progress | None) -> IndexReport:
    """Drain a run. Errors of the gallery become GalleryErrors; those of `progress` stay as they are."""
    with closing(work):
        while True:
            with translate_errors(run.path):
                photos = next(work, None)
            if photos is None:
                return run.report
            if progress:
                progress(run.report.done, photos, run.report)


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

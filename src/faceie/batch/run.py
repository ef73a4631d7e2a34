"""`analyze_folders`: photos in folders to a dataset, whose files are made by an executor."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from ..checks import whole_number
from ..dataset import check_dataset, open_part, options_text, part_paths
from ..errors import FaceieError
from ..gallery.reports import BadPhoto
from ..gallery.settings import Settings
from ..gallery.workers import (
    default_workers,
    executor_failure,
    is_killed_worker,
    size_of,
    wait_a_while,
    worker_processes,
)
from ..mtcnn.options import DetectionOptions
from .batches import choose_batch_settings, origin_of
from .parts import Part, make_part
from .sources import Source, find_photos

__all__ = ["DatasetReport", "analyze_folders"]

_IN_FLIGHT = 2  # files per worker that are submitted at a time
_MOST_DEATHS = 100  # of worker processes, after which something else than photos is wrong
_TRIES = 5  # of a file whose workers die, with an executor that goes on


@dataclass
class DatasetReport:
    """Result of `analyze_folders`.

    Attributes
    ----------
    photos : int
        Photos that are in new files of the dataset.
    known : int
        Photos that were in the dataset already.
    faces : int
        Faces in the new files.
    files : int
        New files.
    bad : list of BadPhoto
        Photos that could not be used, and files of the dataset that could not be made.
    problems : list of str
        Problems with the given folders and the dataset. One sentence each.
    passed_over : sequence of str
        Counts of skipped files and folders, as sentences.
    seconds : float
        Duration.
    """

    photos: int = 0
    known: int = 0
    faces: int = 0
    files: int = 0
    bad: list[BadPhoto] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    passed_over: Sequence[str] = ()
    seconds: float = 0.0


def analyze_folders(
    folders: Iterable[str | os.PathLike[str]],
    dataset: str | os.PathLike[str],
    *,
    weights: str | Path = "vggface2",
    options: DetectionOptions | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    photos_per_file: int = 500,
    retry: bool = False,
    exclude: Iterable[str] = (),
    follow_links: bool = False,
    truncated: bool = False,
    max_pixels: int | None = None,
    progress: Callable[[int, int, DatasetReport], None] | None = None,
) -> DatasetReport:
    """Analyze the photos in folders, and write photos and faces to a dataset of Parquet files.

    The run may be interrupted or killed at any moment. The next one continues with the files that are missing, and
    analyzes new and changed photos. A photo with which a worker dies is noted and skipped.

    Parameters
    ----------
    folders : iterable of str or path-like
        Folders, searched at any depth, single photos, and URLs, which fsspec opens.
    dataset : str or path-like
        Folder of the dataset. All workers must be able to write it.
    weights : str or Path, default "vggface2"
        Weights of the encoder, as `faceie.facenet.load` takes them.
    options : DetectionOptions, optional
        Options of the detection, by default those of a new gallery.
    workers : int, optional
        Number of processes, as for `Gallery.index`.
    executor : Executor, optional
        Executor to use instead, such as that of a Dask client. Its workers must be able to open the same paths.
    photos_per_file : int, default 500
        Number of photos in each new file.
    retry : bool, default False
        Whether to try photos again that could not be used.
    exclude : iterable of str, optional
        Patterns of files and folders to skip, as in ``.gitignore``.
    follow_links : bool, default False
        Whether to search the folders that links lead to.
    truncated : bool, default False
        Whether to use the readable part of damaged photos. Files that end too early are always used.
    max_pixels : int, optional
        Size of the largest photo to open, by default 250 million pixels.
    progress : callable, optional
        Called after each file with the number of finished photos, the number of all photos, and the report so far.

    Returns
    -------
    DatasetReport
        Result of the run.

    Raises
    ------
    FaceieError
        The dataset has another encoder, other options or a newer format; pyarrow is not installed; workers die; or the
        given executor has failed.
    OptionError
        A parameter is out of range.
    WeightsError
        The weights of the encoder cannot be loaded.

    Examples
    --------
    >>> from faceie.batch import analyze_folders
    >>> report = analyze_folders(["obama.jpg"], "dataset", workers=1)
    >>> report.photos, report.faces
    (1, 1)
    """
    started = time.monotonic()
    processes = None if workers is None else whole_number("workers", workers)
    size = whole_number("photos_per_file", photos_per_file)
    settings = choose_batch_settings(weights, options, truncated=truncated, max_pixels=max_pixels)
    target = Path(os.path.abspath(Path(dataset).expanduser()))  # noqa: PTH100  # leaves links as they are
    report = DatasetReport()
    known = _known_photos(target, settings, retry, report)
    found, problems, report.passed_over = find_photos(
        [os.fspath(folder) for folder in folders], exclude=exclude, follow_links=follow_links
    )
    report.problems += [problem.reason for problem in problems if problem.path == Path()]
    report.bad += [problem for problem in problems if problem.path != Path()]
    new = [photo for photo in found if _key(photo) not in known]
    report.known = len(found) - len(new)
    parts = [new[start : start + size] for start in range(0, len(new), size)]
    run = _Run(target, settings, processes, executor, report, retry=retry)
    for photos in run.work(parts):
        report.seconds = time.monotonic() - started
        if progress:
            progress(report.known + photos, len(found), report)
    report.seconds = time.monotonic() - started
    return report


class _Run:
    """A run that makes the missing files of a dataset."""

    def __init__(
        self,
        target: Path,
        settings: Settings,
        workers: int | None,
        executor: Executor | None,
        report: DatasetReport,
        *,
        retry: bool,
    ) -> None:
        self._target = target
        self._retry = retry
        self._settings = settings.for_run(one_thread=True)
        self._given = executor
        self._asks = executor is not None and workers is None
        self._workers = workers or default_workers()
        self._report = report
        self._deaths = 0
        self._tries: dict[str, int] = {}

    def work(self, parts: Sequence[Sequence[Source]]) -> Iterator[int]:
        """Make files of these photos. Yield the number of finished photos after each."""
        waiting = deque((str(self._path(part)), part) for part in parts)
        while waiting:
            with ExitStack() as stack:
                executor = self._given
                if executor is None and (self._workers > 1 or self._deaths):
                    executor = stack.enter_context(worker_processes(min(self._workers, len(waiting))))
                try:
                    yield from self._run(executor, waiting)
                except BrokenExecutor as error:
                    self._deaths += 1
                    if self._deaths > _MOST_DEATHS:
                        raise FaceieError(
                            f"{self._deaths} worker processes have died; is there enough memory?"
                        ) from error

    def _path(self, photos: Sequence[Source]) -> Path:
        """Return the path of a file. One of an earlier run has the same photos if they are tried again."""
        paths = (self._target / _name(photos, self._settings, attempt) for attempt in count())
        return next(path for path in paths if not (self._retry and path.exists()))

    def _size(self) -> int:
        """Return the number of workers. Those of a cluster come and go."""
        if self._asks:
            self._workers = size_of(self._given) or self._workers
        return self._workers

    def _run(self, executor: Executor | None, waiting: deque[tuple[str, Sequence[Source]]]) -> Iterator[int]:
        """Submit files and wait for them. After an error, those that are not finished are in `waiting` again."""
        running: dict[Future[Part], tuple[str, Sequence[Source]]] = {}
        try:
            while waiting or running:
                if executor is None:
                    target, photos = waiting.popleft()
                    self._add(make_part(target, photos, self._settings))
                    yield self._report.photos
                    continue
                size = self._size()
                while waiting and len(running) < _IN_FLIGHT * size:
                    with self._explaining():
                        future = executor.submit(make_part, *waiting[0], self._settings)
                    running[future] = waiting.popleft()
                with self._explaining():
                    done = wait_a_while(running, executor)
                for future in done:
                    part = self._result(future, running[future], waiting)
                    del running[future]
                    if part:
                        self._add(part)
                        yield self._report.photos
        finally:
            for future, task in running.items():
                future.cancel()
                waiting.append(task)

    def _result(
        self, future: Future[Part], task: tuple[str, Sequence[Source]], waiting: deque[tuple[str, Sequence[Source]]]
    ) -> Part | None:
        """Return a finished file, or None if it is submitted again or given up."""
        try:
            with self._explaining():
                return future.result()
        except Exception as error:
            if not is_killed_worker(error):
                raise
        self._tries[task[0]] = self._tries.get(task[0], 0) + 1
        if self._tries[task[0]] < _TRIES:
            # Other arguments, for executors that keep results by their arguments.
            self._settings = self._settings.for_run(one_thread=True)
            waiting.append(task)
        else:
            self._report.problems.append(f"{task[0]}: workers died {_TRIES} times with this file; run it again")
        return None

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turn an error of the caller's executor into a FaceieError. Deaths of single workers are not errors of it."""
        try:
            yield
        except Exception as error:
            if not self._given or isinstance(error, FaceieError) or is_killed_worker(error):
                raise
            raise FaceieError(executor_failure(self._given, error, again="run it")) from error

    def _add(self, part: Part) -> None:
        report = self._report
        report.files += 1
        report.photos += part.photos
        report.faces += part.faces
        report.bad += [BadPhoto(Path(path), reason) for path, reason in part.bad]


def _known_photos(target: Path, settings: Settings, retry: bool, report: DatasetReport) -> set[bytes]:
    """Return keys of the photos in a dataset. Damaged files are put aside. Raises FaceieError for another encoder."""
    known: set[bytes] = set()
    if not target.exists() or not any(target.glob("*.parquet")):
        return known
    for path in part_paths(target):
        try:
            with open_part(path) as part:
                table = part.read(["path", "path_bytes", "size", "modified", "error"])
        except FaceieError as error:
            aside = path.with_name(f".{path.name}.damaged")
            path.replace(aside)
            report.problems.append(f"{error}. It was renamed to {aside.name}, and its photos are analyzed again")
            continue
        check_dataset([path], origin_of(settings))
        columns = (table[name].to_pylist() for name in table.schema.names)
        for text, raw, size, modified, problem in zip(*columns, strict=True):
            if not (retry and problem is not None):
                known.add(_key(Source(os.fsdecode(raw) if raw is not None else text, size, modified)))
    return known


def _key(photo: Source) -> bytes:
    """Return a short key of a photo, its size and its time."""
    return hashlib.blake2b(repr(photo[:3]).encode(), digest_size=12).digest()


def _name(photos: Sequence[Source], settings: Settings, attempt: int) -> str:
    """Return the name of a file, the same for the same photos, so that runs at the same time make the same files."""
    text = json.dumps([[photo[:3] for photo in photos], options_text(settings.options), attempt])
    return f"part-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}.parquet"

"""Where photos are analyzed: in this process, in worker processes, or by the caller's executor."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import GalleryError, OptionError, WeightsError
from ..machine import available_memory
from ..nn.parallel import get_threads, set_threads
from .alone import DIED, analyze_suspect
from .analysis import analyze_photo, failed_analysis, hash_photo
from .records import PhotoAnalysis
from .settings import Settings

if TYPE_CHECKING:  # slow to import, and only needed by runs with several processes
    from collections.abc import Iterable, Iterator
    from multiprocessing.connection import Connection

__all__ = [
    "WorkerDied",
    "WorkerPool",
    "default_workers",
    "executor_failure",
    "is_killed_worker",
    "size_of",
    "wait_a_while",
    "worker_processes",
]

_IN_FLIGHT = 4  # photos per worker that are submitted at a time
_ASK_AGAIN = 10.0  # seconds until an executor is asked again how many workers it has
_ASK_IF_LOST = 2.0  # seconds until a cluster that does not answer is checked
_NEED = 1_000_000_000  # bytes: peak of a worker, with photos of up to 24 megapixels (docs/speed.md)
_MOST_ON_WINDOWS = 61  # processes that `concurrent.futures` can wait for there
_KILLED_WORKER = "KilledWorker"  # error of Dask for a call with which several workers have died


def default_workers() -> int:
    """Return the default number of workers: one per thread of `set_threads`, if the available memory suffices."""
    if _why_no_workers():
        return 1
    memory = available_memory()
    fitting = get_threads() if memory is None else max(1, memory // _NEED)
    return min(get_threads(), fitting, *([_MOST_ON_WINDOWS] if sys.platform == "win32" else []))


def _why_no_workers() -> str | None:
    """Return the reason why this process cannot start workers, or None."""
    if multiprocessing.current_process().daemon:
        return "this process cannot start others (it is a worker of multiprocessing.Pool or Celery)"
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is not None and not os.path.exists(script):  # noqa: PTH110
        return f"workers import the running script, but this one cannot be imported ({script})"
    return None


class WorkerDied(Exception):
    """Workers of the caller's executor, which still works, have died with a photo."""


class WorkerPool:
    """A context in which photos are submitted for analysis.

    With one worker, this process analyzes the photos itself, with all its threads. Several workers are processes with
    one thread each. They end at once when the context is left or this process dies, even during an analysis. The
    caller's executor, if any, replaces both, and is not shut down.

    `workers`: by default, as many as the executor has, or as `default_workers` returns.
    """

    def __init__(self, workers: int | None = None, executor: Executor | None = None) -> None:
        self._asks = executor is not None and workers is None
        workers = default_workers() if workers is None else workers
        if sys.platform == "win32" and workers > _MOST_ON_WINDOWS and executor is None:
            raise OptionError(f"workers is {workers}, expected at most {_MOST_ON_WINDOWS} on Windows")
        if workers > 1 and executor is None and (why := _why_no_workers()):
            raise GalleryError(f"{why}; pass workers=1, or an executor")
        self._workers = workers
        self._asked = -math.inf
        self._given = executor
        self._own: Executor | None = None
        self._stack = ExitStack()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._dismiss()

    @property
    def in_flight(self) -> int:
        """Number of photos to submit at a time."""
        if self._asks and time.monotonic() > self._asked + _ASK_AGAIN:  # workers of a cluster come and go
            self._workers = size_of(self._given) or self._workers
            self._asked = time.monotonic()
        return _IN_FLIGHT * self._workers if self._workers > 1 or self._given else 1

    def submit(self, path: str, settings: Settings) -> Future[PhotoAnalysis]:
        """Submit a photo for analysis. Raises GalleryError if the caller's executor does not take it."""
        return self._submit(self._executor(), analyze_photo, path, settings)

    def submit_hash(self, path: str, settings: Settings) -> Future[PhotoAnalysis]:
        """Submit a photo to the caller's executor for its SHA-256, or hash it here. Raises as `submit` does."""
        return self._submit(self._given or _SerialExecutor(), hash_photo, path, settings)

    def _submit(self, executor: Executor, function: Any, path: str, settings: Settings) -> Future[PhotoAnalysis]:
        try:
            return executor.submit(function, path, settings)
        except BrokenExecutor as error:  # `result` raises it
            broken: Future[PhotoAnalysis] = Future()
            broken.set_exception(error)
            return broken
        except Exception as error:
            if self._given:
                raise self._failure(error) from error
            raise

    def result(self, future: Future[PhotoAnalysis], path: str) -> PhotoAnalysis:
        """Wait for an analysis. Raises BrokenExecutor, WorkerDied, WeightsError, and GalleryError like `submit`."""
        try:
            while not wait_a_while([future], self._given):
                pass
            return future.result()
        except (BrokenExecutor, WeightsError):
            raise
        except Exception as error:
            if self._given and is_killed_worker(error):
                raise WorkerDied from error
            if self._given:
                raise self._failure(error) from error
            return failed_analysis(error, path)

    def analyze_again(self, path: str, settings: Settings, others: Iterable[Future[PhotoAnalysis]]) -> PhotoAnalysis:
        """Analyze a photo after all others, to find out whether it is the cause that workers of an executor died."""
        waiting = set(others)
        try:
            while waiting:
                waiting -= wait_a_while(waiting, self._given)
        except ConnectionError as error:
            raise self._failure(error) from error
        future = self._submit(self._executor(), analyze_suspect, path, settings)
        try:
            return self.result(future, path)
        except WorkerDied:  # even so
            return PhotoAnalysis(error=DIED, digest=self.result(self.submit_hash(path, settings), path).digest)

    def analyze_alone(self, path: str, settings: Settings, error: BrokenExecutor) -> PhotoAnalysis:
        """Analyze a photo in a process of its own, after a worker died. Raises GalleryError for a given executor."""
        if self._given:
            raise self._failure(error) from error
        self._dismiss()
        try:
            with _processes(1) as alone:
                return alone.submit(analyze_photo, path, settings).result()
        except BrokenExecutor:
            return PhotoAnalysis(error=DIED, digest=hash_photo(path, settings).digest)

    def _failure(self, error: Exception) -> GalleryError:
        return GalleryError(executor_failure(self._given, error, again="index"))

    def _dismiss(self) -> None:
        self._own = None
        self._stack.close()

    def _executor(self) -> Executor:
        if self._given:
            return self._given
        if self._own is None:  # only if needed: a run without changes needs no workers
            self._own = self._stack.enter_context(_processes(self._workers)) if self._workers > 1 else _SerialExecutor()
        return self._own


def worker_processes(count: int) -> AbstractContextManager[Executor]:
    """Return a context with an executor of processes, each of which has one thread. They end with the context."""
    return _processes(count)


def is_killed_worker(error: Exception) -> bool:
    """Tell whether an executor reports that workers died with a call, and goes on with others."""
    return type(error).__name__ == _KILLED_WORKER  # without importing Dask


def wait_a_while(futures: Iterable[Future[Any]], executor: Executor | None) -> set[Future[Any]]:
    """Wait some seconds for a call. Return those that are done. Raises ConnectionError if the cluster is lost."""
    done = wait(list(futures), _ASK_IF_LOST, FIRST_COMPLETED).done
    if not done and _dask_status(executor) in ("closing", "closed"):  # it never answers
        raise ConnectionError("the connection to the cluster was lost")
    return done


def executor_failure(executor: Executor | None, error: Exception, *, again: str) -> str:
    """Return the message for an executor of the caller that has failed. `again`: verb of the remedy."""
    reason = f"{type(error).__name__}: {error}".rstrip(": ")
    status = _dask_status(executor)
    if status is None:
        return f"the executor that was passed in has broken down ({reason}); {again} again with a new one"
    if isinstance(error, CancelledError) or status != "running":
        return f"the connection to the Dask cluster was lost. All results so far are kept: connect, and {again} again"
    return (
        f"the Dask cluster failed ({reason}). All results so far are kept. See that its workers have the same version "
        f"of Faceie as this program, and {again} again"
    )


def _dask_status(executor: Executor | None) -> str | None:
    """Return the status of the client that an executor belongs to, or None if it is not of Dask."""
    return getattr(getattr(executor, "_client", None), "status", None)


def size_of(executor: Any) -> int:
    """Return the number of calls that an executor runs at a time: of Dask, or of the standard library; 0 if unknown."""
    with suppress(Exception):  # the attributes are not public
        client = getattr(executor, "_client", None)
        return int(executor._max_workers if client is None else sum(client.ncores().values()))
    return 0


class _SerialExecutor(Executor):
    """Run each call at once, in this thread."""

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **keywords))
        except Exception as error:  # not Ctrl-C
            future.set_exception(error)
        return future


@contextmanager
def _processes(count: int) -> Iterator[Executor]:
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may inherit locked locks
    receiver, lifeline = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(count, context, initializer=_start, initargs=(receiver,))
    try:
        try:
            with _ignore_interrupts():
                ready = [executor.submit(os.getpid) for _ in range(count)]
            for process in ready:
                process.result()
        except BrokenExecutor:
            raise GalleryError(
                "no worker process can be started. A script that indexes must do so below "
                '`if __name__ == "__main__":`, since each worker imports it; or pass workers=1'
            ) from None
        yield executor
    finally:
        lifeline.close()  # ends the workers
        executor.shutdown(wait=True, cancel_futures=True)
        receiver.close()


@contextmanager
def _ignore_interrupts() -> Iterator[None]:
    """Start processes that ignore Ctrl-C, and handle it here after they have started.

    A terminal sends Ctrl-C to all its processes. Only this one shall act on it. A process that is interrupted while it
    starts would print an error.
    """
    held: list[int] = []
    former = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread() and former is not None  # may set a handler
    masks = hasattr(signal, "pthread_sigmask")  # not on Windows
    if is_main:
        signal.signal(signal.SIGINT, lambda number, _: held.append(number))  # any thread may receive a signal
    if masks:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited by the processes
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if is_main:
            signal.signal(signal.SIGINT, former)
            if held:
                signal.raise_signal(signal.SIGINT)


def _start(lifeline: Connection) -> None:
    """Prepare a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # also where there are no masks
    warnings.filterwarnings("ignore", module=r"PIL\b")  # about corrupt metadata: the user cannot do anything about it
    _silence_libraries()
    set_threads(1)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _silence_libraries() -> None:
    """Discard standard error: decoders in C write a line to it for each odd tag. Errors are part of the results."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)


def _end_with(lifeline: Connection) -> None:
    """End this process when the other end of the pipe closes: the parent closes it, or dies."""
    with suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(0)

"""Worker threads for independent pieces of work, each of which uses BLAS in a single thread.

NumPy releases Python's lock while it computes, so threads that work on different tiles or images keep all processors
busy. The threads of the BLAS library (which computes NumPy's matrix products) gain little within each small product,
and lose much when another program runs: they wait for each other by spinning. So BLAS is limited to one thread while
ours work, and gets its own setting back afterwards.

Work is cut into the same pieces for any number of threads. So the number of threads changes no bit of any result, as
long as BLAS computes each product in the same way (docs/numbers.md).

The number of threads is that of `set_threads`, or of the environment variable FACEIE_THREADS, or the processors that
this process may use. The calling thread is one of them. The others are daemons, so neither Ctrl-C nor the end of the
program waits for them.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, TypeVar

from .. import forks
from ..checks import whole_number
from ..errors import OptionError
from ..machine import available_cpus

__all__ = [
    "concurrency",
    "get_threads",
    "limited_blas",
    "one_thread",
    "parallel",
    "set_threads",
    "single_threaded_blas",
]

T = TypeVar("T")
R = TypeVar("R")

_cpus = available_cpus()
_lock = forks.Lock()
_thread = threading.local()  # .in_parallel: whether this thread works on a job
_threads: int | None = None  # None: not yet asked for
_workers: WorkerThreads | None = None


def get_threads() -> int:
    """Return the number of threads that work in parallel."""
    global _threads
    if _threads is None:
        text = os.environ.get("FACEIE_THREADS", "")
        if text and not (text.isascii() and text.isdecimal() and int(text)):
            raise OptionError(f"FACEIE_THREADS is {text!r}, expected a whole number, 1 or more")
        _threads = int(text) if text else _cpus
    return _threads


def concurrency() -> int:
    """Return the number of threads that can compute at once: the threads, but at most the processors."""
    return min(get_threads(), _cpus)


def set_threads(number: int) -> None:
    """Set the number of threads that work in parallel, the calling thread included.

    The default is the environment variable FACEIE_THREADS, or the processors that this process may use.

    Parameters
    ----------
    number : int
        Number of threads, 1 or more.

    Raises
    ------
    OptionError
        If `number` is not a positive integer.

    Notes
    -----
    The number of threads changes no bit of any result, except for a single face that is encoded alone.

    Examples
    --------
    >>> import faceie
    >>> faceie.set_threads(1)
    """
    global _threads, _workers
    number = whole_number("the number of threads", number)
    with _lock:
        _threads = number
        old, _workers = _workers, None
    if old:
        old.dismiss()


def parallel(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return the results of `function` for all items, in order, computed in parallel threads.

    Nested calls, from within `function`, are serial.
    """
    items = list(items)
    if _in_parallel_region():
        return [function(item) for item in items]
    with single_threaded_blas():
        job = _Job(function, items)
        helpers = min(get_threads(), len(items)) - 1
        if helpers > 0:
            _get_workers().submit(job.work, helpers)
        return job.finish()


class _Job(Generic[T, R]):
    """Items that threads take one by one, until all are taken or one has failed."""

    def __init__(self, function: Callable[[T], R], items: Sequence[T]) -> None:
        self._function = function
        self._items = items
        self._results: list[Any] = [None] * len(items)
        self._next = 0
        self._at_work = 0
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def work(self) -> None:
        """Take items and process them."""
        with self._changed:
            self._at_work += 1
        try:
            with _parallel_region():
                while (number := self._take()) is not None:
                    self._results[number] = self._function(self._items[number])
        except BaseException as error:  # raised again in the thread that waits for the results
            self._stop(error)
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    def finish(self) -> list[R]:
        """Work as well, wait for the other threads, and return all results."""
        self.work()
        try:
            with self._changed:
                while self._at_work:
                    self._changed.wait()
        except BaseException as error:  # Ctrl-C
            self._stop(error)
        if self._error:
            raise self._error
        return self._results

    def _take(self) -> int | None:
        with self._changed:
            if self._next == len(self._items):
                return None
            self._next += 1
            return self._next - 1

    def _stop(self, error: BaseException) -> None:
        """Skip all items that no thread has taken."""
        with self._changed:
            self._error = self._error or error
            self._next = len(self._items)


def _in_parallel_region() -> bool:
    """Tell whether this thread processes an item of a job."""
    return getattr(_thread, "in_parallel", False)


@contextmanager
def _parallel_region() -> Iterator[None]:
    """Run nested parallel work serially in this thread."""
    _thread.in_parallel = True
    try:
        yield
    finally:
        _thread.in_parallel = False


def _get_workers() -> WorkerThreads:
    """Return the worker threads, which work beside the calling thread."""
    global _workers
    with _lock:
        if _workers is None:
            _workers = WorkerThreads(get_threads() - 1, "faceie")
        return _workers


class WorkerThreads:
    """Daemon threads that share one queue of work."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        for _ in range(count):
            threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while function := self._queue.get():
            function()
            del function  # and the objects that it refers to, while waiting for the next

    def submit(self, function: Callable[[], object], times: int = 1) -> None:
        """Call `function`, which must not raise, this many times, in threads as they become free."""
        for _ in range(times):
            self._queue.put(function)

    def dismiss(self) -> None:
        """End the threads when the queue is empty."""
        for _ in range(self._count):
            self._queue.put(None)


class _Blas:
    """The limit on the threads of BLAS, which is a setting of the process: the lowest that any thread asks for.

    threadpoolctl 3.8 or newer lets only one thread of a process change it, so a thread of our own does. Where the
    caller has `threadpoolctl.threadpool_limits` in force, its limit stays.
    """

    def __init__(self) -> None:
        self.lock = forks.Lock()
        self.limits: list[int] = []  # requested
        self.thread: WorkerThreads | None = None
        self.setting: tuple[int, Any] | None = None  # the limit in force, and a function that removes it
        self.controller: Any = None

    def enter(self, limit: int) -> None:
        with self.lock:
            self.limits.append(limit)
            try:
                self._apply()
            except BaseException:  # Ctrl-C, or there is no threadpoolctl
                self.limits.remove(limit)
                if self.thread and not self.limits:
                    self.thread.submit(self._set)
                raise

    def leave(self, limit: int) -> None:
        with self.lock:
            self.limits.remove(limit)
            self._apply()

    def _apply(self) -> None:
        """Change the setting in our thread, if it must change, and wait for it."""
        if (self.setting[0] if self.setting else None) == min(self.limits, default=None):
            return
        self.thread = self.thread or WorkerThreads(1, "faceie-blas")
        done = threading.Event()
        errors: list[BaseException] = []

        def do() -> None:
            try:
                self._set()
            except BaseException as error:
                errors.append(error)
            finally:
                done.set()

        self.thread.submit(do)
        done.wait()
        if errors:
            raise errors[0]

    def _set(self) -> None:
        setting, self.setting = self.setting, None
        if setting:
            setting[1]()
        if self.limits:
            limit = min(self.limits)
            self.setting = (limit, self._limit(limit))

    def _limit(self, limit: int) -> Callable[[], object]:
        """Limit BLAS, unless it uses no more threads already; return a function that removes the limit."""
        if self.controller is None:
            import threadpoolctl  # slow to import, and finds only libraries that are loaded already

            self.controller = threadpoolctl.ThreadpoolController().select(user_api="blas")
        if all(library.num_threads <= limit for library in self.controller.lib_controllers):
            return lambda: None
        limiter = self.controller.limit(limits=limit, user_api="blas")
        limiter.__enter__()
        return lambda: limiter.__exit__(None, None, None)


_blas = _Blas()


@contextmanager
def limited_blas(limit: int) -> Iterator[None]:
    """Let BLAS use at most this many threads of its own."""
    blas = _blas
    blas.enter(limit)
    try:
        yield
    finally:
        blas.leave(limit)


def single_threaded_blas() -> AbstractContextManager[None]:
    """Keep BLAS from using threads of its own."""
    return limited_blas(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in the calling thread alone. Other threads of the process keep theirs, except those of BLAS."""
    with single_threaded_blas(), _parallel_region():
        yield


@forks.in_child
def _forget_threads() -> None:
    global _blas, _workers
    _blas, _workers = _Blas(), None
    _thread.in_parallel = False

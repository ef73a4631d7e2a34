"""Threads: independent pieces of work side by side, each with a single-threaded matrix product.

NumPy lets go of Python's lock while it computes, so threads that work on different tiles or images keep all processors
busy. Letting the BLAS library (which computes NumPy's matrix products) use its own threads within each small product
gains little, and loses a great deal when something else runs on the machine: its threads wait for each other by
spinning. So BLAS is limited to one thread while ours work, and has its own setting again afterwards.

How many threads: `set_threads`, or the environment variable FACEIE_THREADS, or the number of processors that this
process may use.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from ..errors import OptionError

__all__ = ["get_threads", "parallel", "set_threads", "single_threaded_blas"]

T = TypeVar("T")
R = TypeVar("R")

_lock = threading.Lock()
_thread = threading.local()  # .inside: whether this is one of our threads
_threads: int | None = None  # None: not yet asked for
_pool: ThreadPoolExecutor | None = None


def get_threads() -> int:
    """Return how many threads work side by side."""
    global _threads
    if _threads is None:
        text = os.environ.get("FACEIE_THREADS", "")
        if text and not (text.isdigit() and int(text)):
            raise OptionError(f"FACEIE_THREADS is {text!r}, expected a whole number, 1 or more")
        _threads = int(text) if text else _processors()
    return _threads


def set_threads(number: int) -> None:
    """Let `number` threads, 1 or more, work side by side. Raises OptionError."""
    global _threads, _pool
    if not isinstance(number, int) or number < 1:
        raise OptionError(f"the number of threads is {number!r}, expected a whole number, 1 or more")
    with _lock:
        _threads = number
        old, _pool = _pool, None
    if old:
        old.shutdown(wait=False)  # what it was given is still done


def _processors() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def parallel(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return what `function` gives for each item, in order; several at a time, in threads.

    From within `function`, or with one thread, one after the other.
    """
    items = list(items)
    if getattr(_thread, "inside", False):
        return [function(item) for item in items]
    with single_threaded_blas():
        if len(items) < 2 or get_threads() == 1:
            return [function(item) for item in items]
        return list(_workers().map(function, items))


def _workers() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(get_threads(), "faceie", initializer=_mark)
        return _pool


def _mark() -> None:
    _thread.inside = True


def _forget_pool() -> None:
    """A forked process has the pool, but not its threads."""
    global _pool, _lock, _blas
    _pool, _lock, _blas = None, threading.Lock(), _Blas()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


class _Blas:
    """Limits BLAS to one thread while anyone in this process asks for it: the setting belongs to the whole process.

    From version 3.8 on, threadpoolctl lets only one thread of a process change it: so one of our own does, and only
    where the caller has `threadpoolctl.threadpool_limits` in force, that stays as it is.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.thread: ThreadPoolExecutor | None = None
        self.limit: Any = None
        self.controller: Any = None

    def enter(self) -> None:
        with self.lock:
            self.users += 1
            if self.users == 1:
                self.thread = self.thread or ThreadPoolExecutor(1, "faceie-blas")
                self.thread.submit(self._set).result()

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0 and self.thread:
                self.thread.submit(self.limit.__exit__, None, None, None).result()

    def _set(self) -> None:
        if self.controller is None:
            import threadpoolctl  # takes some milliseconds, and finds libraries only once they are loaded

            self.controller = threadpoolctl.ThreadpoolController()
        self.limit = self.controller.limit(limits=1, user_api="blas")
        self.limit.__enter__()


_blas = _Blas()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep BLAS from using threads of its own meanwhile."""
    blas = _blas
    blas.enter()
    try:
        yield
    finally:
        blas.leave()

"""Threads: independent pieces of work side by side, each with a single-threaded matrix product.

NumPy lets go of Python's lock while it computes, so threads that work on different tiles or images keep all processors
busy. Letting the BLAS library (which computes NumPy's matrix products) use its own threads within each small product
gains little, and loses a great deal when something else runs on the machine: its threads wait for each other by
spinning. So BLAS is limited to one thread while ours work, and has its own setting again afterwards.

How work is cut into pieces never depends on the number of threads. So their number does not change a bit of any result,
as long as BLAS computes each product in the same way (docs/numbers.md).

How many threads: `set_threads`, or the environment variable FACEIE_THREADS, or the number of processors that this
process may use. The thread that asks for something is one of them. The others are daemons: they hold nothing that must
be put in order, so neither Ctrl-C nor the end of the program waits for them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from .. import forks
from ..checks import whole_number
from ..errors import OptionError
from ..machine import available_processors
from .blas import single_threaded_blas
from .daemons import Daemons

__all__ = ["concurrency", "get_threads", "parallel", "set_threads"]

T = TypeVar("T")
R = TypeVar("R")

_lock = forks.Lock()
_thread = threading.local()  # .inside: whether this thread is at work on a job already
_processors = available_processors()
_threads: int | None = None  # None: not yet asked for
_helpers: Daemons | None = None


def get_threads() -> int:
    """Return how many threads work side by side."""
    global _threads
    if _threads is None:
        text = os.environ.get("FACEIE_THREADS", "")
        if text and not (text.isascii() and text.isdecimal() and int(text)):
            raise OptionError(f"FACEIE_THREADS is {text!r}, expected a whole number, 1 or more")
        _threads = int(text) if text else _processors
    return _threads


def concurrency() -> int:
    """Return how many threads can compute at once: more than there are processors only take turns."""
    return min(get_threads(), _processors)


def set_threads(number: int) -> None:
    """Let `number` threads, 1 or more, work side by side. Raises OptionError."""
    global _threads, _helpers
    number = whole_number("the number of threads", number)
    with _lock:
        _threads = number
        old, _helpers = _helpers, None
    if old:
        old.dismiss()


def parallel(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return what `function` gives for each item, in order; several at a time, in threads.

    From within `function`, or with one thread, one after the other.
    """
    items = list(items)
    if _is_at_work():
        return [function(item) for item in items]
    with single_threaded_blas():
        job = _Job(function, items)
        helpers = min(get_threads(), len(items)) - 1
        if helpers > 0:
            _get_helpers().submit(job.work, helpers)
        return job.finish()


class _Job(Generic[T, R]):
    """Pieces of work that threads take one by one, until none is left or one has failed."""

    def __init__(self, function: Callable[[T], R], items: Sequence[T]) -> None:
        self._function = function
        self._items = items
        self._results: list[Any] = [None] * len(items)
        self._next = 0
        self._at_work = 0
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def work(self) -> None:
        """Take pieces and do them. A thread that comes late finds nothing to do."""
        with self._changed:
            self._at_work += 1
        try:
            with _at_work():
                while (piece := self._take()) is not None:
                    self._results[piece] = self._function(self._items[piece])
        except BaseException as error:  # of whatever kind: it is raised where the job came from
            self._stop(error)
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    def finish(self) -> list[R]:
        """Work along, wait for the others, and return all results."""
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
        """Leave undone what nobody has begun."""
        with self._changed:
            self._error = self._error or error
            self._next = len(self._items)


def _is_at_work() -> bool:
    """Tell whether this thread does a piece of work that was shared out already."""
    return getattr(_thread, "inside", False)


@contextmanager
def _at_work() -> Iterator[None]:
    """Run nested parallel work serially in this thread."""
    _thread.inside = True
    try:
        yield
    finally:
        _thread.inside = False


def _get_helpers() -> Daemons:
    """Return the threads that work beside those that ask for something."""
    global _helpers
    with _lock:
        if _helpers is None:
            _helpers = Daemons(get_threads() - 1, "faceie")
        return _helpers


@forks.in_child
def _forget_threads() -> None:
    global _helpers
    _helpers = None
    _thread.inside = False

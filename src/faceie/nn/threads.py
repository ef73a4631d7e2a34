"""Threads: independent pieces of work side by side, each with a single-threaded matrix product.

NumPy lets go of Python's lock while it computes, so threads that work on different tiles or images keep all processors
busy. Letting the BLAS library (which computes NumPy's matrix products) use its own threads within each small product
gains little, and loses a great deal when something else runs on the machine: its threads wait for each other by
spinning. So BLAS is limited to one thread while ours work, and has its own setting again afterwards.

How many threads: `set_threads`, or the environment variable FACEIE_THREADS, or the number of processors that this
process may use. The thread that asks for something is one of them. The others are daemons: they hold nothing that must
be put in order, so neither Ctrl-C nor the end of the program waits for them.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError

__all__ = ["Step", "get_threads", "in_step", "parallel", "set_threads", "single_threaded_blas"]

#: What may be done side by side: parts, each a list of calls that are made in turn.
Step: TypeAlias = Sequence[Sequence[Callable[[], object]]]

_IDLE = 10_000  # zeros

T = TypeVar("T")
R = TypeVar("R")

_lock = threading.Lock()
_thread = threading.local()  # .inside: whether this thread is at work on a job already
_threads: int | None = None  # None: not yet asked for
_helpers: _Daemons | None = None


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
    global _threads, _helpers
    if not isinstance(number, int) or number < 1:
        raise OptionError(f"the number of threads is {number!r}, expected a whole number, 1 or more")
    with _lock:
        _threads = number
        old, _helpers = _helpers, None
    if old:
        old.dismiss()


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
        job = _Job(function, items)
        if helpers := min(get_threads(), len(items)) - 1:
            _get_helpers().submit(job.work, times=helpers)
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
        _thread.inside = True
        try:
            while (piece := self._take()) is not None:
                self._results[piece] = self._function(self._items[piece])
        except BaseException as error:  # of whatever kind: it is raised where the job came from
            self._stop(error)
        finally:
            _thread.inside = False
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


def in_step(steps: Sequence[Step]) -> None:
    """Do the parts of each step side by side, as far as there are threads, and one step after the other."""
    parts = max(map(len, steps), default=0)
    helpers = min(get_threads(), parts) - 1
    if helpers < 1 or getattr(_thread, "inside", False):
        for step in steps:
            for part in step:
                _do(part)
        return
    with single_threaded_blas():
        march = _March(steps)
        _get_helpers().submit(march.follow, times=helpers)
        march.lead()


def _do(part: Sequence[Callable[[], object]]) -> None:
    for call in part:
        call()


class _March:
    """Steps that threads take together.

    A part belongs to the thread that takes it first: so nobody waits for a thread that is late, or does not come. They
    wait for each other at work, since one that sleeps is woken some 50 microseconds late, which is as long as a part
    may take.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._now = 0  # the step that is taken
        self._open = {(number, part): None for number, step in enumerate(steps) for part in range(len(step))}
        self._done: list[int] = []  # parts that those who follow have done
        self._error: BaseException | None = None

    def lead(self) -> None:
        """Take all steps, with whoever follows."""
        taken = 0  # by those who follow
        idle = np.zeros(_IDLE, np.float32)
        try:
            for number, step in enumerate(self._steps):
                self._now = number
                for part, calls in enumerate(step):
                    if self._take(number, part):
                        _do(calls)
                    else:
                        taken += 1
                while len(self._done) < taken:
                    _linger(idle)
                if self._error:
                    raise self._error
        finally:
            self._now = len(self._steps)

    def follow(self) -> None:
        """Do parts of the step that is taken, until there is none."""
        idle = np.zeros(_IDLE, np.float32)
        _thread.inside = True
        try:
            while (number := self._now) < len(self._steps):
                for part, calls in reversed([*enumerate(self._steps[number])]):
                    if self._take(number, part):
                        try:
                            _do(calls)
                        except BaseException as error:  # of whatever kind: it is raised where the steps came from
                            self._error = error
                        self._done.append(part)
                while self._now == number:
                    _linger(idle)
        finally:
            _thread.inside = False

    def _take(self, number: int, part: int) -> bool:
        try:
            del self._open[number, part]
        except KeyError:
            return False
        return True


def _linger(idle: NDArray[np.float32]) -> None:
    """Let two or three microseconds pass, most of them without Python's lock, which others need for their next call."""
    np.add(idle, idle, out=idle)


class _Daemons:
    """Threads that do what they are given, and that nobody waits for in the end."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        for _ in range(count):
            threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while function := self._queue.get():
            function()
            del function  # and what it holds, while waiting for the next

    def submit(self, function: Callable[[], object], times: int = 1) -> None:
        """Have `function`, which raises nothing, called by so many of the threads, as they become free."""
        for _ in range(times):
            self._queue.put(function)

    def dismiss(self) -> None:
        """End the threads when they have done what they were given."""
        for _ in range(self._count):
            self._queue.put(None)


def _get_helpers() -> _Daemons:
    global _helpers
    with _lock:
        if _helpers is None:
            _helpers = _Daemons(get_threads() - 1, "faceie")
        return _helpers


class _Blas:
    """Limits BLAS to one thread while anyone in this process asks for it: the setting belongs to the whole process.

    From version 3.8 on, threadpoolctl lets only one thread of a process change it: so one of our own does, and only
    where the caller has `threadpoolctl.threadpool_limits` in force, that stays as it is.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.thread: _Daemons | None = None
        self.limit: Any = None
        self.controller: Any = None

    def enter(self) -> None:
        with self.lock:
            if self.users == 0:
                self.thread = self.thread or _Daemons(1, "faceie-blas")
                try:
                    self._wait_for(self._set)
                except BaseException:  # Ctrl-C, or there is no threadpoolctl
                    self.thread.submit(self._reset)
                    raise
            self.users += 1

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self._wait_for(self._reset)

    def _wait_for(self, function: Callable[[], None]) -> None:
        """Have the one thread do something, and wait until it is done."""
        assert self.thread
        done = threading.Event()
        errors: list[BaseException] = []

        def do() -> None:
            try:
                function()
            except BaseException as error:
                errors.append(error)
            finally:
                done.set()

        self.thread.submit(do)
        done.wait()
        if errors:
            raise errors[0]

    def _set(self) -> None:
        if self.controller is None:
            import threadpoolctl  # takes some milliseconds, and finds libraries only once they are loaded

            self.controller = threadpoolctl.ThreadpoolController()
        self.limit = self.controller.limit(limits=1, user_api="blas")
        self.limit.__enter__()

    def _reset(self) -> None:
        limit, self.limit = self.limit, None
        if limit:
            limit.__exit__(None, None, None)


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


def _forget_threads() -> None:
    """A forked process has no threads but the one that forked, whatever this module remembers."""
    global _helpers, _lock, _blas
    _helpers, _lock, _blas = None, threading.Lock(), _Blas()
    _thread.inside = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)

"""Threads that nobody waits for in the end, and where they run."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Daemons", "kept", "processors", "this_processor"]


class Daemons:
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


def processors() -> int:
    """Return how many processors this thread may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def this_processor() -> int | None:
    """Return the number of the processor that this thread runs on, where Linux tells, and lets us choose another."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        with Path("/proc/thread-self/stat").open("rb") as file:
            return int(file.read().rpartition(b")")[2].split()[36])
    except (OSError, ValueError, IndexError):
        return None


@contextmanager
def kept(processor: int | None, *, away: bool = False) -> Iterator[None]:
    """Keep this thread on a processor meanwhile, or away from it if there are others.

    Linux wakes a thread where it ran before, if that processor is idle, and otherwise where the waking one runs. In a
    virtual machine, a processor that has been idle for a while does not look idle: so two threads share the other one
    until that is noticed, which takes 10 to 60 milliseconds.
    """
    allowed = set[int]()
    if processor is not None:
        with suppress(OSError):
            allowed = os.sched_getaffinity(0)  # of this thread
    chosen = allowed - {processor} if away else allowed & {processor}
    if not chosen or chosen == allowed:
        yield
        return
    try:
        with suppress(OSError):
            os.sched_setaffinity(0, chosen)
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, allowed)

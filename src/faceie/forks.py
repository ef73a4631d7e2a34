"""Locks that are free in a forked process.

Only the thread that calls `os.fork` exists in the child. A lock that another thread held at that moment would stay
locked there forever. So all locks of Faceie are made here, and renewed in the child, which a test checks.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType

__all__ = ["Lock", "in_child"]

_locks: weakref.WeakSet[Lock] = weakref.WeakSet()
_callbacks: list[Callable[[], None]] = []


class Lock:
    """A re-entrant lock with wait and notify, which is free in a forked process."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        _locks.add(self)

    def wait(self) -> None:
        """Release the lock, which this thread holds, wait until another thread notifies, and acquire it again."""
        self._lock.wait()

    def notify(self) -> None:
        """Wake all threads that wait."""
        self._lock.notify_all()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lock.release()


def in_child(function: Callable[[], None]) -> Callable[[], None]:
    """Call a function in each forked process, as a decorator."""
    _callbacks.append(function)
    return function


def _renew() -> None:
    for lock in _locks:
        lock._lock = threading.Condition()
    for callback in _callbacks:
        callback()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)

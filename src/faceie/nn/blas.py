"""The BLAS library, which computes NumPy's matrix products, and its threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from .. import forks
from .daemons import Daemons

__all__ = ["limited_blas", "single_threaded_blas"]


class _Blas:
    """Limits the threads of BLAS to the least that anyone in this process asks for: the setting is the process's.

    From version 3.8 on, threadpoolctl lets only one thread of a process change it: so one of our own does, and only
    where the caller has `threadpoolctl.threadpool_limits` in force, that stays as it is.
    """

    def __init__(self) -> None:
        self.lock = forks.Lock()
        self.limits: list[int] = []  # that are asked for
        self.thread: Daemons | None = None
        self.setting: tuple[int, Any] | None = None  # that is in force, and what undoes it
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
        """Have the one thread change the setting, if need be, and wait until it has."""
        if (self.setting[0] if self.setting else None) == min(self.limits, default=None):
            return
        self.thread = self.thread or Daemons(1, "faceie-blas")
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
        """Limit BLAS; return what undoes it. Fewer threads than that are left alone."""
        if self.controller is None:
            import threadpoolctl  # takes some milliseconds, and finds libraries only once they are loaded

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


@forks.in_child
def _forget() -> None:
    global _blas
    _blas = _Blas()

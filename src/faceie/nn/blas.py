"""The library that computes NumPy's matrix products, and its threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .daemons import Daemons

__all__ = ["single_threaded_blas"]


class _Blas:
    """Limits BLAS to one thread while anyone in this process asks for it: the setting belongs to the whole process.

    From version 3.8 on, threadpoolctl lets only one thread of a process change it: so one of our own does, and only
    where the caller has `threadpoolctl.threadpool_limits` in force, that stays as it is.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.thread: Daemons | None = None
        self.limit: Any = None
        self.controller: Any = None

    def enter(self) -> None:
        with self.lock:
            if self.users == 0:
                self.thread = self.thread or Daemons(1, "faceie-blas")
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


def _forget() -> None:
    """A forked process has no threads but the one that forked, whatever this module remembers."""
    global _blas
    _blas = _Blas()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

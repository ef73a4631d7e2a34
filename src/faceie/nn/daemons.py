"""Daemon worker threads: neither Ctrl-C nor the end of the program waits for them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

__all__ = ["Daemons"]


class Daemons:
    """Daemon threads that share one queue of work."""

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
        """Call `function`, which raises nothing, in this many of the threads, as they become free."""
        for _ in range(times):
            self._queue.put(function)

    def dismiss(self) -> None:
        """End the threads when the queue is empty."""
        for _ in range(self._count):
            self._queue.put(None)

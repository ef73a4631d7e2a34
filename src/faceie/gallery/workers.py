"""Who looks at the photos: this process, processes of our own, or whoever the caller sends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import GalleryError, OptionError, WeightsError
from ..machine import available_memory
from ..nn.parallel import get_threads, set_threads
from .look import Look, failed, look
from .settings import Settings

if TYPE_CHECKING:  # takes its time, and is needed by runs with several processes only
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

__all__ = ["ExecutorFailed", "Workforce", "default_workers"]

_IN_FLIGHT = 4  # photos that are handed out at a time, for each worker
_NEED = 1_000_000_000  # bytes that a worker takes at its peak, with photos of up to 24 megapixels (docs/speed.md)
_MOST_ON_WINDOWS = 61  # processes that one of `concurrent.futures` can wait for there


def default_workers() -> int:
    """Return how many processes to start if the caller does not say: one for each processor that Faceie may use, as far
    as the memory that is available suffices.
    """
    if _why_alone():
        return 1
    memory = available_memory()
    fitting = get_threads() if memory is None else max(1, memory // _NEED)
    return min(get_threads(), fitting, *([_MOST_ON_WINDOWS] if sys.platform == "win32" else []))


def _why_alone() -> str | None:
    """Return why this process can have no workers, if it cannot."""
    if multiprocessing.current_process().daemon:
        return "this process may have no processes of its own (it is a worker of multiprocessing.Pool or Celery)"
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is not None and not os.path.exists(script):  # noqa: PTH110
        return f"workers import the script that is run, and this one cannot be imported ({script})"
    return None


class ExecutorFailed(Exception):
    """The executor that was passed in has raised an error, which is not that of a photo or of the gallery."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class Workforce:
    """A context in which photos are handed out.

    `workers`: the number of processes. With one, this process looks at the photos itself, with all its threads.
    `executor`: the caller's own; it must take `workers` photos at a time or more, and is not shut down.
    Several processes have one thread each. When the context is left, or this process dies, they end at once, whatever
    they are at.
    """

    def __init__(self, workers: int, executor: Executor | None = None) -> None:
        if sys.platform == "win32" and workers > _MOST_ON_WINDOWS and executor is None:
            raise OptionError(f"workers is {workers}, expected at most {_MOST_ON_WINDOWS} on Windows")
        if workers > 1 and executor is None and (why := _why_alone()):
            raise GalleryError(f"{why}; pass workers=1, or an executor")
        self.in_flight = _IN_FLIGHT * workers if workers > 1 or executor else 1
        self._workers = workers
        self._theirs = executor
        self._ours: Executor | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Workforce:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._dismiss()

    def submit(self, path: str, settings: Settings) -> Future[Look]:
        """Hand a photo out. Raises ExecutorFailed."""
        try:
            return self._executor().submit(look, path, settings)
        except BrokenExecutor as error:  # `result` raises it
            broken: Future[Look] = Future()
            broken.set_exception(error)
            return broken
        except Exception as error:
            if self._theirs:
                raise ExecutorFailed(error) from error
            raise

    def result(self, answer: Future[Look], path: str) -> Look:
        """Wait for the answer. Raises BrokenExecutor, ExecutorFailed and WeightsError."""
        try:
            return answer.result()
        except (BrokenExecutor, WeightsError):
            raise
        except Exception as error:
            if self._theirs:
                raise ExecutorFailed(error) from error
            return failed(error, path)

    def look_alone(self, path: str, settings: Settings, error: BrokenExecutor) -> Look:
        """A process has died: find out whether it does so again with this photo alone.

        Raises GalleryError if the process was not one of ours.
        """
        if self._theirs:
            raise GalleryError(f"the executor that was passed in has broken down ({error}); index again with a new one")
        self._dismiss()
        try:
            with _processes(1) as alone:
                return alone.submit(look, path, settings).result()
        except BrokenExecutor:
            return Look(error="a process that looked at it died: it needs too much memory, or its decoder has a defect")

    def _dismiss(self) -> None:
        self._ours = None
        self._stack.close()

    def _executor(self) -> Executor:
        if self._theirs:
            return self._theirs
        if self._ours is None:  # only now: where nothing has changed, nobody is needed
            self._ours = self._stack.enter_context(_processes(self._workers)) if self._workers > 1 else _Here()
        return self._ours


class _Here(Executor):
    """Does what it is given at once, in this thread."""

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **keywords))
        except Exception as error:  # but not Ctrl-C
            future.set_exception(error)
        return future


@contextmanager
def _processes(count: int) -> Iterator[Executor]:
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may inherit locks that are held
    theirs, ours = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(count, context, initializer=_start, initargs=(theirs,))
    try:
        try:
            with _no_interrupts():
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
        ours.close()  # before anybody waits for them
        executor.shutdown(wait=True, cancel_futures=True)
        theirs.close()


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Start processes that know no Ctrl-C, which reaches all processes of a terminal: the first one decides, and that
    when they have started; those that are given half of what they need complain.
    """
    held: list[int] = []
    former = signal.getsignal(signal.SIGINT)
    ours = threading.current_thread() is threading.main_thread() and former is not None  # who may set a handler
    masks = hasattr(signal, "pthread_sigmask")  # not on Windows
    if ours:
        signal.signal(signal.SIGINT, lambda number, _: held.append(number))  # any thread may receive a signal
    if masks:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which is inherited
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if ours:
            signal.signal(signal.SIGINT, former)
            if held:
                signal.raise_signal(signal.SIGINT)


def _start(lifeline: Connection) -> None:
    """Prepare a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as above, on all systems
    warnings.filterwarnings("ignore", module=r"PIL\b")  # of corrupt metadata: nothing that its user could mend
    set_threads(1)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    """End this process as soon as the other end of the pipe is closed: by us, or by the system, since we are dead."""
    with suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(0)

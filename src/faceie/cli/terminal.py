"""Standard output, standard error, and exit codes."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from ..errors import FaceieError, OptionError, WeightsError
from .text import printable, reason

__all__ = ["EXIT_CODES", "FAILED", "NO_WEIGHTS", "OK", "ask", "error", "run_command", "write"]

OK = 0
FAILED = 1
WRONG_USAGE = 2
NO_WEIGHTS = 3
INTERRUPTED = 128 + 2  # as in shells: 128 and the number of the signal, here SIGINT
BROKEN_PIPE = 128 + 13  # SIGPIPE

EXIT_CODES = {
    OK: "everything was done",
    FAILED: "an input could not be used, a result could not be written, or there was no face to compare; "
    "everything else was done",
    WRONG_USAGE: "the command line is wrong",
    NO_WEIGHTS: "weights are missing or cannot be read",
    INTERRUPTED: "interrupted (Ctrl-C)",
    BROKEN_PIPE: "the program that reads the output has ended, such as head -1",
}


def write(line: str) -> None:
    """Write a line to standard output."""
    _put(sys.stdout, f"{line}\n")


def error(message: str) -> None:
    """Write an error or another message to standard error."""
    _put(sys.stderr, f"faceie: {message}\n")


def ask(question: str) -> str:
    """Write a question to standard output, and return the line that the user types; "q" at the end of the input."""
    _put(sys.stdout, question)
    line = sys.stdin.readline() if sys.stdin else ""
    return line.strip() if line else "q"


def run_command(command: Callable[[], int]) -> int:
    """Run a command and return its exit code. An expected error becomes a message, never a traceback."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")  # about odd metadata and large photos
            try:
                return command()
            finally:
                # Here, where an error can still be reported: argparse writes to these streams, too.
                with suppress(OSError):
                    _flush(sys.stderr)
                _flush(sys.stdout)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return BROKEN_PIPE
    except (FaceieError, OSError, MemoryError) as raised:
        return _fail("\n".join(map(printable, reason(raised).split("\n"))), _code(raised))


def _fail(message: str, code: int) -> int:
    """Write why a command ends, if standard error can still be written. Return the exit code."""
    with suppress(OSError):
        error(message)
    return code


def _code(raised: Exception) -> int:
    if isinstance(raised, OptionError):
        return WRONG_USAGE
    return NO_WEIGHTS if isinstance(raised, WeightsError) else FAILED


def _put(stream: TextIO | None, text: str) -> None:
    """Write text and flush it. Escape characters that the stream cannot encode."""
    if stream is None:  # it was closed before Python started
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    with _discard_on_error(stream):
        stream.write(text.encode(stream.encoding, "backslashreplace").decode(stream.encoding))
        stream.flush()


def _flush(stream: TextIO | None) -> None:
    if stream is not None:
        with _discard_on_error(stream):
            stream.flush()


@contextmanager
def _discard_on_error(stream: TextIO) -> Iterator[None]:
    """After an error, discard the stream's buffer. Python would write it again at exit, and fail with a traceback."""
    try:
        yield
    except OSError as raised:
        with suppress(OSError, ValueError):  # a stream without a file
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        if sys.platform == "win32" and raised.errno == errno.EINVAL:  # Windows reports a closed pipe like this
            raise BrokenPipeError from raised
        raise

"""Writing, complaining, and how a command ends."""

from __future__ import annotations

import errno
import os
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from ..errors import FaceieError, OptionError, WeightsError

__all__ = ["NO_WEIGHTS", "OK", "TROUBLE", "complain", "guarded", "of_options", "printable", "reason", "write"]

# Exit codes: the docstring of `faceie.cli` tells when.
OK = 0
TROUBLE = 1
USAGE = 2
NO_WEIGHTS = 3
INTERRUPTED = 128 + 2  # as shells have it: 128 and the number of the signal, here SIGINT
READER_GONE = 128 + 13  # SIGPIPE


def write(line: str) -> None:
    """Write a line to standard output."""
    _put(sys.stdout, f"{line}\n")


def complain(message: str) -> None:
    """Write a message to standard error."""
    _put(sys.stderr, f"faceie: {message}\n")


def printable(text: object) -> str:
    r"""Escape control characters and bytes that are no text as Python does (``\n``, ``\udcff``).

    The name of a file may hold them, and must not break the line, the table or the terminal.
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        else character
        for character in str(text)
    )


# How messages name parameters of Python, and the options of the commands with the same effect.
_OPTIONS = {
    "max_pixels=NUMBER": "--max-pixels NUMBER",
    "truncated=True": "--truncated",
    "follow_links=True": "--follow-links",
}


def of_options(text: str) -> str:
    """Name the options of the command line in a message that names parameters of Python."""
    for parameter, option in _OPTIONS.items():
        text = text.replace(parameter, option)
    return text


def reason(error: Exception) -> str:
    """Say in words what is wrong."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return of_options(str(error)) or type(error).__name__


def guarded(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; what may go wrong becomes a message, never a traceback."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")  # of odd metadata and large photos
            try:
                return command()
            finally:
                # Here, where an error can be told: argparse, too, has written to these.
                with suppress(OSError):
                    _flush(sys.stderr)
                _flush(sys.stdout)
    except KeyboardInterrupt:
        return _end("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return READER_GONE
    except (FaceieError, OSError, MemoryError) as error:
        return _end("\n".join(map(printable, reason(error).split("\n"))), _code(error))


def _end(message: str, code: int) -> int:
    """Write why a command ends, if standard error can still be written, and return its exit code."""
    with suppress(OSError):
        complain(message)
    return code


def _code(error: Exception) -> int:
    if isinstance(error, OptionError):
        return USAGE
    return NO_WEIGHTS if isinstance(error, WeightsError) else TROUBLE


def _put(stream: TextIO | None, text: str) -> None:
    """Write what the stream can encode, and the rest as escapes, at once: a reader need not wait."""
    if stream is None:  # it was closed before Python started
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    with _discarding(stream):
        stream.write(text.encode(stream.encoding, "backslashreplace").decode(stream.encoding))
        stream.flush()


def _flush(stream: TextIO | None) -> None:
    if stream is not None:
        with _discarding(stream):
            stream.flush()


@contextmanager
def _discarding(stream: TextIO) -> Iterator[None]:
    """After an error, discard what a stream holds: Python would try to write it again at its end, and complain."""
    try:
        yield
    except OSError as error:
        with suppress(OSError, ValueError):  # a stream that is no file
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        if sys.platform == "win32" and error.errno == errno.EINVAL:  # what Windows says of a closed pipe
            raise BrokenPipeError from error
        raise

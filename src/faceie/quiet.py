"""Silence about odd files: warnings of Pillow that are not for users."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from .forks import Lock

__all__ = ["no_warnings"]

_lock = Lock()


@contextmanager
def no_warnings() -> Iterator[None]:
    """Keep Pillow from warning of sizes close to its limit, and of corrupt metadata.

    The filters of warnings belong to the whole process: hence the lock.
    """
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

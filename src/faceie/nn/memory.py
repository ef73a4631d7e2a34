"""Memory: arrays that are taken and given back, and kernels in the form that is multiplied."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..forks import Lock
from ..types import Array

__all__ = ["Memory", "Packed", "aligned"]

_LINE = 16  # floats of a line of the cache: what vector instructions read at once, if it begins with one
_BLOCK = 1 << 22  # floats at least that the system is asked for


def aligned(floats: int, *, zero: bool = False) -> Array:
    """Return an array of floats that begins with a line of the cache."""
    array = (np.zeros if zero else np.empty)(floats + _LINE, np.float32)
    first = -_address(array) % (4 * _LINE) // 4
    return array[first : first + floats]


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def _mapped(floats: int) -> Array:
    """Return an array of floats that is the system's memory itself: what is never written takes none, and all of it is
    given back in the end.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):  # on Windows
        return aligned(floats)
    try:  # private: not shared with forked processes
        memory = mmap.mmap(-1, 4 * floats, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"the system has no {4 * floats:,} bytes: {error}") from error
    return np.frombuffer(memory, np.float32)


class _Span(NamedTuple):
    """Part of a block of memory."""

    block: int
    start: int
    stop: int


class Memory:
    """Arrays that are given back, and taken again by others: calls that are made one after the other share them."""

    def __init__(self) -> None:
        self._blocks: list[Array] = []
        self._used: list[int] = []  # floats of each block that were ever taken
        self._free: list[_Span] = []  # in order
        self._taken: dict[int, _Span] = {}  # by address

    @property
    def floats(self) -> int:
        """How much memory was ever used."""
        return sum(self._used)

    def take(self, floats: int) -> Array:
        """Return an array of so many floats: where the first gap is."""
        size = max(-(-floats // _LINE), 1) * _LINE
        span = next((span for span in self._free if span.stop - span.start >= size), None)
        if span is None:
            span = _Span(len(self._blocks), 0, max(size, _BLOCK))
            mapped = _mapped(span.stop)
            self._used.append(0)
            self._blocks.append(mapped)
        else:
            self._free.remove(span)
        block, start, stop = span
        if start + size < stop:
            self._free = sorted([*self._free, _Span(block, start + size, stop)])
        self._used[block] = max(self._used[block], start + size)
        array = self._blocks[block][start : start + size][:floats]
        self._taken[_address(array)] = _Span(block, start, start + size)
        return array

    def give(self, array: Array) -> None:
        """Take an array back."""
        free: list[_Span] = []
        for span in sorted([*self._free, self._taken.pop(_address(array))]):
            if free and free[-1].block == span.block and free[-1].stop == span.start:
                free[-1] = free[-1]._replace(stop=span.stop)
            else:
                free.append(span)
        self._free = free


class Packed:
    """Kernels of a network in the form that is multiplied, which its plans share."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._memory = Memory()
        self._arrays: dict[tuple[str, int], Array] = {}

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def megabytes(self) -> float:
        """How much memory they take."""
        return self._memory.floats * 4 / 1e6

    def get(self, kernel: Array, *functions: Callable[[Array], Array]) -> Array:
        """Return what functions make, one after the other, of a kernel that lives as long as this: only once."""
        key = (" ".join(function.__name__ for function in functions), _address(kernel))
        with self.lock:
            if key not in self._arrays:
                new = kernel
                for function in functions:
                    new = function(new)
                array = self._memory.take(new.size).reshape(new.shape)
                np.copyto(array, new)
                self._arrays[key] = array  # whole: a process may fork, or be interrupted, meanwhile
                _leave_to_the_file(kernel)
            return self._arrays[key]


def _leave_to_the_file(x: Array) -> None:
    """Let the system take back the memory of an array of a file that is mapped to be read: it can be read again."""
    file: Any = x
    while isinstance(file, np.ndarray):
        file = file.base
    if not isinstance(file, mmap.mmap) or not memoryview(file).readonly or not hasattr(mmap, "MADV_DONTNEED"):
        return
    start = _address(x) - _address(np.frombuffer(file, np.uint8))
    first, last = -(-start // mmap.PAGESIZE), (start + x.nbytes) // mmap.PAGESIZE  # whole pages
    if last > first:
        with suppress(OSError):  # as of pages that are locked in memory
            file.madvise(mmap.MADV_DONTNEED, first * mmap.PAGESIZE, (last - first) * mmap.PAGESIZE)

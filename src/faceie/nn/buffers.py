"""Preallocated arrays, and the NumPy calls that work on them.

A plan of a network is a flat list of NumPy calls on arrays whose shapes are known beforehand. A `Recorder` takes these
calls down; an `Arena` holds the arrays, which share memory if they are needed at different times; `PackedWeights` holds
kernels in the form that they are multiplied in.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..forks import Lock
from ..types import Array

__all__ = ["Arena", "Call", "PackedWeights", "Recorder"]

Call: TypeAlias = Callable[[], Any]

_LINE = 16  # floats of a cache line, at which each array begins: vector instructions are faster there
_BLOCK = 1 << 22  # floats that the arena asks the system for at a time, at least


class _Span(NamedTuple):
    """Part of a block of memory."""

    block: int
    start: int
    stop: int


class Arena:
    """A memory pool: arrays are allocated in blocks, freed, and allocated again in the first gap that fits."""

    def __init__(self) -> None:
        self._blocks: list[Array] = []
        self._used: list[int] = []  # floats of each block that were ever allocated
        self._free: list[_Span] = []  # in order
        self._taken: dict[int, _Span] = {}  # by address

    @property
    def floats(self) -> int:
        """The floats that were ever allocated at the same time: memory beyond them is never touched."""
        return sum(self._used)

    def allocate(self, *shape: int) -> Array:
        """Return an uninitialized array."""
        floats = math.prod(shape)
        size = max(-(-floats // _LINE), 1) * _LINE
        span = next((span for span in self._free if span.stop - span.start >= size), None)
        if span is None:
            span = _Span(len(self._blocks), 0, max(size, _BLOCK))
            self._blocks.append(_mapped(span.stop))
            self._used.append(0)
        else:
            self._free.remove(span)
        block, start, stop = span
        if start + size < stop:
            self._free = sorted([*self._free, _Span(block, start + size, stop)])
        self._used[block] = max(self._used[block], start + size)
        array = self._blocks[block][start : start + size][:floats]
        self._taken[_address(array)] = _Span(block, start, start + size)
        return array.reshape(shape)

    def free(self, array: Array) -> None:
        """Let later allocations reuse an array."""
        free: list[_Span] = []
        for span in sorted([*self._free, self._taken.pop(_address(array))]):
            if free and free[-1].block == span.block and free[-1].stop == span.start:
                free[-1] = free[-1]._replace(stop=span.stop)
            else:
                free.append(span)
        self._free = free


@dataclass
class Recorder:
    """Records calls of NumPy functions, and allocates their arrays."""

    arena: Arena = field(default_factory=Arena)
    packed: PackedWeights = field(default_factory=lambda: PackedWeights())
    small_gemm: bool = False  # whether BLAS has kernels for small products (`gemm.blas_has_small_gemm`)
    calls: list[Call] = field(default_factory=list)
    _scratch: list[Array] = field(default_factory=list)

    def __call__(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        self.calls.append(partial(function, *arguments, **options))

    def run(self) -> None:
        """Make all calls."""
        for call in self.calls:
            call()

    def scratch(self, *shape: int) -> Array:
        """Return an array for the calls that are recorded in this `part`."""
        array = self.arena.allocate(*shape)
        self._scratch.append(array)
        return array

    @contextmanager
    def part(self) -> Iterator[None]:
        """Free the scratch arrays of these calls afterwards, for later calls to reuse."""
        before = len(self._scratch)
        yield
        for array in self._scratch[before:]:
            self.arena.free(array)
        del self._scratch[before:]


class PackedWeights:
    """Kernels of a network in the form that they are multiplied in, shared by all plans of the network."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._arena = Arena()
        self._arrays: dict[tuple[str, int], Array] = {}

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def megabytes(self) -> float:
        """The memory that they take."""
        return self._arena.floats * 4 / 1e6

    def get(self, kernel: Array, *functions: Callable[[Array], Array]) -> Array:
        """Return the result of applying functions, one after the other, to a kernel; it is computed once.

        The kernel must live as long as this object.
        """
        key = (" ".join(function.__name__ for function in functions), _address(kernel))
        with self.lock:
            if key not in self._arrays:
                new = kernel
                for function in functions:
                    new = function(new)
                array = self._arena.allocate(*new.shape)
                np.copyto(array, new)
                self._arrays[key] = array  # complete: the process may fork or be interrupted at any time
                _drop_pages(kernel)
            return self._arrays[key]


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def _mapped(floats: int) -> Array:
    """Return memory of the system itself: untouched pages take no memory, and all of it is returned when it is freed,
    unlike that of `np.empty`.
    """
    if hasattr(mmap, "MAP_PRIVATE"):
        try:  # private: not shared with forked processes
            memory = mmap.mmap(-1, 4 * floats, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise MemoryError(f"the system has no {4 * floats:,} bytes: {error}") from error
        return np.frombuffer(memory, np.float32)
    array = np.empty(floats + _LINE, np.float32)  # Windows
    first = -_address(array) % (4 * _LINE) // 4
    return array[first : first + floats]


def _drop_pages(x: Array) -> None:
    """Let the system reclaim the pages of an array that is mapped from a file read-only: it can read them again."""
    file: Any = x
    while isinstance(file, np.ndarray):
        file = file.base
    if not isinstance(file, mmap.mmap) or not memoryview(file).readonly or not hasattr(mmap, "MADV_DONTNEED"):
        return
    start = _address(x) - _address(np.frombuffer(file, np.uint8))
    first, last = -(-start // mmap.PAGESIZE), (start + x.nbytes) // mmap.PAGESIZE  # whole pages
    if last > first:
        with suppress(OSError):  # of pages that are locked in memory
            file.madvise(mmap.MADV_DONTNEED, first * mmap.PAGESIZE, (last - first) * mmap.PAGESIZE)

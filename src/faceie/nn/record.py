"""Calls of NumPy, written down to be made later, and the arrays that they work on.

A plan of a network is a list of such calls: who records them knows all shapes, so that every array is there beforehand,
and every view of one.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .tree import Array

__all__ = ["Call", "Memory", "Recorder", "aligned"]

Call: TypeAlias = Callable[[], Any]


_LINE = 16  # floats of a line of the cache: what vector instructions read at once, if it begins with one
_BLOCK = 1 << 22  # floats at least that memory is asked for: the system gives a page when it is first written


def aligned(floats: int, *, zero: bool = False) -> Array:
    """Return an array of floats that begins with a line of the cache."""
    array = (np.zeros if zero else np.empty)(floats + _LINE, np.float32)
    first = -_address(array) % (4 * _LINE) // 4
    return array[first : first + floats]


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


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
            self._blocks.append(aligned(span.stop))
            self._used.append(0)
        else:
            self._free.remove(span)
        block, start, stop = span
        if start + size < stop:
            self._free = sorted([*self._free, _Span(block, start + size, stop)])
        self._used[block] = max(self._used[block], start + size)
        array = self._blocks[block][start : start + floats]
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


@dataclass
class Recorder:
    """Takes down calls, and has arrays for what is needed in between."""

    memory: Memory = field(default_factory=Memory)
    packed: dict[tuple[str, int], Array] = field(default_factory=dict)  # kernels, in the form that is multiplied
    small_products: bool = False  # whether the BLAS library is good at them (see `gemm`)
    calls: list[Call] = field(default_factory=list)
    _taken: list[Array] = field(default_factory=list)

    def __call__(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        self.calls.append(partial(function, *arguments, **options))

    def end(self) -> list[Call]:
        """Return the calls that were recorded since the last time."""
        calls, self.calls = self.calls, []
        return calls

    def scratch(self, *shape: int) -> Array:
        """Return an array for the calls that are recorded in this `part`."""
        array = self.memory.take(math.prod(shape))
        self._taken.append(array)
        return array.reshape(shape)

    @contextmanager
    def part(self) -> Iterator[None]:
        """Let the calls that are recorded hereafter use the same memory again as those that are recorded meanwhile."""
        before = len(self._taken)
        yield
        for array in self._taken[before:]:
            self.memory.give(array)
        del self._taken[before:]

    def pack(self, kernel: Array, *functions: Callable[[Array], Array]) -> Array:
        """Return what functions make, one after the other, of a kernel that lives as long as `packed`: only once."""
        key = (" ".join(function.__name__ for function in functions), _address(kernel))
        if key not in self.packed:
            packed = kernel
            for function in functions:
                packed = function(packed)
            self.packed[key] = aligned(packed.size).reshape(packed.shape)
            self.packed[key][...] = packed
            _leave_to_the_file(kernel)
        return self.packed[key]


def _leave_to_the_file(x: Array) -> None:
    """Let the system take back the memory of an array that is mapped from a file: it is read again if it is needed."""
    file: Any = x
    while isinstance(file, np.ndarray):
        file = file.base
    if not isinstance(file, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
        return
    start = x.__array_interface__["data"][0] - np.frombuffer(file, np.uint8).__array_interface__["data"][0]
    first, last = -(-start // mmap.PAGESIZE), (start + x.nbytes) // mmap.PAGESIZE  # whole pages
    if last > first:
        file.madvise(mmap.MADV_DONTNEED, first * mmap.PAGESIZE, (last - first) * mmap.PAGESIZE)

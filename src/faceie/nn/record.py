"""Calls of NumPy, written down to be made later, and the arrays that they work on.

A plan of a network is a list of such calls: who records them knows all shapes, so that every array is there beforehand,
and every view of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from .tree import Array

__all__ = ["Memory", "Recorder"]


class Memory:
    """Arrays that are given back, and taken again by others: calls that are made one after the other share them."""

    def __init__(self) -> None:
        self._free: list[Array] = []
        self.floats = 0  # in all

    def take(self, floats: int) -> Array:
        """Return an array of at least so many floats: the smallest that is free."""
        fitting = [array for array in self._free if array.size >= floats]
        if fitting:
            best = min(fitting, key=len)
            self._free = [array for array in self._free if array is not best]
            return best
        self.floats += floats
        return np.empty(floats, np.float32)

    def give(self, array: Array) -> None:
        """Take an array back."""
        self._free.append(array)


@dataclass
class Recorder:
    """Takes down calls, and has arrays for what is needed in between."""

    memory: Memory = field(default_factory=Memory)
    packed: dict[tuple[str, int], Array] = field(default_factory=dict)  # kernels, in the form that is multiplied
    small_products: bool = False  # whether the BLAS library is good at them (see `gemm`)
    calls: list[Callable[[], Any]] = field(default_factory=list)
    _taken: list[Array] = field(default_factory=list)

    def __call__(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        self.calls.append(partial(function, *arguments, **options))

    def scratch(self, *shape: int) -> Array:
        """Return an array for the calls that are recorded in this `part`."""
        array = self.memory.take(math.prod(shape))
        self._taken.append(array)
        return array[: math.prod(shape)].reshape(shape)

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
        key = (" ".join(function.__name__ for function in functions), kernel.__array_interface__["data"][0])
        if key not in self.packed:
            for function in functions:
                kernel = function(kernel)
            self.packed[key] = kernel
        return self.packed[key]

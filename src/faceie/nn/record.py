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
from typing import Any, TypeAlias

from ..types import Array
from .memory import Memory, Packed

__all__ = ["Call", "Recorder"]

Call: TypeAlias = Callable[[], Any]


@dataclass
class Recorder:
    """Takes down calls, and has arrays for what is needed in between."""

    memory: Memory = field(default_factory=Memory)
    packed: Packed = field(default_factory=Packed)
    small_products: bool = False  # whether the BLAS library is good at them (see `gemm`)
    calls: list[Call] = field(default_factory=list)
    _taken: list[Array] = field(default_factory=list)

    def __call__(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        self.calls.append(partial(function, *arguments, **options))

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

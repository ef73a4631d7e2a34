"""Where activations are while a plan runs: which share memory, and how they lie in it.

Parts of a concatenation are in their channels of it from the start; what is added to a residual takes its place; and
memory that no later operation reads is used again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..types import Array
from .activations import NO_BORDER, Activations, Layout
from .graph import Operation, Value, uses
from .memory import Memory, aligned
from .tree import Shape

__all__ = ["Places"]


class Storage:
    """A place for values, each with some of its channels: for the whole batch, or for the images at a time."""

    def __init__(self, shape: Shape, layout: Layout) -> None:
        self.shape = shape
        self.layout = layout
        self.stages: set[int] = set()  # in which it is read or written
        self.last = 0  # operation that does
        self.memory: Array | None = None
        self.activations = Activations(np.empty(0, np.float32))


class Places:
    """Places for all values of a network."""

    def __init__(
        self,
        x: Value,
        stages: list[list[tuple[int, Operation]]],
        results: tuple[Value, ...],
        batch: int,
        memory: Memory,
        wish: Callable[[Operation, Value], Layout],
    ) -> None:
        """Find places for the input `x` and for what operations make, which are numbered and come in stages.

        What is needed in several stages is kept for the whole batch. `wish` tells how an operation would like to have
        its input.
        """
        self._batch = batch
        self._memory = memory
        self._zeros: dict[tuple[Shape, Layout], list[Array]] = {}
        self._of: dict[Value, tuple[Storage, int]] = {}  # and the first of its channels there
        self._number_of_zeros = 0
        operations = [op for stage in stages for _, op in stage]
        self._find(x, operations, wish)
        for number, stage in enumerate(stages):
            for index, op in stage:
                for value in _touched(op):
                    storage, _ = self._of[value]
                    storage.stages.add(number)
                    storage.last = index
        for value in (x, *results):
            self._of[value][0].stages.add(-1)
        for value in results:
            self._of[value][0].last = len(operations)  # it is read afterwards
        self._ending: dict[int, list[Storage]] = {}  # by the last operation that needs them
        for storage in dict.fromkeys(storage for storage, _ in self._of.values()):
            self._ending.setdefault(storage.last, []).append(storage)

    def _find(self, x: Value, operations: list[Operation], wish: Callable[[Operation, Value], Layout]) -> None:
        count = uses(operations)
        readers = {value: op for op in operations for value in op.inputs}
        last = {value: op for op in operations for value in [*op.inputs, *filter(None, [op.residual])]}

        def layout(value: Value) -> Layout:
            reader = readers.get(value)
            return wish(reader, value) if reader and count[value] == 1 else Layout()

        for op in reversed(operations):
            if op.kind == "concatenate":
                storage, first = self._of.setdefault(op.y, (Storage(op.y.shape, Layout()), 0))
                for part in op.inputs:
                    if count[part] == 1:
                        self._of[part] = storage, first
                    first += part.shape[-1]
        self._of[x] = Storage(x.shape, layout(x)), 0
        for op in operations:
            if len(op.outputs) > 1:  # side by side: all of them as one of their readers likes it
                wishes = [wished for y in op.outputs if (wished := layout(y)) != Layout()]
                shape = (*op.outputs[0].shape[:-1], sum(y.shape[-1] for y in op.outputs))
                storage, first = Storage(shape, (wishes or [Layout()])[0]), 0
                for y in op.outputs:
                    self._of[y] = storage, first
                    first += y.shape[-1]
            elif op.residual and last[op.residual] is op:
                self._of[op.y] = self._of[op.residual]
            elif op.y not in self._of:
                self._of[op.y] = Storage(op.y.shape, layout(op.y)), 0

    def at(self, value: Value, start: int, stop: int, channels: int | None = None) -> Activations:
        """Return where these images of a value are, with this many channels if they are not its own."""
        storage, first = self._of[value]
        whole = len(storage.stages) > 1
        if storage.memory is None:
            self._allocate(storage, self._batch if whole else stop - start)
        base, border = storage.activations
        images = slice(start, stop) if whole else slice(0, stop - start)
        return Activations(base[images, ..., first : first + (channels or value.shape[-1])], border)

    def share(self, a: Value, b: Value) -> bool:
        """Tell whether two values are in the same place."""
        return self._of[a][0] is self._of[b][0]

    def free(self, number: int, last: bool) -> None:
        """Give back what no operation after this one reads. `last`: it was the last time for it."""
        for storage in self._ending.get(number, []):
            if storage.memory is not None and (last or len(storage.stages) == 1):
                if storage.layout.border == NO_BORDER:
                    self._memory.give(storage.memory)
                else:
                    self._zeros[self._key(storage, len(storage.activations.base))].append(storage.memory)
                storage.memory = None

    @property
    def floats(self) -> int:
        """How much memory there is for activations within zeros."""
        return self._number_of_zeros

    def _allocate(self, storage: Storage, images: int) -> None:
        shape, layout = key = self._key(storage, images)
        if layout.border == NO_BORDER:
            storage.memory = self._memory.take(math.prod(shape))
        else:  # what is zero once stays so, if it is used for nothing else
            free = self._zeros.setdefault(key, [])
            storage.memory = free.pop() if free else aligned(math.prod(shape), zero=True)
            self._number_of_zeros += 0 if free else math.prod(shape)
        base = storage.memory.reshape(shape)
        storage.activations = Activations(base.swapaxes(1, 2) if layout.columns_first else base, layout.border)

    def _key(self, storage: Storage, images: int) -> tuple[Shape, Layout]:
        """Return the shape in memory, and what else matters for who may use it again."""
        above, left, below, right = storage.layout.border
        if len(storage.shape) == 1:
            return (images, *storage.shape), storage.layout
        height, width, channels = storage.shape
        size = (height + above + below, width + left + right)
        return (images, *(size[::-1] if storage.layout.columns_first else size), channels), storage.layout


def _touched(op: Operation) -> list[Value]:
    return [*op.inputs, *op.outputs, *filter(None, [op.residual])]

"""Steps: work in parts that are done side by side, but in step, for what is too short for a job of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .blas import single_threaded_blas
from .daemons import processors
from .threads import at_work, get_threads, helped, is_at_work

__all__ = ["Step", "in_step"]

#: What may be done side by side: parts, each a list of calls that are made in turn.
Step: TypeAlias = Sequence[Sequence[Callable[[], object]]]

_IDLE = 10_000  # zeros
_PATIENCE = 1000  # pauses at work


def in_step(steps: Sequence[Step]) -> None:
    """Do the parts of each step side by side, as far as there are threads, and one step after the other.

    After an error, or an interruption, another thread may still be at its part.
    """
    parts = max(map(len, steps), default=0)
    others = min(get_threads(), processors(), parts) - 1
    if others < 1 or is_at_work():
        for step in steps:
            for part in step:
                _do(part)
        return
    with single_threaded_blas():
        march = _March(steps)
        try:
            with helped(march.follow, others):
                march.lead()
        finally:
            march.end()


def _do(part: Sequence[Callable[[], object]]) -> None:
    for call in part:
        call()


class _March:
    """Steps that threads take together.

    A part belongs to the thread that takes it first: so nobody waits for a thread that is late, or does not come. They
    wait for each other at work, since one that sleeps is woken some 50 microseconds late, which is as long as a part
    may take; but not for ever, since there may be other programs.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._now = 0  # the step that is taken
        self._open = {(number, part): None for number, step in enumerate(steps) for part in range(len(step))}
        self._done: list[int] = []  # parts that those who follow have done
        self._error: BaseException | None = None

    def lead(self) -> None:
        """Take all steps, with whoever follows."""
        taken = 0  # by those who follow
        idle = np.zeros(_IDLE, np.float32)
        for number, step in enumerate(self._steps):
            self._now = number
            for part, calls in enumerate(step):
                if self._take(number, part):
                    _do(calls)
                else:
                    taken += 1
            for pause in _pauses(idle):
                if len(self._done) >= taken:
                    break
                pause()
            if self._error:
                raise self._error

    def end(self) -> None:
        """Let those who follow go."""
        self._now = len(self._steps)

    def follow(self) -> None:
        """Do parts of the step that is taken, until there is none."""
        with at_work():
            idle = np.zeros(_IDLE, np.float32)
            while (number := self._now) < len(self._steps):
                for part, calls in reversed([*enumerate(self._steps[number])]):
                    if self._take(number, part):
                        try:
                            _do(calls)
                        except BaseException as error:  # of whatever kind: it is raised where the steps came from
                            self._error = error
                        self._done.append(part)
                for pause in _pauses(idle):
                    if self._now != number:
                        break
                    pause()

    def _take(self, number: int, part: int) -> bool:
        try:
            del self._open[number, part]
        except KeyError:
            return False
        return True


def _pauses(idle: NDArray[np.float32]) -> Iterator[Callable[[], object]]:
    """Yield what lets some time pass: at first, two or three microseconds of work, most of them without Python's lock,
    which others need for their next call; later, sleep.
    """
    yield from repeat(partial(np.add, idle, idle, out=idle), _PATIENCE)
    yield from repeat(partial(time.sleep, 0.0001))

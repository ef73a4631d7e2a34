"""Threads that nobody waits for, and the processors that they run on."""

from __future__ import annotations

import os
import threading
import time

import pytest

from faceie import set_threads
from faceie.nn.daemons import kept, this_processor
from faceie.nn.steps import in_step
from faceie.nn.threads import parallel

from ..conftest import two_processors

linux = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="who may run where is told by Linux")


@linux
def test_this_processor() -> None:
    """It is one of those that this thread may use; where there is but one, that one."""
    allowed = os.sched_getaffinity(0)
    assert this_processor() in allowed
    for processor in allowed:
        with kept(processor):
            assert os.sched_getaffinity(0) == {processor}
            assert this_processor() == processor
        assert os.sched_getaffinity(0) == allowed


@linux
@two_processors
def test_kept_away() -> None:
    """A thread that is kept away from a processor is elsewhere, and is free again afterwards, whatever happens."""
    allowed = os.sched_getaffinity(0)
    here = this_processor()

    def fail() -> None:
        with kept(here, away=True):
            assert this_processor() in allowed - {here}
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert os.sched_getaffinity(0) == allowed


@linux
def test_kept_nowhere_else() -> None:
    """What cannot be is left: no processor, one that may not be used, or away from the only one."""
    allowed = os.sched_getaffinity(0)
    for processor, away in ((None, False), (None, True), (max(allowed) + 1, False)):
        with kept(processor, away=away):
            assert os.sched_getaffinity(0) == allowed
    (first, *_) = allowed
    with kept(first), kept(first, away=True):
        assert os.sched_getaffinity(0) == {first}


@linux
@two_processors
def test_threads_stay_beside_each_other() -> None:
    """Those that share work are on different processors meanwhile, and afterwards as free as before."""
    set_threads(2)
    allowed = os.sched_getaffinity(0)
    barrier = threading.Barrier(2, timeout=10)
    seen: list[tuple[set[int], int | None]] = []

    def work(*_: object) -> None:
        barrier.wait()
        seen.append((os.sched_getaffinity(0), this_processor()))
        barrier.wait()

    for number in range(10):
        time.sleep(0.003 * number)  # after a pause, they would often be woken on one processor
        parallel(work, range(2))
        in_step([[[work], [work]]] * 2)
    assert os.sched_getaffinity(0) == allowed
    assert len(seen) == 60
    for (mine, here), (yours, there) in zip(seen[::2], seen[1::2], strict=True):
        assert not mine & yours
        assert here in mine
        assert there in yours

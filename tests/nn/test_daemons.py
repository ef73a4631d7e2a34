"""Threads that nobody waits for, and the processors that they run on."""

from __future__ import annotations

import os
import threading

import pytest

from faceie import set_threads
from faceie.nn.daemons import Daemons, kept, processors, this_processor
from faceie.nn.steps import in_step
from faceie.nn.threads import get_threads, parallel

linux = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="who may run where is told by Linux")
several = pytest.mark.skipif(processors() < 2, reason="there is one processor")


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
@several
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
@several
def test_daemons_begin_beside_the_caller() -> None:
    """A thread that was idle begins on another processor than the one who works meanwhile, and may then go anywhere."""
    before = get_threads()
    set_threads(2)
    allowed = os.sched_getaffinity(0)
    seen: list[set[int]] = []
    try:
        parallel(lambda _: seen.append(os.sched_getaffinity(0)), range(8))
        in_step([[[lambda: seen.append(os.sched_getaffinity(0))]] * 2] * 8)
        assert os.sched_getaffinity(0) == allowed
        assert seen[:8] == [allowed] * 8
        assert all(processors <= allowed for processors in seen)
    finally:
        set_threads(before)
    here, there, done = this_processor(), [], threading.Event()
    daemons = Daemons(1, "test")
    with kept(here):
        for _ in range(20):
            done.clear()
            threading.Event().wait(0.002)
            daemons.submit(lambda: (there.append(this_processor()), done.set()), beside=True)
            assert done.wait(10)
    daemons.dismiss()
    assert sum(processor != here for processor in there) > 10  # it may have been moved back at once

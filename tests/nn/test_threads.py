"""Threads: the same results, however many, from wherever they are called."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import threadpoolctl

from faceie import OptionError, detect_faces, encode_faces, set_threads
from faceie.nn import blas, steps, threads
from faceie.nn.blas import single_threaded_blas
from faceie.nn.steps import Step, in_step
from faceie.nn.threads import get_threads, parallel

from ..conftest import PHOTOS, assert_close, golden, two_processors


def blas_threads() -> set[int]:
    """Return the number of threads of NumPy's BLAS. SciPy may have been loaded by another test, and has its own."""
    libraries = [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
    return {library["num_threads"] for library in libraries if "scipy.libs" not in library["filepath"]}


@pytest.mark.parametrize("number", [1, 2, 5])
def test_order_is_kept(number: int) -> None:
    """Results come in the order of the items; an error in one comes out."""
    set_threads(number)
    assert parallel(lambda x: x * x, range(50)) == [x * x for x in range(50)]
    assert parallel(lambda x: x, []) == []
    with pytest.raises(ZeroDivisionError):
        parallel(lambda x: 1 / x, [1, 0, 2])


def test_work_is_done_side_by_side() -> None:
    """Two pieces of work that wait for each other both end; within one, work is done one after the other."""
    set_threads(2)
    barrier = threading.Barrier(2, timeout=10)
    assert sorted(parallel(lambda _: barrier.wait(), range(2))) == [0, 1]
    nested = parallel(lambda x: parallel(lambda y: (threading.get_ident(), x + y), range(3)), range(4))
    assert [[value for _, value in inner] for inner in nested] == [[x + y for y in range(3)] for x in range(4)]
    assert all(len({thread for thread, _ in inner}) == 1 for inner in nested)


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_steps_are_taken_in_turn(number: int, busy: bool) -> None:
    """No part begins before those of the step before are done, all are done once, whether there are helpers or not."""
    set_threads(number)
    release = threading.Event()
    if busy and number > 1:
        threads._get_helpers().submit(lambda: release.wait(10), times=number - 1)
    log: list[tuple[str, int, int]] = []

    def part(step: int, piece: int) -> list[Callable[[], object]]:
        return [
            partial(log.append, ("begin", step, piece)),
            partial(time.sleep, 0.0002 * ((step + piece) % 3)),
            partial(log.append, ("end", step, piece)),
        ]

    in_step([[part(step, piece) for piece in range(step % 4)] for step in range(40)])
    release.set()
    assert sorted(log) == sorted((what, s, p) for what in ("begin", "end") for s in range(40) for p in range(s % 4))
    assert [step for _, step, _ in log] == sorted(step for _, step, _ in log)


@two_processors
def test_parts_of_a_step_are_done_side_by_side() -> None:
    """Two parts that wait for each other both end; within a piece of other work, parts are done in turn."""
    set_threads(2)
    barrier = threading.Barrier(2, timeout=10)
    in_step([[[barrier.wait], [barrier.wait]] for _ in range(20)])
    seen: list[int] = []
    parallel(lambda _: in_step([[[lambda: seen.append(threading.get_ident())]] * 3]), [0])
    assert len(seen) == 3
    assert len(set(seen)) == 1


@two_processors
@pytest.mark.parametrize("whose", [0, 1])
def test_an_error_ends_the_steps(whose: int) -> None:
    """An error in any part comes out, no later step begins, and what comes after works."""
    set_threads(2)
    barrier = threading.Barrier(2, timeout=10)
    late: list[int] = []

    def fail() -> None:
        raise ZeroDivisionError

    parts: list[list[Callable[[], object]]] = [[barrier.wait], [barrier.wait]]
    parts[whose].append(fail)
    with pytest.raises(ZeroDivisionError):
        in_step([parts, [[partial(late.append, 1)], [partial(late.append, 2)]]])
    assert not late
    in_step([[[barrier.wait], [barrier.wait]]])


@two_processors
def test_interrupted_steps_leave_nobody_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before the first step, when a helper has begun already: it is free again."""
    set_threads(2)
    begun = threading.Event()
    parts: list[Step] = [[[begun.set], [begun.set]], [[begun.set], [begun.set]]]

    def interrupted(_: object) -> None:
        assert begun.wait(10)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(steps._March, "lead", interrupted)
        with pytest.raises(KeyboardInterrupt):
            in_step(parts)
    barrier = threading.Barrier(2, timeout=10)
    in_step([[[barrier.wait], [barrier.wait]]])
    assert sorted(parallel(lambda _: barrier.wait(), range(2))) == [0, 1]


def in_a_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


@pytest.fixture
def two_blas_threads() -> Iterator[None]:
    """Let BLAS use two threads. Set by a thread that ends, so that nobody is in charge of the setting."""
    before = blas_threads()
    in_a_thread(lambda: threadpoolctl.threadpool_limits(2, "blas"))
    assert blas_threads() == {2}
    yield
    in_a_thread(lambda: threadpoolctl.threadpool_limits(max(before), "blas"))


@pytest.mark.usefixtures("two_blas_threads")
def test_blas_is_single_threaded_meanwhile_only() -> None:
    """While our threads work, BLAS uses one; afterwards, and after an error, it has the setting from before: whichever
    thread calls, and whichever of several is done last.
    """
    set_threads(2)

    def check() -> None:
        assert blas_threads() == {2}
        assert parallel(lambda _: blas_threads(), range(4)) == [{1}] * 4
        assert blas_threads() == {2}
        with pytest.raises(ZeroDivisionError):
            parallel(lambda x: 1 / x, [0, 0])
        assert blas_threads() == {2}

    check()
    with ThreadPoolExecutor(1) as other:
        other.submit(check).result()
        check()
        with single_threaded_blas():
            other.submit(blas._blas.enter).result()
        assert blas_threads() == {1}
        other.submit(blas._blas.leave).result()
        assert blas_threads() == {2}
        other.submit(check).result()


def test_same_results_from_many_callers() -> None:
    """Eight threads at once get what one gets, with any number of threads, and BLAS has its setting afterwards."""
    crops = golden("detections")["crops"]
    before = blas_threads()

    def work(_: int) -> tuple[np.ndarray, np.ndarray]:
        return detect_faces(PHOTOS / "astronaut.jpg", min_face_size=50).bounding_boxes, encode_faces(crops)

    set_threads(1)
    boxes, embeddings = work(0)
    for number in (2, 3):
        set_threads(number)
        with ThreadPoolExecutor(8) as callers:
            for other_boxes, other_embeddings in callers.map(work, range(8)):
                assert_close(other_boxes, boxes, 1e-3)
                assert_close(other_embeddings, embeddings, 1e-6)
    assert blas_threads() == before


@pytest.mark.parametrize("moment", ["start", "wait"])
def test_interruption(moment: str) -> None:
    """Ctrl-C while threads are started, or waited for, comes out, and the process ends. (It once waited for a thread
    that it had forgotten.) BLAS has its setting afterwards.
    """
    program = f"""
import threading, time
import threadpoolctl
from faceie.nn import threads

def interrupted(self, *arguments, original=threading.Thread.start):
    original(self, *arguments)
    if self.name.startswith("faceie"):
        raise KeyboardInterrupt

def work(_):
    if threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt
    time.sleep(0.2)

def limits():
    return [library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]

before = limits()
threads.set_threads(2)
if {moment!r} == "start":
    threading.Thread.start = interrupted
try:
    threads.parallel(work, range(4))
except KeyboardInterrupt:
    print("interrupted", limits() == before)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "interrupted True\n", "")


def _encode(crops: np.ndarray) -> np.ndarray:
    return encode_faces(crops)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # of Python 3.12: that is what is tested
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_other_processes(method: str) -> None:
    """After our threads have worked, a forked or spawned process works, too."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("not on this system")
    set_threads(2)
    crops = golden("detections")["crops"][:2]
    expected = encode_faces(crops)
    with multiprocessing.get_context(method).Pool(1) as pool:
        result = pool.apply_async(_encode, (crops,)).get(timeout=60)
    assert_close(result, expected, 1e-6)


def test_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment decides, else the processors of this process; nonsense is refused."""
    monkeypatch.setattr(threads, "_threads", None)
    monkeypatch.setenv("FACEIE_THREADS", "3")
    assert get_threads() == 3
    monkeypatch.setattr(threads, "_threads", None)
    monkeypatch.delenv("FACEIE_THREADS")
    assert get_threads() >= 1
    for text in ("0", "two", "-1"):
        monkeypatch.setattr(threads, "_threads", None)
        monkeypatch.setenv("FACEIE_THREADS", text)
        with pytest.raises(OptionError, match=f"FACEIE_THREADS is '{text}'"):
            get_threads()
    monkeypatch.setattr(threads, "_threads", 1)
    for number in (0, -1, 1.5, "2"):
        with pytest.raises(OptionError, match="the number of threads is"):
            set_threads(number)  # type: ignore[arg-type]

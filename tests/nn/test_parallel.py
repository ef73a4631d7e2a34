"""Threads: the same results, however many, from wherever they are called."""

from __future__ import annotations

import multiprocessing
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl

from faceie import OptionError, detect_faces, encode_faces, set_threads
from faceie.nn import parallel as threads
from faceie.nn.parallel import get_threads, limited_blas, parallel, single_threaded_blas

from ..conftest import PHOTOS, assert_close, golden, on_disk


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


def in_a_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


@pytest.fixture
def two_blas_threads() -> Iterator[None]:
    """Let BLAS use two threads. Set by a thread that ends, so that no thread is in charge of the setting."""
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
            other.submit(threads._blas.enter, 1).result()
        assert blas_threads() == {1}
        other.submit(threads._blas.leave, 1).result()
        assert blas_threads() == {2}
        other.submit(check).result()


@pytest.mark.usefixtures("two_blas_threads")
def test_the_lowest_limit_of_blas_counts() -> None:
    """Of several limits at once, the lowest is in force; none gives BLAS more threads than it had."""
    with limited_blas(8):
        assert blas_threads() == {2}
        with single_threaded_blas(), limited_blas(2):
            assert blas_threads() == {1}
        assert blas_threads() == {2}
    assert blas_threads() == {2}


def test_same_results_from_many_callers() -> None:
    """Eight threads at once get the same results as one, and BLAS has its setting afterwards."""
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
from faceie.nn import parallel as threads

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


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # of Python 3.12, about this case
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
    for text in ("0", "two", "-1", on_disk("²"), on_disk("٣")):
        monkeypatch.setattr(threads, "_threads", None)
        monkeypatch.setenv("FACEIE_THREADS", text)
        with pytest.raises(OptionError, match=re.escape(f"FACEIE_THREADS is {text!r}")):
            get_threads()
    monkeypatch.setattr(threads, "_threads", 1)
    set_threads(np.int64(2))  # type: ignore[arg-type]
    assert (get_threads(), type(get_threads())) == (2, int)
    for number in (0, -1, 1.5, "2", True, np.array([2])):
        with pytest.raises(OptionError, match="the number of threads is"):
            set_threads(number)  # type: ignore[arg-type]

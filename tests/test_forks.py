"""A forked process works, at any state of the other threads of its parent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from faceie import forks

from .conftest import PHOTOS, ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

# While another thread holds every lock of Faceie, forks, and finds and encodes a face in the child.
_PROGRAM = """
import os, sys, threading, warnings
import faceie
from faceie import forks

warnings.simplefilter("ignore")  # of a fork of a process with threads, which is tested here
faceie.set_threads(2)
faces = faceie.detect_faces(sys.argv[1])
faceie.encode_faces(faces.images * 3)
held, end = threading.Event(), threading.Event()

def hold():
    locks = list(forks._locks)
    assert len(locks) > 5
    for lock in locks:
        lock.__enter__()
    held.set()
    end.wait()

threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    again = faceie.detect_faces(sys.argv[1])
    ok = faceie.encode_faces(again.images * 3).shape == (3, 512)
    os._exit(0 if ok else 1)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status))
"""


def test_fork_while_locks_are_held() -> None:
    """The child finds a face, although a thread of the parent held every lock."""
    command = [sys.executable, "-c", _PROGRAM, PHOTOS / "astronaut.jpg"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "0\n", "")


def test_all_locks_are_renewed() -> None:
    """No other module makes locks, or registers functions for forks."""
    files = [file for file in (ROOT / "src" / "faceie").rglob("*.py") if file.name != "forks.py"]
    assert len(files) > 50
    for file in files:
        text = file.read_text("utf-8")
        for name in ("threading.Lock(", "threading.RLock(", "threading.Semaphore(", "register_at_fork"):
            assert name not in text, file


def test_lock_waits_to_be_notified() -> None:
    """A thread that waits for a lock continues when another one notifies it."""
    lock, ready = forks.Lock(), False

    def work() -> None:
        nonlocal ready
        with lock:
            ready = True
            lock.notify()

    with lock, lock:  # it is re-entrant
        threading.Thread(target=work).start()
        while not ready:
            lock.wait()
    assert ready

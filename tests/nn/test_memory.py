"""Memory that calls share, and kernels that leave theirs to the file."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from faceie.nn.memory import Memory, Packed, aligned


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("floats", [1, 15, 16, 17, 100_000])
def test_aligned(floats: int, zero: bool) -> None:
    """Arrays begin with a line of the cache."""
    for _ in range(5):
        x = aligned(floats, zero=zero)
        assert (x.shape, x.dtype, x.ctypes.data % 64) == ((floats,), np.float32, 0)
        assert not zero or not x.any()
        x[...] = 1


def test_memory_is_shared_in_turn(rng: np.random.Generator) -> None:
    """What is taken is nobody else's until it is given back; then it is taken again, whole or in pieces."""
    memory = Memory()
    taken: list[tuple[np.ndarray, float]] = []
    most = 0
    for number in range(2000):
        if taken and rng.random() < 0.5:
            array, value = taken.pop(rng.integers(len(taken)))
            assert np.all(array == value)
            memory.give(array)
        else:
            array = memory.take(int(rng.integers(0, 300_000)) if number % 10 else 0)
            assert array.ctypes.data % 64 == 0
            array[...] = number
            taken.append((array, number))
        most = max(most, sum(array.size for array, _ in taken))
    assert most <= memory.floats < 2 * most
    for array, _ in taken:
        memory.give(array)
    before = memory.floats
    memory.give(memory.take(4_000_000))  # pieces have become one again
    assert memory.floats == before


def test_large_arrays_have_room() -> None:
    """What is larger than a block of memory gets one of its own."""
    memory = Memory()
    large = memory.take(5_000_000)
    memory.take(10)
    memory.give(large)
    assert np.shares_memory(memory.take(5_000_000), large)
    assert memory.floats == 5_000_000 + 16


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the memory of a process is known by /proc")
def test_packed_kernels_leave_the_file(tmp_path: Path) -> None:
    """A kernel of a mapped file takes no memory once another form of it is there, and can be read again."""
    path = tmp_path / "weights"
    np.arange(1_000_000, dtype=np.float32).tofile(path)
    kernel = np.memmap(path, np.float32, "r")[5000:900_000]

    def resident() -> int:
        lines = iter(Path("/proc/self/smaps").read_text().splitlines())
        next(line for line in lines if line.endswith(str(path)))
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))

    def doubled(x: np.ndarray) -> np.ndarray:
        return 2 * x

    packed = Packed()
    kernel_twice = packed.get(kernel, doubled)
    assert resident() < 500  # KiB, of 3500
    assert np.array_equal(kernel_twice, 2 * kernel)
    assert resident() > 3000
    assert packed.get(kernel, doubled) is kernel_twice


def test_what_is_not_of_a_file_stays(tmp_path: Path) -> None:
    """Kernels in memory that somebody has written are left as they are."""
    path = tmp_path / "weights"
    np.zeros(100_000, np.float32).tofile(path)
    changed = np.memmap(path, np.float32, "c")
    anonymous = np.frombuffer(mmap.mmap(-1, 400_000), np.float32)
    for kernel in (changed, anonymous):
        kernel[:] = 7
        Packed().get(kernel, np.negative)
        assert np.all(kernel == 7)

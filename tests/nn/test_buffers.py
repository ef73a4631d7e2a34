"""The arena reuses memory; packed kernels leave that of the file to the system."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from faceie.nn.buffers import Arena, PackedWeights


def test_memory_is_shared_in_turn(rng: np.random.Generator) -> None:
    """An array shares no memory with others until it is freed; then it is reused, whole or in pieces."""
    arena = Arena()
    taken: list[tuple[np.ndarray, float]] = []
    most = 0
    for number in range(2000):
        if taken and rng.random() < 0.5:
            array, value = taken.pop(rng.integers(len(taken)))
            assert np.all(array == value)
            arena.free(array)
        else:
            array = arena.allocate(int(rng.integers(0, 300_000)) if number % 10 else 0)
            assert array.ctypes.data % 64 == 0
            array[...] = number
            taken.append((array, number))
        most = max(most, sum(array.size for array, _ in taken))
    assert most <= arena.floats < 2 * most
    for array, _ in taken:
        arena.free(array)
    before = arena.floats
    arena.free(arena.allocate(4_000_000))  # pieces have become one again
    assert arena.floats == before


def test_large_arrays_have_room() -> None:
    """An array larger than a block of memory gets one of its own."""
    arena = Arena()
    large = arena.allocate(5_000_000)
    arena.allocate(10)
    arena.free(large)
    assert np.shares_memory(arena.allocate(5_000_000), large)
    assert arena.floats == 5_000_000 + 16


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the memory of a process is known by /proc")
def test_packed_kernels_leave_the_file(tmp_path: Path) -> None:
    """The pages of a mapped kernel are dropped once it is packed, and can be read again."""
    path = tmp_path / "weights"
    np.arange(1_000_000, dtype=np.float32).tofile(path)
    kernel = np.memmap(path, np.float32, "r")[5000:900_000]

    def resident() -> int:
        lines = iter(Path("/proc/self/smaps").read_text().splitlines())
        next(line for line in lines if line.endswith(str(path)))
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))

    def doubled(x: np.ndarray) -> np.ndarray:
        return 2 * x

    packed = PackedWeights()
    kernel_twice = packed.get(kernel, doubled)
    assert resident() < 500  # KiB, of 3500
    assert np.array_equal(kernel_twice, 2 * kernel)
    assert resident() > 3000
    assert packed.get(kernel, doubled) is kernel_twice


def test_what_is_not_of_a_file_stays(tmp_path: Path) -> None:
    """Kernels in writable memory keep their values."""
    path = tmp_path / "weights"
    np.zeros(100_000, np.float32).tofile(path)
    changed = np.memmap(path, np.float32, "c")
    anonymous = np.frombuffer(mmap.mmap(-1, 400_000), np.float32)
    for kernel in (changed, anonymous):
        kernel[:] = 7
        PackedWeights().get(kernel, np.negative)
        assert np.all(kernel == 7)

"""Processors and memory for this process: affinity, control groups of both versions, and other systems."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from faceie import machine

GB = 1 << 30


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 16 processors and 32 GB, of which 20 are available, without control groups."""
    (tmp_path / "groups").mkdir()
    (tmp_path / "own").write_text("")
    (tmp_path / "meminfo").write_text(f"MemTotal: {32 * 2**20} kB\nMemAvailable: {20 * 2**20} kB\n")
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    return tmp_path


def write(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def test_without_limits(fake: Path) -> None:
    """All processors that the affinity allows, and the memory that is available."""
    assert machine.available_cpus() == 16
    assert machine.available_memory() == 20 * GB


@pytest.mark.parametrize(("limit", "processors"), [("max 100000", 16), ("250000 100000", 3), ("50000 100000", 1)])
def test_quota_of_version_2(limit: str, processors: int, fake: Path) -> None:
    """A quota of two and a half processors is rounded up; "max" is no limit."""
    (fake / "own").write_text("0::/user/job\n")
    write(fake / "groups" / "user" / "job", cpu__max=limit)
    assert machine.available_cpus() == processors


def test_quota_of_a_group_above(fake: Path) -> None:
    """The lowest limit of all groups around counts."""
    (fake / "own").write_text("0::/user/job\n")
    write(fake / "groups" / "user" / "job", cpu__max="max 100000")
    write(fake / "groups" / "user", cpu__max="400000 100000")
    assert machine.available_cpus() == 4


def test_version_1(fake: Path) -> None:
    """The older version has a tree for each controller; -1 is no limit there."""
    (fake / "own").write_text("3:cpu,cpuacct:/job\n2:memory:/job\n1:name=systemd:/job\n")
    write(fake / "groups" / "cpu" / "job", cpu__cfs_quota_us=200000, cpu__cfs_period_us=100000)
    write(fake / "groups" / "cpu", cpu__cfs_quota_us=-1, cpu__cfs_period_us=100000)
    write(
        fake / "groups" / "memory" / "job",
        memory__limit_in_bytes=4 * GB,
        memory__usage_in_bytes=3 * GB,
        memory__stat=f"cache {2 * GB}\ntotal_inactive_file {GB}",
    )
    assert machine.available_cpus() == 2
    assert machine.available_memory() == 2 * GB


def test_memory_of_version_2(fake: Path) -> None:
    """Cached files count as available; a group that uses more than its limit has nothing left."""
    (fake / "own").write_text("0::/job\n")
    job = fake / "groups" / "job"
    write(job, memory__max=2 * GB, memory__current=GB, memory__stat=f"anon 5\ninactive_file {GB // 2}")
    assert machine.available_memory() == 3 * GB // 2
    write(job, memory__max=GB, memory__current=2 * GB, memory__stat="anon 5")
    assert machine.available_memory() == 0
    write(job, memory__max="max")
    assert machine.available_memory() == 20 * GB


def test_odd_files(fake: Path) -> None:
    """Files that cannot be read, or make no sense, set no limit."""
    (fake / "own").write_bytes(b"0::/\xff\xfe/job\n")
    write(fake / "groups", cpu__max="many", memory__max="")
    assert machine.available_cpus() == 16
    (fake / "meminfo").unlink()
    memory = machine.available_memory()
    assert memory is None or memory > 0


def test_macos(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without affinity and /proc, the processors are counted, and half of the memory is assumed to be free."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 2 * GB // 4096, "SC_PAGE_SIZE": 4096}.__getitem__)
    (fake / "meminfo").unlink()
    assert machine.available_cpus() == 8
    assert machine.available_memory() == GB
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.available_cpus() == 1


@pytest.mark.parametrize("works", [True, False])
def test_windows(works: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows tells how much physical memory is available."""

    def status(pointer: object) -> int:
        pointer._obj.available = 3 * GB  # type: ignore[attr-defined]
        assert pointer._obj.length == 64  # type: ignore[attr-defined]
        return int(works)

    monkeypatch.setattr(sys, "platform", "win32")
    kernel = SimpleNamespace(kernel32=SimpleNamespace(GlobalMemoryStatusEx=status))
    monkeypatch.setattr(ctypes, "windll", kernel, raising=False)
    assert machine.available_memory() == (3 * GB if works else None)


def test_this_machine() -> None:
    """This machine has at least one processor, and some memory."""
    assert machine.available_cpus() >= 1
    assert (machine.available_memory() or GB) > 0

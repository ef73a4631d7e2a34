"""The processors and memory that this process may use.

A container or a batch system often allows less than the machine has. On Linux, control groups (cgroups) hold such
limits, in two versions of their files: https://docs.kernel.org/admin-guide/cgroup-v2.html.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["available_cpus", "available_memory"]

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_MEMINFO = Path("/proc/meminfo")


def available_cpus() -> int:
    """Return the number of processors for this process, by affinity and by the quotas of its control groups."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        count = getattr(os, "process_cpu_count", os.cpu_count)() or 1
    quotas = [math.ceil(quota) for quota in _processor_quotas() if quota > 0]
    return max(1, min([count, *quotas]))


def available_memory() -> int | None:
    """Return the bytes of memory that are free for this process, or None where the system does not tell."""
    if sys.platform == "win32":
        return _windows_memory()
    free = [*filter(None, [_free_memory()]), *_cgroup_memory()]
    if free:
        return min(free)
    try:  # macOS tells the size of the memory only; half of it is a guess
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return None


def _free_memory() -> int | None:
    """Return the memory that is available without swapping, from Linux."""
    for line in _read(_MEMINFO).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _folders(controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control groups that may limit it, the innermost first."""
    for line in _read(_OWN_CGROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = _CGROUPS / controller if controllers else _CGROUPS  # version 1 has a tree for each controller
        folder = top / path.lstrip("/")
        while folder != top and top in folder.parents:
            yield folder
            folder = folder.parent
        yield top  # a container sees only this one


def _processor_quotas() -> Iterator[float]:
    for folder in _folders("cpu"):
        if limit := _read(folder / "cpu.max").split():  # version 2: "max 100000" or "150000 100000"
            quota, period = limit[0], limit[-1]
        else:
            quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if _is_number(quota) and _is_number(period):
            yield int(quota) / int(period)


def _cgroup_memory() -> Iterator[int]:
    for folder in _folders("memory"):
        names = ("memory.max", "memory.current", "inactive_file")
        if not (folder / names[0]).exists():
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        limit, used = (_read(folder / name) for name in names[:2])
        if _is_number(limit) and _is_number(used):
            lines = (line.split() for line in _read(folder / "memory.stat").splitlines())
            # Cached pages of files count as used, but are freed when needed.
            cached = sum(int(words[1]) for words in lines if len(words) == 2 and words[0] == names[2])
            yield max(0, int(limit) - int(used) + cached)


def _is_number(text: str) -> bool:
    return text.strip().isdecimal() and int(text) > 0


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""


def _windows_memory() -> int | None:
    """Return the available physical memory, from GlobalMemoryStatusEx."""

    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            *((name, ctypes.c_uint64) for name in ("total", "available", "page_total", "page_available")),
            *((name, ctypes.c_uint64) for name in ("virtual_total", "virtual_available", "virtual_extended")),
        )

    status = Status(length=ctypes.sizeof(Status))
    kernel: object = getattr(ctypes, "windll", None)
    if kernel is None or not kernel.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined]
        return None
    return int(status.available)

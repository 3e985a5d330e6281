"""What this machine, or the container around us, has left: memory and cores.

Memory is the least of what the host, every cgroup v2 level up the tree and the cgroup v1 group
leave, so a limit counts wherever it is set. A cgroup's own figures leave out page cache that the
kernel gives back (`inactive_file`), as its own accounting of reclaimable memory does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_UNLIMITED = 1 << 60  # cgroup v1 writes "no limit" as a number near 2**63


def _read_int(path: Path) -> int | None:
    """A file's number; None when there is no such file or it says `max`."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _stat_value(path: Path, key: str) -> int:
    """A key of a `KEY NUMBER` file, 0 when it is absent."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [key]), 0)


def _own_groups(proc: Path) -> dict[str, str]:
    """Controller name -> our path in it, from /proc/self/cgroup; "" is the v2 hierarchy."""
    groups = {}
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path
    return groups


def _levels(root: Path, path: str) -> Iterator[Path]:
    """The group's directory and all above it, up to the mount's root."""
    here = root / path.lstrip("/")
    while True:
        yield here
        if here == root or root not in here.parents:
            return
        here = here.parent


def _left_in_cgroups(root: Path, proc: Path) -> Iterator[int]:
    """What each limited level leaves, in bytes."""
    groups = _own_groups(proc)
    if "memory" in groups:
        for level in _levels(root / "memory", groups["memory"]):
            limit = _read_int(level / "memory.limit_in_bytes")
            used = _read_int(level / "memory.usage_in_bytes")
            if limit is not None and used is not None and limit < _UNLIMITED:
                cache = _stat_value(level / "memory.stat", "total_inactive_file")
                yield limit - used + cache
    if "" in groups:
        for level in _levels(root, groups[""]):
            limit = _read_int(level / "memory.max")
            used = _read_int(level / "memory.current")
            if limit is not None and used is not None:
                yield limit - used + _stat_value(level / "memory.stat", "inactive_file")


def available_memory_bytes(root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")) -> int:
    """Bytes that can still be used before the kernel has to kill, never below 0."""
    meminfo = proc / "meminfo"
    host = 1024 * _stat_value(meminfo, "MemAvailable:")
    return max(0, min([host, *_left_in_cgroups(root, proc)]))


def _quota_cores(root: Path, proc: Path) -> Iterator[float]:
    """Cores that each CPU quota allows."""
    groups = _own_groups(proc)
    if "cpu" in groups:
        for level in _levels(root / "cpu", groups["cpu"]):
            quota = _read_int(level / "cpu.cfs_quota_us")  # -1, no decimal: no quota
            period = _read_int(level / "cpu.cfs_period_us")
            if quota and period:
                yield quota / period
    if "" in groups:
        for level in _levels(root, groups[""]):
            try:
                quota_text, period_text = (level / "cpu.max").read_text().split()
            except (OSError, ValueError):
                continue
            if quota_text != "max":
                yield int(quota_text) / int(period_text)


def available_cores(root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")) -> int:
    """Whole cores that we may use: affinity and every CPU quota counted, at least 1."""
    cores = [float(len(os.sched_getaffinity(0))), *_quota_cores(root, proc)]
    return max(1, int(min(cores)))

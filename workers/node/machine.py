"""What this machine, or the container around us, has and has left: memory and cores.

Memory is the least of what the host, every cgroup v2 level up the tree and every cgroup v1 level
allow, so a limit counts wherever it is set. A group's file pages (`active_file`, `inactive_file`)
count as available: the kernel takes them back before it kills, and Ray's own monitor counts so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workers.node.cgroups import (
    CGROUP_ROOT,
    PROC,
    UNIFIED,
    hierarchy,
    read_int,
    read_value,
    read_values,
)

_UNLIMITED = 1 << 60  # cgroup v1 writes "no limit" as a number near 2**63


@dataclass(frozen=True)
class _Level:
    """A memory group that we are in. ceiling: limit of groups above it that we cannot see."""

    limit: Path
    usage: Path
    stat: Path
    prefix: str
    ceiling: int

    def limit_bytes(self) -> int:
        own = read_int(self.limit)
        return self.ceiling if own is None else min(own, self.ceiling)

    def left_bytes(self) -> int:
        """What the limit leaves; no end where there is none."""
        limit = self.limit_bytes()
        used = read_int(self.usage) if limit < _UNLIMITED else None
        if used is None:
            return _UNLIMITED
        stat = read_values(self.stat)
        files = sum(stat.get(f"{self.prefix}{kind}_file", 0) for kind in ("active", "inactive"))
        return limit - used + files


class NodeMemory:
    """The memory of this node, as limits and use are now. Groups are looked up once, as no process
    of ours ever moves; a reading takes 50-300 us.
    """

    def __init__(self, root: Path = CGROUP_ROOT, proc: Path = PROC) -> None:
        self._meminfo = proc / "meminfo"
        self._levels = (*_levels_v1(root, proc), *_levels_v2(root, proc))

    def total_bytes(self) -> int:
        """What this process and its neighbours may use together: the host's memory, or the least
        limit of a group.
        """
        host = 1024 * read_value(self._meminfo, "MemTotal:")
        return min([host, *(level.limit_bytes() for level in self._levels)])

    def available_bytes(self) -> int:
        """What can still be used before the kernel has to kill, never below 0."""
        host = 1024 * read_value(self._meminfo, "MemAvailable:")
        return max(0, min([host, *(level.left_bytes() for level in self._levels)]))


def available_memory_bytes(root: Path = CGROUP_ROOT, proc: Path = PROC) -> int:
    """`NodeMemory.available_bytes`, once."""
    return NodeMemory(root, proc).available_bytes()


def available_cores(root: Path = CGROUP_ROOT, proc: Path = PROC) -> int:
    """Whole cores that we may use: affinity and every CPU quota counted, at least 1."""
    cores = [float(len(os.sched_getaffinity(0))), *_quota_cores(root, proc)]
    return max(1, int(min(cores)))


def _levels_v1(root: Path, proc: Path) -> Iterator[_Level]:
    found = hierarchy("memory", root, proc)
    if found is None:
        return
    for place in found.levels():
        yield _Level(
            limit=place / "memory.limit_in_bytes",
            usage=place / "memory.usage_in_bytes",
            stat=place / "memory.stat",
            prefix="total_",
            ceiling=_ceiling_bytes(place) if place == found.mount else _UNLIMITED,
        )


def _ceiling_bytes(top: Path) -> int:
    """What groups above the mount's root allow, where that is less than its own limit."""
    own = read_int(top / "memory.limit_in_bytes") or _UNLIMITED
    least = read_value(top / "memory.stat", "hierarchical_memory_limit")
    return least if 0 < least < own else _UNLIMITED


def _levels_v2(root: Path, proc: Path) -> Iterator[_Level]:
    found = hierarchy(UNIFIED, root, proc)
    for place in found.levels() if found is not None else ():
        yield _Level(
            limit=place / "memory.max",
            usage=place / "memory.current",
            stat=place / "memory.stat",
            prefix="",
            ceiling=_UNLIMITED,
        )


def _quota_cores(root: Path, proc: Path) -> Iterator[float]:
    """Cores that each CPU quota allows."""
    v1 = hierarchy("cpu", root, proc)
    for level in v1.levels() if v1 is not None else ():
        quota = read_int(level / "cpu.cfs_quota_us")  # -1, no decimal: no quota
        period = read_int(level / "cpu.cfs_period_us")
        if quota and period:
            yield quota / period
    v2 = hierarchy(UNIFIED, root, proc)
    for level in v2.levels() if v2 is not None else ():
        try:
            quota_text, period_text = (level / "cpu.max").read_text().split()
        except (OSError, ValueError):
            continue
        if quota_text != "max":
            yield int(quota_text) / int(period_text)

"""A memory control group for each child, version 1 or 2, where the node lets us make one.

It stands behind the watchdog: its limit is a little higher, so the watchdog usually gives the exact
verdict, and it bounds what a child can touch between two looks, its descendants included.

Version 1 makes groups below the agent's own one. Version 2 forbids groups beside processes, so
there they are made below the own group only where it is the hierarchy's root, else beside it, below
its parent, unless the own group has a limit, which they would escape. That is what systemd's
`Delegate=yes` with `DelegateSubgroup=` gives. Everything is tried, nothing is assumed: where a step
is refused there are no groups.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workers.node.cgroups import (
    CGROUP_ROOT,
    PROC,
    UNIFIED,
    Hierarchy,
    hierarchy,
    read_int,
    read_value,
)

SLACK_BYTES = 16 << 20
"""The group is charged with kernel memory (stacks, sockets, slabs) and counts in batches: 1-2 MiB
measured."""

COPIED_SHARE = 0.5
"""Of the idle child's memory: pages shared with the forkserver are charged to the group once the
child writes to them, and are in no limit of the trial's. Fits copied 1-11 of 121 MiB, a garbage
collection of everything 42."""

KERNEL_SHARE = 1 / 128
"""Page tables take 1/512 of what they map, more where it is scattered."""

BATCH_BYTES = 4 << 20
"""The kernel counts up to 64 pages a processor ahead."""

REMOVAL_SECONDS = 0.2
"""A group with a process that is still dying cannot be removed; later it is tried again."""

_PREFIX = "headgate-"


@dataclass(frozen=True)
class _Dialect:
    """The files of a version. on_start: written to a new group; a refused one is left out.
    peaks, hits: how it shows that the group's own limit was met, not one above or the whole node:
    a highest use as high as the limit, or a count. (Version 1 counts in `failcnt`, too, but Linux
    6.18 does not when the limit with swap is the one met.)
    """

    limit: str
    swap: str
    swap_is_sum: bool
    kills: tuple[str, str]
    peaks: tuple[str, ...] = ()
    hits: tuple[str, str] | None = None
    kill: str = ""
    on_start: tuple[tuple[str, str], ...] = ()


_V1 = _Dialect(
    limit="memory.limit_in_bytes",
    swap="memory.memsw.limit_in_bytes",
    swap_is_sum=True,
    kills=("memory.oom_control", "oom_kill"),
    peaks=("memory.max_usage_in_bytes", "memory.memsw.max_usage_in_bytes"),
)
_V2 = _Dialect(
    limit="memory.max",
    swap="memory.swap.max",
    swap_is_sum=False,
    kills=("memory.events", "oom_kill"),
    hits=("memory.events", "oom"),
    kill="cgroup.kill",
    on_start=(("memory.oom.group", "1"),),
)


class TrialGroup:
    """One child's group. Made without a limit; `bound` before it runs foreign code."""

    def __init__(self, path: Path, dialect: _Dialect) -> None:
        self.path = path
        self._dialect = dialect
        self._limit_bytes = 0

    def take(self, pid: int) -> None:
        """Put a process and its future children in. Takes ~15 ms: the kernel waits for every
        processor. Raises: OSError.
        """
        _write(self.path / "cgroup.procs", str(pid))

    def bound(self, limit_bytes: int) -> None:
        """Set the limit. Without swap, where the kernel can say so. Raises: OSError."""
        dialect = self._dialect
        self._limit_bytes = limit_bytes
        _write(self.path / dialect.limit, str(limit_bytes))
        with contextlib.suppress(OSError):  # a kernel without swap accounting has no such file
            swap = limit_bytes if dialect.swap_is_sum else 0
            _write(self.path / dialect.swap, str(swap))

    @property
    def has_killed(self) -> bool:
        """Whether the kernel killed a process here because this group's own limit was met."""
        if not self.was_hit:
            return False
        hits = self._dialect.hits
        if hits is not None and read_value(self.path / hits[0], hits[1]) > 0:
            return True
        peaks = (read_int(self.path / file) or 0 for file in self._dialect.peaks)
        return any(peak >= self._limit_bytes - BATCH_BYTES for peak in peaks)

    @property
    def was_hit(self) -> bool:
        """Whether the kernel's out-of-memory killer took a process here, for whatever limit."""
        return read_value(self.path / self._dialect.kills[0], self._dialect.kills[1]) > 0

    def end(self) -> bool:
        """Kill what is left inside and remove the group; whether it is gone. Blocks for
        `REMOVAL_SECONDS` at most. Idempotent.
        """
        deadline = time.monotonic() + REMOVAL_SECONDS
        while not _is_removed(self.path):
            self._kill()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        return True

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            if self._dialect.kill:
                _write(self.path / self._dialect.kill, "1")
                return
            for pid in (self.path / "cgroup.procs").read_text(encoding="ascii").split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


class TrialGroups:
    """The groups of one sandbox. Thread-safe. `close` removes them; those of an owner that was
    killed are removed by the next one in the same place.
    """

    def __init__(self, base: Path, dialect: _Dialect) -> None:
        self._base = base
        self._dialect = dialect
        self._numbers = itertools.count(1)
        self._left: list[TrialGroup] = []

    def make(self) -> TrialGroup | None:
        """A new, empty group, or None when the kernel refuses one."""
        self._left = [group for group in self._left if not _is_removed(group.path)]
        group = TrialGroup(self._base / f"{next(self._numbers)}", self._dialect)
        try:
            group.path.mkdir()
        except OSError:
            return None
        for file, text in self._dialect.on_start:
            with contextlib.suppress(OSError):
                _write(group.path / file, text)
        return group

    def end(self, group: TrialGroup) -> None:
        """End one, now or as soon as the kernel lets us."""
        if not group.end():
            self._left.append(group)

    def close(self) -> None:
        """Remove everything that can be. Idempotent."""
        for group in self._left:
            group.end()
        _is_removed(self._base)


def limit_bytes(memory_bytes: int, idle_bytes: int) -> int:
    """A group's limit for a child that may use `memory_bytes` above its idle memory: what else it
    is charged with comes on top. File pages do too, but the kernel takes those back first.
    """
    copied = int(COPIED_SHARE * idle_bytes)
    return memory_bytes + SLACK_BYTES + copied + int(KERNEL_SHARE * memory_bytes)


def open_groups(root: Path = CGROUP_ROOT, proc: Path = PROC) -> TrialGroups | None:
    """Groups for this process's children; None where they cannot be made. Removes what killed
    owners left here.
    """
    for parent, dialect in _places(root, proc):
        _sweep(parent, proc)
        base = parent / f"{_PREFIX}{os.getpid()}-{_start_ticks(proc, os.getpid())}-{_serial()}"
        try:
            if dialect is _V2:
                _enable_memory(parent)
            base.mkdir()
        except OSError:
            continue
        with contextlib.suppress(OSError):
            if dialect is _V2:
                _enable_memory(base)
            return TrialGroups(base, dialect)
        _is_removed(base)
    return None


_serials = itertools.count(1)


def _serial() -> int:
    """Two sandboxes of a process do not share a base."""
    return next(_serials)


def _places(root: Path, proc: Path) -> Iterator[tuple[Path, _Dialect]]:
    v1 = hierarchy("memory", root, proc)
    if v1 is not None:
        yield v1.own, _V1
    v2 = hierarchy(UNIFIED, root, proc)
    if v2 is not None:
        yield from ((place, _V2) for place in _places_v2(v2))


def _places_v2(found: Hierarchy) -> Iterator[Path]:
    yield found.own
    has_limit = read_int(found.own / "memory.max") is not None
    if found.own != found.mount and not has_limit:
        yield found.own.parent


def _enable_memory(group: Path) -> None:
    """Let groups below have a memory limit. Raises: OSError."""
    control = group / "cgroup.subtree_control"
    if "memory" not in control.read_text(encoding="ascii").split():
        _write(control, "+memory")


def _sweep(parent: Path, proc: Path) -> None:
    """Remove the empty groups of owners that are no more."""
    for base in parent.glob(f"{_PREFIX}*-*-*"):
        pid, ticks, *_ = base.name.removeprefix(_PREFIX).split("-")
        if pid.isdecimal() and _start_ticks(proc, int(pid)) == ticks:
            continue
        for group in base.iterdir():
            if group.is_dir():
                _is_removed(group)
        _is_removed(base)


def _start_ticks(proc: Path, pid: int) -> str:
    """When a process started: with its pid it names it for ever. Empty when there is none."""
    try:
        text = (proc / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]  # field 22, starttime (proc_pid_stat(5))


def _is_removed(path: Path) -> bool:
    """Remove an empty group; whether it is gone. rmdir alone: a group's files go with it."""
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _write(path: Path, text: str) -> None:
    """Write to a file that must be there already: the kernel makes a group's files."""
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)

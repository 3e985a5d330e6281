"""A control group a child: version 2 over a tree of files, and what this machine really has."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from loadtests import fault_jobs
from workers.node.cgroups import CGROUP_ROOT, PROC
from workers.sandbox import cgroup, selftest
from workers.sandbox.cgroup import TrialGroups, limit_bytes, open_groups
from workers.sandbox.forkserver import child_environment
from workers.sandbox.messages import Request
from workers.sandbox.sandbox import Sandbox
from workers.trial.job import SandboxLimits

HERE = Path(__file__).parent
JOBS = fault_jobs.__name__
MIB = 1 << 20


class Watch(Protocol):
    def take(self, *pids: int) -> None: ...
    def wait_gone(self, seconds: float = ...) -> None: ...


class FakeKernel:
    """A version 2 tree as the kernel keeps it: a directory gets its files when it is made, those of
    the memory controller if its parent says so, and goes with them when it is empty.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._mkdir, self._rmdir = os.mkdir, os.rmdir

    def mkdir(self, path: str | Path, mode: int = 0o777) -> None:
        self._mkdir(path, mode)
        here = Path(path)
        if self.root not in here.parents:
            return
        files = {"cgroup.procs": "", "cgroup.kill": "", "cgroup.subtree_control": ""}
        if "memory" in (here.parent / "cgroup.subtree_control").read_text():
            files |= {"memory.max": "max", "memory.swap.max": "max", "memory.oom.group": "0"}
            files |= {"memory.events": "low 0\noom 0\noom_kill 0\n"}
        for name, text in files.items():
            (here / name).write_text(text)

    def rmdir(self, path: str | Path, **at: int) -> None:
        here = Path(path)
        if at or self.root not in here.parents or not here.is_dir():
            self._rmdir(path, **at)
            return
        is_killed = (here / "cgroup.kill").read_text() == "1"
        has_process = (here / "cgroup.procs").read_text() != "" and not is_killed
        if has_process or any(each.is_dir() for each in here.iterdir()):
            raise OSError(errno.EBUSY, "busy")
        shutil.rmtree(here)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our group in a fake tree: /a/b, below one that has the memory controller to give."""
    root = tmp_path / "cg"
    kernel = FakeKernel(root)
    own = root / "a" / "b"
    own.mkdir(parents=True)
    (root / "a" / "cgroup.subtree_control").write_text("cpu memory")
    (own / "memory.max").write_text("max")
    monkeypatch.setattr(os, "mkdir", kernel.mkdir)
    monkeypatch.setattr(os, "rmdir", kernel.rmdir)
    return own


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc that puts us into /a/b."""
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text("0::/a/b\n")
    (proc / str(os.getpid())).mkdir()
    stat = Path("/proc/self/stat").read_text()
    (proc / str(os.getpid()) / "stat").write_text(stat)
    return proc


def opened(own: Path, proc: Path) -> TrialGroups:
    groups = open_groups(own.parents[1], proc)
    assert groups is not None
    return groups


def bases(parent: Path) -> list[Path]:
    return sorted(parent.glob("headgate-*"))


def test_v2_groups_stand_beside_our_own(own: Path, proc: Path) -> None:
    groups = opened(own, proc)
    (base,) = bases(own.parent)
    group = groups.make()
    assert group is not None
    assert group.path.parent == base
    group.take(4711)
    assert (group.path / "cgroup.procs").read_text() == "4711"
    group.bound(64 * MIB)
    assert (group.path / "memory.max").read_text() == str(64 * MIB)
    assert (group.path / "memory.swap.max").read_text() == "0"
    assert (group.path / "memory.oom.group").read_text() == "1"
    groups.end(group)
    assert not group.path.exists()
    groups.close()
    assert bases(own.parent) == []


def test_v2_own_limit_and_another_are_told_apart(own: Path, proc: Path) -> None:
    group = opened(own, proc).make()
    assert group is not None
    assert (group.was_hit, group.has_killed) == (False, False)
    (group.path / "memory.events").write_text("oom 0\noom_kill 1\n")
    assert (group.was_hit, group.has_killed) == (True, False)
    (group.path / "memory.events").write_text("oom 3\noom_kill 1\n")
    assert (group.was_hit, group.has_killed) == (True, True)


def test_v2_our_own_limit_is_never_escaped(own: Path, proc: Path) -> None:
    (own / "memory.max").write_text(str(1 << 30))
    assert open_groups(own.parents[1], proc) is None
    assert bases(own.parent) == []


def test_v2_without_the_controller_there_are_no_groups(own: Path, proc: Path) -> None:
    (own.parent / "cgroup.subtree_control").unlink()
    assert open_groups(own.parents[1], proc) is None
    assert open_groups(own.parents[1], proc / "nowhere") is None


def test_v2_a_controller_not_yet_given_is_asked_for(own: Path, proc: Path) -> None:
    (own.parent / "cgroup.subtree_control").write_text("cpu")
    group = opened(own, proc).make()
    assert (own.parent / "cgroup.subtree_control").read_text() == "+memory"
    assert group is not None
    group.bound(MIB)


def test_groups_of_a_killed_owner_are_removed_by_the_next(own: Path, proc: Path) -> None:
    stale = own.parent / "headgate-99999999-1-1"
    stale.mkdir()
    (stale / "1").mkdir()
    reused = own.parent / f"headgate-{os.getpid()}-1-1"  # our pid, started another time
    reused.mkdir()
    first = opened(own, proc)
    assert not stale.exists()
    assert not reused.exists()
    second = opened(own, proc)
    assert len(bases(own.parent)) == 2
    first.close()
    second.close()
    assert bases(own.parent) == []


def test_a_group_that_stays_busy_is_removed_later(
    own: Path, proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "REMOVAL_SECONDS", 0.0)
    groups = opened(own, proc)
    group = groups.make()
    assert group is not None
    (group.path / "below").mkdir()  # as busy as a process that does not die
    groups.end(group)
    assert group.path.exists()
    (group.path / "below").rmdir()
    assert groups.make() is not None
    assert not group.path.exists()


def test_the_groups_limit_is_a_little_above_the_watchdogs() -> None:
    for memory in (64 * MIB, 1024 * MIB, 4096 * MIB):
        above = limit_bytes(memory, 121 * MIB) - memory
        assert 60 * MIB < above < 120_000_000
    assert limit_bytes(0, 0) >= 16 * MIB


# What follows needs a machine that lets us make groups.


@pytest.fixture
def grouped(sandbox: Sandbox) -> Sandbox:
    groups = open_groups()
    if groups is None:
        pytest.skip("no memory groups can be made here")
    groups.close()
    assert sandbox.enforcement == "cgroup+watchdog+rlimit"
    return sandbox


@pytest.fixture
def places() -> Callable[[], set[Path]]:
    """All bases of groups there are now."""
    parents = [parent for parent, _ in cgroup._places(CGROUP_ROOT, PROC)]
    return lambda: {base for parent in parents for base in bases(parent)}


def test_the_kernel_ends_a_child_at_its_groups_limit(
    grouped: Sandbox, limits: SandboxLimits
) -> None:
    """The watchdog's limit is far away, so only the group can have done it."""
    request = Request(f"{JOBS}:numpy_chunks", 200 * MIB, limits)
    outcome = grouped._run(request, "k", 120 * MIB)
    assert (outcome.kind, outcome.evidence) == ("MEMORY_EXCEEDED", "cgroup")
    assert outcome.exit_code == -9
    assert outcome.peak_memory_bytes < 121 * MIB
    assert outcome.enforcement == "cgroup+watchdog+rlimit"


def test_a_child_killed_from_outside_is_not_blamed_on_its_group(
    grouped: Sandbox, limits: SandboxLimits
) -> None:
    outcome = grouped.run("sandbox_targets:kill_oneself", None, limits, "k")
    assert (outcome.kind, outcome.evidence) == ("LOST", "exit")


def test_processes_of_the_child_are_in_its_group(grouped: Sandbox, limits: SandboxLimits) -> None:
    outcome = grouped.run(f"{JOBS}:descendant_hogs", 600 * MIB, limits, "k")
    assert (outcome.kind, outcome.evidence) == ("MEMORY_EXCEEDED", "cgroup")
    assert "256 MiB" in outcome.message


def test_file_pages_do_not_count(grouped: Sandbox, tmp_path: Path) -> None:
    """Twice as many as the group's limit, mapped and read, by a job that is within its own."""
    limits = SandboxLimits(32 * MIB, 60.0)
    pages = 2 * limit_bytes(limits.memory_bytes, grouped.idle_bytes)
    order = (str(tmp_path / "file"), pages)
    outcome = grouped.run(f"{JOBS}:write_and_read_file", order, limits, "k")
    assert outcome.kind == "OK", outcome
    assert outcome.peak_memory_bytes < 16 * MIB


def test_no_group_is_left_behind(
    grouped: Sandbox, limits: SandboxLimits, places: Callable[[], set[Path]], tmp_path: Path
) -> None:
    before = places()
    with Sandbox((), tmp_path / "other") as other:
        (base,) = places() - before
        for _ in range(3):
            other.run("sandbox_targets:echo", 1, limits, "k")
        assert sum(each.is_dir() for each in base.iterdir()) <= 2  # the last one and the next
    assert places() == before


def test_groups_of_a_killed_host_are_removed_by_the_next(
    grouped: Sandbox,
    places: Callable[[], set[Path]],
    tmp_path: Path,
    fifo: Path,
    reported_pids: Callable[[], list[int]],
    watch: Watch,
) -> None:
    before = places()
    command = [sys.executable, str(HERE / "sandbox_host.py"), str(tmp_path / "s"), str(fifo)]
    environment = child_environment(os.environ)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as host:
        assert host.stdout is not None
        watch.take(int(host.stdout.readline()), *reported_pids())
        assert len(places() - before) == 1
        host.send_signal(signal.SIGKILL)
        watch.wait_gone()
    groups = open_groups()
    assert groups is not None
    groups.close()
    assert places() == before


def test_a_group_that_does_not_kill_is_not_claimed(
    grouped: Sandbox,
    places: Callable[[], set[Path]],
    tmp_path: Path,
    limits: SandboxLimits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selftest, "_GROUP_BYTES", 512 * MIB)  # as a kernel that ignores the limit
    before = places()
    with Sandbox((), tmp_path / "other") as other:
        assert other.enforcement == "watchdog+rlimit"
        assert other.run("sandbox_targets:echo", 1, limits, "k").enforcement == "watchdog+rlimit"
        assert places() == before

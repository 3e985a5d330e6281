"""Memory and cores: the least of host, cgroup v1 and every cgroup v2 level counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.node.machine import NodeMemory, available_cores, available_memory_bytes

GIB = 1 << 30


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    proc = tmp_path / "proc"
    write(
        proc / "meminfo", f"MemTotal: {32 * GIB // 1024} kB\nMemAvailable: {16 * GIB // 1024} kB\n"
    )
    write(proc / "self" / "cgroup", "")
    return proc


def test_the_host_alone(tmp_path: Path, proc: Path) -> None:
    assert available_memory_bytes(tmp_path / "cg", proc) == 16 * GIB


def test_a_v2_limit_above_our_own_group_counts(tmp_path: Path, proc: Path) -> None:
    root = tmp_path / "cg"
    write(proc / "self" / "cgroup", "0::/slice/job\n")
    write(root / "slice" / "job" / "memory.max", "max\n")
    write(root / "slice" / "job" / "memory.current", "5\n")
    write(root / "slice" / "memory.max", str(4 * GIB))
    write(root / "slice" / "memory.current", str(3 * GIB))
    write(root / "slice" / "memory.stat", f"anon 1\nactive_file {GIB}\ninactive_file {GIB // 2}\n")
    assert available_memory_bytes(root, proc) == 2 * GIB + GIB // 2
    assert NodeMemory(root, proc).total_bytes() == 4 * GIB


def test_a_nested_v1_limit_counts_and_no_limit_does_not(tmp_path: Path, proc: Path) -> None:
    root = tmp_path / "cg"
    write(proc / "self" / "cgroup", "4:memory:/outer/inner\n")
    group = root / "memory" / "outer" / "inner"
    write(group / "memory.limit_in_bytes", str(2 * GIB))
    write(group / "memory.usage_in_bytes", str(GIB))
    write(root / "memory" / "outer" / "memory.limit_in_bytes", "9223372036854771712")
    write(root / "memory" / "outer" / "memory.usage_in_bytes", str(30 * GIB))
    assert available_memory_bytes(root, proc) == GIB
    assert NodeMemory(root, proc).total_bytes() == 2 * GIB


def test_a_v1_limit_at_the_mounts_root_counts(tmp_path: Path, proc: Path) -> None:
    """A container that keeps its host's path sees its own group at the mount's root."""
    root = tmp_path / "cg"
    write(proc / "self" / "cgroup", "4:memory:/docker/abc\n")
    write(root / "memory" / "memory.limit_in_bytes", str(2 * GIB))
    write(root / "memory" / "memory.usage_in_bytes", str(GIB))
    write(root / "memory" / "memory.stat", f"total_active_file {GIB // 4}\ninactive_file 7\n")
    memory = NodeMemory(root, proc)
    assert (memory.total_bytes(), memory.available_bytes()) == (2 * GIB, GIB + GIB // 4)


def test_a_v1_limit_above_the_mounts_root_counts(tmp_path: Path, proc: Path) -> None:
    root = tmp_path / "cg"
    write(proc / "self" / "cgroup", "4:memory:/\n")
    write(root / "memory" / "memory.limit_in_bytes", "9223372036854771712")
    write(root / "memory" / "memory.usage_in_bytes", str(GIB))
    write(root / "memory" / "memory.stat", f"hierarchical_memory_limit {3 * GIB}\n")
    memory = NodeMemory(root, proc)
    assert (memory.total_bytes(), memory.available_bytes()) == (3 * GIB, 2 * GIB)


def test_hierarchies_are_found_where_they_are_mounted(tmp_path: Path, proc: Path) -> None:
    """Mixed: memory in version 1 somewhere, version 2 elsewhere, a group seen as a root."""
    v1, v2 = tmp_path / "one", tmp_path / "two"
    write(proc / "self" / "cgroup", "4:memory:/pod/a/b\n0::/pod/x\n")
    write(
        proc / "self" / "mountinfo",
        f"35 31 0:32 /pod/a {v1} rw,relatime - cgroup cgroup rw,memory\n"
        f"41 31 0:38 / {v2} rw,relatime shared:9 - cgroup2 none rw\n",
    )
    write(v1 / "b" / "memory.limit_in_bytes", str(4 * GIB))
    write(v1 / "b" / "memory.usage_in_bytes", "0")
    memory = NodeMemory(tmp_path / "nowhere", proc)
    assert memory.total_bytes() == 4 * GIB
    write(v2 / "pod" / "memory.max", str(2 * GIB))
    write(v2 / "pod" / "memory.current", "0")
    assert memory.total_bytes() == 2 * GIB


def test_a_limit_that_changes_is_seen(tmp_path: Path, proc: Path) -> None:
    root = tmp_path / "cg"
    write(proc / "self" / "cgroup", "0::/a\n")
    memory = NodeMemory(root, proc)
    assert memory.total_bytes() == 32 * GIB
    write(root / "a" / "memory.max", str(GIB))
    write(root / "a" / "memory.current", str(GIB // 2))
    assert (memory.total_bytes(), memory.available_bytes()) == (GIB, GIB // 2)


def test_a_group_over_its_limit_leaves_nothing_rather_than_less(tmp_path: Path, proc: Path) -> None:
    root = tmp_path / "cg"
    write(proc / "self" / "cgroup", "0::/\n")
    write(root / "memory.max", str(GIB))
    write(root / "memory.current", str(2 * GIB))
    assert available_memory_bytes(root, proc) == 0


def test_a_cpu_quota_below_one_core_still_gives_one(tmp_path: Path, proc: Path) -> None:
    root = tmp_path / "cg"
    write(proc / "self" / "cgroup", "0::/\n")
    write(root / "cpu.max", "50000 100000\n")
    assert available_cores(root, proc) == 1


def test_a_group_outside_our_namespace_leaves_the_mounts_root(tmp_path: Path, proc: Path) -> None:
    root = tmp_path / "cg"
    write(proc / "self" / "cgroup", "0::/../other\n")
    write(root / "memory.max", str(GIB))
    write(root / "memory.current", "0")
    assert NodeMemory(root, proc).total_bytes() == GIB


def test_this_machine_has_some() -> None:
    assert 0 < available_memory_bytes() <= NodeMemory().total_bytes()
    assert available_cores() >= 1

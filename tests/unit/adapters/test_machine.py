"""Memory and cores: the least of host, cgroup v1 and every cgroup v2 level counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.adapters.machine import available_cores, available_memory_bytes

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
    write(root / "slice" / "memory.stat", f"anon 1\ninactive_file {GIB // 2}\n")
    assert available_memory_bytes(root, proc) == GIB + GIB // 2


def test_a_nested_v1_limit_counts_and_no_limit_does_not(tmp_path: Path, proc: Path) -> None:
    root = tmp_path / "cg"
    write(proc / "self" / "cgroup", "4:memory:/outer/inner\n")
    group = root / "memory" / "outer" / "inner"
    write(group / "memory.limit_in_bytes", str(2 * GIB))
    write(group / "memory.usage_in_bytes", str(GIB))
    write(root / "memory" / "outer" / "memory.limit_in_bytes", "9223372036854771712")
    write(root / "memory" / "outer" / "memory.usage_in_bytes", str(30 * GIB))
    assert available_memory_bytes(root, proc) == GIB


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


def test_this_machine_has_some() -> None:
    assert available_memory_bytes() > 0
    assert available_cores() >= 1

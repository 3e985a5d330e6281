"""Every quick fault of `loadtests.faults`: injected for real, classified as in its table."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.faults import FAULTS, Fault, run_fault, seen
from workers.sandbox.sandbox import Sandbox

SLOW = {
    "HistGradientBoosting",
    "xgboost",
    "forest",
    "OpenBLAS, refused: hang",
    "much page cache",
}
"""Run by `python -m loadtests.faults`; hogs of these libraries are in `test_sandbox_memory`."""

QUICK = [fault for fault in FAULTS if fault.name not in SLOW]


@pytest.mark.parametrize("fault", QUICK, ids=[fault.name for fault in QUICK])
def test_fault_is_classified(sandbox: Sandbox, fault: Fault, tmp_path: Path) -> None:
    if fault.job == "descendant_hogs" and not sandbox.enforcement.startswith("cgroup"):
        pytest.skip("only a memory group sees a job's own processes")
    outcome = run_fault(sandbox, fault, tmp_path)
    assert seen(outcome) in fault.expected, outcome
    assert outcome.limit_bytes == fault.limits.memory_bytes


def test_a_suspect_shows_without_rlimit(sandbox: Sandbox) -> None:
    """A segmentation fault under RLIMIT_DATA may be a refused allocation; run again without, as a
    suspect is, one that has nothing to do with memory is a crash.
    """
    by_name = {fault.name: fault for fault in FAULTS}
    with_limit, without = by_name["segfault with RLIMIT"], by_name["segfault"]
    assert run_fault(sandbox, with_limit, Path()).evidence == "suspect"
    assert run_fault(sandbox, without, Path()).evidence == "exit"


def test_hang_of_a_library_that_waits_for_memory(sandbox: Sandbox) -> None:
    """As OpenBLAS, which is slow to show it: no address space is left, and time runs out."""
    fault = Fault(
        "", "in_little_room", ("wait", 20 << 20, 0), ("MEMORY_EXCEEDED suspect",), 256, 0.5, True
    )
    assert seen(run_fault(sandbox, fault, Path())) in fault.expected

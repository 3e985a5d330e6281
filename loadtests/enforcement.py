"""Measures how far children get above their limit before they end, and how fast a job starts.

    python -m loadtests.enforcement [--runs N]

Overshoot: highest anonymous memory less the limit, MB, with and without control groups; the target
is 120 MB. Start: from the call to the first line of the job, in a sandbox whose child in waiting is
ready; the target is a median of 30 ms. Prints the machine's load beside them. About a minute.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from workers.sandbox.agent import PRELOAD
from workers.sandbox.sandbox import Sandbox
from workers.trial.job import SandboxLimits

MIB = 1 << 20
JOBS = "loadtests.fault_jobs"
HOGS: tuple[tuple[str, str, Any, int], ...] = (
    ("np big", "numpy_big", 4096 * MIB, 256),
    ("np chunks", "numpy_chunks", 4096 * MIB, 256),
    ("xgb", "xgboost_deep", 2, 200),
    ("hgb", "hist_gradient_boosting", None, 200),
)
TARGET_OVERSHOOT_MB = 120.0
TARGET_START_MS = 30.0


@contextlib.contextmanager
def sandbox_with(*, groups: bool) -> Iterator[Sandbox]:
    """A sandbox as the node agent has it, or one on a node that lets it make no groups."""
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory())
        if not groups:
            stack.enter_context(
                mock.patch("workers.sandbox.sandbox.open_groups", return_value=None)
            )
        yield stack.enter_context(Sandbox((*PRELOAD, JOBS), Path(name) / "s"))


def overshoots(sandbox: Sandbox, runs: int) -> float:
    """Print a line a hog; give the largest overshoot in MB."""
    worst = 0.0
    for title, job, argument, limit_mib in HOGS:
        limits = SandboxLimits(limit_mib * MIB, 120.0, 2, has_backstop=False)
        outcomes = [sandbox.run(f"{JOBS}:{job}", argument, limits, "k") for _ in range(runs)]
        over = [(each.peak_memory_bytes - each.limit_bytes) / 1e6 for each in outcomes]
        ends = sorted(f"{each.kind} {each.evidence}" for each in outcomes)
        shown = ", ".join(f"{ends.count(end)} {end}" for end in dict.fromkeys(ends))
        print(
            f"{sandbox.enforcement:24}{title:10}{statistics.median(over):8.1f}{max(over):8.1f}"
            f"    {shown}",
            flush=True,
        )
        worst = max(worst, *over)
    return worst


def starts_ms(sandbox: Sandbox, count: int, pause_seconds: float) -> list[float]:
    """Milliseconds from the call to the job's first line."""
    limits = SandboxLimits(64 * MIB, 30.0, 2)
    taken = []
    for _ in range(count):
        time.sleep(pause_seconds)
        began = time.monotonic()
        taken.append((sandbox.run(f"{JOBS}:now", None, limits, "k").value - began) * 1e3)
    return sorted(taken)


def main() -> None:
    """Measure with groups where they work, and without."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--starts", type=int, default=60)
    arguments = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores")
    print(f"{'overshoot, MB':24}{'':10}{'median':>8}{'max':>8}    ended as")
    worst, medians = 0.0, []
    for groups in (True, False):
        with sandbox_with(groups=groups) as sandbox:
            worst = max(worst, overshoots(sandbox, arguments.runs))
            for pause_seconds in (0.0, 0.1):
                taken = starts_ms(sandbox, arguments.starts, pause_seconds)
                medians.append(statistics.median(taken))
                print(
                    f"{sandbox.enforcement:24}start, {pause_seconds:g} s after the last one: "
                    f"median {medians[-1]:.1f} ms, p90 {taken[len(taken) * 9 // 10]:.1f} ms"
                )
    print(f"largest overshoot {worst:.1f} MB (target <= {TARGET_OVERSHOOT_MB:g})")
    print(f"largest median start {max(medians):.1f} ms (target <= {TARGET_START_MS:g})")
    print(f"load average after: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()

"""What a sandbox proves before it takes its first job, and the small jobs it proves it with.

A node where children hang, or where their memory cannot be read, must not run trials.
"""

from __future__ import annotations

import importlib
import mmap
import sys
from typing import Protocol

from workers.sandbox.confine import BACKSTOP_BYTES, BACKSTOP_FACTOR
from workers.sandbox.forkserver import SandboxUnusable
from workers.trial.job import Outcome, SandboxLimits

OPENMP_SECONDS = 20.0
"""A tiny fit takes 0.1-0.5 s; libgomp, once used before the fork, hangs for ever."""

TOUCHED_BYTES = 32 << 20

_LIMITS = SandboxLimits(memory_bytes=512 << 20, wall_seconds=OPENMP_SECONDS, cpus=2)


_GROUP_BYTES = 128 << 20
_ABOVE_GROUP_BYTES = 224 << 20
"""Well above the group's limit, well below the watchdog's: only the group can end it."""


class Run(Protocol):
    """Runs a job. group_bytes: a limit of its control group that is not the usual one."""

    def __call__(
        self,
        target: str,
        argument: object,
        limits: SandboxLimits,
        group_bytes: int | None = None,
        /,
    ) -> Outcome:
        """Block until it ended."""
        ...


def prove(run: Run) -> bool:
    """Run the small jobs; give whether RLIMIT_DATA works here. Raises: SandboxUnusable."""
    _expect_measured(run(f"{__name__}:touch", TOUCHED_BYTES, _LIMITS))
    _expect_openmp(run(f"{__name__}:fit_in_parallel", None, _LIMITS))
    too_much = int(_LIMITS.memory_bytes * BACKSTOP_FACTOR) + BACKSTOP_BYTES + (64 << 20)
    outcome = run(f"{__name__}:is_refused", too_much, _LIMITS)
    return outcome.kind == "OK" and bool(outcome.value)


def is_killed_by_group(run: Run) -> bool:
    """Whether a control group really ends a child, and tells that it did."""
    outcome = run(f"{__name__}:touch", _ABOVE_GROUP_BYTES, _LIMITS, _GROUP_BYTES)
    return (outcome.kind, outcome.evidence) == ("MEMORY_EXCEEDED", "cgroup")


def _expect_measured(outcome: Outcome) -> None:
    if outcome.kind != "OK":
        raise SandboxUnusable(f"a sandboxed job did not run: {outcome.kind}, {outcome.message}")
    # The kernel counts pages in batches per processor: a reading may lag by some.
    if not 0.9 * TOUCHED_BYTES <= outcome.peak_memory_bytes < 2 * TOUCHED_BYTES:
        raise SandboxUnusable(
            f"memory of children cannot be measured: a job that touched {TOUCHED_BYTES} bytes "
            f"shows {outcome.peak_memory_bytes}; the node needs a Linux /proc"
        )


def _expect_openmp(outcome: Outcome) -> None:
    if outcome.kind == "TIMED_OUT":
        raise SandboxUnusable(
            "parallel fits hang in the sandbox: a preloaded module starts OpenMP threads at import"
        )
    if outcome.kind != "OK":
        raise SandboxUnusable(
            f"a small fit failed in the sandbox: {outcome.message}; check that scikit-learn and "
            "xgboost are installed and fit together"
        )


def touch(size_bytes: int) -> None:
    """Write every page of an allocation."""
    bytearray(size_bytes)


def is_refused(size_bytes: int) -> bool:
    """Whether an allocation that nobody touches is refused."""
    try:
        mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        return True
    return False


def fit_in_parallel(_: None) -> None:
    """Open OpenMP regions of the libraries that the forkserver has loaded, with two threads."""
    if "sklearn" not in sys.modules and "xgboost" not in sys.modules:
        return
    import numpy as np  # noqa: PLC0415 - only where the forkserver has it

    X = np.arange(400, dtype=np.float32).reshape(100, 4) % 7
    y = X[:, 0] > 3
    if "sklearn" in sys.modules:
        ensemble = importlib.import_module("sklearn.ensemble")
        ensemble.HistGradientBoostingClassifier(max_iter=2).fit(X, y)
    if "xgboost" in sys.modules:
        xgboost = importlib.import_module("xgboost")
        xgboost.XGBClassifier(n_estimators=2, n_jobs=2).fit(X, y)

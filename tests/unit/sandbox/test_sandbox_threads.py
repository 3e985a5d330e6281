"""Libraries keep to the processors reserved, and their idle threads cost nothing."""

from __future__ import annotations

import dataclasses

import pytest

from workers.sandbox.sandbox import Sandbox
from workers.trial.job import SandboxLimits

LIBRARIES = ("xgboost", "hist_gradient_boosting", "blas", "forest")


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("cpus", [1, 2])
def test_as_many_threads_work_as_processors_are_reserved(
    sandbox: Sandbox, limits: SandboxLimits, library: str, cpus: int
) -> None:
    """Counted by their processor time, so that it holds on a busy machine, too. The job asks its
    library for as many threads as it likes to have.
    """
    job = dataclasses.replace(limits, cpus=cpus, memory_bytes=1 << 30)
    target = "sandbox_thread_targets:working_threads"
    outcome = sandbox.run(target, library, job, "k")
    assert outcome.kind == "OK", outcome
    # With two, scikit-learn's binning has a pool of its own before and beside OpenMP's.
    assert outcome.value == 1 if cpus == 1 else outcome.value >= 2


def test_idle_threads_do_not_spin(sandbox: Sandbox, limits: SandboxLimits) -> None:
    job = dataclasses.replace(limits, cpus=2)
    target = "sandbox_thread_targets:idle_processor_share"
    outcome = sandbox.run(target, None, job, "k")
    assert outcome.kind == "OK", outcome
    assert outcome.value < 0.1

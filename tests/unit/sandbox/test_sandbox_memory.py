"""Real children that meet a real memory limit, and the measurement of those that do not."""

from __future__ import annotations

import dataclasses

import pytest

from workers.sandbox.sandbox import Sandbox
from workers.trial.job import SandboxLimits

MIB = 1 << 20

OVERSHOOT_BYTES = 120 * MIB
"""6 GB/s for the 10 ms between two looks near the limit, and 10 ms of scheduling."""


@pytest.mark.parametrize("has_backstop", [True, False])
@pytest.mark.parametrize(
    ("target", "limit"),
    [("hog", 256 * MIB), ("hog_xgboost", 100 * MIB), ("hog_forest", 60 * MIB)],
)
def test_a_hog_is_ended_at_its_limit(
    sandbox: Sandbox, target: str, limit: int, has_backstop: bool
) -> None:
    limits = SandboxLimits(limit, wall_seconds=100, cpus=2, has_backstop=has_backstop)
    outcome = sandbox.run(f"sandbox_model_targets:{target}", None, limits, "k")
    assert (outcome.kind, outcome.exit_code) == ("MEMORY_EXCEEDED", -9), outcome
    assert limit < outcome.peak_memory_bytes < limit + OVERSHOOT_BYTES
    assert f"{limit // MIB} MiB" in outcome.message


@pytest.mark.parametrize("size", [8 * MIB, 150 * MIB])
def test_a_peak_is_measured_exactly(sandbox: Sandbox, limits: SandboxLimits, size: int) -> None:
    outcome = sandbox.run("sandbox_targets:touch", size, limits, "k")
    assert outcome.kind == "OK"
    assert size - MIB < outcome.peak_memory_bytes < size + 8 * MIB


def test_an_idle_job_costs_nothing(sandbox: Sandbox, limits: SandboxLimits) -> None:
    assert sandbox.run("sandbox_targets:echo", 1, limits, "k").peak_memory_bytes < 4 * MIB


def test_a_peak_shorter_than_any_sample_is_seen_after_a_crash(
    sandbox: Sandbox, limits: SandboxLimits
) -> None:
    outcome = sandbox.run("sandbox_targets:spike_then_fault", 100 * MIB, limits, "k")
    assert (outcome.kind, outcome.exit_code) == ("CRASHED", -11)
    assert 99 * MIB < outcome.peak_memory_bytes < 115 * MIB


def test_a_fault_near_the_limit_is_taken_for_memory(
    sandbox: Sandbox, limits: SandboxLimits
) -> None:
    tight = dataclasses.replace(limits, memory_bytes=110 * MIB)
    outcome = sandbox.run("sandbox_targets:spike_then_fault", 100 * MIB, tight, "k")
    assert (outcome.kind, outcome.exit_code) == ("MEMORY_EXCEEDED", -11)


def test_a_giant_allocation_is_refused_and_told(sandbox: Sandbox, limits: SandboxLimits) -> None:
    outcome = sandbox.run("sandbox_model_targets:giant_allocation", None, limits, "k")
    assert outcome.kind == "MEMORY_EXCEEDED"
    assert "8.00 TiB" in outcome.message
    assert "in giant_allocation" in outcome.traceback

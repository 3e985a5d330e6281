"""Real children that end in every way a job can end."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from workers.sandbox.messages import MAX_RESULT_BYTES
from workers.sandbox.output import MAX_OUTPUT_BYTES, output_tail
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.watchdog import Watched
from workers.trial.job import SandboxLimits


def test_a_value_comes_back_with_what_it_took(sandbox: Sandbox, limits: SandboxLimits) -> None:
    outcome = sandbox.run("sandbox_targets:echo", {"a": [1.5, None]}, limits, "k")
    assert (outcome.kind, outcome.value, outcome.exit_code) == ("OK", {"a": [1.5, None]}, 0)
    assert outcome.message == outcome.traceback == outcome.stderr_tail == ""
    assert outcome.node == "here"
    assert outcome.enforcement == sandbox.enforcement
    assert outcome.enforcement.endswith("watchdog+rlimit")
    assert (outcome.evidence, outcome.limit_bytes) == ("", limits.memory_bytes)
    assert 0 < outcome.wall_seconds < 60


def test_large_arguments_and_results_pass(sandbox: Sandbox, limits: SandboxLimits) -> None:
    data = bytes(20 << 20)
    assert sandbox.run("sandbox_targets:echo", data, limits, "k").value == data


def test_a_result_too_large_is_refused(sandbox: Sandbox) -> None:
    limits = SandboxLimits(memory_bytes=512 << 20, wall_seconds=60)
    outcome = sandbox.run("builtins:bytes", MAX_RESULT_BYTES + 1, limits, "k")
    assert outcome.kind == "CRASHED"
    assert str(MAX_RESULT_BYTES) in outcome.message


def test_a_result_that_does_not_pickle(sandbox: Sandbox, limits: SandboxLimits) -> None:
    outcome = sandbox.run("sandbox_targets:unpicklable", None, limits, "k")
    assert outcome.kind == "CRASHED"
    assert "pickle" in outcome.message


def test_an_argument_that_does_not_pickle_raises(sandbox: Sandbox, limits: SandboxLimits) -> None:
    with pytest.raises(Exception, match="pickle"):
        sandbox.run("sandbox_targets:echo", lambda: None, limits, "k")
    assert sandbox.running_count == 0
    assert sandbox.run("sandbox_targets:echo", 1, limits, "k").value == 1


@pytest.mark.parametrize(
    ("target", "argument", "kind", "exit_code"),
    [
        ("sandbox_targets:raise_value_error", None, "BAD_CONFIG", 1),
        ("sandbox_model_targets:bad_parameter", None, "BAD_CONFIG", 1),
        ("sandbox_model_targets:bad_xgboost_parameter", None, "BAD_CONFIG", 1),
        ("sandbox_model_targets:say_bad_alloc", None, "MEMORY_EXCEEDED", 1),
        ("sandbox_model_targets:giant_allocation", None, "MEMORY_EXCEEDED", 1),
        ("sandbox_targets:raise_key_error", None, "CRASHED", 1),
        ("sandbox_targets:no_such_function", None, "CRASHED", 1),
        ("no_such_module:f", None, "CRASHED", 1),
        ("sys:exit", 3, "CRASHED", 3),
        ("sys:exit", "words", "CRASHED", 1),
        ("sys:exit", None, "CRASHED", 0),
        ("os:_exit", 1, "CRASHED", 1),
        ("os:_exit", 0, "CRASHED", 0),
        ("sandbox_targets:segfault", None, "CRASHED", -11),
        ("sandbox_targets:abort", None, "CRASHED", -6),
        ("sandbox_targets:print_and_exit", 1, "MEMORY_EXCEEDED", 1),
        ("sandbox_targets:kill_oneself", None, "LOST", -9),
    ],
)
def test_failures_are_named(
    sandbox: Sandbox,
    limits: SandboxLimits,
    target: str,
    argument: object,
    kind: str,
    exit_code: int,
) -> None:
    outcome = sandbox.run(target, argument, limits, "k")
    assert (outcome.kind, outcome.exit_code) == (kind, exit_code), outcome
    assert outcome.value is None
    assert outcome.message


def test_a_traceback_shows_the_job_and_not_the_sandbox(
    sandbox: Sandbox, limits: SandboxLimits
) -> None:
    outcome = sandbox.run("sandbox_targets:raise_key_error", None, limits, "k")
    assert "in raise_key_error" in outcome.traceback
    assert "sandbox/child.py" not in outcome.traceback


def test_output_before_a_death_is_kept(sandbox: Sandbox, limits: SandboxLimits) -> None:
    outcome = sandbox.run("sandbox_targets:print_and_exit", 1, limits, "k")
    assert "on standard output" in outcome.stderr_tail
    assert "OpenBLAS error" in outcome.stderr_tail
    fault = sandbox.run("sandbox_targets:segfault", None, limits, "k")
    assert "in segfault" in fault.stderr_tail  # faulthandler's traceback


@pytest.mark.parametrize("size", [1 << 20, 3 * MAX_OUTPUT_BYTES])
def test_the_tail_of_much_output_is_bounded(
    sandbox: Sandbox, limits: SandboxLimits, size: int
) -> None:
    outcome = sandbox.run("sandbox_targets:print_much", size, limits, "k")
    assert outcome.kind == "OK"
    assert len(outcome.stderr_tail) <= 8 << 10
    assert outcome.stderr_tail.endswith("the last line\n")


def test_much_output_gives_its_disk_back_and_keeps_its_end(
    tmp_path: Path, limits: SandboxLimits
) -> None:
    with (tmp_path / "out").open("ab+") as file:
        file.write(b"x" * (2 * MAX_OUTPUT_BYTES) + b"the end")
        file.flush()
        os.fsync(file.fileno())
        before = os.fstat(file.fileno()).st_blocks
        watched = Watched(os.getpid(), 1 << 40, file.fileno())
        watched.begin(limits)
        watched.check(0.0)
        watched.close()
        assert os.fstat(file.fileno()).st_blocks < before / 4
        assert output_tail(file.fileno()).endswith("xthe end")


def test_wall_time_is_limited(sandbox: Sandbox, limits: SandboxLimits) -> None:
    short = dataclasses.replace(limits, wall_seconds=0.2)
    outcome = sandbox.run("sandbox_targets:sleep", 60, short, "k")
    assert (outcome.kind, outcome.exit_code) == ("TIMED_OUT", -9)
    assert 0.2 <= outcome.wall_seconds < 30
    assert "0.2 s" in outcome.message


def test_processor_time_is_measured(sandbox: Sandbox, limits: SandboxLimits) -> None:
    outcome = sandbox.run("sandbox_targets:burn", None, limits, "k")
    assert 0.2 <= outcome.cpu_seconds < 1.0


def test_a_child_is_confined(
    sandbox: Sandbox, limits: SandboxLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = sandbox.run("sandbox_targets:conditions", None, limits, "k").value
    assert found["session"] == found["pid"]
    assert found["oom_score"] == "1000"
    assert found["core"] == (0, 0)
    assert found["stdin"] == ""
    assert found["omp"] == "2"
    assert found["waiting"] == "PASSIVE"
    assert found["gpus"] == ""
    assert found["secrets"] == []
    backstop = found["data"]
    assert backstop > limits.memory_bytes * 1.1 + (160 << 20)
    free = dataclasses.replace(limits, has_backstop=False, cpus=1, gpu="1")
    outcome = sandbox.run("sandbox_targets:conditions", None, free, "k")
    assert outcome.enforcement == sandbox.enforcement.removesuffix("+rlimit")
    assert outcome.value["data"] == -1
    assert outcome.value["omp"] == "1"
    assert outcome.value["gpus"] == "1"


@pytest.mark.parametrize("cpus", [1, 2])
def test_libraries_use_the_threads_of_the_job(
    sandbox: Sandbox, limits: SandboxLimits, cpus: int
) -> None:
    job = dataclasses.replace(limits, cpus=cpus)
    pools = sandbox.run("sandbox_model_targets:pool_threads", None, job, "k").value
    assert pools
    assert set(pools) == {cpus}

"""Cancelling, closing, dying: nothing outlives its starter, no neighbour is disturbed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import pytest

from workers.sandbox.forkserver import SandboxUnusable, child_environment
from workers.sandbox.sandbox import Sandbox, SandboxClosed
from workers.sandbox.waiting import Child
from workers.trial.job import Outcome, SandboxLimits

HERE = Path(__file__).parent
Pids = Callable[[], list[int]]


class Watch(Protocol):
    def take(self, *pids: int) -> None: ...
    def wait_gone(self, seconds: float = ...) -> None: ...


def test_cancel_by_prefix_ends_a_running_job_and_no_other(
    bare: Sandbox, limits: SandboxLimits, tmp_path: Path
) -> None:
    fifos = {key: tmp_path / key for key in ("a#1#", "a#10#", "b#1#")}
    with ThreadPoolExecutor() as pool:
        runs = {}
        for key, fifo in fifos.items():
            os.mkfifo(fifo)
            target = "sandbox_targets:report_and_wait"
            runs[key] = pool.submit(bare.run, target, str(fifo), limits, key)
        for fifo in fifos.values():
            fifo.read_text()  # blocks until the job runs
        assert bare.cancel("a#1#") == 1
        outcome = runs["a#1#"].result()
        assert (outcome.kind, outcome.exit_code) == ("CANCELLED", -9)
        assert bare.running_count == 2
        assert bare.cancel("a#") == 1
        assert runs["a#10#"].result().kind == "CANCELLED"
        assert bare.cancel("b#") == 1
        assert runs["b#1#"].result().kind == "CANCELLED"
    assert bare.cancel("") == 0


def test_cancel_before_the_child_exists(
    bare: Sandbox, limits: SandboxLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is cancelled after it was forked and before it got its request."""
    real = bare._waiting.take

    def cancel_first() -> Child:
        child = real()
        assert bare.cancel("early") == 1
        return child

    monkeypatch.setattr(bare._waiting, "take", cancel_first)
    outcome = bare.run("sandbox_targets:sleep", 60, limits, "early")
    assert outcome.kind == "CANCELLED"


def test_cancel_before_the_fork(
    bare: Sandbox, limits: SandboxLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bare._registered

    @contextlib.contextmanager
    def cancel_first(key: str) -> Iterator[Any]:
        with real(key) as job:
            bare.cancel("early")
            yield job

    monkeypatch.setattr(bare, "_registered", cancel_first)
    outcome = bare.run("sandbox_targets:sleep", 60, limits, "early")
    assert (outcome.kind, outcome.wall_seconds) == ("CANCELLED", 0.0)


def test_children_of_a_job_end_with_it(
    bare: Sandbox, limits: SandboxLimits, fifo: Path, reported_pids: Pids, watch: Watch
) -> None:
    with ThreadPoolExecutor() as pool:
        run = pool.submit(bare.run, "sandbox_targets:spawn_and_wait", str(fifo), limits, "k")
        watch.take(*reported_pids())
        bare.cancel("k")
        assert run.result().kind == "CANCELLED"
    watch.wait_gone()


def test_a_child_that_left_the_group_ends_after_a_good_result(
    bare: Sandbox, limits: SandboxLimits
) -> None:
    outcome = bare.run("sandbox_targets:spawn_and_return", None, limits, "k")
    assert outcome.kind == "OK"
    # Its death was ordered before the next child could be forked, and a killed process that the
    # forkserver has reaped is no process any more.
    bare.run("sandbox_targets:echo", None, limits, "k")
    assert _is_dying(outcome.value)


def _is_dying(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    try:
        return bool(poll.poll(20_000))
    finally:
        os.close(descriptor)


def test_nothing_outlives_a_killed_host(
    tmp_path: Path, fifo: Path, reported_pids: Pids, watch: Watch
) -> None:
    command = [sys.executable, str(HERE / "sandbox_host.py"), str(tmp_path / "s"), str(fifo)]
    environment = child_environment(os.environ)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as host:
        assert host.stdout is not None
        watch.take(int(host.stdout.readline()), *reported_pids())
        host.send_signal(signal.SIGKILL)
        watch.wait_gone()
    assert host.returncode == -signal.SIGKILL


def test_a_killed_forkserver_loses_its_jobs_and_is_started_again(
    bare: Sandbox, limits: SandboxLimits, fifo: Path, reported_pids: Pids, watch: Watch
) -> None:
    first = bare.forkserver_pid
    with ThreadPoolExecutor() as pool:
        run = pool.submit(bare.run, "sandbox_targets:spawn_near_and_wait", str(fifo), limits, "k")
        watch.take(first, *reported_pids())
        os.kill(first, signal.SIGKILL)
        outcome = run.result()
    assert outcome.kind == "LOST"
    assert "forkserver died" in outcome.message
    watch.wait_gone()
    assert bare.run("sandbox_targets:echo", 7, limits, "k").value == 7
    assert bare.forkserver_pid != first


def test_a_waiting_child_that_was_killed_is_not_used(
    bare: Sandbox, limits: SandboxLimits, watch: Watch
) -> None:
    waiting = bare._waiting
    with waiting._changed:
        assert waiting._changed.wait_for(lambda: waiting._spare is not None, 20)
        assert waiting._spare is not None
        pid, exited = waiting._spare.hello.pid, waiting._spare.exited
    watch.take(pid)
    os.kill(pid, signal.SIGKILL)
    watch.wait_gone()
    exited.result(20)
    outcome = bare.run("sandbox_targets:conditions", None, limits, "k")
    assert outcome.kind == "OK"
    assert outcome.value["pid"] != pid


def test_a_job_takes_the_waiting_child_and_has_another_made(
    bare: Sandbox, limits: SandboxLimits
) -> None:
    waiting = bare._waiting
    seen = []
    for _ in range(3):
        with waiting._changed:
            assert waiting._changed.wait_for(lambda: waiting._spare is not None, 20)
            assert waiting._spare is not None
            seen.append(waiting._spare.hello.pid)
        outcome = bare.run("sandbox_targets:conditions", None, limits, "k")
        assert outcome.value["pid"] == seen[-1]
    assert len(set(seen)) == 3


def test_a_job_killed_from_outside_is_lost(
    bare: Sandbox, limits: SandboxLimits, fifo: Path, reported_pids: Pids
) -> None:
    with ThreadPoolExecutor() as pool:
        run = pool.submit(bare.run, "sandbox_targets:report_and_wait", str(fifo), limits, "k")
        (pid,) = reported_pids()
        os.kill(pid, signal.SIGKILL)
        outcome = run.result()
    assert (outcome.kind, outcome.exit_code) == ("LOST", -9)


def test_many_at_once_do_not_disturb_each_other(sandbox: Sandbox, limits: SandboxLimits) -> None:
    """Good jobs beside a hog, a segfault and an exit each get their own result."""

    def job(number: int) -> Outcome:
        small = SandboxLimits(memory_bytes=64 << 20, wall_seconds=60)
        match number % 4:
            case 0:
                return sandbox.run("sandbox_model_targets:hog", None, small, f"{number}#")
            case 1:
                return sandbox.run("sandbox_targets:segfault", None, limits, f"{number}#")
            case _:
                return sandbox.run("sandbox_targets:echo", number, limits, f"{number}#")

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(job, range(24)))
    assert {outcome.kind for outcome in outcomes[0::4]} == {"MEMORY_EXCEEDED"}
    assert {outcome.exit_code for outcome in outcomes[1::4]} == {-11}
    assert [outcome.value for outcome in outcomes[2::4]] == list(range(2, 24, 4))
    assert [outcome.value for outcome in outcomes[3::4]] == list(range(3, 24, 4))
    assert sandbox.running_count == 0


def test_two_sandboxes_do_not_disturb_each_other(
    bare: Sandbox, tmp_path: Path, limits: SandboxLimits, fifo: Path
) -> None:
    with ThreadPoolExecutor() as pool:
        run = pool.submit(bare.run, "sandbox_targets:report_and_wait", str(fifo), limits, "k")
        fifo.read_text()
        with Sandbox((), tmp_path / "other") as other:
            assert other.cancel("") == 0
            assert other.run("sandbox_targets:echo", 1, limits, "k").value == 1
        assert bare.running_count == 1
        bare.cancel("k")
        assert run.result().kind == "CANCELLED"


def test_close_cancels_and_ends_everything(
    tmp_path: Path, limits: SandboxLimits, fifo: Path, reported_pids: Pids, watch: Watch
) -> None:
    sandbox = Sandbox((), tmp_path / "s")
    threads_before = threading.active_count()
    with ThreadPoolExecutor() as pool:
        run = pool.submit(sandbox.run, "sandbox_targets:report_and_wait", str(fifo), limits, "k")
        watch.take(sandbox.forkserver_pid, *reported_pids())
        sandbox.close()
        assert run.result().kind == "CANCELLED"
    watch.wait_gone()
    sandbox.close()
    assert threading.active_count() == threads_before - 3
    with pytest.raises(SandboxClosed):
        sandbox.run("sandbox_targets:echo", 1, limits, "k")


def test_a_module_that_does_not_load_is_named(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnusable, match="no_such_module"):
        Sandbox(("no_such_module",), tmp_path)


def test_secrets_stay_out_of_children() -> None:
    given = {"HEADGATE_SEARCH_TOKEN": "t", "RAY_AUTH_TOKEN": "t", "OMP_PROC_BIND": "1", "A": "b"}
    found = child_environment(given)
    assert found["A"] == "b"
    assert found["OMP_WAIT_POLICY"] == "PASSIVE"
    assert not {"HEADGATE_SEARCH_TOKEN", "RAY_AUTH_TOKEN", "OMP_PROC_BIND"} & set(found)

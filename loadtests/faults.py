"""Injects every fault that a trial can meet, for real, and shows how each was classified.

    python -m loadtests.faults [--without-ray]

Each line is a job in a sandbox child that does what is named; nothing is simulated. `node memory`
runs in a nested memory group (skipped where none can be made), `agent killed` on a Ray of its own.
Prints fault, expected and seen; exits 1 when one differs. Takes about a minute.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.nested_group import nested_group
from workers.sandbox.sandbox import Sandbox
from workers.trial.job import Outcome, SandboxLimits

MIB = 1 << 20
JOBS = "loadtests.fault_jobs"
PRELOAD = ("numpy", "sklearn.ensemble", "sklearn.linear_model", "sklearn.svm", "xgboost", JOBS)
OVER = ("MEMORY_EXCEEDED watchdog", "MEMORY_EXCEEDED cgroup")
REFUSED = ("MEMORY_EXCEEDED refused",)
NODE_BYTES = 1024 * MIB
"""Of the nested group: less than the job is allowed, so that the node runs out first."""


@dataclass(frozen=True)
class Fault:
    """A job and how it must be classified. backstop: with RLIMIT_DATA."""

    name: str
    job: str
    argument: Any
    expected: tuple[str, ...]
    limit_mib: int = 256
    seconds: float = 60.0
    backstop: bool = False

    @property
    def limits(self) -> SandboxLimits:
        """Of its job."""
        return SandboxLimits(self.limit_mib * MIB, self.seconds, 2, self.backstop)


def _little(name: str, room_mib: int, touched_mib: int = 0) -> tuple[str, int, int]:
    return name, room_mib * MIB, touched_mib * MIB


FAULTS = (
    Fault("numpy, one array", "numpy_big", 2048 * MIB, OVER),
    Fault("numpy, many arrays", "numpy_chunks", 2048 * MIB, OVER),
    Fault("numpy, refused", "numpy_big", 1 << 43, REFUSED, backstop=True),
    Fault("xgboost", "xgboost_deep", 2, OVER, 200),
    Fault("xgboost, refused", "in_little_room", _little("xgboost", 20), REFUSED, backstop=True),
    Fault("HistGradientBoosting", "hist_gradient_boosting", None, OVER, 200),
    Fault("forest", "forest", 2, OVER, 40),
    Fault("forest, refused", "in_little_room", _little("forest", 20), REFUSED, backstop=True),
    Fault("SVC", "svc", None, OVER, 100),
    Fault("SVC, refused: segfault", "in_little_room", _little("svc", 5),
          ("CRASHED suspect",), backstop=True),
    Fault("liblinear", "liblinear", None, OVER, 100),
    Fault("liblinear, refused: segfault", "in_little_room", _little("liblinear", 20),
          ("CRASHED suspect",), backstop=True),
    Fault("liblinear, refused near the limit", "in_little_room", _little("liblinear", 20, 75),
          ("MEMORY_EXCEEDED suspect",), 136, backstop=True),
    Fault("OpenBLAS", "openblas", None, OVER, 200),
    Fault("OpenBLAS, refused: exit 1", "in_little_room", _little("openblas", 20), REFUSED,
          backstop=True),
    Fault("OpenBLAS, refused: hang", "in_little_room", _little("openblas", 50),
          ("MEMORY_EXCEEDED suspect",), seconds=3, backstop=True),
    Fault("a process of the job", "descendant_hogs", 600 * MIB, ("MEMORY_EXCEEDED cgroup",), 128),
    Fault("segfault", "touch_and_fault", 0, ("CRASHED exit",)),
    Fault("segfault with RLIMIT", "touch_and_fault", 0, ("CRASHED suspect",), backstop=True),
    Fault("segfault near the limit", "touch_and_fault", 95 * MIB, ("MEMORY_EXCEEDED suspect",),
          100),
    Fault("abort", "abort", None, ("CRASHED exit",)),
    Fault("exit 1", "touch_and_exit", (0, 1), ("CRASHED exit",)),
    Fault("exit 1 with RLIMIT", "touch_and_exit", (0, 1), ("CRASHED suspect",), backstop=True),
    Fault("exit 1 near the limit", "touch_and_exit", (95 * MIB, 1), ("MEMORY_EXCEEDED suspect",),
          100),
    Fault("exit 3", "touch_and_exit", (0, 3), ("CRASHED exit",), backstop=True),
    Fault("hang", "touch_and_wait", (0, ""), ("TIMED_OUT timeout",), seconds=1, backstop=True),
    Fault("slow near the limit", "touch_and_wait", (95 * MIB, ""), ("TIMED_OUT timeout",), 100,
          seconds=1, backstop=True),
    Fault("timeout", "spin", None, ("TIMED_OUT timeout",), seconds=1, backstop=True),
    Fault("wrong configuration", "wrong_configuration", None, ("BAD_CONFIG raised",)),
    Fault("exception", "bug", None, ("CRASHED raised",)),
    Fault("much page cache", "write_and_read_file", ("", 400 * MIB), ("OK ",), 32, backstop=True),
)  # fmt: skip


def run_fault(sandbox: Sandbox, fault: Fault, directory: Path) -> Outcome:
    """Inject one."""
    argument = fault.argument
    if fault.job == "write_and_read_file":
        argument = (str(directory / "file"), argument[1])
    return sandbox.run(f"{JOBS}:{fault.job}", argument, fault.limits, "fault")


def seen(outcome: Outcome) -> str:
    """An outcome as the table shows it."""
    return f"{outcome.kind} {outcome.evidence}"


def _killed_while_waiting(directory: Path, victim: Callable[[Sandbox, int], int]) -> str:
    """A job's outcome when somebody SIGKILLs the process that `victim` gives: (sandbox, child)."""
    fifo = directory / "fifo"
    os.mkfifo(fifo)
    limits = SandboxLimits(64 * MIB, 60.0)
    with Sandbox((), directory / "killed") as sandbox, ThreadPoolExecutor() as pool:
        run = pool.submit(sandbox.run, f"{JOBS}:touch_and_wait", (0, str(fifo)), limits, "k")
        child = int(fifo.read_text(encoding="ascii"))
        os.kill(victim(sandbox, child), signal.SIGKILL)
        outcome = run.result()
    fifo.unlink()
    return seen(outcome)


def _node_runs_out() -> str | None:
    """A job that is allowed more than its node has, in a group of its own; None: no group."""
    with nested_group(NODE_BYTES) as enter:
        if enter is None:
            return None
        command = [sys.executable, "-m", "loadtests.faults", "--inside-group"]
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, text=True, preexec_fn=enter
        )
        return done.stdout.strip() or f"the node died: {done.returncode}"


def _inside_group() -> None:
    """In the nested group: one job that is allowed twice what the group has."""
    limits = SandboxLimits(2 * NODE_BYTES, 60.0, has_backstop=False)
    with tempfile.TemporaryDirectory() as name, Sandbox(("numpy",), Path(name) / "s") as sandbox:
        outcome = sandbox.run(f"{JOBS}:numpy_chunks", 2 * NODE_BYTES, limits, "k")
        # The kernel's own kill, had it come first, would be LOST by the node as well.
        by_guard = ", by the guard" if outcome.message.startswith("ended to save its node") else ""
        print(seen(outcome) + by_guard)


def _agent_killed(directory: Path) -> str:
    """A fit whose node agent is killed, as the trial actor reports it."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    import ray  # noqa: PLC0415 - only where it is asked for

    from workers.driver.task import FitTask, Reservation, Workplace  # noqa: PLC0415
    from workers.driver.trainable import run_on_this_node  # noqa: PLC0415
    from workers.sandbox.agent import get_agent  # noqa: PLC0415
    from workers.trial.job import FitJob, PrepareJob  # noqa: PLC0415

    search, data = "namespaces/default/searches/s", directory / "data"
    data.mkdir()
    os.mkfifo(data / "meta.json")  # the fit waits for its writer for ever
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, object_store_memory=80 * MIB,
        _temp_dir=str(directory / "ray"), log_to_driver=False,
    )  # fmt: skip
    try:
        node = ray.get_runtime_context().get_node_id()
        agent = get_agent(node, str(directory))
        limits = SandboxLimits(256 * MIB, 120.0)
        prepare = PrepareJob(search, "", (), "y", "binary", ("a", "b"), 0, 0, str(data))
        task = FitTask(
            FitJob(search, 1, 1, "knn", {}, 0, "roc_auc", 1, str(data)),
            limits, Reservation(1, 0.0, 256 * MIB),
            Workplace(str(directory), prepare, limits, get_agent),
        )  # fmt: skip
        running = ray.remote(run_on_this_node).options(num_cpus=0).remote(task)
        writer = os.open(data / "meta.json", os.O_WRONLY)  # blocks until the fit reads it
        os.kill(ray.get(agent.describe.remote())["pid"], signal.SIGKILL)
        outcome: Outcome = ray.get(running)
        os.close(writer)
        ray.kill(agent)
        return seen(outcome)
    finally:
        ray.shutdown()


def _special(directory: Path, *, has_ray: bool) -> Iterator[tuple[str, str, str | None]]:
    """Faults that need more than a job: name, expected, seen."""
    yield (
        "killed from outside",
        "LOST exit",
        _killed_while_waiting(directory, lambda _, child: child),
    )
    yield (
        "forkserver killed",
        "LOST ",
        _killed_while_waiting(directory, lambda sandbox, _: sandbox.forkserver_pid),
    )
    yield "node memory", "LOST node, by the guard", _node_runs_out()
    if has_ray:
        yield "agent killed", "LOST ", _agent_killed(directory)


def _report(name: str, expected: tuple[str, ...], found: str | None) -> bool:
    is_right = found is None or found in expected
    verdict = "skipped" if found is None else "" if is_right else "  <-- WRONG"
    wanted = expected[0] if found not in expected else found
    print(f"{name:36}{wanted:28}{found or '':28}{verdict}", flush=True)
    return is_right


def main() -> int:
    """Run them all. Exit code 1 when one was classified wrongly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without-ray", action="store_true")
    parser.add_argument("--inside-group", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside_group:
        _inside_group()
        return 0
    results = []
    with tempfile.TemporaryDirectory(prefix="hg", dir="/tmp") as name:
        directory = Path(name)
        with Sandbox(PRELOAD, directory / "sandbox") as sandbox:
            print(f"enforcement: {sandbox.enforcement}")
            print(f"{'fault':36}{'expected':28}{'seen':28}")
            is_grouped = sandbox.enforcement.startswith("cgroup")
            for fault in FAULTS:
                is_seen = is_grouped or fault.job != "descendant_hogs"
                found = seen(run_fault(sandbox, fault, directory)) if is_seen else None
                results.append(_report(fault.name, fault.expected, found))
        for title, expected, found in _special(directory, has_ray=not arguments.without_ray):
            results.append(_report(title, (expected,), found))
    print(f"{sum(results)} of {len(results)} as expected")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

"""The node agent in a real Ray: one per node, found again, and its children die with it."""

from __future__ import annotations

import os
import select
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import ray

from tests.ray.ray_start import start_ray
from workers.sandbox.agent import NodeAgent, agent_name, get_agent
from workers.trial.job import FitJob, Outcome, SandboxLimits

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

PRELOAD = ("sklearn.ensemble", "xgboost")
SEARCH = "namespaces/default/searches/s1"
LIMITS = SandboxLimits(memory_bytes=256 << 20, wall_seconds=60.0, cpus=2)


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    """A Ray of its own; gives the id of its node."""
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="hg", dir="/tmp") as directory,  # sockets: short paths
    ):
        patch.setenv("RAY_AUTH_MODE", "disabled")
        start_ray(directory)
        yield ray.get_runtime_context().get_node_id()
        ray.shutdown()


@pytest.fixture
def agent(node: str, tmp_path: Path) -> Iterator[Any]:
    agent: Any = get_agent(node, str(tmp_path), PRELOAD)
    yield agent
    ray.kill(agent)


def wait_gone(descriptor: int) -> None:
    """Block until the process behind a pidfd has ended."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(30_000)
    os.close(descriptor)


def fit_job(directory: Path) -> FitJob:
    return FitJob(SEARCH, 1, 1, "xgboost", {}, 0, "roc_auc", 2, str(directory))


def test_an_agent_is_found_again_and_describes_itself(
    agent: Any, node: str, tmp_path: Path
) -> None:
    found = ray.get(agent.describe.remote())
    assert found["node"] == node
    assert found["enforcement"].endswith("watchdog+rlimit")
    assert found["baseline_bytes"] > 10 << 20
    again = get_agent(node, str(tmp_path), PRELOAD)
    assert ray.get(again.describe.remote())["pid"] == found["pid"]
    named: Any = ray.get_actor(agent_name(node, str(tmp_path)), namespace="headgate")
    assert ray.get(named.describe.remote())["pid"] == found["pid"]


def test_a_fit_runs_in_a_child_and_its_failure_is_an_outcome(agent: Any, tmp_path: Path) -> None:
    outcome: Outcome = ray.get(agent.fit.remote(fit_job(tmp_path / "missing"), LIMITS))
    assert outcome.kind == "CRASHED"
    assert "missing" in outcome.message
    assert "Traceback" in outcome.traceback
    assert outcome.enforcement.endswith("watchdog+rlimit")


def test_release_frees_the_data_of_one_search(agent: Any, tmp_path: Path) -> None:
    kept = tmp_path / "searches" / "default.s1" / "spool"
    data = tmp_path / "searches" / "default.s1" / "data"
    other = tmp_path / "searches" / "default.s10" / "data"
    for directory in (kept, data, other):
        directory.mkdir(parents=True)
        (directory / "file").write_bytes(b"x")
    ray.get(agent.release.remote(SEARCH))
    ray.get(agent.release.remote(SEARCH))
    assert not data.exists()
    assert kept.exists()
    assert other.exists()
    with pytest.raises(ValueError, match="not the name of a search"):
        ray.get(agent.release.remote("namespaces/../searches/x"))


def test_a_killed_agent_takes_its_children_along_and_comes_back(node: str, tmp_path: Path) -> None:
    class Probe(NodeAgent):
        def wait(self, fifo: str) -> Outcome:
            code = (
                f"import os; open({fifo!r}, 'w').write(str(os.getpid())); os.read(os.pipe()[0], 1)"
            )
            return self._sandbox.run("builtins:exec", code, LIMITS, f"{SEARCH}#1#")

    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    options: Any = {"num_cpus": 0, "max_concurrency": 8, "max_restarts": -1}
    agent: Any = ray.remote(Probe).options(**options).remote(node, str(tmp_path), ())
    described = ray.get(agent.describe.remote())
    running = agent.wait.remote(str(fifo))
    child = os.pidfd_open(int(fifo.read_text()))  # blocks until the job runs
    forkserver = os.pidfd_open(described["forkserver_pid"])
    assert ray.get(agent.describe.remote())["running_count"] == 1
    os.kill(described["pid"], 9)
    wait_gone(child)
    wait_gone(forkserver)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(running)
    back = agent.describe.options(max_task_retries=-1).remote()
    assert ray.get(back)["pid"] != described["pid"]
    ray.kill(agent)


def test_a_cancelled_job_ends_at_once(node: str, tmp_path: Path) -> None:
    class Probe(NodeAgent):
        def wait(self, fifo: str, number: int) -> Outcome:
            code = f"open({fifo!r}, 'w').write('x'); import os; os.read(os.pipe()[0], 1)"
            return self._sandbox.run("builtins:exec", code, LIMITS, f"{SEARCH}#{number}#1")

    agent: Any = (
        ray.remote(Probe).options(num_cpus=0, max_concurrency=8).remote(node, str(tmp_path), ())
    )
    fifos = [tmp_path / "1", tmp_path / "10"]
    running = []
    for fifo in fifos:
        os.mkfifo(fifo)
        running.append(agent.wait.remote(str(fifo), int(fifo.name)))
    with ThreadPoolExecutor() as pool:
        list(pool.map(Path.read_text, fifos))
    assert ray.get(agent.cancel.remote(SEARCH, 1)) == 1
    assert ray.get(running[0]).kind == "CANCELLED"
    assert ray.get(agent.cancel.remote(SEARCH)) == 1
    assert ray.get(running[1]).kind == "CANCELLED"
    ray.kill(agent)

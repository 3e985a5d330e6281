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
from workers.node.budget import trial_memory_bytes
from workers.sandbox.agent import OOM_SCORE, NodeAgent, agent_name, get_agent
from workers.sandbox.forkserver_main import OOM_SCORE as FORKSERVER_OOM_SCORE
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
    assert found["gpus"] == []
    total, available = found["memory_total_bytes"], found["memory_available_bytes"]
    assert 0 < available <= total
    assert found["used_bytes"] == 0
    expected = trial_memory_bytes(total, available, 0)
    assert found["memory_for_trials_bytes"] == expected
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


def test_trials_are_taken_first_when_memory_runs_out(node: str, tmp_path: Path) -> None:
    """The kernel takes a child before any Ray worker's equal, its agent and forkserver after."""

    class Probe(NodeAgent):
        def child_score(self) -> str:
            code = "import sys; sys.exit(open('/proc/self/oom_score_adj').read())"
            return self._sandbox.run("builtins:exec", code, LIMITS, f"{SEARCH}#1#").message

    @ray.remote(num_cpus=0)
    def worker_score() -> int:
        return int(Path("/proc/self/oom_score_adj").read_text())

    options: Any = {"num_cpus": 0, "max_concurrency": 8}
    agent: Any = ray.remote(Probe).options(**options).remote(node, str(tmp_path), ())
    described = ray.get(agent.describe.remote())
    worker = ray.get(worker_score.remote())
    assert "1000" in ray.get(agent.child_score.remote())
    if os.geteuid() == 0:  # lowering takes a privilege
        assert score_of(described["pid"]) == OOM_SCORE < worker
        assert score_of(described["forkserver_pid"]) == FORKSERVER_OOM_SCORE < worker
    assert worker <= 1000
    ray.kill(agent)


def test_simulated_gpus_are_described(node: str, tmp_path: Path) -> None:
    variables = {"env_vars": {"HEADGATE_SIMULATED_GPUS": "24GiB,16GiB"}}
    options: Any = {"num_cpus": 0, "runtime_env": variables}
    agent: Any = ray.remote(NodeAgent).options(**options).remote(node, str(tmp_path), ())
    found = ray.get(agent.describe.remote())["gpus"]
    assert [(gpu["index"], gpu["memory_bytes"] >> 30) for gpu in found] == [(0, 24), (1, 16)]
    ray.kill(agent)


def score_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


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

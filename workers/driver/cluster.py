"""The driver's wall around Ray: work outside of Tune's trials, always within a reservation.

Agents are found by node; a search's jobs are ended or released on every node that has an agent.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from headgate.v1 import worker_service_pb2
from workers.driver.task import AgentFinder, Reservation
from workers.sandbox.agent import RAY_NAMESPACE, agent_name
from workers.trial.job import Outcome, PrepareJob, ProbeJob, RefitJob, SandboxLimits

log = logging.getLogger("headgate.driver")

WARM_WORKERS = 16
"""Most worker processes that import Tune ahead of the first trials."""
DESCRIBE_SECONDS = 20.0
"""How long an agent may take to say what its node has."""
RELEASE_SECONDS = 20.0
"""How long the agents may take to free a search's data at its end."""


class Cluster:
    """A connected Ray. get_agent: see `workers.sandbox.agent`. work_dir: on every node."""

    def __init__(self, get_agent: AgentFinder, work_dir: str) -> None:
        self._get_agent = get_agent
        self._work_dir = work_dir

    def connect(self) -> None:
        """Joins the cluster of the job that this driver is. Blocks for seconds."""
        ray.init(
            address="auto",
            namespace=RAY_NAMESPACE,
            logging_level=logging.ERROR,
            log_to_driver=False,
            configure_logging=False,
        )

    def warm(self, workers: int) -> None:
        """Has so many worker processes import what trial actors need: Ray gives them to the first
        trials, which then start seconds earlier. Does not wait.
        """
        warmer = ray.remote(_import_trial_actor).options(
            num_cpus=0, scheduling_strategy="SPREAD", max_retries=0
        )
        for _ in range(min(workers, WARM_WORKERS)):
            warmer.remote()

    def warm_agents(self) -> None:
        """Has the agents of nodes that can run trials start their forkservers. Does not wait."""
        for node in _nodes():
            if node["Resources"].get("CPU", 0) > 0:
                self._get_agent(node["NodeID"], self._work_dir)

    def prepare(
        self, job: PrepareJob, limits: SandboxLimits, held: Reservation
    ) -> concurrent.futures.Future[Outcome]:
        """Encodes the data on the node that has room for it first. Holds what `limits` allow, as
        far as a node has it, and allows no more than is held.
        """
        sizes = [int(node["Resources"].get("memory", 0)) for node in _nodes()]
        granted = granted_bytes(limits, held, max(sizes, default=0))
        return self._run(
            "prepare",
            job,
            replace(limits, memory_bytes=granted),
            replace(held, memory_bytes=granted),
        )

    def probe(
        self,
        job: ProbeJob,
        prepare: PrepareJob,
        prepare_limits: SandboxLimits,
        limits: SandboxLimits,
        held: Reservation,
    ) -> concurrent.futures.Future[Outcome]:
        """Grows a few trees on the node that has room for it first; the data is prepared there when
        it is not there yet.
        """
        return self._run("probe", job, limits, held, (prepare, prepare_limits))

    def refit(
        self, job: RefitJob, prepare: PrepareJob, limits: SandboxLimits, held: Reservation
    ) -> concurrent.futures.Future[Outcome]:
        """Fits the winner on the node that has room for it first; the data is prepared there when
        it is not there yet.
        """
        return self._run("refit", job, limits, held, (prepare, limits))

    def measure(self) -> list[worker_service_pb2.NodeReport]:
        """What the agents find on their nodes now, without those that do not answer. Blocks."""
        found = []
        for agent in list(self._agents()):
            with contextlib.suppress(RayError):
                told = ray.get(agent.describe.remote(), timeout=DESCRIBE_SECONDS)
                sizes = [gpu["memory_bytes"] for gpu in told["gpus"]]
                found.append(
                    worker_service_pb2.NodeReport(
                        node_id=told["node"],
                        memory_for_trials_bytes=told["memory_for_trials_bytes"],
                        gpu_memory_bytes=min(sizes, default=0),
                    )
                )
        return found

    def cancel(self, search: str) -> None:
        """Ends all fits of the search on all nodes. Does not wait."""
        for agent in self._agents():
            agent.cancel.remote(search, None)

    def release(self, search: str) -> None:
        """Frees the search's data on all nodes. Blocks for at most `RELEASE_SECONDS`."""
        pending = [agent.release.remote(search) for agent in self._agents()]
        ready, late = (
            ray.wait(pending, num_returns=len(pending), timeout=RELEASE_SECONDS)
            if (pending)
            else ([], [])
        )
        if late:
            log.warning("%d of %d nodes did not free the data in time", len(late), len(pending))
        for reference in ready:
            try:
                ray.get(reference)
            except (RayActorError, RayTaskError) as error:
                log.warning("a node did not free the data: %s", error)

    def _run(
        self,
        method: str,
        job: PrepareJob | ProbeJob | RefitJob,
        limits: SandboxLimits,
        held: Reservation,
        prepare: tuple[PrepareJob, SandboxLimits] | None = None,
    ) -> concurrent.futures.Future[Outcome]:
        remote = ray.remote(_on_this_node).options(
            num_cpus=held.cpus, num_gpus=held.gpus, memory=held.memory_bytes, max_retries=2
        )
        reference = remote.remote(self._get_agent, self._work_dir, method, job, limits, prepare)
        future: concurrent.futures.Future[Outcome] = concurrent.futures.Future()
        reference.future().add_done_callback(lambda done: future.set_result(_outcome(done)))
        return future

    def _agents(self) -> Iterator[Any]:
        for node in _nodes():
            with contextlib.suppress(ValueError):  # no agent on this node
                name = agent_name(node["NodeID"], self._work_dir)
                yield ray.get_actor(name, namespace=RAY_NAMESPACE)


def granted_bytes(limits: SandboxLimits, held: Reservation, most_bytes: int) -> int:
    """The memory to hold for a job that should get more than a trial's reservation. most_bytes: of
    the largest node.
    """
    return max(held.memory_bytes, min(limits.memory_bytes, most_bytes))


def with_gpus(limits: SandboxLimits) -> SandboxLimits:
    """The limits with the devices that Ray gave this worker; a job without any sees none."""
    return replace(limits, gpu=",".join(str(each) for each in ray.get_gpu_ids()))


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def _outcome(done: concurrent.futures.Future[Outcome]) -> Outcome:
    try:
        return done.result()
    except RayError as error:
        return Outcome(kind="LOST", message=f"the worker was lost: {error}")


def _on_this_node(
    get_agent: Callable[[str, str], Any],
    work_dir: str,
    method: str,
    job: PrepareJob | ProbeJob | RefitJob,
    limits: SandboxLimits,
    prepare: tuple[PrepareJob, SandboxLimits] | None,
) -> Outcome:
    """Runs in a Ray worker, inside the reservation. Preparing twice is harmless and quick."""
    agent = get_agent(ray.get_runtime_context().get_node_id(), work_dir)
    try:
        if prepare is not None:
            prepared: Outcome = ray.get(agent.prepare.remote(*prepare))
            if prepared.kind != "OK":
                return prepared
        outcome: Outcome = ray.get(getattr(agent, method).remote(job, with_gpus(limits)))
    except RayActorError as error:
        return Outcome(kind="LOST", message=f"the agent was lost: {error}")
    return outcome


def _import_trial_actor() -> None:
    """Runs in a Ray worker, which keeps what it imported."""
    import workers.driver.trainable  # noqa: F401, PLC0415 its import is the work

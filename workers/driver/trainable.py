"""The trial actor: thin, it asks the agent of its node to fit and passes on the outcome.

It imports no learning library: the fit runs in a sandbox child of the agent, so nothing that a
trial does can hurt this Ray worker.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError
from ray.tune import PlacementGroupFactory, Trainable

from workers.driver.cluster import with_gpus
from workers.driver.task import AgentFinder, FitTask
from workers.trial.job import Outcome, SandboxLimits

AGENT_SECONDS = 60.0
"""Longest wait for an agent that died to be back."""


class TrialActor(Trainable):
    """Runs one fit a trial; Tune uses the actor again for trials of the same reservation."""

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> PlacementGroupFactory:
        """The reservation: what Ray holds for the trial is what its sandbox may use."""
        held = config["task"].reservation
        bundle: dict[str, float] = {"CPU": float(held.cpus), "memory": float(held.memory_bytes)}
        if held.gpus:
            bundle["GPU"] = held.gpus
        return PlacementGroupFactory([bundle])

    def setup(self, config: dict[str, Any]) -> None:
        """Takes the first trial."""
        self._task: FitTask = config["task"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes the next trial."""
        self._task = new_config["task"]
        return True

    def step(self) -> dict[str, Any]:
        """The whole fit. A lost agent is an outcome, not an error of the trial."""
        return {"outcome": run_on_this_node(self._task), "done": True}


def prepare_limits(task: FitTask) -> SandboxLimits:
    """What encoding may use on a further node: no more than Ray holds for the trial."""
    limits, held = task.workplace.prepare_limits, task.reservation
    return replace(limits, memory_bytes=min(limits.memory_bytes, held.memory_bytes))


def as_outcome_of_trial(prepared: Outcome, node_id: str) -> Outcome:
    """Encoding that ran out of memory says nothing about the trial's configuration: it is LOST here
    and run again, perhaps elsewhere.
    """
    if prepared.kind != "MEMORY_EXCEEDED":
        return prepared
    text = f"encoding the data on node {node_id[:8]} needs more memory than the trial holds"
    return Outcome(kind="LOST", message=f"{text}; allow a trial more")


def run_on_this_node(task: FitTask) -> Outcome:
    """Fits in the sandbox of this node's agent. Brings the data to the node when it has none."""
    place, limits = task.workplace, with_gpus(task.limits)
    node_id = ray.get_runtime_context().get_node_id()
    try:
        agent = place.get_agent(node_id, place.work_dir)
        if not Path(task.job.directory).is_dir():
            prepared: Outcome = ray.get(agent.prepare.remote(place.prepare, prepare_limits(task)))
            if prepared.kind != "OK":
                return as_outcome_of_trial(prepared, node_id)
        outcome: Outcome = ray.get(agent.fit.remote(task.job, limits))
    except RayActorError as error:
        _wait_for_agent(node_id, place.work_dir, place.get_agent)
        return Outcome(kind="LOST", message=f"the agent of node {node_id[:8]} was lost: {error}")
    return outcome


def _wait_for_agent(node_id: str, work_dir: str, get_agent: AgentFinder) -> None:
    """Returns when the node's agent is back, or was not for a while: the next attempt must not be
    lost to the same death. It takes seconds to load the libraries.
    """
    deadline = time.monotonic() + AGENT_SECONDS
    while time.monotonic() < deadline:
        try:
            ray.get(get_agent(node_id, work_dir).describe.remote(), timeout=AGENT_SECONDS)
        except (RayActorError, GetTimeoutError):
            time.sleep(0.2)
        else:
            return

"""The trial actor: thin, it asks the agent of its node to fit and passes on the outcome.

It imports no learning library: the fit runs in a sandbox child of the agent, so nothing that a
trial does can hurt this Ray worker.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.tune import PlacementGroupFactory, Trainable

from workers.driver.cluster import with_gpus
from workers.driver.task import FitTask
from workers.trial.job import Outcome


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


def run_on_this_node(task: FitTask) -> Outcome:
    """Fits in the sandbox of this node's agent. Brings the data to the node when it has none."""
    place, limits = task.workplace, with_gpus(task.limits)
    node_id = ray.get_runtime_context().get_node_id()
    try:
        agent = place.get_agent(node_id, place.work_dir)
        if not Path(task.job.directory).is_dir():
            prepared: Outcome = ray.get(agent.prepare.remote(place.prepare, place.prepare_limits))
            if prepared.kind != "OK":
                return prepared
        outcome: Outcome = ray.get(agent.fit.remote(task.job, limits))
    except RayActorError as error:
        return Outcome(kind="LOST", message=f"the agent of node {node_id[:8]} was lost: {error}")
    return outcome

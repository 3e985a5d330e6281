"""The node agent: a detached Ray actor, one a node, that owns the node's sandbox.

All searches share it. It is thin: it imports neither numpy nor scikit-learn nor Ray; its
forkserver does the heavy imports. When it dies its children die with it, the calls in flight fail
with `ray.exceptions.RayActorError`, and Ray starts it again. Directories on a node:
`{work_dir}/searches/{namespace}.{search}/{data,tune,spool,stderr}`; the agent owns `data`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workers.node.budget import trial_memory_bytes
from workers.node.gpus import inventory
from workers.sandbox import confine
from workers.sandbox.sandbox import Sandbox
from workers.trial.job import FitJob, Outcome, PrepareJob, ProbeJob, RefitJob, SandboxLimits

RAY_NAMESPACE = "headgate"

MAX_CONCURRENCY = 64
"""Calls at once on a node; those above wait in the actor, outside their time limits."""

OOM_SCORE = 400
"""Ray's workers have 1000 and would tie with our children."""

PRELOAD = (
    "numpy",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.neighbors",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "xgboost",
    "workers.data.prepare",
    "workers.trial.fit",
    "workers.trial.probe",
    "workers.trial.refit",
)

_SEARCH = re.compile(r"namespaces/([a-z][a-z0-9-]{0,62})/searches/([a-z][a-z0-9-]{0,62})")


class NodeAgent:
    """The sandbox of one node, for `get_agent`. Methods are thread-safe and block.

    node: the node's name in outcomes. work_dir: the node's directory for Headgate. Making one
    takes seconds. Raises: SandboxUnusable.
    """

    def __init__(self, node: str, work_dir: str, preload: Sequence[str] = PRELOAD) -> None:
        confine.prefer_for_oom(OOM_SCORE)
        self._node = node
        self._work_dir = Path(work_dir)
        self._sandbox = Sandbox(preload, self._work_dir / "sandbox", node=node)

    def prepare(self, job: PrepareJob, limits: SandboxLimits) -> Outcome:
        """Encode a search's data; value: `PreparedData`."""
        Path(job.directory).parent.mkdir(parents=True, exist_ok=True)
        return self._sandbox.run(
            "workers.data.prepare:prepare", job, limits, _key(job.search, None, "prepare")
        )

    def fit(self, job: FitJob, limits: SandboxLimits) -> Outcome:
        """Score one configuration; value: `FitResult`."""
        return self._sandbox.run(
            "workers.trial.fit:fit", job, limits, _key(job.search, job.number, str(job.attempt))
        )

    def probe(self, job: ProbeJob, limits: SandboxLimits) -> Outcome:
        """Grow a few trees on a search's data; value: a tuple of `Growth`."""
        return self._sandbox.run(
            "workers.trial.probe:probe", job, limits, _key(job.search, None, "probe")
        )

    def refit(self, job: RefitJob, limits: SandboxLimits) -> Outcome:
        """Fit the winner and write its bundle; value: `RefitResult`."""
        return self._sandbox.run(
            "workers.trial.refit:refit", job, limits, _key(job.search, job.number, "refit")
        )

    def cancel(self, search: str, number: int | None = None) -> int:
        """End a trial, or all jobs of a search. Does not wait. Gives how many jobs were ended."""
        return self._sandbox.cancel(_key(search, number))

    def release(self, search: str) -> None:
        """End a search's jobs, wait for that, free its data on this node. Idempotent.

        Raises: OSError when files cannot be removed, ValueError for a name that is not a search's.
        """
        match = _SEARCH.fullmatch(search)
        if match is None:
            raise ValueError(f"not the name of a search: {search!r}")
        self._sandbox.drain(_key(search, None))
        directory = self._work_dir / "searches" / f"{match[1]}.{match[2]}"
        for part in ("data", "stderr"):
            with contextlib.suppress(FileNotFoundError):  # never made here, or released before
                shutil.rmtree(directory / part)

    def describe(self) -> dict[str, Any]:
        """What this node has and what its jobs use now. Blocks for the GPUs' driver.

        node, version, enforcement (see `Outcome`), pid, forkserver_pid, running_count.
        baseline_bytes: the idle forkserver's anonymous memory, which its children share.
        memory_total_bytes, memory_available_bytes: the host's or the container's, see
        `workers.node.machine`. memory_for_trials_bytes: what may be reserved for trials in all,
        running ones included, see `workers.node.budget`. used_bytes: running jobs, in all.
        gpus: one dict a device with the fields of `workers.node.gpus.Gpu`.
        """
        memory = self._sandbox.memory
        total, available = memory.total_bytes(), memory.available_bytes()
        used = self._sandbox.used_bytes
        return {
            "node": self._node,
            "version": _version(),
            "enforcement": self._sandbox.enforcement,
            "pid": os.getpid(),
            "forkserver_pid": self._sandbox.forkserver_pid,
            "baseline_bytes": self._sandbox.idle_bytes,
            "running_count": self._sandbox.running_count,
            "memory_total_bytes": total,
            "memory_available_bytes": available,
            "memory_for_trials_bytes": trial_memory_bytes(total, available, used),
            "used_bytes": used,
            "gpus": [asdict(gpu) for gpu in inventory(os.environ)],
        }


def get_agent(node_id: str, work_dir: str, preload: Sequence[str] = PRELOAD) -> Any:
    """The handle of a node's agent, made when there is none. Needs an initialised Ray.

    It returns at once; the first call waits for the agent to start. Another version of Headgate, or
    another work_dir, has another agent. node_id: Ray's, hexadecimal. The agent outlives the job.
    """
    import ray  # noqa: PLC0415 - the sandbox and its tests do without
    from ray.util.scheduling_strategies import (  # noqa: PLC0415
        NodeAffinitySchedulingStrategy,
    )

    return (
        ray.remote(NodeAgent)
        .options(
            name=agent_name(node_id, work_dir),
            namespace=RAY_NAMESPACE,
            get_if_exists=True,
            lifetime="detached",
            max_restarts=-1,
            num_cpus=0,
            max_concurrency=MAX_CONCURRENCY,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False),
        )
        .remote(node_id, work_dir, tuple(preload))
    )


def agent_name(node_id: str, work_dir: str) -> str:
    """The actor's name in the Ray namespace `headgate`."""
    place = hashlib.sha256(work_dir.encode()).hexdigest()[:8]
    return f"agent-{_version()}-{node_id}-{place}"


def _version() -> str:
    return importlib.metadata.version("headgate")


def _key(search: str, number: int | None, part: str = "") -> str:
    """A job's key. Every part ends with a separator, so that 1 is no prefix of 10."""
    return f"{search}#" if number is None and not part else f"{search}#{number}#{part}"

"""One attempt of an admitted trial: what travels from the driver to the actor that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from workers.driver.space import Configuration
from workers.trial.job import FitJob, PrepareJob, SandboxLimits

AgentFinder = Callable[[str, str], Any]
"""Gives the handle of a node's agent: (node id, work directory) -> actor handle."""

MAX_ATTEMPTS = 3
"""A trial whose worker is lost is started so often; then it FAILED."""


@dataclass(frozen=True)
class Reservation:
    """What is held in the cluster for a trial. memory_bytes: also its hard limit."""

    cpus: int
    gpus: float
    memory_bytes: int


@dataclass(frozen=True)
class Task:
    """An admitted trial that waits or runs. attempt: from 1."""

    number: int
    attempt: int
    configuration: Configuration
    seed: int
    reservation: Reservation

    def again(self) -> Task:
        """The next attempt."""
        return replace(self, attempt=self.attempt + 1)

    def __str__(self) -> str:
        return f"trial {self.number}"


@dataclass(frozen=True)
class Workplace:
    """Where the trials of a search find their data: the same for all of them.

    prepare, prepare_limits: how a node gets the data when it has none yet. work_dir: Headgate's
    directory on every node.
    """

    work_dir: str
    prepare: PrepareJob
    prepare_limits: SandboxLimits
    get_agent: AgentFinder


@dataclass(frozen=True)
class FitTask:
    """Everything an actor needs. Printed short: Tune names things after it."""

    job: FitJob
    limits: SandboxLimits
    reservation: Reservation
    workplace: Workplace

    def __str__(self) -> str:
        return f"{self.job.number}-{self.job.attempt}"

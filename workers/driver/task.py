"""One attempt of an admitted trial: what travels from the driver to the actor that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from headgate.v1 import trial_pb2
from workers.driver.space import Configuration
from workers.trial.job import FitJob, PrepareJob, SandboxLimits

AgentFinder = Callable[[str, str], Any]
"""Gives the handle of a node's agent: (node id, work directory) -> actor handle."""

SUSPECT = "suspect"
"""`TrialFailure.evidence` of a fit that died as one does whose allocation was refused."""

MAX_ATTEMPTS = 3
"""A trial whose worker is lost is started so often; then it FAILED."""
MAX_INNOCENT_ATTEMPTS = 20
"""A trial that was ended because its node ran out of memory, and was not to blame, is started so
often."""


@dataclass(frozen=True)
class Reservation:
    """What is held in the cluster for a trial. memory_bytes: also its hard limit."""

    cpus: int
    gpus: float
    memory_bytes: int

    @classmethod
    def of(cls, held: trial_pb2.Reservation) -> Reservation:
        """As the controller gave it."""
        return cls(max(1, held.cpus), held.gpus, held.memory_bytes)


@dataclass(frozen=True)
class Task:
    """An admitted or deferred trial. attempt: from 1. has_backstop: see `SandboxLimits`."""

    number: int
    attempt: int
    configuration: Configuration
    seed: int
    reservation: Reservation
    has_backstop: bool = True

    def again(self) -> Task:
        """The next attempt."""
        return replace(self, attempt=self.attempt + 1)

    def as_stored(self, trial: trial_pb2.Trial) -> Task:
        """The attempt that the controller has in mind for this trial.

        A fit that died near its limit without having been ended may have met the backstop, which
        counts virtual memory: its next attempt does without.
        """
        is_suspect = any(each.failure.evidence == SUSPECT for each in trial.history)
        return replace(
            self,
            attempt=trial.attempts + 1,
            reservation=Reservation.of(trial.verdict.reservation),
            has_backstop=not is_suspect,
        )

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

"""A cluster in memory: for tests, and for trying the controller without Ray.

It starts nothing. Jobs stay RUNNING until somebody says otherwise through `end_job`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.domain.errors import Unavailable
from controller.ports.cluster import Job, JobState, Node


@dataclass(frozen=True)
class SubmittedJob:
    """A job as it was handed in, and what became of it."""

    job: Job
    entrypoint: str
    env: Mapping[str, str]
    memory_bytes: int
    log: str = ""
    is_stop_asked: bool = False


class FakeCluster:
    """`controller.ports.cluster.Cluster` in memory. `is_away` makes every call raise Unavailable;
    jobs that are asked to stop do so at once unless `is_stubborn`.
    """

    def __init__(self, nodes: tuple[Node, ...] = ()) -> None:
        self.living_nodes = nodes
        self.is_away = False
        self.is_stubborn = False
        self.jobs: dict[str, SubmittedJob] = {}
        self.deleted: list[str] = []

    def end_job(
        self, submission_id: str, state: JobState, message: str = "", log: str = ""
    ) -> None:
        """The job ended so, or is in another state."""
        found = self.jobs[submission_id]
        job = Job(submission_id, state, message)
        self.jobs[submission_id] = replace(found, job=job, log=log or found.log)

    def write_log(self, submission_id: str, log: str) -> None:
        """The job has printed `log` so far."""
        self.jobs[submission_id] = replace(self.jobs[submission_id], log=log)

    async def nodes(self) -> tuple[Node, ...]:
        """The living nodes."""
        self._answer()
        return self.living_nodes

    async def submit(
        self, submission_id: str, entrypoint: str, env: Mapping[str, str], memory_bytes: int
    ) -> None:
        """Starts a job; a known id changes nothing."""
        self._answer()
        job = Job(submission_id, JobState.RUNNING)
        new = SubmittedJob(job, entrypoint, dict(env), memory_bytes)
        self.jobs.setdefault(submission_id, new)

    async def job(self, submission_id: str) -> Job:
        """Its state, UNKNOWN for an unknown id."""
        self._answer()
        found = self.jobs.get(submission_id)
        return found.job if found else Job(submission_id, JobState.UNKNOWN)

    async def stop(self, submission_id: str) -> None:
        """Asks it to end."""
        self._answer()
        found = self.jobs.get(submission_id)
        if found is None or found.job.is_over:
            return
        self.jobs[submission_id] = replace(found, is_stop_asked=True)
        if not self.is_stubborn:
            self.end_job(submission_id, JobState.STOPPED, "stopped")

    async def delete(self, submission_id: str) -> None:
        """Forgets it."""
        self._answer()
        self.jobs.pop(submission_id, None)
        self.deleted.append(submission_id)

    async def logs(self, submission_id: str) -> str:
        """What it printed."""
        self._answer()
        found = self.jobs.get(submission_id)
        return found.log if found else ""

    async def close(self) -> None:
        """Nothing to close."""

    def _answer(self) -> None:
        if self.is_away:
            raise Unavailable("Ray does not answer")

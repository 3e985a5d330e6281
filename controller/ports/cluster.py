"""The Ray cluster as the control plane sees it: nodes, jobs, Serve. Never an import of Ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class JobState(StrEnum):
    """Where a Ray job stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    """Ray knows no such job."""


@dataclass(frozen=True)
class Job:
    """A Ray job: its submission id, state, and Ray's message about it."""

    submission_id: str
    state: JobState
    message: str = ""

    @property
    def is_over(self) -> bool:
        """No process of it runs any more."""
        return self.state not in (JobState.PENDING, JobState.RUNNING)


@dataclass(frozen=True)
class Node:
    """A living node: the CPUs, GPUs and memory (bytes) that Ray may give to trials on it."""

    node_id: str
    cpus: float
    gpus: float
    memory_bytes: int


class Cluster(Protocol):
    """Ray's Jobs and state REST APIs.

    Raises: `controller.domain.errors.Unavailable` from every call when Ray does not answer.
    """

    async def nodes(self) -> tuple[Node, ...]: ...
    async def submit(
        self, submission_id: str, entrypoint: str, env: Mapping[str, str], memory_bytes: int
    ) -> None:
        """Starts a job that reserves `memory_bytes` (0 for none) and no CPU. Idempotent by
        `submission_id`.
        """
        ...

    async def job(self, submission_id: str) -> Job: ...
    async def stop(self, submission_id: str) -> None:
        """Asks a job to end (SIGTERM, later SIGKILL). Does nothing when it is over or unknown."""
        ...

    async def delete(self, submission_id: str) -> None:
        """Forgets a job that is over."""
        ...

    async def logs(self, submission_id: str) -> str: ...
    async def close(self) -> None: ...


@dataclass(frozen=True)
class ServedModel:
    """A model version that the gateway must serve. attempt: a new number has the gateway try a load
    again that failed.
    """

    inference_name: str
    version: int
    bundle_uri: str
    manifest_sha256: str
    attempt: int = 0


@dataclass(frozen=True)
class GatewayStatus:
    """What Serve says of the gateway: its application's status (`NOT_STARTED` when absent,
    `DEPLOYING`, `RUNNING`, `UNHEALTHY`, `DEPLOY_FAILED`, `DELETING`), a message, and what its
    replicas have loaded by inference name: the version that answers, or the error as text.
    """

    status: str
    message: str = ""
    loaded: Mapping[str, int] | None = None
    errors: Mapping[str, str] | None = None


class Gateway(Protocol):
    """Ray Serve's REST API, and the gateway's own status page.

    Raises: `controller.domain.errors.Unavailable` when Ray does not answer;
    `controller.domain.errors.FailedPrecondition` when somebody else's routed application is there.
    """

    inference_http: str
    """Base URL of the HTTP inference endpoint."""
    inference_grpc: str
    """`HOST:PORT` of the gRPC inference endpoint."""

    async def apply(self, models: tuple[ServedModel, ...]) -> None:
        """Makes the gateway serve exactly these. Idempotent; does nothing when they are what was
        applied last. Takes the gateway application down when empty.
        """
        ...

    async def status(self) -> GatewayStatus: ...
    async def close(self) -> None: ...


JsonObject = dict[str, Any]
"""A decoded JSON object."""

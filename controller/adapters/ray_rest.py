"""Ray's Jobs and state REST APIs as the port `Cluster`. Never imports Ray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.adapters.ray_http import RayHttp
from controller.domain.errors import Unavailable
from controller.ports.cluster import Job, JobState, Node

_NOT_FOUND = 404
_ERRORS = 400


class RayRest:
    """A client of one Ray dashboard; see `RayHttp` for the arguments. Use from one event loop."""

    def __init__(self, address: str, token: str) -> None:
        self._http = RayHttp(address, token)

    def _check(self, what: str, status: int, answer: Any) -> None:  # noqa: ANN401 - decoded JSON
        """Raises: Unavailable when Ray refused."""
        if status >= _ERRORS:
            text = str(answer).strip().splitlines()
            raise Unavailable(
                f"Ray could not {what}: HTTP {status} {text[-1] if text else ''}".rstrip(),
                address=self._http.address,
            )

    async def nodes(self) -> tuple[Node, ...]:
        """Living nodes."""
        status, answer = await self._http.call("GET", "/api/v0/nodes?detail=1")
        self._check("list nodes", status, answer)
        found = []
        for entry in answer["data"]["result"]["result"]:
            if entry["state"] == "ALIVE":
                total = entry["resources_total"] or {}
                found.append(
                    Node(
                        entry["node_id"],
                        float(total.get("CPU", 0.0)),
                        float(total.get("GPU", 0.0)),
                        int(total.get("memory", 0)),
                    )
                )
        return tuple(found)

    async def submit(
        self, submission_id: str, entrypoint: str, env: Mapping[str, str], memory_bytes: int
    ) -> None:
        """Starts a job; does nothing when Ray knows the submission id already."""
        if (await self.job(submission_id)).state is not JobState.UNKNOWN:
            return
        body: dict[str, Any] = {
            "submission_id": submission_id,
            "entrypoint": entrypoint,
            "runtime_env": {"env_vars": dict(env)},
        }
        if memory_bytes:
            body["entrypoint_memory"] = memory_bytes
        status, answer = await self._http.call("POST", "/api/jobs/", body)
        self._check("start the driver", status, answer)

    async def job(self, submission_id: str) -> Job:
        """The job as Ray knows it; state UNKNOWN when it does not."""
        status, answer = await self._http.call("GET", f"/api/jobs/{submission_id}")
        if status == _NOT_FOUND:
            return Job(submission_id, JobState.UNKNOWN)
        self._check("show a job", status, answer)
        return Job(submission_id, JobState(answer["status"]), answer.get("message") or "")

    async def stop(self, submission_id: str) -> None:
        """Asks a job to end; nothing when it is over or unknown."""
        status, answer = await self._http.call("POST", f"/api/jobs/{submission_id}/stop")
        if status != _NOT_FOUND:
            self._check("stop a job", status, answer)

    async def delete(self, submission_id: str) -> None:
        """Forgets a job that is over; nothing when it is unknown."""
        status, answer = await self._http.call("DELETE", f"/api/jobs/{submission_id}")
        if status != _NOT_FOUND:
            self._check("delete a job", status, answer)

    async def logs(self, submission_id: str) -> str:
        """The job's output so far, empty when Ray knows no such job."""
        status, answer = await self._http.call("GET", f"/api/jobs/{submission_id}/logs")
        if status == _NOT_FOUND:
            return ""
        self._check("read a job's log", status, answer)
        return str(answer["logs"])

    async def close(self) -> None:
        """Closes the connections. Idempotent."""
        await self._http.close()

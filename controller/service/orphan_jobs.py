"""Ray jobs whose search was deleted before they had ended: kept until Ray has forgotten them."""

from __future__ import annotations

import asyncio
import json

from controller.domain.errors import Unavailable
from controller.ports.cluster import Cluster, JobState
from controller.ports.store import Store, Transaction

_KEY = "orphan-jobs"


def remember(tx: Transaction, submission_id: str) -> None:
    """Keeps a job's id, in the transaction that deletes its search."""
    tx.put_setting(_KEY, json.dumps([*remembered(tx), submission_id]))


def remembered(tx: Transaction) -> list[str]:
    """The jobs that are still to be ended, oldest first."""
    found: list[str] = json.loads(tx.get_setting(_KEY) or "[]")
    return found


class OrphanJobs:
    """Ends remembered jobs: nobody waits for them any more, so they are stopped at once."""

    def __init__(self, store: Store, cluster: Cluster) -> None:
        self._store = store
        self._cluster = cluster

    async def step(self) -> None:
        """One round; a job is looked at again until it is over. Does not raise when Ray is away."""
        for submission_id in await asyncio.to_thread(self._read):
            try:
                if await self._end(submission_id):
                    await asyncio.to_thread(self._forget, submission_id)
            except Unavailable:
                return

    async def _end(self, submission_id: str) -> bool:
        """True when Ray knows the job no more."""
        job = await self._cluster.job(submission_id)
        if job.state is JobState.UNKNOWN:
            return True
        if not job.is_over:
            await self._cluster.stop(submission_id)
            return False
        await self._cluster.delete(submission_id)
        return True

    def _read(self) -> list[str]:
        with self._store.transaction() as tx:
            return remembered(tx)

    def _forget(self, submission_id: str) -> None:
        with self._store.transaction() as tx:
            left = [each for each in remembered(tx) if each != submission_id]
            tx.put_setting(_KEY, json.dumps(left))

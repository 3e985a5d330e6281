"""The logs of search drivers: fetched from Ray, kept in the store."""

from __future__ import annotations

import asyncio
import logging

from controller.domain.errors import NotFound, Unavailable
from controller.domain.names import SearchName
from controller.domain.records import Search
from controller.ports.cluster import Cluster
from controller.ports.store import Store
from controller.service import driver_job
from controller.service.settings import ServiceSettings

_log = logging.getLogger(__name__)


class DriverLogs:
    """The log of a search is that of all its drivers, each under a headline."""

    def __init__(self, store: Store, cluster: Cluster, settings: ServiceSettings) -> None:
        self._store = store
        self._cluster = cluster
        self._settings = settings

    async def text(self, name: SearchName) -> str:
        """The log up to now; up to the last time that Ray answered when it does not.

        Raises: NotFound.
        """
        search = await asyncio.to_thread(self._search, str(name))
        if search.driver_job:
            try:
                await self.fetch(search)
            except Unavailable as error:
                _log.warning("the log of %s is as last fetched: %s", name, error.message)
        return await asyncio.to_thread(self._stored, str(name))

    async def fetch(self, search: Search) -> str:
        """Keeps what the search's driver has printed, and returns it. Raises: Unavailable."""
        text = await self._cluster.logs(search.driver_job)
        if text:
            await asyncio.to_thread(self._keep, search, text)
        return text

    def _search(self, name: str) -> Search:
        with self._store.transaction() as tx:
            search = tx.get(Search, name)
        if search is None:
            raise NotFound(name)
        return search

    def _stored(self, name: str) -> str:
        with self._store.transaction() as tx:
            return tx.get_log(name) or ""

    def _keep(self, search: Search, text: str) -> None:
        with self._store.transaction() as tx:
            if tx.get(Search, search.name) is None:
                return
            stored = tx.get_log(search.name) or ""
            most = self._settings.log_bytes
            new = driver_job.with_attempt(stored, search.driver_attempts, text, most)
            if new != stored:
                tx.put_log(search.name, new)

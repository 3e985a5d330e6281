"""Deletes what has been kept long enough: ended searches, remembered request ids."""

from __future__ import annotations

from controller.domain.errors import HeadgateError, NotFound
from controller.domain.names import SearchName
from controller.domain.records import Search
from controller.domain.states import is_search_final
from controller.ports.clock import Clock
from controller.ports.metrics import Metrics
from controller.ports.store import Store
from controller.service.searches import SearchService
from controller.service.settings import ServiceSettings


class Retention:
    """Applies `retention_seconds` and `request_memory_seconds`. `sweep` blocks."""

    def __init__(
        self,
        store: Store,
        searches: SearchService,
        clock: Clock,
        metrics: Metrics,
        settings: ServiceSettings,
    ) -> None:
        self._store = store
        self._searches = searches
        self._clock = clock
        self._metrics = metrics
        self._settings = settings
        self._is_well = True

    @property
    def is_well(self) -> bool:
        """The last sweep deleted all that was due."""
        return self._is_well

    def sweep(self) -> int:
        """Deletes what is due; returns the number of searches deleted. A search that cannot be
        deleted is counted as a failure and tried again next time.
        """
        self._is_well = True
        now = self._clock.now()
        with self._store.transaction() as tx:
            tx.delete_requests_before(now - self._settings.request_memory_seconds)
            due = [search for search in tx.list_all(Search) if self._is_due(search, now)]
        return sum(self._delete(search) for search in due)

    def _is_due(self, search: Search, now: float) -> bool:
        kept = self._settings.retention_seconds
        if kept is None or search.ended_at is None or not is_search_final(search.state):
            return False
        # A search that still has a job is cleaned up first, so that its job is not forgotten.
        return not search.driver_job and now - search.ended_at > kept

    def _delete(self, search: Search) -> bool:
        try:
            self._searches.delete(SearchName.parse(search.name))
        except NotFound:
            return False  # somebody else was faster
        except HeadgateError:
            self._is_well = False
            self._metrics.reconcile_failed("retention")
            return False
        return True

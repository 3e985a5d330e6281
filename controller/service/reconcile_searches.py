"""Brings Ray's jobs and the searches in the store together, level-triggered.

Each step loads what is stored, looks at what Ray says, and closes the difference. It can die at any
instant: a job's id is stored before the job is handed in, and handing it in again changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from controller.domain.errors import HeadgateError, Unavailable
from controller.domain.records import Failure, Search
from controller.domain.search_moves import fail, move, start_clock
from controller.domain.states import SearchState, is_search_final
from controller.ports.clock import Clock
from controller.ports.cluster import Cluster, Job, JobState
from controller.ports.metrics import Metrics
from controller.ports.store import Store
from controller.service import driver_job, tokens
from controller.service.cluster_view import ClusterView
from controller.service.driver_logs import DriverLogs
from controller.service.heartbeats import Heartbeats
from controller.service.orphan_jobs import OrphanJobs
from controller.service.settings import ServiceSettings
from controller.service.steering import store_change

_log = logging.getLogger(__name__)
_S = SearchState

LOG_SECONDS = 10.0
"""How often the log of a running driver is fetched."""


class SearchReconciler:
    """Runs drivers for searches. `step` is called every second and on change, never twice at once.

    Raises nothing for a single search: a failure is logged, counted, and tried again next time.
    """

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        cluster_view: ClusterView,
        heartbeats: Heartbeats,
        clock: Clock,
        metrics: Metrics,
        settings: ServiceSettings,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._view = cluster_view
        self._heartbeats = heartbeats
        self._clock = clock
        self._metrics = metrics
        self._settings = settings
        self._logs = DriverLogs(store, cluster, settings)
        self._orphans = OrphanJobs(store, cluster)
        self._since: dict[tuple[str, str], float] = {}
        self._logged_at: dict[str, float] = {}
        self._is_well = True

    async def step(self) -> bool:
        """One round over all searches; True when nothing failed."""
        self._is_well = True
        await self._look()
        searches = await asyncio.to_thread(self._load)
        for search in searches:
            await self._guarded(search, self._observe(search))
        await self._orphans.step()
        await self._start_waiting()
        return self._is_well

    async def _look(self) -> None:
        began = self._clock.now()
        try:
            self._view.saw(await self._cluster.nodes())
        except Unavailable as error:
            self._is_well = False
            self._view.failed(error.message)
            self._metrics.reconcile_failed("cluster")
        else:
            self._metrics.reconciled("cluster", max(0.0, self._clock.now() - began))

    def _load(self) -> list[Search]:
        with self._store.transaction() as tx:
            return [s for s in tx.list_all(Search) if s.driver_job or not is_search_final(s.state)]

    async def _guarded(self, search: Search, work: Awaitable[None]) -> None:
        """One search's trouble is not another's."""
        try:
            await work
        except Unavailable as error:
            self._is_well = False
            await self._say(search.name, f"Ray does not answer: {error.message}")
        except HeadgateError as error:
            self._is_well = False
            self._metrics.reconcile_failed("search")
            _log.warning("reconciling %s failed: %s", search.name, error.message)

    async def _observe(self, search: Search) -> None:
        """Looks at the search's job, when it has one, and acts on what is seen."""
        if not search.driver_job:
            await self._end_without_driver(search)
            return
        job = await self._cluster.job(search.driver_job)
        if is_search_final(search.state):
            await self._clean_up(search, job)
        elif job.state is JobState.UNKNOWN and not _has_session(search):
            await self._submit(search)
        elif job.is_over:
            await self._bury(search, job)
        else:
            await self._attend(search, job)

    async def _end_without_driver(self, search: Search) -> None:
        """Ends that need no driver."""
        if search.state is _S.CANCELLING:
            await self._change(search.name, lambda s, now: move(s, _S.CANCELLED, now))
        elif search.state is _S.FINISHING and not search.best_trial:
            failure = Failure("NO_MODEL", "it was stopped before any trial had a score")
            await self._change(search.name, lambda s, now: fail(s, failure, now))

    async def _attend(self, search: Search, job: Job) -> None:
        """A driver that lives: is it silent, does it ignore a cancel?"""
        now = self._clock.now()
        if search.state is _S.CANCELLING:
            if self._lasts(search, "cancelling", now) > self._settings.driver_grace_seconds:
                await self._cluster.stop(job.submission_id)
            return
        if job.state is JobState.PENDING:
            text = f"Ray has not started its driver yet: {job.message}".strip(": ")
            await self._say(search.name, text)
            return
        if search.started_at is None:
            await self._change(search.name, start_clock)
        if self._silence(search, now) > self._settings.heartbeat_timeout_seconds:
            _log.warning("the driver of %s is silent; it is ended", search.name)
            await self._cluster.stop(job.submission_id)
            return
        await self._fetch_log(search, now)

    def _silence(self, search: Search, now: float) -> float:
        """Seconds since the driver, or this controller, was first there or last heard."""
        running = self._lasts(search, search.driver_job, now)
        heard = self._heartbeats.last(search.name)
        return running if heard is None else min(running, now - heard)

    def _lasts(self, search: Search, what: str, now: float) -> float:
        """Seconds since something was first seen by this process."""
        return now - self._since.setdefault((search.name, what), now)

    def _forget(self, name: str) -> None:
        self._heartbeats.forget(name)
        self._logged_at.pop(name, None)
        for key in [key for key in self._since if key[0] == name]:
            del self._since[key]

    async def _fetch_log(self, search: Search, now: float) -> None:
        if now - self._logged_at.get(search.name, 0.0) < LOG_SECONDS:
            return
        self._logged_at[search.name] = now
        await self._logs.fetch(search)

    async def _last_log(self, search: Search, job: Job) -> str:
        """Keeps the log of a job that is over; returns it."""
        return "" if job.state is JobState.UNKNOWN else await self._logs.fetch(search)

    async def _bury(self, search: Search, job: Job) -> None:
        """A driver that is over though its search is not: another takes its place, or it ends."""
        log = await self._last_log(search, job)
        cause = job.message.strip().splitlines()[0] if job.message.strip() else job.state.value
        text = "; ".join(part for part in (cause, driver_job.last_line(log)) if part)
        await self._change(search.name, lambda s, now: self._bereft(s, job, text, now))
        self._forget(search.name)
        await self._discard(job)

    async def _discard(self, job: Job) -> None:
        """Has Ray forget a job, if it knows it."""
        if job.state is not JobState.UNKNOWN:
            await self._cluster.delete(job.submission_id)

    def _bereft(self, search: Search, job: Job, cause: str, now: float) -> Search:
        """The search after its driver died."""
        if search.driver_job != job.submission_id or is_search_final(search.state):
            return search
        lonely = replace(search, driver_job="", phase="")
        if search.state is _S.CANCELLING:
            return move(lonely, _S.CANCELLED, now)
        if search.state is _S.PAUSED:
            return lonely
        lonely = replace(lonely, driver_failures=search.driver_failures + 1)
        if lonely.driver_failures >= self._settings.max_driver_failures:
            text = f"{lonely.driver_failures} drivers in a row died; the last one: {cause}"
            return fail(lonely, Failure("DRIVER_DIED", text), now)
        return replace(lonely, phase=f"its driver died ({cause}); another one is being started")

    async def _clean_up(self, search: Search, job: Job) -> None:
        """The job of a search that has ended."""
        if not job.is_over:
            wait = self._settings.driver_grace_seconds if _has_session(search) else 0.0
            if self._lasts(search, "ended", self._clock.now()) >= wait:
                await self._cluster.stop(job.submission_id)
            return
        await self._last_log(search, job)
        await self._discard(job)
        await self._change(search.name, lambda s, _: replace(s, driver_job=""))
        self._forget(search.name)

    async def _start_waiting(self) -> None:
        """Hands in drivers for searches without one: those that had one first, then the oldest."""
        searches = [s for s in await asyncio.to_thread(self._load) if not is_search_final(s.state)]
        running = sum(bool(s.driver_job) and s.state is not _S.PAUSED for s in searches)
        waiting = [s for s in searches if not s.driver_job and _wants_driver(s)]
        for search in sorted(waiting, key=lambda s: (s.state is _S.PENDING, s.created_at, s.name)):
            problem = self._view.status().problem
            if problem:
                await self._say(search.name, f"Ray does not answer: {problem}")
            elif search.state is _S.PENDING and running >= self._settings.max_running_searches:
                await self._say(search.name, f"waiting for {running} running searches")
            else:
                running += 1
                await self._guarded(search, self._start(search))

    async def _start(self, search: Search) -> None:
        """Stores which job will be its driver, then hands it in."""
        claimed = await self._change(search.name, _claim)
        if claimed is not None and claimed.driver_job:
            await self._submit(claimed)

    async def _submit(self, search: Search) -> None:
        token = await asyncio.to_thread(self._token, search.name)
        try:
            await self._cluster.submit(
                search.driver_job,
                driver_job.entrypoint(self._settings),
                driver_job.environment(search, token, self._settings),
                self._settings.driver_memory_bytes,
            )
        except Unavailable:
            raise
        except HeadgateError as error:
            job = Job(search.driver_job, JobState.FAILED, error.message)
            await self._change(search.name, lambda s, now: self._bereft(s, job, job.message, now))
            return
        self._metrics.driver_submitted(search.driver_attempts > 1)
        await self._change(search.name, _submitted)

    def _token(self, name: str) -> str:
        with self._store.transaction() as tx:
            return tokens.kept(tx, name)

    async def _say(self, name: str, reason: str) -> None:
        """What a PENDING search waits for."""
        await self._change(
            name, lambda s, _: replace(s, pending_reason=reason) if s.state is _S.PENDING else s
        )

    async def _change(self, name: str, change: Callable[[Search, float], Search]) -> Search | None:
        """Changes a search as it is stored now; does nothing when it is gone."""
        return await asyncio.to_thread(self._store_change, name, change)

    def _store_change(self, name: str, change: Callable[[Search, float], Search]) -> Search | None:
        now = self._clock.now()
        with self._store.transaction() as tx:
            search = tx.get(Search, name)
            if search is None:
                return None
            steered = store_change(tx, search, change(search, now), now)
        if steered.ended is not None:
            steered.ended.tell(self._metrics)
        return steered.search


def _has_session(search: Search) -> bool:
    """The driver of the current attempt has opened its session."""
    return tokens.attempt_of(search.session) == search.driver_attempts


def _wants_driver(search: Search) -> bool:
    return search.state in (_S.PENDING, _S.RUNNING) or (
        search.state is _S.FINISHING and bool(search.best_trial)
    )


def _claim(search: Search, _: float) -> Search:
    """The search with its next driver's job, unless it has one or wants none any more."""
    if search.driver_job or not _wants_driver(search):
        return search
    attempt = search.driver_attempts + 1
    job = driver_job.submission_id(search, attempt)
    return replace(search, driver_attempts=attempt, driver_job=job)


def _submitted(search: Search, now: float) -> Search:
    """The search once Ray has its driver: its clock runs."""
    if is_search_final(search.state):
        return search
    started = start_clock(search, now)
    if started.state is not _S.PENDING:
        return started
    return replace(started, pending_reason="its driver is starting")

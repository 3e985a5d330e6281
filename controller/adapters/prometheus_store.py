"""Exports what the store holds to Prometheus, read anew at every scrape.

| metric | type | labels | what |
|---|---|---|---|
| headgate_store_up | gauge | | 1 when the store answered this scrape |
| headgate_searches | gauge | state | searches |
| headgate_trials | gauge | state | trials of searches that have not ended |
| headgate_reserved_memory_bytes | gauge | | memory held for running trials |
| headgate_reserved_cpus | gauge | | CPU cores held for running trials |
| headgate_deployments | gauge | state | deployments |
| headgate_driver_heartbeat_age_seconds | gauge | | age of the oldest last word of a driver |
| headgate_best_score_age_seconds | gauge | | longest time a running search found no better |

The last two are 0 while no search runs. Blocks for some milliseconds: scrape off the event loop.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.domain.errors import HeadgateError
from controller.domain.records import Deployment, Search, Trial
from controller.domain.states import DeploymentState, SearchState, TrialState, is_search_final
from controller.ports.clock import Clock
from controller.ports.store import Page, Store, Transaction

log = logging.getLogger(__name__)

_PAGE = 1_000
_DRIVEN = frozenset({SearchState.RUNNING, SearchState.FINISHING})


@dataclass
class _Figures:
    """What one scrape found."""

    searches: Counter[str] = field(default_factory=Counter)
    trials: Counter[str] = field(default_factory=Counter)
    deployments: Counter[str] = field(default_factory=Counter)
    reserved_memory_bytes: int = 0
    reserved_cpus: int = 0
    heartbeat_age_seconds: float = 0.0
    best_score_age_seconds: float = 0.0


LastHeard = Callable[[str], float | None]
"""When the driver of a search last called, in seconds since the Unix epoch; None if unknown."""


class StoreCollector(Collector):
    """Registers itself with `registry`."""

    def __init__(
        self, registry: CollectorRegistry, store: Store, clock: Clock, last_heard: LastHeard
    ) -> None:
        self._store = store
        self._clock = clock
        self._last_heard = last_heard
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not read the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The gauges; only `headgate_store_up` when the store does not answer."""
        up = GaugeMetricFamily("headgate_store_up", "1 when the store answered this scrape.")
        try:
            figures = self._read()
        except HeadgateError:
            log.exception("the store did not answer a scrape")
            up.add_metric((), 0)
            yield up
            return
        up.add_metric((), 1)
        yield up
        yield from _metrics(figures)

    def _read(self) -> _Figures:
        figures, now = _Figures(), self._clock.now()
        with self._store.transaction() as tx:
            for search in tx.list_all(Search):
                figures.searches[search.state] += 1
                if not is_search_final(search.state):
                    self._add_search(figures, tx, search, now)
            figures.deployments.update(each.state for each in tx.list_all(Deployment))
        return figures

    def _add_search(self, figures: _Figures, tx: Transaction, search: Search, now: float) -> None:
        """Adds a search that has not ended."""
        figures.trials.update(tx.count_trials(search.name))
        for trial in _running(tx, search.name):
            reservation = trial.verdict.reservation
            if reservation is not None:
                figures.reserved_memory_bytes += reservation.memory_bytes
                figures.reserved_cpus += reservation.cpus
        if search.state not in _DRIVEN:
            return
        heard = self._last_heard(search.name) or search.heartbeat_at
        if heard is not None:
            figures.heartbeat_age_seconds = max(figures.heartbeat_age_seconds, now - heard)
        best = tx.get(Trial, search.best_trial) if search.best_trial else None
        since = search.started_at if best is None else best.ended_at
        if since is not None:
            figures.best_score_age_seconds = max(figures.best_score_age_seconds, now - since)


def _running(tx: Transaction, search: str) -> Iterator[Trial]:
    after = ""
    while True:
        trials, after = tx.list_trials(search, Page(_PAGE, after), (TrialState.RUNNING,))
        yield from trials
        if not after:
            return


def _metrics(figures: _Figures) -> Iterator[Metric]:
    yield _by_state("headgate_searches", "Searches.", SearchState, figures.searches)
    yield _by_state(
        "headgate_trials", "Trials of searches that have not ended.", TrialState, figures.trials
    )
    yield _by_state("headgate_deployments", "Deployments.", DeploymentState, figures.deployments)
    yield GaugeMetricFamily(
        "headgate_reserved_memory_bytes",
        "Memory held for running trials.",
        figures.reserved_memory_bytes,
    )
    yield GaugeMetricFamily(
        "headgate_reserved_cpus", "CPU cores held for running trials.", figures.reserved_cpus
    )
    yield GaugeMetricFamily(
        "headgate_driver_heartbeat_age_seconds",
        "Age of the oldest last word of a running search's driver.",
        figures.heartbeat_age_seconds,
    )
    yield GaugeMetricFamily(
        "headgate_best_score_age_seconds",
        "Longest time that a running search found nothing better.",
        figures.best_score_age_seconds,
    )


def _by_state(
    name: str, text: str, states: type[StrEnum], counts: Mapping[str, int]
) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(name, text, labels=("state",))
    for state in states:
        metric.add_metric((state.value,), counts.get(state.value, 0))
    return metric

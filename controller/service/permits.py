"""The ledger with the store at hand: lets trials start that wait, in every search, in turn.

What is open is read from the store; a cache saves reading searches that did not change. Nothing
else is kept, so a controller that starts again decides as the one before it would have.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from controller.domain import ledger
from controller.domain.admission import NodeCapacity
from controller.domain.ledger import Claim, Need, Quota, Standing, Statistics
from controller.domain.names import SearchName
from controller.domain.records import Decision, Reservation, Search, Trial
from controller.domain.states import (
    TRIAL_NEXT,
    SearchState,
    TrialState,
    check_transition,
    is_search_final,
)
from controller.ports.clock import Clock
from controller.ports.store import Store, Transaction
from controller.service.cluster_view import ClusterView
from controller.service.endings import OPEN_STATES, all_trials

_STANDINGS = {
    TrialState.RUNNING: Standing.RUNNING,
    TrialState.ADMITTED: Standing.GRANTED,
    TrialState.DEFERRED: Standing.WAITING,
}


@dataclass(frozen=True)
class _Open:
    """An open search and its open trials, as last read. winner: what the refit of the best trial
    holds, while the search is FINISHING.
    """

    search: Search
    trials: tuple[Trial, ...]
    winner: Reservation | None


class Permits:
    """Thread-safe, as transactions are. quotas: by namespace id."""

    def __init__(
        self,
        store: Store,
        cluster_view: ClusterView,
        clock: Clock,
        quotas: Mapping[str, Quota] | None = None,
        waited: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._cluster_view = cluster_view
        self._clock = clock
        self._quotas = dict(quotas or {})
        self._waited = waited
        self._lock = threading.Lock()
        self._stale: set[str] | None = None
        """Names of searches that changed; None: everything has to be read."""
        self._open: dict[str, _Open] = {}
        store.on_change(self._changed)

    def settle(self, tx: Transaction, search: str) -> None:
        """Lets the trials start that may; to be called when all is written that `search` did."""
        self._refresh(tx, search)
        nodes, now = self._nodes(), self._clock.now()
        deferred = [
            trial
            for each in self._snapshot()
            for trial in each.trials
            if trial.state is TrialState.DEFERRED
        ]
        if not deferred:
            return
        allotment = ledger.allot(nodes, self._claims(now), now, self._quotas)
        for trial in deferred:
            if not nodes:
                self._say(tx, trial, "the first look at the cluster's nodes")
            elif trial.name in allotment.granted:
                self._waited(now - (trial.deferred_at or now))
                self._keep(tx.put(_granted(trial, now)))
            elif (reason := allotment.waits.get(trial.name)) is not None:
                self._say(tx, trial, reason)

    def startable(self, search: str) -> tuple[Trial, ...]:
        """The trials of a search that may start, as of the last `settle`."""
        with self._lock:
            found = self._open.get(search)
        trials = found.trials if found is not None else ()
        return tuple(trial for trial in trials if trial.state is TrialState.ADMITTED)

    def statistics(self) -> Statistics:
        """What is held now, by what was read last."""
        now = self._clock.now()
        return ledger.statistics(self._nodes(), self._claims(now), now)

    def _changed(self, name: str) -> None:
        with self._lock:
            if self._stale is not None and "/searches/" in name:
                self._stale.add(_search_of(name))

    def _refresh(self, tx: Transaction, search: str) -> None:
        with self._lock:
            stale, self._stale = self._stale, set()
        if stale is None:
            stale = {each.name for each in tx.list_all(Search)}
            with self._lock:
                self._open.clear()
        try:
            for name in stale | {search}:
                self._read(tx, name)
        except BaseException:
            with self._lock:
                self._stale = None
            raise
        # What is written from here on may yet be rolled back: it is read again next time.
        with self._lock:
            if self._stale is not None:
                self._stale.add(search)

    def _read(self, tx: Transaction, name: str) -> None:
        record = tx.get(Search, name)
        if record is None or is_search_final(record.state):
            with self._lock:
                self._open.pop(name, None)
            return
        trials = tuple(all_trials(tx, name, OPEN_STATES))
        winner = None
        if record.state is SearchState.FINISHING and record.best_trial:
            best = tx.get(Trial, record.best_trial)
            winner = best.verdict.reservation if best is not None else None
        with self._lock:
            self._open[name] = _Open(record, trials, winner)

    def _snapshot(self) -> list[_Open]:
        with self._lock:
            return list(self._open.values())

    def _nodes(self) -> tuple[NodeCapacity, ...]:
        capacity = self._cluster_view.capacity()
        return () if capacity is None else capacity.nodes

    def _claims(self, now: float) -> Iterator[Claim]:
        for each in self._snapshot():
            is_running = each.search.state is SearchState.RUNNING
            for trial in each.trials:
                # A search that is paused or ending starts nothing.
                if is_running or trial.state is TrialState.RUNNING:
                    claim = _claim(each.search, trial)
                    if claim is not None:
                        yield claim
            if each.winner is not None:
                yield _winner_claim(each.search, each.winner, now)

    def _keep(self, trial: Trial) -> None:
        with self._lock:
            found = self._open[trial.search]
            trials = tuple(trial if each.name == trial.name else each for each in found.trials)
            self._open[trial.search] = replace(found, trials=trials)
            if self._stale is not None:
                self._stale.add(trial.search)

    def _say(self, tx: Transaction, trial: Trial, reason: str) -> None:
        """Stores what a trial waits for when that is news: not every change of a time."""
        if trial.verdict.waits_for == "" or trial.verdict.decision is not Decision.DEFERRED:
            message = f"{trial.verdict.message}; waits for {reason}"
            verdict = replace(
                trial.verdict, decision=Decision.DEFERRED, waits_for=reason, message=message
            )
            self._keep(tx.put(replace(trial, verdict=verdict)))


def _granted(trial: Trial, now: float) -> Trial:
    check_transition(trial.name, TRIAL_NEXT, trial.state, TrialState.ADMITTED)
    verdict = trial.verdict
    waited = f"; waits for {verdict.waits_for}"
    message = verdict.message.removesuffix(waited) if verdict.waits_for else verdict.message
    if verdict.waits_for:
        message += f"; waited {max(0.0, now - (trial.deferred_at or now)):.1f} s"
    decision = Decision.SHRUNK if verdict.changes else Decision.ADMITTED
    verdict = replace(verdict, decision=decision, waits_for="", message=message)
    return replace(trial, state=TrialState.ADMITTED, verdict=verdict)


def _claim(search: Search, trial: Trial) -> Claim | None:
    held = trial.verdict.reservation
    if held is None:
        return None
    is_running = trial.state is TrialState.RUNNING
    since = trial.started_at if is_running else trial.deferred_at
    return Claim(
        owner=trial.name,
        group=search.name,
        namespace=SearchName.parse(search.name).namespace_id,
        need=Need(held.memory_bytes, held.cpus, held.gpus),
        standing=_STANDINGS[trial.state],
        since=trial.created_at if since is None else since,
        seconds=max(0.1, trial.verdict.prediction.cpu_seconds / max(1, held.cpus)),
        most_lanes=search.spec.limits.max_concurrent_trials,
    )


def _winner_claim(search: Search, held: Reservation, now: float) -> Claim:
    """The fit of the winner on all rows."""
    return Claim(
        owner=f"{search.name}/winner",
        group=search.name,
        namespace=SearchName.parse(search.name).namespace_id,
        need=Need(held.memory_bytes, held.cpus, held.gpus),
        standing=Standing.RUNNING,
        since=now,
        seconds=60.0,
    )


def _search_of(name: str) -> str:
    """The search's name, of its own or of one of its trials."""
    return "/".join(name.split("/")[:4])

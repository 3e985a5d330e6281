"""The ledger with the store at hand: lets trials start that wait, in every search, in turn.

What is open is read from the store; a cache saves reading searches that did not change. Nothing
else is kept, so a controller that starts again decides as the one before it would have.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.domain import ledger
from controller.domain.admission import NodeCapacity
from controller.domain.ledger import Allotment, Claim, Need, Standing, Statistics
from controller.domain.names import SearchName
from controller.domain.records import (
    Dataset,
    Decision,
    NodeReport,
    Quota,
    Reservation,
    Search,
    Trial,
)
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
from controller.service.gate import table_bytes
from controller.service.shape import data_shape

_OTHER_SECONDS = 60.0
"""Taken for how long a table is encoded or a winner fitted: nobody predicts it."""

_STANDINGS = {
    TrialState.RUNNING: Standing.RUNNING,
    TrialState.ADMITTED: Standing.GRANTED,
    TrialState.DEFERRED: Standing.WAITING,
}


@dataclass(frozen=True)
class _Open:
    """An open search and its open trials, as last read. other: what it needs beside trials, for
    encoding its table or for fitting the winner; None for nothing. table_bytes: its encoded table,
    on every node.
    """

    search: Search
    trials: tuple[Trial, ...]
    other: Reservation | None
    table_bytes: int


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
        self._most_running: dict[str, int] = {}
        store.on_change(self._changed)

    def settle(self, tx: Transaction, search: str) -> None:
        """Lets the trials start that may; to be called when all is written that `search` did."""
        self._refresh(tx, search)
        nodes, now = self._nodes(), self._clock.now()
        claims = list(self._claims(now))
        allotment = ledger.allot(nodes, claims, now, self._quotas)
        with self._lock:
            self._most_running = _most_running(claims, allotment)
        for trial in self._deferred():
            if not nodes:
                self._say(tx, trial, "the first look at the cluster's nodes")
            elif trial.name in allotment.granted:
                self._waited(now - (trial.deferred_at or now))
                self._keep(tx.put(_granted(trial, now)))
            elif (reason := allotment.waits.get(trial.name)) is not None:
                self._say(tx, trial, reason)

    def _deferred(self) -> list[Trial]:
        return [
            trial
            for each in self._snapshot()
            for trial in each.trials
            if trial.state is TrialState.DEFERRED
        ]

    def most_running(self, search: str) -> int | None:
        """Trials that a search may run at once, as of the last `settle`, while others want room."""
        with self._lock:
            return self._most_running.get(search)

    def measured(self, reports: Sequence[NodeReport]) -> None:
        """What agents measured on their nodes."""
        self._cluster_view.measured(reports, self._clock.now())

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
        opened = _Open(record, trials, _other(tx, record), self._table_bytes(tx, record))
        with self._lock:
            self._open[name] = opened

    def _table_bytes(self, tx: Transaction, search: Search) -> int:
        """0 before its driver encodes the table."""
        dataset = tx.get(Dataset, search.spec.dataset)
        if dataset is None or search.state is SearchState.PENDING:
            return 0
        is_in_order = bool(search.spec.time_column)
        return table_bytes(data_shape(dataset, search.plan, is_in_time_order=is_in_order))

    def _snapshot(self) -> list[_Open]:
        with self._lock:
            return list(self._open.values())

    def _nodes(self) -> tuple[NodeCapacity, ...]:
        capacity = self._cluster_view.present_capacity(self._clock.now())
        if capacity is None:
            return ()
        return capacity.less(sum(each.table_bytes for each in self._snapshot())).nodes

    def _claims(self, now: float) -> Iterator[Claim]:
        for each in self._snapshot():
            is_running = each.search.state is SearchState.RUNNING
            for trial in each.trials:
                # A search that is paused or ending starts nothing.
                if is_running or trial.state is TrialState.RUNNING:
                    claim = _claim(each.search, trial)
                    if claim is not None:
                        yield claim
            if each.other is not None:
                yield _other_claim(each.search, each.other, now)

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


def _most_running(claims: Sequence[Claim], allotment: Allotment) -> dict[str, int]:
    """By search, for those beside which another wants to start something."""
    wanting = {claim.group for claim in claims if claim.standing is not Standing.RUNNING}
    groups = {claim.group for claim in claims}
    return {group: allotment.lanes.get(group, 0) for group in groups if wanting - {group}}


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


def _other(tx: Transaction, search: Search) -> Reservation | None:
    """What a search asks Ray for beside its trials: to encode its table before the first of them,
    to fit the winner on all rows after the last.
    """
    limits, sizes = search.spec.limits, search.reservation_sizes_bytes
    if search.state is SearchState.RUNNING and not search.next_trial_number and sizes:
        return Reservation(limits.cpus_per_trial, 0.0, max(sizes))
    if search.state is SearchState.FINISHING and search.best_trial:
        best = tx.get(Trial, search.best_trial)
        return best.verdict.reservation if best is not None else None
    return None


def _other_claim(search: Search, held: Reservation, now: float) -> Claim:
    """Others give way to it; Ray starts it by itself."""
    return Claim(
        owner=f"{search.name}/other",
        group=search.name,
        namespace=SearchName.parse(search.name).namespace_id,
        need=Need(held.memory_bytes, held.cpus, held.gpus),
        standing=Standing.ASKING,
        since=now if search.started_at is None else search.started_at,
        seconds=_OTHER_SECONDS,
    )


def _search_of(name: str) -> str:
    """The search's name, of its own or of one of its trials."""
    return "/".join(name.split("/")[:4])

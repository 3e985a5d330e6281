"""What people do to a search that runs: cancel, pause, resume, stop, update.

Each command takes the stored search and says what it becomes; an `Outcome` that equals the stored
search changes nothing, which makes every command idempotent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.domain.errors import FailedPrecondition, InvalidTransition
from controller.domain.ranking import best_of
from controller.domain.records import Dataset, Failure, Search, SearchSpec
from controller.domain.search_moves import fail, move
from controller.domain.states import SearchState, TrialState, is_search_final
from controller.ports.clock import Clock
from controller.ports.metrics import Metrics
from controller.ports.store import Transaction
from controller.service import tokens
from controller.service.catalog import FamilyCatalog
from controller.service.changes import changed_spec
from controller.service.endings import Ended, all_trials, store_end
from controller.service.fitting import resized
from controller.service.gate import Gate

_S = SearchState
Command = Callable[[Transaction, Search], Search]
"""What a search becomes; the same record when nothing changes."""


@dataclass(frozen=True)
class Steered:
    """A stored change; `ended` when the search has reached its end by it."""

    search: Search
    ended: Ended | None


def store_change(tx: Transaction, before: Search, after: Search, now: float) -> Steered:
    """Stores what changed, nothing when nothing did."""
    if after == before:
        return Steered(before, None)
    if is_search_final(after.state) and not is_search_final(before.state):
        ended = store_end(tx, after, now)
        return Steered(ended.search, ended)
    return Steered(tx.put(after), None)


class Steering:
    """The commands. They read within the caller's transaction and store nothing themselves."""

    def __init__(self, catalog: FamilyCatalog, gate: Gate, clock: Clock, metrics: Metrics) -> None:
        self._catalog = catalog
        self._gate = gate
        self._clock = clock
        self._metrics = metrics

    def run(self, tx: Transaction, search: Search, command: Command) -> Steered:
        """Runs a command and stores its outcome."""
        return store_change(tx, search, command(tx, search), self._clock.now())

    def tell(self, steered: Steered) -> None:
        """Counts an end; to be called after the commit."""
        if steered.ended is not None:
            steered.ended.tell(self._metrics)

    def cancel(self, _: Transaction, search: Search) -> Search:
        """Ends it without a model; one that has ended stays as it is."""
        if is_search_final(search.state):
            return search
        is_begun = search.state is not _S.PENDING
        return move(search, _S.CANCELLING if is_begun else _S.CANCELLED, self._clock.now())

    def pause(self, _: Transaction, search: Search) -> Search:
        """Raises: InvalidTransition when it is finishing, being cancelled or has ended."""
        return move(search, _S.PAUSED, self._clock.now())

    def resume(self, _: Transaction, search: Search) -> Search:
        """Raises: InvalidTransition when it is finishing, being cancelled or has ended."""
        if search.state in (_S.PENDING, _S.RUNNING):
            return search
        if search.state is not _S.PAUSED:
            raise InvalidTransition(search.name, search.state.value, _S.RUNNING.value)
        has_driver = bool(search.driver_job) and (
            tokens.attempt_of(search.session) == search.driver_attempts
        )
        resumed = move(search, _S.RUNNING if has_driver else _S.PENDING, self._clock.now())
        return resumed if has_driver else replace(resumed, pending_reason="waiting for its driver")

    def stop(self, _: Transaction, search: Search) -> Search:
        """Raises: InvalidTransition when it is being cancelled or was."""
        if search.state in (_S.SUCCEEDED, _S.FAILED):
            return search
        now = self._clock.now()
        if search.state is _S.PENDING and not search.best_trial:
            reason = "it was stopped before any trial had a score"
            return fail(search, Failure("STOPPED_EARLY", reason), now)
        return move(search, _S.FINISHING, now)

    def update(
        self, tx: Transaction, search: Search, spec: SearchSpec, paths: tuple[str, ...]
    ) -> Search:
        """Raises: InvalidArgument, NothingFits; FailedPrecondition when it is ending or ended."""
        if search.state not in (_S.PENDING, _S.RUNNING, _S.PAUSED):
            raise FailedPrecondition(
                f"{search.name} is {search.state.value}, so nothing of it can change; "
                "create a new search",
                resource=search.name,
            )
        changed = changed_spec(search.spec, spec, paths, self._catalog.declarations)
        if changed == search.spec:
            return search
        updated = replace(search, spec=changed, spec_revision=search.spec_revision + 1)
        return self._resized(tx, self._reranked(tx, updated, search), search)

    def _reranked(self, tx: Transaction, updated: Search, before: Search) -> Search:
        """The best trial under the new limits."""
        if updated.spec.limits == before.spec.limits:
            return updated
        scored = all_trials(tx, updated.name, (TrialState.SUCCEEDED,))
        best = best_of(scored, updated.spec.limits, updated.plan.is_metric_maximized)
        return replace(
            updated,
            best_trial=best.name if best else "",
            best_score=best.score if best else None,
        )

    def _resized(self, tx: Transaction, updated: Search, before: Search) -> Search:
        """The reservation sizes under the new limits and families. Raises: NothingFits."""
        is_same = updated.spec.limits == before.spec.limits
        dataset = tx.get(Dataset, updated.spec.dataset)
        if dataset is None or (is_same and updated.spec.families == before.spec.families):
            return updated
        return resized(self._gate, self._catalog, updated, dataset)

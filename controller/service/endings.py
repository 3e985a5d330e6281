"""What is stored when a search ends, the same whoever ends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controller.domain.records import Search, Trial
from controller.domain.search_moves import close_trial
from controller.domain.states import TrialState
from controller.ports.metrics import Metrics
from controller.ports.store import Page, Transaction
from controller.service import tokens

OPEN_STATES = (TrialState.DEFERRED, TrialState.ADMITTED, TrialState.RUNNING)
"""States of trials that have not ended."""


@dataclass(frozen=True)
class Ended:
    """A stored end: the search, and the trials that were closed with it."""

    search: Search
    closed: tuple[Trial, ...]

    def tell(self, metrics: Metrics) -> None:
        """Counts it; to be called after the commit."""
        for trial in self.closed:
            if trial.attempts:
                metrics.trial_ended(trial)
        seconds = (self.search.ended_at or self.search.created_at) - self.search.created_at
        metrics.search_ended(self.search.state.value, seconds)


def store_end(tx: Transaction, search: Search, now: float) -> Ended:
    """Stores a search that is in its final state, closes its open trials, forgets its token."""
    opened = list(all_trials(tx, search.name, OPEN_STATES))
    closed = tuple(tx.put(close_trial(trial, search, now)) for trial in opened)
    tokens.forget(tx, search.name)
    return Ended(tx.put(search), closed)


def all_trials(tx: Transaction, search: str, states: Sequence[TrialState] = ()) -> Iterator[Trial]:
    """Every trial of a search by number, or only those in `states`; reads page by page."""
    after = ""
    while True:
        trials, after = tx.list_trials(search, Page(1000, after), states)
        yield from trials
        if not after:
            return

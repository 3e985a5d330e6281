"""What a driver tells of its trials, written into the search's log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from controller.domain.errors import NotFound
from controller.domain.ranking import is_better, is_eligible
from controller.domain.records import Search, Trial, TrialEvent
from controller.domain.states import is_search_final, is_trial_final
from controller.domain.trial_log import apply_event
from controller.ports.store import Transaction


@dataclass(frozen=True)
class Reported:
    """search: with the best trial so far. ended: trials that ended by these events."""

    search: Search
    ended: tuple[Trial, ...]


def report_events(
    tx: Transaction, search: Search, events: Sequence[TrialEvent], now: float
) -> Reported:
    """Writes the trials, stores no search. Nothing changes once the search has ended.

    Raises: NotFound for a trial that the search does not have.
    """
    if is_search_final(search.state):
        return Reported(search, ())
    ended: list[Trial] = []
    for event in events:
        name = f"{search.name}/trials/{event.number}"
        trial = tx.get(Trial, name)
        if trial is None:
            raise NotFound(name)
        changed = apply_event(trial, event, now)
        if changed is None:
            continue
        stored = tx.put(changed)
        if is_trial_final(stored.state):
            ended.append(stored)
            search = replace(_ranked(search, stored), driver_failures=0)
    return Reported(search, tuple(ended))


def _ranked(search: Search, trial: Trial) -> Search:
    if trial.score is None or not is_eligible(trial, search.spec.limits):
        return search
    if not is_better(trial.score, search.best_score, search.plan.is_metric_maximized):
        return search
    return replace(search, best_trial=trial.name, best_score=trial.score)

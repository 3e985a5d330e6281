"""What a driver tells of its trials, written into the search's log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from controller.domain.errors import NotFound
from controller.domain.ranking import is_better, is_eligible
from controller.domain.records import Search, Trial, TrialEvent
from controller.domain.retries import is_out_of_memory
from controller.domain.states import SearchState, is_search_final, is_trial_final
from controller.domain.trial_log import apply_event, is_late, retried
from controller.ports.store import Transaction


@dataclass(frozen=True)
class Reported:
    """search: with the best trial so far. ended: trials that ended by these events. retried: trials
    that get another attempt. trials: those of all events, as they are stored now.
    """

    search: Search
    ended: tuple[Trial, ...] = ()
    retried: tuple[Trial, ...] = ()
    trials: tuple[Trial, ...] = ()


Retry = Callable[[Search, Trial, TrialEvent], int | None]
"""Memory of a trial's next attempt after it ran out of memory; None when there is none."""


def report_events(
    tx: Transaction, search: Search, events: Sequence[TrialEvent], now: float, retry: Retry
) -> Reported:
    """Writes the trials, stores no search. Nothing changes once the search has ended.

    Raises: NotFound for a trial that the search does not have.
    """
    if is_search_final(search.state):
        return Reported(search)
    ended: list[Trial] = []
    again: list[Trial] = []
    stored: dict[str, Trial] = {}
    for event in events:
        name = f"{search.name}/trials/{event.number}"
        trial = tx.get(Trial, name)
        if trial is None:
            raise NotFound(name)
        memory_bytes = _memory_of_retry(search, trial, event, retry)
        if memory_bytes is not None:
            stored[name] = tx.put(retried(trial, event, memory_bytes, now))
            again.append(stored[name])
            continue
        changed = apply_event(trial, event, now)
        stored[name] = trial if changed is None else tx.put(changed)
        if changed is not None and is_trial_final(changed.state):
            ended.append(stored[name])
            search = replace(_ranked(search, stored[name]), driver_failures=0)
    return Reported(search, tuple(ended), tuple(again), tuple(stored.values()))


def _memory_of_retry(search: Search, trial: Trial, event: TrialEvent, retry: Retry) -> int | None:
    """None when the event is no end for want of memory, or a retry would come too late."""
    is_going_on = search.state in (SearchState.RUNNING, SearchState.PAUSED)
    if not is_going_on or not is_out_of_memory(event) or is_late(trial, event):
        return None
    return retry(search, trial, event)


def _ranked(search: Search, trial: Trial) -> Search:
    if trial.score is None or not is_eligible(trial, search.spec.limits):
        return search
    if not is_better(trial.score, search.best_score, search.plan.is_metric_maximized):
        return search
    return replace(search, best_trial=trial.name, best_score=trial.score)

"""How a search moves from state to state, and how its trials follow. Pure.

Every function returns a new record; nothing is stored here.
"""

from __future__ import annotations

from dataclasses import replace

from controller.domain.budget import paused_seconds
from controller.domain.records import Failure, FailureKind, Search, Trial, TrialFailure
from controller.domain.states import (
    SEARCH_NEXT,
    TRIAL_NEXT,
    SearchState,
    TrialState,
    check_transition,
    is_search_final,
    is_trial_final,
)

_S = SearchState

_DETOURS: dict[tuple[SearchState, SearchState], tuple[SearchState, ...]] = {
    (_S.PAUSED, _S.SUCCEEDED): (_S.FINISHING, _S.SUCCEEDED),
    (_S.PAUSED, _S.CANCELLED): (_S.CANCELLING, _S.CANCELLED),
    (_S.FINISHING, _S.CANCELLED): (_S.CANCELLING, _S.CANCELLED),
}
"""Ends that lead through another state."""


def move(search: Search, state: SearchState, now: float) -> Search:
    """The search in another state, its pause clock and end set. Staying changes nothing.

    Raises: InvalidTransition.
    """
    for step in _DETOURS.get((search.state, state), (state,)):
        search = _step(search, step, now)
    return search


def _step(search: Search, state: SearchState, now: float) -> Search:
    if state is search.state:
        return search
    check_transition(search.name, SEARCH_NEXT, search.state, state)
    changed = replace(search, state=state, pending_reason="")
    if search.state is SearchState.PAUSED:
        # A pause before the start is not part of the time that counts.
        paused = search.paused_seconds if search.started_at is None else paused_seconds(search, now)
        changed = replace(changed, paused_since=None, paused_seconds=paused)
    if state is SearchState.PAUSED:
        changed = replace(changed, paused_since=now)
    if is_search_final(state):
        changed = replace(changed, ended_at=now, phase="")
    return changed


def fail(search: Search, failure: Failure, now: float) -> Search:
    """The search FAILED for a reason; a search that is being cancelled ends CANCELLED instead."""
    if search.state is SearchState.CANCELLING:
        return move(search, SearchState.CANCELLED, now)
    return replace(move(search, SearchState.FAILED, now), error=failure)


def start_clock(search: Search, now: float) -> Search:
    """The search with its start set, at its first driver; a pause that lasts counts from here."""
    if search.started_at is not None:
        return search
    since = None if search.paused_since is None else now
    return replace(search, started_at=now, paused_since=since)


def close_trial(trial: Trial, search: Search, now: float) -> Trial:
    """An open trial of a search that has ended."""
    check_transition(trial.name, TRIAL_NEXT, trial.state, TrialState.CANCELLED)
    failure = TrialFailure(FailureKind.CANCELLED, f"the search is {search.state.value}")
    return replace(trial, state=TrialState.CANCELLED, failure=failure, ended_at=now)


def reopen_trial(trial: Trial) -> Trial:
    """A trial whose driver died: it waits for its next attempt. Others are returned as they are."""
    if trial.state is not TrialState.RUNNING:
        return trial
    check_transition(trial.name, TRIAL_NEXT, trial.state, TrialState.ADMITTED)
    return replace(trial, state=TrialState.ADMITTED, started_at=None)


def is_open(trial: Trial) -> bool:
    """The trial has not ended."""
    return not is_trial_final(trial.state)

"""How a driver's events change a trial. Pure and idempotent: what is known already changes nothing.

Laws: a trial that has ended never changes again; an event of an attempt before the current one, or
of one that was already followed by another, is late and changes nothing; a later attempt replaces
the one before.
"""

from __future__ import annotations

import math
from dataclasses import replace

from controller.domain.admission import format_bytes
from controller.domain.errors import InvalidField
from controller.domain.records import Attempt, FailureKind, Trial, TrialEvent, TrialFailure
from controller.domain.states import TRIAL_NEXT, TrialState, check_transition, is_trial_final

_CANNOT_HAPPEN = frozenset({TrialState.ADMITTED, TrialState.REJECTED})


def apply_event(trial: Trial, event: TrialEvent, now: float) -> Trial | None:
    """The trial after the event, or None when it changes nothing.

    Raises: InvalidField for a state that no driver may report.
    """
    if event.state in _CANNOT_HAPPEN:
        raise InvalidField(
            "events.state",
            f"{trial.name} is reported {event.state.value}, which only the gate decides",
            "report RUNNING or a final state",
        )
    if is_late(trial, event):
        return None
    check_transition(trial.name, TRIAL_NEXT, trial.state, event.state)
    if event.state is TrialState.RUNNING:
        return _started(trial, event, now)
    return _ended(trial, event, now)


def is_late(trial: Trial, event: TrialEvent) -> bool:
    """The trial has ended, or gone on to another attempt."""
    is_followed = any(attempt.number >= event.attempt for attempt in trial.history)
    return is_trial_final(trial.state) or event.attempt < trial.attempts or is_followed


def retried(trial: Trial, event: TrialEvent, memory_bytes: int, now: float) -> Trial:
    """The trial waits for another attempt with this much memory."""
    check_transition(trial.name, TRIAL_NEXT, trial.state, TrialState.DEFERRED)
    held = trial.verdict.reservation
    assert held is not None, "only what was admitted can have run"
    attempt = Attempt(event.attempt, held, event.usage, event.failure)
    had, gets = format_bytes(held.memory_bytes), format_bytes(memory_bytes)
    told = trial.verdict.message
    message = f"{told}; attempt {event.attempt} used up {had}, the next gets {gets}"
    verdict = replace(
        trial.verdict, reservation=replace(held, memory_bytes=memory_bytes), message=message
    )
    return replace(
        trial,
        state=TrialState.DEFERRED,
        attempts=event.attempt,
        history=(*trial.history, attempt),
        verdict=verdict,
        deferred_at=now,
        started_at=None,
    )


def _started(trial: Trial, event: TrialEvent, now: float) -> Trial | None:
    if event.attempt == trial.attempts:
        # Known already; or the start of an attempt whose driver has died since.
        return None
    return replace(trial, state=TrialState.RUNNING, attempts=event.attempt, started_at=now)


def _ended(trial: Trial, event: TrialEvent, now: float) -> Trial:
    state, failure = event.state, event.failure
    score = event.score if state is TrialState.SUCCEEDED else None
    if state is TrialState.SUCCEEDED and (score is None or not math.isfinite(score)):
        text = f"its score is {'missing' if score is None else score}, not a finite number"
        state, score = TrialState.FAILED, None
        failure = failure or TrialFailure(FailureKind.CRASHED, text)
    if state is not TrialState.SUCCEEDED and failure is None:
        failure = TrialFailure(_KIND[state], f"ended {state.value} without a reason")
    return replace(
        trial,
        state=state,
        attempts=event.attempt,
        score=score,
        fold_scores=event.fold_scores,
        metrics=event.metrics,
        usage=event.usage,
        failure=failure,
        ended_at=now,
    )


_KIND = {
    TrialState.FAILED: FailureKind.CRASHED,
    TrialState.INFEASIBLE: FailureKind.MEMORY_EXCEEDED,
    TrialState.TIMED_OUT: FailureKind.TIMED_OUT,
    TrialState.CANCELLED: FailureKind.CANCELLED,
}

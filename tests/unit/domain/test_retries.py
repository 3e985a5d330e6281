"""How much memory the next attempt gets, and when there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.records import (
    Attempt,
    Decision,
    FailureKind,
    Origin,
    Prediction,
    Reservation,
    Trial,
    TrialEvent,
    TrialFailure,
    Usage,
    Verdict,
)
from controller.domain.retries import next_reservation_bytes
from controller.domain.states import TrialState
from controller.domain.trial_log import apply_event, retried

MIB = 1 << 20


@pytest.fixture
def trial() -> Trial:
    verdict = Verdict(
        Decision.ADMITTED,
        Prediction({"x": 300 * MIB}, 1.0, 1, 0.1),
        400 * MIB,
        "fits",
        reservation=Reservation(1, 0.0, 512 * MIB),
    )
    return Trial(
        "n/s/t/0", "n/s/t", 0, "c0", "xgboost", {}, 0, Origin.SAMPLED, TrialState.RUNNING, verdict,
        0.0, attempts=1,
    )  # fmt: skip


def killed(attempt: int = 1, peak: int = 512 * MIB, evidence: str = "watchdog") -> TrialEvent:
    failure = TrialFailure(FailureKind.MEMORY_EXCEEDED, "too much", evidence=evidence)
    return TrialEvent(
        0, attempt, TrialState.INFEASIBLE, usage=Usage(peak, 1.0, 1.0), failure=failure
    )


def test_the_next_attempt_gets_half_as_much_again(trial: Trial) -> None:
    assert next_reservation_bytes(trial, killed(), 8 << 30) == 768 * MIB


def test_a_high_peak_asks_for_more_in_steps_of_64_mib(trial: Trial) -> None:
    assert next_reservation_bytes(trial, killed(peak=900 * MIB), 8 << 30) == 1216 * MIB


def test_never_more_than_a_trial_may_get_and_never_the_same_again(trial: Trial) -> None:
    assert next_reservation_bytes(trial, killed(), 600 * MIB) == 600 * MIB
    assert next_reservation_bytes(trial, killed(), 512 * MIB) is None
    assert next_reservation_bytes(trial, killed(), None) is None


def test_a_suspect_gets_the_same_size_once_without_backstop(trial: Trial) -> None:
    suspect = killed(evidence="suspect")
    assert next_reservation_bytes(trial, suspect, 512 * MIB) == 512 * MIB
    again = retried(trial, suspect, 512 * MIB, 1.0)
    assert next_reservation_bytes(again, killed(2, evidence="suspect"), 512 * MIB) is None


def test_the_second_retry_gets_everything_and_there_is_no_third(trial: Trial) -> None:
    once = retried(trial, killed(), 768 * MIB, 1.0)
    assert next_reservation_bytes(once, killed(2), 4 << 30) == 4 << 30
    twice = retried(replace(once, state=TrialState.RUNNING), killed(2), 4 << 30, 2.0)
    assert next_reservation_bytes(twice, killed(3), 8 << 30) is None


def test_attempts_that_were_lost_spend_no_retry(trial: Trial) -> None:
    lost = Attempt(1, failure=TrialFailure(FailureKind.LOST, "gone", evidence="node"))
    again = replace(trial, history=(lost, lost, lost))
    assert next_reservation_bytes(again, killed(4), 8 << 30) == 768 * MIB


def test_a_retried_trial_waits_with_its_evidence(trial: Trial) -> None:
    event = killed()
    again = retried(trial, event, 768 * MIB, 5.0)
    assert (again.state, again.attempts, again.deferred_at) == (TrialState.DEFERRED, 1, 5.0)
    held = again.verdict.reservation
    assert held is not None
    assert held.memory_bytes == 768 * MIB
    assert again.history == (Attempt(1, trial.verdict.reservation, event.usage, event.failure),)
    assert "attempt 1 used up 512 MiB, the next gets 768 MiB" in again.verdict.message


def test_the_same_end_told_again_changes_nothing(trial: Trial) -> None:
    again = retried(trial, killed(), 768 * MIB, 5.0)
    assert apply_event(again, killed(), 6.0) is None
    ended = apply_event(replace(again, state=TrialState.RUNNING, attempts=2), killed(2), 7.0)
    assert ended is not None
    assert ended.state is TrialState.INFEASIBLE

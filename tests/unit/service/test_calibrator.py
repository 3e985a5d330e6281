"""Learning from trials: what counts, what is kept, what survives a restart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.records import (
    Attempt,
    BoundSource,
    Decision,
    FailureKind,
    Origin,
    Prediction,
    Reservation,
    Trial,
    TrialFailure,
    Usage,
    Verdict,
)
from controller.domain.states import TrialState
from controller.ports.store import Store
from controller.service.calibrator import Calibrator

MB = 1_000_000
HELD = Reservation(1, 0.0, 200 * MB)


def trial(number: int, peak_mb: int, **changes: object) -> Trial:
    prediction = Prediction({"x": 100 * MB}, 1.0, 1, 0.1, memo_key=f"key-{number}")
    verdict = Verdict(Decision.ADMITTED, prediction, 150 * MB, "fits", reservation=HELD)
    made = Trial(
        f"n/s/t/{number}", "n/s/t", number, f"c{number}", "knn", {}, 0, Origin.SAMPLED,
        TrialState.SUCCEEDED, verdict, 0.0, usage=Usage(peak_mb * MB, 1.0, 1.0, libraries="x 1"),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def killed(number: int, peak_mb: int, *, is_final: bool) -> Trial:
    failure = TrialFailure(FailureKind.MEMORY_EXCEEDED, "too much")
    made = trial(number, peak_mb)
    if is_final:
        return replace(made, state=TrialState.INFEASIBLE, failure=failure)
    attempt = Attempt(1, HELD, made.usage, failure)
    return replace(made, state=TrialState.DEFERRED, usage=None, history=(attempt,))


@pytest.fixture
def learner(store: Store) -> Calibrator:
    return Calibrator(store, ("knn", "xgboost"), 0.95)


def learn(learner: Calibrator, store: Store, *trials: Trial) -> None:
    with store.transaction() as tx:
        for each in trials:
            learner.learn(tx, each)


def test_measured_fits_make_the_bound(learner: Calibrator, store: Store) -> None:
    learn(learner, store, *(trial(i, 110) for i in range(25)))
    told = learner.bounds.factor("knn")
    assert (told.source, told.fits) == (BoundSource.FAMILY, 25)
    fresh = Prediction({"x": 1000 * MB}, 1.0, 1, 0.1)
    assert learner.bounds.upper("knn", fresh).bytes == pytest.approx(
        1020 * 130 / 120 * MB - 20 * MB
    )


def test_it_survives_a_restart(learner: Calibrator, store: Store) -> None:
    learn(learner, store, *(trial(i, 110) for i in range(25)), killed(99, 300, is_final=False))
    again = Calibrator(store, ("knn", "xgboost"), 0.95)
    assert again.bounds == learner.bounds


def test_the_same_fit_is_remembered_exactly(learner: Calibrator, store: Store) -> None:
    seen = trial(3, 90)
    learn(learner, store, seen)
    bound = learner.bounds.upper("knn", seen.verdict.prediction)
    assert (bound.bytes, bound.calibration.source) == (int(92.7 * MB) + 8 * MB, BoundSource.MEMO)


def test_other_libraries_make_it_forget_exact_peaks(learner: Calibrator, store: Store) -> None:
    learn(learner, store, trial(3, 90))
    learn(learner, store, trial(4, 90, usage=Usage(90 * MB, 1.0, 1.0, libraries="x 2")))
    assert set(learner.bounds.memo) == {"key-4"}


def test_a_kill_counts_as_at_least_until_the_retry_tells(learner: Calibrator, store: Store) -> None:
    learn(learner, store, *(trial(i, 100) for i in range(25)))
    settled = learner.bounds.factor("knn").score
    learn(learner, store, killed(99, 200, is_final=False))
    assert learner.bounds.factor("knn").score > settled
    learn(learner, store, trial(99, 100))
    assert learner.bounds.factor("knn").score == settled


@pytest.mark.parametrize("state", [TrialState.CANCELLED, TrialState.FAILED, TrialState.TIMED_OUT])
def test_ends_that_say_nothing_of_memory_teach_nothing(
    learner: Calibrator, store: Store, state: TrialState
) -> None:
    before = learner.bounds
    failure = TrialFailure(FailureKind.CRASHED, "it died")
    learn(learner, store, trial(1, 500, state=state, failure=failure), trial(2, 0))
    assert learner.bounds == before


def test_the_same_trial_told_twice_counts_once(learner: Calibrator, store: Store) -> None:
    learn(learner, store, trial(1, 110), trial(1, 110))
    assert learner.bounds.factor("knn").fits == 1


def test_what_cannot_be_read_is_learned_anew(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_setting("calibration/knn", '{"version": 99}')
    assert Calibrator(store, ("knn",), 0.95).bounds.factor("knn").source is BoundSource.PRIOR


def test_a_family_that_is_gone_is_passed_over(learner: Calibrator, store: Store) -> None:
    before = learner.bounds
    learn(learner, store, trial(1, 110, family="removed"))
    assert learner.bounds == before

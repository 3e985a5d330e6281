"""Budgets, moves between states, a trial's log, ranking: the rules of a running search."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from controller.domain import budget
from controller.domain.budget import Advice, TrialCounts, advise, check_budget, check_limits
from controller.domain.errors import InvalidArgument, InvalidField, InvalidTransition
from controller.domain.ranking import best_of, is_better
from controller.domain.records import (
    Budget,
    Decision,
    Failure,
    FailureKind,
    Limits,
    Origin,
    Plan,
    Prediction,
    Search,
    SearchSpec,
    Task,
    Trial,
    TrialEvent,
    Usage,
    Verdict,
)
from controller.domain.search_moves import fail, move, reopen_trial, start_clock
from controller.domain.states import SearchState, TrialState, is_search_final, is_trial_final
from controller.domain.trial_log import apply_event

PLAN = Plan(Task.BINARY, "roc_auc", True, ("a", "b"), "b", ("x",), 100, 5, "5-fold")
NAME = "namespaces/n/searches/s"
VERDICT = Verdict(Decision.ADMITTED, Prediction({}, 1.0, 1, 1e-4), 1, "fits")


def search(state: SearchState = SearchState.RUNNING, **changes: object) -> Search:
    spec = SearchSpec("d", "t", budget=Budget(100.0, 10))
    base = Search(NAME, spec, PLAN, state, created_at=0.0, token_sha256="", started_at=10.0)
    return replace(base, **changes)  # type: ignore[arg-type]


def trial(number: int = 0, state: TrialState = TrialState.ADMITTED, **changes: object) -> Trial:
    base = Trial(
        f"{NAME}/trials/{number}", NAME, number, f"c{number}", "tree", {}, 1, Origin.SAMPLED,
        state, VERDICT, 0.0,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        Budget(),
        Budget(time_seconds=4.9),
        Budget(time_seconds=-1),
        Budget(time_seconds=float("nan")),
        Budget(time_seconds=31 * 86400),
        Budget(max_trials=-1),
        Budget(max_trials=0),
        Budget(max_trials=10**9),
    ],
)
def test_absurd_budgets(wrong: Budget) -> None:
    with pytest.raises(InvalidArgument, match=r"search\.spec\.budget"):
        check_budget(wrong).raise_if_any()


@pytest.mark.parametrize(
    "wrong",
    [
        Limits(memory_per_trial_bytes=-1),
        Limits(memory_per_trial_bytes=1 << 20),
        Limits(cpus_per_trial=0),
        Limits(gpus_per_trial=-1.0),
        Limits(time_per_trial_seconds=0.0),
        Limits(max_concurrent_trials=-3),
        Limits(max_model_bytes=-3),
        Limits(max_predict_seconds=-3.0),
    ],
)
def test_absurd_limits(wrong: Limits) -> None:
    with pytest.raises(InvalidArgument, match=r"search\.spec\.limits"):
        check_limits(wrong).raise_if_any()


def test_sound_budgets_and_limits_pass() -> None:
    check_budget(Budget(5.0)).raise_if_any()
    check_budget(Budget(None, 1)).raise_if_any()
    check_limits(Limits()).raise_if_any()


def test_elapsed_leaves_out_pauses_and_silence() -> None:
    assert budget.elapsed_seconds(search(started_at=None), 50.0) == 0.0
    assert budget.elapsed_seconds(search(paused_seconds=5, unreachable_seconds=7), 50.0) == 28.0
    paused = search(SearchState.PAUSED, paused_since=20.0)
    assert budget.elapsed_seconds(paused, 50.0) == 10.0
    assert budget.elapsed_seconds(search(ended_at=30.0), 500.0) == 20.0
    assert budget.remaining_seconds(search(), 50.0) == 60.0
    assert budget.remaining_seconds(search(), 5000.0) == 0.0


def test_rejected_trials_do_not_count() -> None:
    states = {"ADMITTED": 1, "RUNNING": 2, "REJECTED": 50, "SUCCEEDED": 3, "FAILED": 1}
    counts = budget.count(states)
    assert counts == TrialCounts(ended=4, open=3)
    assert budget.remaining_trials(search(), counts) == 3
    progress = budget.progress(search(), states, {"X": 50}, 50.0)
    assert (progress.counted_trials, progress.remaining_trials) == (4, 6)


def best(wall_seconds: float) -> Trial:
    return trial(state=TrialState.SUCCEEDED, score=1.0, usage=Usage(1, 1.0, wall_seconds))


@pytest.mark.parametrize(
    ("counts", "found", "now", "rejections", "advice"),
    [
        (TrialCounts(0, 0), None, 50.0, 0, Advice.GO_ON),
        (TrialCounts(0, 0), None, 110.0, 0, Advice.FINISH),
        (TrialCounts(9, 1), None, 50.0, 0, Advice.DRAIN),
        (TrialCounts(10, 0), None, 50.0, 0, Advice.FINISH),
        # 10 s over 5 folds, half as much again, and 3 s: 6 s are kept for the refit.
        (TrialCounts(1, 0), best(10.0), 103.9, 0, Advice.GO_ON),
        (TrialCounts(1, 0), best(10.0), 104.1, 0, Advice.FINISH),
        # at most 30 % of the budget
        (TrialCounts(1, 0), best(1000.0), 79.9, 0, Advice.GO_ON),
        (TrialCounts(1, 0), best(1000.0), 80.1, 0, Advice.FINISH),
        (TrialCounts(0, 0), None, 50.0, 200, Advice.GO_ON),
        (TrialCounts(0, 1), None, 50.0, 201, Advice.DRAIN),
        (TrialCounts(0, 0), None, 50.0, 201, Advice.GIVE_UP),
        (TrialCounts(1, 0), best(1.0), 50.0, 201, Advice.FINISH),
    ],
)
def test_advice(
    counts: TrialCounts, found: Trial | None, now: float, rejections: int, advice: Advice
) -> None:
    assert advise(search(rejections_in_a_row=rejections), counts, found, now) is advice


def test_a_driver_is_not_believed_more_than_its_silence() -> None:
    assert budget.uncharged_seconds(search(), 30.0, 40.0, 50.0) == 10.0
    assert budget.uncharged_seconds(search(), 3.0, 40.0, 50.0) == 3.0
    assert budget.uncharged_seconds(search(), -3.0, 40.0, 50.0) == 0.0
    assert budget.uncharged_seconds(search(), float("nan"), 40.0, 50.0) == 0.0
    assert budget.uncharged_seconds(search(SearchState.PAUSED), 3.0, 40.0, 50.0) == 0.0


def test_pausing_stops_the_clock_and_resuming_starts_it() -> None:
    paused = move(search(), SearchState.PAUSED, 30.0)
    assert paused.paused_since == 30.0
    again = move(move(paused, SearchState.PAUSED, 35.0), SearchState.RUNNING, 40.0)
    assert (again.paused_since, again.paused_seconds) == (None, 10.0)


def test_a_pause_before_the_start_is_not_counted() -> None:
    waiting = search(SearchState.PENDING, started_at=None)
    paused = move(waiting, SearchState.PAUSED, 30.0)
    assert move(paused, SearchState.PENDING, 40.0).paused_seconds == 0.0
    # its driver comes up while it is paused: the clock starts, and stands
    started = start_clock(paused, 50.0)
    resumed = move(started, SearchState.RUNNING, 60.0)
    assert budget.elapsed_seconds(resumed, 60.0) == 0.0
    assert start_clock(resumed, 70.0).started_at == 50.0


@pytest.mark.parametrize("state", [s for s in SearchState if not is_search_final(s)])
def test_every_search_can_fail_or_end_cancelled(state: SearchState) -> None:
    ended = fail(search(state, phase="x"), Failure("R", "m"), 70.0)
    assert ended.ended_at == 70.0
    assert ended.phase == ""
    wanted = SearchState.CANCELLED if state is SearchState.CANCELLING else SearchState.FAILED
    assert ended.state is wanted
    assert move(search(state), SearchState.CANCELLED, 70.0).state is SearchState.CANCELLED


def test_what_has_ended_does_not_move() -> None:
    with pytest.raises(InvalidTransition):
        move(search(SearchState.SUCCEEDED), SearchState.RUNNING, 1.0)


def event(state: TrialState, attempt: int = 1, **changes: object) -> TrialEvent:
    return replace(TrialEvent(0, attempt, state), **changes)  # type: ignore[arg-type]


def test_a_trial_runs_and_ends() -> None:
    running = apply_event(trial(), event(TrialState.RUNNING), 5.0)
    assert running is not None
    assert (running.state, running.attempts, running.started_at) == (TrialState.RUNNING, 1, 5.0)
    assert apply_event(running, event(TrialState.RUNNING), 6.0) is None
    ended = apply_event(running, event(TrialState.SUCCEEDED, score=0.5), 7.0)
    assert ended is not None
    assert (ended.state, ended.score, ended.ended_at) == (TrialState.SUCCEEDED, 0.5, 7.0)
    assert apply_event(ended, event(TrialState.SUCCEEDED, score=0.5), 8.0) is None
    assert apply_event(ended, event(TrialState.FAILED, attempt=2), 8.0) is None


def test_after_a_dead_driver() -> None:
    running = trial(state=TrialState.RUNNING, attempts=1, started_at=3.0)
    waiting = reopen_trial(running)
    assert (waiting.state, waiting.attempts, waiting.started_at) == (TrialState.ADMITTED, 1, None)
    # the dead driver's start, told late by the new one from its disk
    assert apply_event(waiting, event(TrialState.RUNNING, attempt=1), 9.0) is None
    # its result counts: the work is done
    done = apply_event(waiting, event(TrialState.SUCCEEDED, attempt=1, score=0.5), 9.0)
    assert done is not None
    assert done.state is TrialState.SUCCEEDED
    # unless the new driver has begun again
    second = apply_event(waiting, event(TrialState.RUNNING, attempt=2), 9.0)
    assert second is not None
    assert second.attempts == 2
    assert apply_event(second, event(TrialState.SUCCEEDED, attempt=1, score=0.5), 9.5) is None


def test_a_lost_worker_begins_a_new_attempt() -> None:
    running = trial(state=TrialState.RUNNING, attempts=1, started_at=3.0)
    again = apply_event(running, event(TrialState.RUNNING, attempt=2), 9.0)
    assert again is not None
    assert (again.attempts, again.started_at) == (2, 9.0)


@pytest.mark.parametrize("score", [None, float("nan"), float("inf")])
def test_a_success_without_a_finite_score_is_a_failure(score: float | None) -> None:
    ended = apply_event(trial(), event(TrialState.SUCCEEDED, score=score), 9.0)
    assert ended is not None
    assert (ended.state, ended.score) == (TrialState.FAILED, None)
    assert ended.failure is not None


def test_every_end_without_a_score_has_a_reason() -> None:
    for state in TrialState:
        if is_trial_final(state) and state not in (TrialState.SUCCEEDED, TrialState.REJECTED):
            ended = apply_event(trial(), event(state, score=0.5), 9.0)
            assert ended is not None
            assert ended.failure is not None
            assert ended.score is None
    hit = apply_event(trial(), event(TrialState.INFEASIBLE), 9.0)
    assert hit is not None
    assert hit.failure is not None
    assert hit.failure.kind is FailureKind.MEMORY_EXCEEDED


@pytest.mark.parametrize(
    ("state", "reported"),
    list(product(TrialState, [TrialState.ADMITTED, TrialState.REJECTED])),
)
def test_only_the_gate_admits_and_rejects(state: TrialState, reported: TrialState) -> None:
    with pytest.raises(InvalidField):
        apply_event(trial(state=state), event(reported), 9.0)


def test_ranking() -> None:
    assert is_better(0.6, 0.5, True)
    assert not is_better(0.6, 0.5, False)
    assert not is_better(0.5, 0.5, True)
    assert not is_better(float("nan"), None, True)
    done = TrialState.SUCCEEDED
    trials = [
        trial(2, done, score=0.9, usage=Usage(1, 1.0, 1.0, model_bytes=1000)),
        trial(1, done, score=0.8, usage=Usage(1, 1.0, 1.0, predict_seconds=2.0)),
        trial(4, done, score=0.7),
        trial(3, done, score=0.7),
        trial(0, TrialState.FAILED),
    ]
    assert _number(best_of(trials, Limits(), True)) == 2
    assert _number(best_of(trials, Limits(max_model_bytes=999), True)) == 1
    tight = Limits(max_model_bytes=999, max_predict_seconds=1.0)
    assert _number(best_of(trials, tight, True)) == 3
    assert best_of([], Limits(), True) is None


def _number(found: Trial | None) -> int:
    assert found is not None
    return found.number

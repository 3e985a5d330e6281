"""The report on a space and the forecast of a budget, from lists of verdicts."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from controller.domain.forecast import NO_TRIALS, OVERHEAD_SECONDS, START_SECONDS, Frame, forecast
from controller.domain.plan_report import Evidence, Judged, feasible_share, report
from controller.domain.records import (
    Budget,
    Decision,
    Limits,
    Prediction,
    Reason,
    Reservation,
    Verdict,
)

MIB = 1 << 20


def judged(
    size: int,
    decision: Decision = Decision.ADMITTED,
    reason: Reason | None = None,
    cpu: float = 1.0,
    limit: float = 100.0,
    reserved: int = 64,
) -> Judged:
    """A candidate that is predicted to need `size` MiB, bound twice that."""
    is_rejected = decision is Decision.REJECTED
    verdict = Verdict(
        decision,
        Prediction({"all": size * MIB}, cpu, 10, 0.001),
        2 * size * MIB,
        "said so",
        reason=reason,
        limit=limit if is_rejected else None,
        demand=2.0 * size if is_rejected else None,
        reservation=None if is_rejected else Reservation(1, 0.0, reserved * MIB),
    )
    return Judged({"size": size}, verdict)


def refused(size: int, reason: Reason = Reason.EXCEEDS_NODE_MEMORY, limit: float = 100.0) -> Judged:
    return judged(size, Decision.REJECTED, reason, limit=limit)


def test_shares_add_up_and_follow_the_sample_alone() -> None:
    sampled = (
        *(judged(size) for size in range(1, 7)),
        refused(60),
        refused(70),
        refused(80),
        refused(9, Reason.EXCEEDS_MODEL_SIZE),
    )
    told = report(Evidence("f", sampled, defaults=(judged(1), judged(1)), corners=(refused(99),)))
    assert (told.sampled_count, told.feasible_share) == (10, 0.6)
    assert list(told.refused_shares.items()) == [
        (Reason.EXCEEDS_NODE_MEMORY, 0.3),
        (Reason.EXCEEDS_MODEL_SIZE, 0.1),
    ]
    assert not told.is_never_fitting


@pytest.mark.parametrize("decision", [d for d in Decision if d is not Decision.REJECTED])
def test_whatever_is_not_rejected_fits(decision: Decision) -> None:
    assert report(Evidence("f", (judged(1, decision),))).feasible_share == 1.0


def test_a_default_that_fits_means_that_the_family_may_fit() -> None:
    nothing = report(Evidence("f", (refused(60),), corners=(refused(70),)))
    assert nothing.is_never_fitting
    assert (nothing.lightest_feasible, nothing.feasible_demand) == (None, None)
    assert nothing.demand is not None
    rare = report(Evidence("f", (refused(60),), defaults=(judged(2),)))
    assert (rare.feasible_share, rare.is_never_fitting) == (0.0, False)
    assert rare.lightest_feasible == judged(2)


def test_the_lightest_that_fits_and_the_nearest_refused() -> None:
    near_model = refused(30, Reason.EXCEEDS_MODEL_SIZE, limit=59.0)
    evidence = Evidence(
        "f",
        (judged(5), judged(3, cpu=9.0), refused(80), near_model),
        pinned=(judged(3, cpu=2.0),),
        corners=(refused(52),),
    )
    told = report(evidence)
    assert told.lightest_feasible == judged(3, cpu=2.0)
    assert told.lightest_refused == near_model  # 60 of 59 is nearer than 104 of 100
    without = report(replace(evidence, sampled=evidence.sampled[:3]))
    assert without.lightest_refused == refused(52)
    nowhere = refused(1, Reason.NO_SUCH_RESOURCE, limit=0.0)
    assert report(Evidence("f", (nowhere, refused(90)))).lightest_refused == refused(90)


def test_demands_are_medians_and_ninetieths() -> None:
    sampled = (*(judged(size, cpu=size / 2) for size in range(1, 11)), refused(1000))
    told = report(Evidence("f", sampled))
    assert told.feasible_demand is not None
    assert told.demand is not None
    fitting = told.feasible_demand
    assert (fitting.median_memory_bytes, fitting.p90_memory_bytes) == (6 * MIB, 10 * MIB)
    assert (fitting.median_bound_bytes, fitting.p90_bound_bytes) == (12 * MIB, 20 * MIB)
    assert (fitting.median_cpu_seconds, fitting.p90_cpu_seconds) == (3.0, 5.0)
    few = report(Evidence("f", (judged(1), refused(1000)))).demand
    assert few is not None
    assert few.p90_memory_bytes == 1000 * MIB


def test_the_boundary_comes_from_the_sample() -> None:
    sampled = tuple(judged(n) if n <= 40 else refused(n) for n in range(1, 100))
    told = report(Evidence("f", sampled))
    assert told.boundary is not None
    assert str(told.boundary).startswith("size <= 4")


def test_the_whole_space_is_the_mean_of_its_families() -> None:
    reports = [report(Evidence("a", (judged(1),))), report(Evidence("b", (refused(60), judged(1))))]
    assert feasible_share(reports) == 0.75
    assert feasible_share([]) == 0.0


def frame(
    seconds: float | None = None,
    trials: int | None = None,
    slots: int = 2,
    limits: Limits | None = None,
) -> Frame:
    return Frame(Budget(seconds, trials), limits or Limits(), 5, lambda size: slots)


def even(cpu: float, count: int = 10) -> list[Evidence]:
    return [Evidence("f", tuple(judged(1, cpu=cpu) for _ in range(count)))]


def test_the_worked_example() -> None:
    told = forecast(even(1.4), frame(60.0))
    assert (OVERHEAD_SECONDS, START_SECONDS) == (0.1, 10.0)  # else the example is no longer true
    assert told.trials == 62
    assert told.trial_seconds == pytest.approx(1.5, rel=0.01)
    assert told.cpu_seconds == pytest.approx(62 * 1.4)
    assert told.seconds == pytest.approx(START_SECONDS + 31 * 1.5 + 3.42)


def test_twice_the_slots_twice_the_trials() -> None:
    assert forecast(even(1.4), frame(60.0, slots=4)).trials == 124


def test_a_trial_budget_is_kept() -> None:
    told = forecast(even(1.4), frame(60.0, 8))
    assert told.trials == 8
    assert told.cpu_seconds == pytest.approx(8 * 1.4)
    assert told.seconds == pytest.approx(START_SECONDS + 4 * 1.5 + 1.5 * 1.4 / 5 + 3)
    endless = forecast(even(1.4), frame(None, 8))
    assert (endless.trials, endless.seconds) == (8, told.seconds)
    assert forecast(even(1.4), frame(60.0, 10_000)).trials == 62


def test_more_cpus_make_a_trial_shorter_not_cheaper() -> None:
    told = forecast(even(2.8), frame(None, 10, limits=Limits(cpus_per_trial=2)))
    assert told.trial_seconds == pytest.approx(1.5)
    assert told.cpu_seconds == pytest.approx(28.0)


def test_a_trial_takes_at_most_what_it_is_given() -> None:
    told = forecast(even(50.0), frame(None, 10, limits=Limits(time_per_trial_seconds=4.0)))
    assert told.trial_seconds == pytest.approx(4.1)


def test_the_cheap_defaults_come_first() -> None:
    short, long = judged(1, cpu=2.0), judged(1, cpu=45.0)
    late = Evidence("late", tuple([long] * 5), defaults=(short, long))
    early = Evidence("early", tuple([long] * 5), defaults=(judged(1, cpu=1.0),))
    told = forecast([late, early], frame(60.0, slots=1))
    assert told.trials == 2  # 1 s and 2 s end; the 45 s one is cut off by the end of the budget
    assert forecast([late, early], frame(60.0, 1, slots=1)).cpu_seconds == pytest.approx(1.0)


def test_nothing_starts_that_cannot_end() -> None:
    assert forecast(even(1000.0), frame(60.0)).trials == 0
    assert forecast(even(1.0), frame(5.0)).trials == 0


def test_fits_that_take_no_time_end_with_the_budget() -> None:
    assert forecast(even(0.0), frame(60.0)).trial_seconds == pytest.approx(OVERHEAD_SECONDS, 0.01)


def test_a_long_budget_goes_on_at_the_same_pace() -> None:
    hour, year = (forecast(even(1.4), frame(s)).trials for s in (3600.0, 3600.0 * 1000))
    assert year / hour == pytest.approx(1000, rel=0.01)
    assert forecast(even(1.4), frame(None, 1_000_000)).trials == 1_000_000


def test_reservations_take_slots() -> None:
    def slots_of(size: int) -> int:
        return 4 if size == 64 * MIB else 1

    small = [judged(1, reserved=64) for _ in range(3)]
    large = [judged(1, reserved=512)]
    told = forecast([Evidence("f", (*small, *large))], replace(frame(60.0), slots_of=slots_of))
    assert [(r.memory_bytes, r.slots, r.share) for r in told.reservations] == [
        (64 * MIB, 4, 0.75),
        (512 * MIB, 1, 0.25),
    ]
    # 0.75 / 4 + 0.25 / 1 = 1 / 2.29: two slots, not the four of the small size.
    alone = forecast([Evidence("f", tuple(small))], replace(frame(60.0), slots_of=slots_of))
    assert alone.trials == pytest.approx(2 * told.trials, rel=0.1)


def test_without_a_reservation_the_bound_counts() -> None:
    bare = judged(8)
    deferred = replace(bare, verdict=replace(bare.verdict, reservation=None))
    (only,) = forecast([Evidence("f", (deferred,))], frame(60.0)).reservations
    assert only.memory_bytes == 16 * MIB


def test_when_nothing_of_the_sample_fits_corners_do() -> None:
    rare = Evidence("f", (refused(60),), corners=(judged(1, cpu=1.4),))
    assert forecast([rare], frame(60.0)).trials == 62
    assert forecast([Evidence("f", (refused(60),))], frame(60.0)) == NO_TRIALS
    assert forecast([], frame(60.0)) == NO_TRIALS
    assert math.isfinite(forecast([rare], frame(None, 3)).seconds)

"""How far a budget goes: trials, time and CPU time to expect of a search. Pure.

The search is played through with predicted times. It tries pinned configurations and defaults
first, the cheap ones before the expensive, then an even draw, and starts a candidate only while
enough time is left, as the gate does. A trial takes its predicted wall time (CPU time over CPUs, at
most what a trial is given) and `OVERHEAD_SECONDS`; trials run side by side in as many slots as
their reservations have on average; what is left for them is the budget without `START_SECONDS` and
the final fit. For trials of one length that is

    trials = slots * floor((budget - START_SECONDS - final fit) / (wall + OVERHEAD_SECONDS))

Worked: 60 s, wall 1.4 s, 2 slots, 5 folds, final fit 3.4 s: 2 * floor(46.6 / 1.5) = 62 trials.

The sampler does not draw evenly for long: it goes where scores are good, often where fits are long,
and CPU times are predicted to a factor of about 2. So is the forecast.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.domain.admission import TIME_LOWER_SHARE
from controller.domain.budget import refit_seconds
from controller.domain.plan_report import Evidence, Judged
from controller.domain.records import Budget, Limits

OVERHEAD_SECONDS = 0.1
"""Time of a slot that a trial takes beside its fit. `loadtests/overheads.py` on 2 cores: 73 ms,
96 ms with other work beside it."""
START_SECONDS = 10.0
"""From a search's start to its first fit. `loadtests/overheads.py` on 2 idle cores: 10.0 s."""
PLAYED_TRIALS = 5_000
"""Trials that are played through; a budget that holds more goes on at the same pace."""


@dataclass(frozen=True)
class Frame:
    """What a search's trials share. folds: fits of a trial, 0 or 1 for a holdout. slots_of: trials
    that run at once when each reserves so many bytes, at least 1.
    """

    budget: Budget
    limits: Limits
    folds: int
    slots_of: Callable[[int], int]


@dataclass(frozen=True)
class ReservationShare:
    """share: of the candidates that fit, those that would reserve `memory_bytes`. slots: trials of
    this size that run at once.
    """

    memory_bytes: int
    slots: int
    share: float


@dataclass(frozen=True)
class Forecast:
    """What to expect; `headgate.v1.PlanSearchResponse` documents each field.

    trials: that end within the budget. trial_seconds: mean wall time of a trial, overhead included.
    seconds: of the whole search. cpu_seconds: of all fits but the final one.
    """

    trials: int
    trial_seconds: float
    seconds: float
    cpu_seconds: float
    reservations: tuple[ReservationShare, ...]


NO_TRIALS = Forecast(0, 0.0, 0.0, 0.0, ())
"""When nothing fits."""


@dataclass
class _Played:
    """What was played so far. ended: trials that ended in time. seconds: until the last end."""

    started: int = 0
    ended: int = 0
    seconds: float = 0.0
    trial_seconds: float = 0.0
    fit_seconds: float = 0.0


def forecast(evidence: Sequence[Evidence], frame: Frame) -> Forecast:
    """From the candidates that fit; `NO_TRIALS` when none does."""
    first, drawn = _first(evidence), _drawn(evidence)
    if not first and not drawn:
        return NO_TRIALS
    pool = drawn or first
    reservations = _reservations(pool, frame)
    slots = max(1, round(1 / sum(each.share / each.slots for each in reservations)))
    mean_wall = sum(_wall_seconds(each, frame) for each in pool) / len(pool)
    total = frame.budget.time_seconds
    final = refit_seconds(mean_wall, frame.folds, math.inf if total is None else total)
    left = math.inf if total is None else total - START_SECONDS - final
    walls = [_wall_seconds(each, frame) for each in first], [_wall_seconds(e, frame) for e in pool]
    played = _play(*walls, slots, left, frame.budget.max_trials or 0)
    pace = _pace(played, left, frame.budget.max_trials)
    whole = START_SECONDS + played.seconds * pace + final
    return Forecast(
        trials=int(played.ended * pace),
        trial_seconds=played.trial_seconds / max(1, played.started),
        seconds=whole if total is None else min(whole, total),
        cpu_seconds=played.fit_seconds * pace * frame.limits.cpus_per_trial,
        reservations=reservations,
    )


def _first(evidence: Sequence[Evidence]) -> list[Judged]:
    """Pinned configurations, then defaults in rounds: the first of each family, the second..."""
    rounds = itertools.zip_longest(*(each.defaults for each in evidence))
    ordered = [each for family in evidence for each in family.pinned]
    for candidates in rounds:
        found = [each for each in candidates if each is not None]
        ordered += sorted(found, key=lambda each: each.verdict.prediction.cpu_seconds)
    return [each for each in ordered if each.is_fitting]


def _drawn(evidence: Sequence[Evidence]) -> list[Judged]:
    """The even draw, the families in turn; corners when nothing of it fits."""
    for parts in ([e.sampled for e in evidence], [e.corners for e in evidence]):
        turns = itertools.chain.from_iterable(itertools.zip_longest(*parts))
        fitting = [each for each in turns if each is not None and each.is_fitting]
        if fitting:
            return fitting
    return []


def _reservations(pool: Sequence[Judged], frame: Frame) -> tuple[ReservationShare, ...]:
    counts = Counter(_reserved_bytes(each) for each in pool)
    return tuple(
        ReservationShare(size, max(1, frame.slots_of(size)), count / len(pool))
        for size, count in sorted(counts.items())
    )


def _reserved_bytes(judged: Judged) -> int:
    """What it would hold; its bound when it was not told yet."""
    reservation = judged.verdict.reservation
    return judged.verdict.bound_bytes if reservation is None else reservation.memory_bytes


def _wall_seconds(judged: Judged, frame: Frame) -> float:
    """Predicted, at most what the search gives a trial: it is ended then."""
    wall = judged.verdict.prediction.cpu_seconds / frame.limits.cpus_per_trial
    own = frame.limits.time_per_trial_seconds
    return wall if own is None else min(wall, own)


def _play(
    first: Sequence[float], drawn: Sequence[float], slots: int, left: float, max_trials: int
) -> _Played:
    """first, drawn: wall seconds of candidates in the order they are tried; `drawn` goes round and
    round. max_trials: 0 for no limit.
    """
    played, free = _Played(), [0.0] * slots
    waiting = itertools.chain(first, itertools.cycle(drawn))
    patience = len(first) + len(drawn)
    most = min(max_trials or PLAYED_TRIALS, PLAYED_TRIALS)
    while free and played.started < most:
        now = heapq.heappop(free)
        candidates = itertools.islice(waiting, patience)
        wall = next((w for w in candidates if TIME_LOWER_SHARE * w <= left - now), None)
        if wall is None or now >= left:
            continue  # nothing is short enough any more: this slot is done
        end = min(now + wall + OVERHEAD_SECONDS, left)
        played.started += 1
        played.ended += now + wall + OVERHEAD_SECONDS <= left
        played.trial_seconds += end - now
        played.fit_seconds += min(wall, end - now)
        played.seconds = max(played.seconds, end)
        heapq.heappush(free, end)
    return played


def _pace(played: _Played, left: float, max_trials: int | None) -> float:
    """How often what was played goes into the budget: 1 unless it was cut short."""
    if played.started < PLAYED_TRIALS:
        return 1.0
    by_time = left / played.seconds
    by_trials = math.inf if max_trials is None else max_trials / played.started
    return max(1.0, min(by_time, by_trials))

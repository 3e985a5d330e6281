"""Budgets: what is wrong with one, how much is used, when a search must finish. Pure.

Time that counts: now - started_at - paused - unreachable. Trials that count: those that ended
without being rejected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from controller.domain.records import Budget, Limits, Progress, Search, Trial
from controller.domain.states import SearchState, TrialState
from controller.domain.violations import Violations

MIN_SECONDS = 5.0
"""Shortest time budget."""
MAX_SECONDS = 30 * 86_400.0
"""Longest time budget: 30 days."""
MAX_TRIALS = 1_000_000
"""Largest trial budget."""
MIN_TRIAL_BYTES = 64 << 20
"""Smallest memory limit of a trial: one step of reservation sizes."""
MAX_BYTES = 1 << 50
"""Largest size that is taken seriously: 1 PiB."""
MIN_REJECTIONS = 200
"""A search ends with the next rejection after so many in a row; or after `REJECTIONS_PER_TRIAL` a
budgeted trial, if those are more."""
REJECTIONS_PER_TRIAL = 20
_MAX_CPUS = 4096
_REFIT_FACTOR = 1.5
_REFIT_EXTRA_SECONDS = 3.0
_REFIT_MAX_SHARE = 0.3

_BUDGET, _LIMITS = "search.spec.budget", "search.spec.limits"
_BAD_BUDGET, _BAD_LIMIT = "BAD_BUDGET", "BAD_LIMIT"


def check_budget(budget: Budget) -> Violations:
    """What is wrong with a budget."""
    found = Violations()
    seconds, trials = budget.time_seconds, budget.max_trials
    if seconds is None and trials is None:
        remedy = "set budget.time, budget.max_trials or both"
        found.add(_BUDGET, "no part of the budget is set", remedy, "NO_BUDGET")
    if seconds is not None and not MIN_SECONDS <= seconds <= MAX_SECONDS:
        text, remedy = f"{seconds:g} s is no time budget", "give 5 s to 30 days"
        found.add(f"{_BUDGET}.time", text, remedy, _BAD_BUDGET)
    if trials is not None and not 1 <= trials <= MAX_TRIALS:
        text, remedy = f"{trials} is no number of trials", f"give 1 to {MAX_TRIALS}"
        found.add(f"{_BUDGET}.max_trials", text, remedy, _BAD_BUDGET)
    return found


def check_limits(limits: Limits) -> Violations:
    """What is wrong with the limits of a trial and a model."""
    found = Violations()
    _check_range(
        found, "memory_per_trial_bytes", limits.memory_per_trial_bytes, MIN_TRIAL_BYTES, MAX_BYTES
    )
    _check_range(found, "cpus_per_trial", limits.cpus_per_trial, 1, _MAX_CPUS)
    _check_range(found, "gpus_per_trial", limits.gpus_per_trial, 0, 1024)
    _check_range(found, "time_per_trial", limits.time_per_trial_seconds, 1, MAX_SECONDS)
    _check_range(found, "max_concurrent_trials", limits.max_concurrent_trials, 1, 100_000)
    _check_range(found, "max_model_bytes", limits.max_model_bytes, 1, MAX_BYTES)
    _check_range(found, "max_predict_latency", limits.max_predict_seconds, 1e-9, 3600)
    return found


def _check_range(
    found: Violations, name: str, value: float | None, low: float, high: float
) -> None:
    if value is not None and not low <= value <= high:
        text = f"{value:.12g} is out of range"
        found.add(f"{_LIMITS}.{name}", text, f"give {low:.12g} to {high:.12g}", _BAD_LIMIT)


@dataclass(frozen=True)
class TrialCounts:
    """Trials of a search. ended: those that count against the budget; open: those not ended yet."""

    ended: int
    open: int


def count(trials_by_state: Mapping[str, int]) -> TrialCounts:
    """From the number of trials by state."""
    is_open = (TrialState.DEFERRED.value, TrialState.ADMITTED.value, TrialState.RUNNING.value)
    opened = sum(trials_by_state.get(state, 0) for state in is_open)
    rejected = trials_by_state.get(TrialState.REJECTED.value, 0)
    return TrialCounts(sum(trials_by_state.values()) - opened - rejected, opened)


def paused_seconds(search: Search, now: float) -> float:
    """Time paused so far, a pause that lasts included."""
    lasting = max(0.0, now - search.paused_since) if search.paused_since is not None else 0.0
    return search.paused_seconds + lasting


def elapsed_seconds(search: Search, now: float) -> float:
    """Time that counts against the budget; 0 before the start, fixed after the end."""
    if search.started_at is None:
        return 0.0
    end = now if search.ended_at is None else search.ended_at
    uncounted = paused_seconds(search, end) + search.unreachable_seconds
    return max(0.0, end - search.started_at - uncounted)


def remaining_seconds(search: Search, now: float) -> float | None:
    """Time left of the budget, at least 0; None without a time budget."""
    total = search.spec.budget.time_seconds
    return None if total is None else max(0.0, total - elapsed_seconds(search, now))


def remaining_trials(search: Search, counts: TrialCounts) -> int | None:
    """Trials that may still be admitted: the budget less those ended and those open; at least 0."""
    total = search.spec.budget.max_trials
    return None if total is None else max(0, total - counts.ended - counts.open)


def progress(
    search: Search,
    trials_by_state: Mapping[str, int],
    rejections_by_reason: Mapping[str, int],
    now: float,
) -> Progress:
    """How much of the budget is used."""
    counts, total = count(trials_by_state), search.spec.budget.max_trials
    return Progress(
        elapsed_seconds=elapsed_seconds(search, now),
        remaining_seconds=remaining_seconds(search, now),
        paused_seconds=paused_seconds(search, search.ended_at or now),
        unreachable_seconds=search.unreachable_seconds,
        counted_trials=counts.ended,
        remaining_trials=None if total is None else max(0, total - counts.ended),
        trials_by_state=dict(trials_by_state),
        rejections_by_reason=dict(rejections_by_reason),
    )


def refit_reserve_seconds(search: Search, best: Trial | None) -> float:
    """Time to keep for fitting the best configuration on all rows: one fold's share of its wall
    time, half as much again, and 3 s; at most 30 % of the budget. 0 without a best trial.
    """
    total = search.spec.budget.time_seconds
    if best is None or best.usage is None or total is None:
        return 0.0
    return refit_seconds(best.usage.wall_seconds, search.plan.folds, total)


def refit_seconds(wall_seconds: float, folds: int, total_seconds: float) -> float:
    """As `refit_reserve_seconds`, for a trial that took `wall_seconds` with `folds` folds (0 or 1:
    a holdout) in a budget of `total_seconds`.
    """
    one_fit = wall_seconds / max(1, folds)
    return min(_REFIT_FACTOR * one_fit + _REFIT_EXTRA_SECONDS, _REFIT_MAX_SHARE * total_seconds)


def max_rejections(search: Search) -> int:
    """The most rejections in a row that a search outlives."""
    return max(MIN_REJECTIONS, REJECTIONS_PER_TRIAL * (search.spec.budget.max_trials or 0))


class Advice(StrEnum):
    """What the budget says a RUNNING search should do."""

    GO_ON = "GO_ON"
    DRAIN = "DRAIN"
    """Admit nothing new; what runs may end."""
    FINISH = "FINISH"
    """Keep the best."""
    GIVE_UP = "GIVE_UP"
    """Nothing more can come and there is no best."""


def advise(search: Search, counts: TrialCounts, best: Trial | None, now: float) -> Advice:
    """Looks at the time, the trials and the rejections of a search."""
    left = remaining_seconds(search, now)
    if left is not None and left <= refit_reserve_seconds(search, best):
        return Advice.FINISH
    is_rejected = search.rejections_in_a_row > max_rejections(search)
    if not is_rejected and remaining_trials(search, counts) != 0:
        return Advice.GO_ON
    if counts.open:
        return Advice.DRAIN
    return Advice.GIVE_UP if is_rejected and best is None else Advice.FINISH


def uncharged_seconds(
    search: Search, claimed: float, last_heard: float | None, now: float
) -> float:
    """How much of the time that a driver says it could not reach us is believed: not more than
    since it was last heard, and none while the search is paused, when the clock stands still.
    """
    if not math.isfinite(claimed) or search.state is SearchState.PAUSED:
        return 0.0
    since = last_heard if last_heard is not None else search.started_at
    silence = 0.0 if since is None else max(0.0, now - since)
    return min(max(0.0, claimed), silence)

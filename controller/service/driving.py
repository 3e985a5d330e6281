"""What the controller tells a driver, given a search, its trials and the clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.domain import budget
from controller.domain.budget import Advice, TrialCounts
from controller.domain.records import Directive, DirectiveMode, Failure, Search, Trial
from controller.domain.search_moves import fail, move
from controller.domain.states import SearchState
from controller.ports.store import Transaction

_MODES = {
    SearchState.RUNNING: DirectiveMode.RUN,
    SearchState.PAUSED: DirectiveMode.PAUSE,
    SearchState.FINISHING: DirectiveMode.FINISH,
}
"""A driver of a search in any other state must end."""


@dataclass(frozen=True)
class Standing:
    """A search as it is after looking at its budget, and what may still be admitted.

    admissible: trials that may still be admitted; None for no limit.
    """

    search: Search
    counts: TrialCounts
    admissible: int | None


def stand(tx: Transaction, search: Search, now: float) -> Standing:
    """Looks at the budget of a search and moves it on when that is used up; stores nothing."""
    counts = budget.count(tx.count_trials(search.name))
    admissible = budget.remaining_trials(search, counts)
    if search.state is not SearchState.RUNNING:
        return Standing(search, counts, 0)
    best = tx.get(Trial, search.best_trial) if search.best_trial else None
    advice = budget.advise(search, counts, best, now)
    if advice is Advice.GO_ON:
        return Standing(search, counts, admissible)
    if advice is Advice.DRAIN:
        return Standing(search, counts, 0)
    if advice is Advice.FINISH:
        return Standing(move(search, SearchState.FINISHING, now), counts, 0)
    return Standing(fail(search, _gave_up(tx, search), now), counts, 0)


def _gave_up(tx: Transaction, search: Search) -> Failure:
    """Says which reason dominates the rejections."""
    reasons = tx.count_rejections(search.name)
    reason = max(reasons, key=lambda name: reasons[name], default="")
    return Failure(
        "ALL_REJECTED",
        f"{search.rejections_in_a_row} candidates in a row were rejected, most of them for "
        f"{reason}; raise that limit, or narrow the space to lighter models",
    )


def direct(standing: Standing, known_revision: int, now: float) -> Directive:
    """What the driver must do now. known_revision: the last spec revision it knows."""
    search = standing.search
    is_behind = known_revision < search.spec_revision
    return Directive(
        mode=_MODES.get(search.state, DirectiveMode.CANCEL),
        spec_revision=search.spec_revision,
        spec=search.spec if is_behind else None,
        remaining_seconds=budget.remaining_seconds(search, now),
        remaining_trials=standing.admissible,
    )


def charge(
    search: Search, unreachable_seconds: float, last_heard: float | None, now: float
) -> Search:
    """The search with the time in which its driver could not reach the controller taken off."""
    uncharged = budget.uncharged_seconds(search, unreachable_seconds, last_heard, now)
    if not uncharged:
        return search
    return replace(search, unreachable_seconds=search.unreachable_seconds + uncharged)

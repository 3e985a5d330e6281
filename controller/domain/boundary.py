"""Where the boundary lies between candidates that fit and those that do not. Pure.

The rule is found on one half of the judged candidates and checked on the other: a condition that
does not separate candidates it was not chosen on is left out, and every share that is told was
counted on that other half.

How well a condition separates is J = P(holds | fits) - P(holds | refused), Youden's index: 0 for a
condition that says nothing, 1 for a perfect one, whatever the shares of the two sides.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from controller.domain.parameter_values import Value

Sample = Sequence[tuple[Mapping[str, Value], bool]]
"""Configurations, and whether each fits."""

MAX_CONDITIONS = 3
"""Conditions of a rule: more than three are no longer read."""
MIN_SEPARATION = 0.2
"""Least J of a condition worth telling."""
MIN_STANDARD_ERRORS = 3.0
"""Least J in standard errors of a condition that says nothing, sqrt(1/fits + 1/refused) / 2: below,
chance alone would do it."""


class Relation(StrEnum):
    """How a parameter is compared."""

    AT_MOST = "AT_MOST"
    AT_LEAST = "AT_LEAST"
    ONE_OF = "ONE_OF"


@dataclass(frozen=True)
class Condition:
    """One comparison. threshold: for AT_MOST and AT_LEAST. values: for ONE_OF."""

    parameter: str
    relation: Relation
    threshold: float = 0.0
    values: tuple[Value, ...] = ()

    def holds(self, parameters: Mapping[str, Value]) -> bool:
        """For a configuration that has the parameter; False for one that has not."""
        if self.parameter not in parameters:
            return False
        value = parameters[self.parameter]
        if self.relation is Relation.ONE_OF:
            return _key(value) in {_key(each) for each in self.values}
        assert isinstance(value, int | float)  # else it would be ONE_OF
        is_below = value <= self.threshold
        return is_below if self.relation is Relation.AT_MOST else value >= self.threshold

    def __str__(self) -> str:
        """For people: `n_estimators <= 310`, `max_depth in {6, 10}`."""
        if self.relation is Relation.ONE_OF:
            return f"{self.parameter} in {{{', '.join(map(str, self.values))}}}"
        sign = "<=" if self.relation is Relation.AT_MOST else ">="
        return f"{self.parameter} {sign} {self.threshold:.12g}"


@dataclass(frozen=True)
class Boundary:
    """Conditions that hold together for most candidates that fit and for few others.

    share_within: of the space, where they hold. feasible_share_within, feasible_share_beyond: share
    that fits where they hold and where they do not; 0 where nothing lies. All from 0 to 1.
    """

    conditions: tuple[Condition, ...]
    share_within: float
    feasible_share_within: float
    feasible_share_beyond: float

    def __str__(self) -> str:
        """For people, one line."""
        rule = " and ".join(map(str, self.conditions))
        within, beyond = 100 * self.feasible_share_within, 100 * self.feasible_share_beyond
        return f"{rule}: {within:.0f} % of such candidates fit, {beyond:.0f} % of the others"


def find_boundary(sample: Sample) -> Boundary | None:
    """None when all fit, none fit, or no condition separates them."""
    found, checked = sample[::2], sample[1::2]
    conditions: list[Condition] = []
    for _ in range(MAX_CONDITIONS):
        condition = _best(found)
        if condition is None or not _is_telling(condition, checked):
            break
        conditions = [each for each in conditions if not _is_implied(each, condition)]
        conditions.append(condition)
        found, checked = _within(condition, found), _within(condition, checked)
    return _measured(tuple(conditions), sample[1::2]) if conditions else None


def _measured(conditions: tuple[Condition, ...], sample: Sample) -> Boundary:
    within = [fits for each, fits in sample if all(c.holds(each) for c in conditions)]
    beyond = [fits for each, fits in sample if not all(c.holds(each) for c in conditions)]
    return Boundary(conditions, len(within) / len(sample), _share(within), _share(beyond))


def _share(fits: Sequence[bool]) -> float:
    return sum(fits) / len(fits) if fits else 0.0


def _within(condition: Condition, sample: Sample) -> Sample:
    return [(each, fits) for each, fits in sample if condition.holds(each)]


def _is_implied(old: Condition, new: Condition) -> bool:
    """The newer one was found where the older holds: of the same kind it is the tighter."""
    return (old.parameter, old.relation) == (new.parameter, new.relation)


def _is_telling(condition: Condition, sample: Sample) -> bool:
    """It separates candidates that it was not found on, by more than chance."""
    fits, refused = _counts(is_fitting for _, is_fitting in sample)
    if not fits or not refused:
        return False
    held_fits, held_refused = _counts(f for each, f in sample if condition.holds(each))
    separation = held_fits / fits - held_refused / refused
    standard_error = math.sqrt(1 / fits + 1 / refused) / 2
    return separation >= max(MIN_SEPARATION, MIN_STANDARD_ERRORS * standard_error)


def _counts(fits: Iterable[bool]) -> tuple[int, int]:
    """How many fit, how many do not."""
    seen = list(fits)
    return sum(seen), len(seen) - sum(seen)


def _best(sample: Sample) -> Condition | None:
    """The condition of the largest J; the first of equals. Parameters that some configurations lack
    are not looked at.
    """
    fits, refused = _counts(is_fitting for _, is_fitting in sample)
    if not fits or not refused:
        return None
    names = [n for n in sample[0][0] if all(n in parameters for parameters, _ in sample)]
    proposals = [_best_of(name, sample, fits, refused) for name in names]
    best = max((p for p in proposals if p is not None), key=lambda p: p[0], default=None)
    return best[1] if best else None


def _best_of(name: str, sample: Sample, fits: int, refused: int) -> tuple[float, Condition] | None:
    """J and condition of one parameter; None when it always has the same value."""
    tally: dict[tuple[str, Value], list[int]] = {}
    for parameters, is_fitting in sample:
        tally.setdefault(_key(parameters[name]), [0, 0])[0 if is_fitting else 1] += 1
    if len(tally) < 2:
        return None
    gains = {key: f / fits - r / refused for key, (f, r) in tally.items()}
    if all(isinstance(v, int | float) and not isinstance(v, bool) for _, v in gains):
        return _best_threshold(name, {v: g for (_, v), g in gains.items()})  # type: ignore[misc]
    kept = tuple(value for (_, value), gain in gains.items() if gain > 0)
    return sum(g for g in gains.values() if g > 0), Condition(name, Relation.ONE_OF, values=kept)


def _best_threshold(name: str, gains: Mapping[float, float]) -> tuple[float, Condition]:
    """The cut between two neighbouring values with the largest J, on whichever side it is."""
    values = sorted(gains)
    reached, cuts = 0.0, []
    for low, high in itertools.pairwise(values):
        reached += gains[low]
        cuts.append((abs(reached), reached > 0, low, high))
    separation, is_below, low, high = max(cuts)
    relation = Relation.AT_MOST if is_below else Relation.AT_LEAST
    return separation, Condition(name, relation, _between(low, high, is_below))


def _between(low: float, high: float, is_below: bool) -> float:
    """A short number in the middle of the cut; it stays on the side that the relation includes."""
    if isinstance(low, int) and isinstance(high, int):
        return (low + high) // 2 if is_below else (low + high + 1) // 2
    middle = (low + high) / 2
    short = float(f"{middle:.3g}")
    return short if low < short < high else (low if is_below else high)


def _key(value: Value) -> tuple[str, Value]:
    """Tells True from 1, which are equal; 1 and 1.0 are the same value."""
    return ("bool" if isinstance(value, bool) else "", value)

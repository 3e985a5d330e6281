"""Where the boundary lies: found on one half of the candidates, measured on the other."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from controller.domain.boundary import Condition, Relation, find_boundary
from controller.domain.records import Space
from controller.domain.sampling import stratified
from controller.domain.space import FamilyDeclaration, ParameterDeclaration

TREES = ParameterDeclaration("trees", {"integers": [1, 1000, False]}, 100, "trees")
RATE = ParameterDeclaration("rate", {"numbers": [0.01, 1.0, True]}, 0.1, "step")
DEPTH = ParameterDeclaration("depth", {"choices": [None, 20, 10, 6]}, None, "depth")
IS_DART = ParameterDeclaration("is_dart", {"choices": [True, False]}, False, "variant")
DROP = ParameterDeclaration("drop", {"numbers": [0.0, 1.0, False]}, 0.5, "", ("is_dart", (True,)))
FAMILY = FamilyDeclaration("forest", "trees", (TREES, RATE, DEPTH, IS_DART, DROP))
SPACE = Space({"forest": {p.name: p.values for p in FAMILY.parameters}})
DRAWN = stratified(SPACE, {"forest": FAMILY}, "forest", 400, 3)

Rule = Callable[[Mapping[str, Any]], bool]


def boundary(rule: Rule) -> Any:
    return find_boundary([(each, rule(each)) for each in DRAWN])


def test_a_threshold_is_found_where_it_is() -> None:
    found = boundary(lambda p: p["trees"] <= 310)
    (condition,) = found.conditions
    assert (condition.parameter, condition.relation) == ("trees", Relation.AT_MOST)
    assert condition.threshold == pytest.approx(310, abs=10)
    assert found.share_within == pytest.approx(0.31, abs=0.05)
    assert found.feasible_share_within > 0.97
    assert found.feasible_share_beyond < 0.03
    assert str(found).startswith(f"trees <= {condition.threshold:.0f}: ")


def test_the_side_that_fits_may_lie_above() -> None:
    (condition,) = boundary(lambda p: p["rate"] >= 0.3).conditions
    assert (condition.parameter, condition.relation) == ("rate", Relation.AT_LEAST)
    assert condition.threshold == pytest.approx(0.3, rel=0.1)
    assert str(condition) == f"rate >= {condition.threshold:g}"


def test_values_of_a_list_are_named() -> None:
    (condition,) = boundary(lambda p: p["depth"] in (6, 10)).conditions
    assert condition.relation is Relation.ONE_OF
    assert set(condition.values) == {6, 10}
    assert str(condition) in ("depth in {6, 10}", "depth in {10, 6}")
    (flag,) = boundary(lambda p: not p["is_dart"]).conditions
    assert (flag.parameter, flag.values) == ("is_dart", (False,))


def test_two_conditions_together() -> None:
    found = boundary(lambda p: p["trees"] <= 500 and p["rate"] >= 0.1)
    assert {c.parameter for c in found.conditions} == {"trees", "rate"}
    assert found.feasible_share_within > 0.9
    assert found.feasible_share_beyond < 0.05
    assert " and " in str(found)


def test_one_parameter_is_named_once_a_side() -> None:
    # All below 100 fit, half up to 400, none above: the first cut leaves a second one to be made.
    coin = random.Random(2)
    found = find_boundary(
        [(p, p["trees"] <= 100 or (p["trees"] <= 400 and coin.random() < 0.5)) for p in DRAWN]
    )
    assert found is not None
    named = [(c.parameter, c.relation) for c in found.conditions]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("fits", [True, False])
def test_there_is_none_where_all_are_alike(fits: bool) -> None:
    assert boundary(lambda p: fits) is None
    assert find_boundary([]) is None


def test_chance_is_no_boundary() -> None:
    told = 0
    for seed in range(40):
        coin = random.Random(seed)
        told += find_boundary([(p, coin.random() < 0.5) for p in DRAWN]) is not None
        told += find_boundary([(p, coin.random() < 0.03) for p in DRAWN]) is not None
    assert told == 0


def test_one_odd_candidate_is_no_boundary() -> None:
    assert find_boundary([(p, i != 17) for i, p in enumerate(DRAWN)]) is None


def test_shares_are_of_candidates_it_was_not_found_on() -> None:
    # The half it is found on says `trees <= 300` fits; the other half says the same less surely.
    coin = random.Random(1)
    sample = [
        (p, p["trees"] <= 300 and (i % 2 == 0 or coin.random() < 0.6)) for i, p in enumerate(DRAWN)
    ]
    found = find_boundary(sample)
    assert found is not None
    assert found.feasible_share_within == pytest.approx(0.6, abs=0.12)


def test_a_parameter_that_some_lack_is_not_looked_at() -> None:
    found = boundary(lambda p: p.get("drop", 1.0) <= 0.5)
    assert found is None or all(c.parameter != "drop" or i for i, c in enumerate(found.conditions))
    assert not Condition("drop", Relation.AT_MOST, 0.5).holds({"trees": 1})


def test_true_is_not_one() -> None:
    yes = Condition("x", Relation.ONE_OF, values=(True,))
    assert [yes.holds({"x": each}) for each in (True, 1, False)] == [True, False, False]
    assert Condition("x", Relation.ONE_OF, values=(6,)).holds({"x": 6.0})

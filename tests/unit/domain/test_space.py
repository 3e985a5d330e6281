"""Spaces: user changes are checked against declarations and merged; draws stay inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from controller.domain.errors import InvalidArgument
from controller.domain.parameter_values import check_values, fit_value
from controller.domain.records import SearchSpec, Space
from controller.domain.sampling import contains, draw, draw_corners, stratified
from controller.domain.space import (
    FamilyDeclaration,
    ParameterDeclaration,
    effective_space,
    normalized,
    restrict,
)

DEPTH = ParameterDeclaration("depth", {"integers": [1, 10, False]}, 6, "depth of a tree")
RATE = ParameterDeclaration("rate", {"numbers": [0.01, 1.0, True]}, 0.1, "step")
KIND = ParameterDeclaration("kind", {"choices": ["a", "b", None]}, "a", "variant")
EXTRA = ParameterDeclaration("extra", {"integers": [0, 5, False]}, 1, "only of b", ("kind", ("b",)))
TREE = FamilyDeclaration("tree", "a tree", (DEPTH, RATE, KIND, EXTRA))
LINE = FamilyDeclaration(
    "line", "a line", (ParameterDeclaration("l2", {"fixed": 1.0}, 1.0, "penalty"),)
)
ALL = {"tree": TREE, "line": LINE}


def spec(
    families: tuple[str, ...] = (),
    changes: Any = None,
    pinned: tuple[Mapping[str, Any], ...] = (),
) -> SearchSpec:
    return SearchSpec("d", "t", families=families, space=Space(changes or {}, pinned))


def refused(asked: SearchSpec) -> list[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as caught:
        effective_space(asked, ALL)
    return [(v.field, v.remedy) for v in caught.value.violations]


def test_without_changes_it_is_what_the_families_declare() -> None:
    space = effective_space(spec(), ALL)
    assert set(space.families) == {"tree", "line"}
    assert space.families["tree"]["depth"] == {"integers": [1, 10, False]}
    assert set(effective_space(spec(("line",)), ALL).families) == {"line"}


def test_changes_are_merged_in_the_declared_type() -> None:
    changes = {"tree": {"depth": {"integers": [2, 40, True]}, "rate": {"fixed": 1}}}
    space = effective_space(spec(changes=changes), ALL)
    assert space.families["tree"]["depth"] == {"integers": [2, 40, True]}
    assert space.families["tree"]["rate"] == {"fixed": 1.0}
    assert space.families["tree"]["kind"] == {"choices": ["a", "b", None]}


def test_pinned_configurations_are_completed_with_defaults() -> None:
    pinned = ({"family": "tree", "parameters": {"depth": 3.0}},)
    space = effective_space(spec(pinned=pinned), ALL)
    assert space.pinned == (
        {"family": "tree", "parameters": {"depth": 3, "rate": 0.1, "kind": "a"}},
    )
    with_b = ({"family": "tree", "parameters": {"kind": "b"}},)
    complete = effective_space(spec(pinned=with_b), ALL).pinned[0]["parameters"]
    assert complete["extra"] == 1


PATH = "search.spec.space.families"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (spec(("tre",)), "search.spec.families[0]"),
        (spec(("tree", "tree")), "search.spec.families[1]"),
        (spec(changes={"tre": {}}), f"{PATH}.tre"),
        (spec(("line",), {"tree": {}}), f"{PATH}.tree"),
        (spec(changes={"tree": {"deep": {"fixed": 1}}}), f"{PATH}.tree.parameters.deep"),
        (
            spec(changes={"tree": {"depth": {"numbers": [1.0, 2.0, False]}}}),
            f"{PATH}.tree.parameters.depth",
        ),
        (
            spec(changes={"tree": {"depth": {"integers": [5, 2, False]}}}),
            f"{PATH}.tree.parameters.depth",
        ),
        (
            spec(changes={"tree": {"depth": {"integers": [-5, 2, False]}}}),
            f"{PATH}.tree.parameters.depth",
        ),
        (
            spec(changes={"tree": {"rate": {"numbers": [0.0, 2.0, True]}}}),
            f"{PATH}.tree.parameters.rate",
        ),
        (
            spec(changes={"tree": {"rate": {"numbers": [0.0, float("inf"), False]}}}),
            f"{PATH}.tree.parameters.rate",
        ),
        (spec(changes={"tree": {"kind": {"choices": ["c"]}}}), f"{PATH}.tree.parameters.kind"),
        (spec(changes={"tree": {"kind": {"choices": []}}}), f"{PATH}.tree.parameters.kind"),
        (
            spec(changes={"tree": {"kind": {"integers": [1, 2, False]}}}),
            f"{PATH}.tree.parameters.kind",
        ),
        (spec(changes={"tree": {"depth": {"fixed": 2.5}}}), f"{PATH}.tree.parameters.depth"),
        (spec(changes={"tree": {"depth": {"fixed": True}}}), f"{PATH}.tree.parameters.depth"),
        (spec(pinned=({"family": "x", "parameters": {}},)), "search.spec.space.pinned[0].family"),
        (
            spec(pinned=({"family": "tree", "parameters": {"deep": 1}},)),
            "search.spec.space.pinned[0].parameters.deep",
        ),
        (
            spec(pinned=({"family": "tree", "parameters": {"extra": 1}},)),
            "search.spec.space.pinned[0].parameters.extra",
        ),
    ],
)
def test_what_is_refused(asked: SearchSpec, field: str) -> None:
    found = refused(asked)
    assert [f for f, _ in found] == [field]
    assert found[0][1]


def test_all_faults_are_named_at_once() -> None:
    changes = {"tree": {"deep": {"fixed": 1}, "kind": {"choices": ["c"]}}}
    assert len(refused(spec(("tree", "zzz"), changes))) == 3


def test_normalized_gives_declared_types() -> None:
    result = normalized(TREE, {"depth": 6.0, "rate": 1, "kind": None})
    assert result == {"depth": 6, "rate": 1.0, "kind": None}
    assert isinstance(result["depth"], int)
    assert isinstance(result["rate"], float)
    with pytest.raises(ValueError, match="no parameter 'deep'; did you mean depth"):
        normalized(TREE, {"deep": 1})


def test_restrict_takes_out_other_families() -> None:
    space = Space({"tree": {}, "line": {}}, ({"family": "tree"}, {"family": "line"}))
    assert restrict(space, ("line",)) == Space({"line": {}}, ({"family": "line"},))


def test_booleans_are_no_numbers() -> None:
    flags = {"choices": [True, False]}
    assert fit_value(flags, True, is_within=True) is True
    with pytest.raises(ValueError, match="not a value"):
        fit_value(flags, 1, is_within=True)
    with pytest.raises(ValueError, match="not a value"):
        check_values({"choices": [0, 1]}, {"fixed": True})


def test_draws_are_seeded_and_inside() -> None:
    space = effective_space(spec(changes={"tree": {"depth": {"integers": [2, 3, True]}}}), ALL)
    first = list(draw(space, ALL, 200, seed=7))
    assert first == list(draw(space, ALL, 200, seed=7))
    assert first != list(draw(space, ALL, 200, seed=8))
    assert all(contains(space, ALL, family, p) for family, p in first)
    trees = [p for family, p in first if family == "tree"]
    assert {p["depth"] for p in trees} == {2, 3}
    assert all(("extra" in p) == (p["kind"] == "b") for p in trees)
    corners = [p for family, p in draw_corners(space, ALL, 100, seed=1) if family == "tree"]
    assert {p["rate"] for p in corners} == {0.01, 1.0}


def test_contains_looks_at_ranges_and_fixed_values() -> None:
    space = effective_space(spec(changes={"tree": {"depth": {"fixed": 4}}}), ALL)
    assert contains(space, ALL, "tree", {"depth": 4})
    assert not contains(space, ALL, "tree", {"depth": 5})
    assert not contains(space, ALL, "tree", {"rate": 2.0})
    assert not contains(space, ALL, "other", {})


def test_a_stratified_draw_is_even_and_repeats_itself() -> None:
    space = effective_space(spec(), ALL)
    drawn = stratified(space, ALL, "tree", 60, 7)
    assert drawn == stratified(space, ALL, "tree", 60, 7)
    assert drawn != stratified(space, ALL, "tree", 60, 8)
    assert all(contains(space, ALL, "tree", each) for each in drawn)
    # Each of 10 whole numbers 6 times, each of 3 choices 20 times, half below the range's middle.
    assert sorted(each["depth"] for each in drawn) == [n for n in range(1, 11) for _ in range(6)]
    assert [sum(p["kind"] == kind for p in drawn) for kind in ("a", "b", None)] == [20, 20, 20]
    assert sum(each["rate"] < 0.1 for each in drawn) == 30
    assert all(("extra" in each) == (each["kind"] == "b") for each in drawn)
    assert stratified(space, ALL, "line", 2, 0) == [{"l2": 1.0}, {"l2": 1.0}]

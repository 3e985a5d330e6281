"""What families declare is consistent: ranges, conditions, defaults, portfolios, registry."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence

import pytest

from workers.families.base import (
    Choices,
    DataShape,
    Family,
    Fixed,
    Integers,
    Numbers,
    Parameter,
    Value,
)
from workers.families.configurations import (
    halvings,
    number,
    text,
    variation,
    whole,
    whole_or_none,
)
from workers.families.registry import FAMILIES, family

ALL = tuple(FAMILIES.values())
SMALL = DataShape(300, 240, 60, 8, 2, 10, 2, 5, True)
LARGE = DataShape(50_000, 40_000, 10_000, 30, 5, 100, 4, 5, True)
NUMBERS = DataShape(5000, 4000, 1000, 12, 0, 0, 0, 5, False)
SHAPES = (SMALL, LARGE, NUMBERS)

families = pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)


def allows(parameter: Parameter, value: Value) -> bool:
    values = parameter.values
    if isinstance(values, Integers):
        return type(value) is int and values.low <= value <= values.high
    if isinstance(values, Numbers):
        return isinstance(value, float) and values.low <= value <= values.high
    if isinstance(values, Choices):
        return value in values.values
    return value == values.value


def active(
    parameters: Sequence[Parameter], configuration: dict[str, Value]
) -> dict[str, Parameter]:
    found = {}
    for parameter in parameters:
        name, values = parameter.condition or ("", ())
        if not name or configuration.get(name) in values:
            found[parameter.name] = parameter
    return found


@families
def test_defaults_lie_in_their_ranges_and_ranges_are_not_empty(model: Family) -> None:
    for parameter in model.parameters:
        assert allows(parameter, parameter.default), parameter
        assert parameter.description.endswith(".")
        if isinstance(parameter.values, Integers | Numbers):
            assert parameter.values.low < parameter.values.high
            assert not parameter.values.log or parameter.values.low > 0
        if isinstance(parameter.values, Choices):
            assert len(set(parameter.values.values)) == len(parameter.values.values) > 1


@families
def test_conditions_name_an_earlier_parameter_and_values_it_can_take(model: Family) -> None:
    earlier: dict[str, Parameter] = {}
    for parameter in model.parameters:
        assert parameter.name not in earlier
        if parameter.condition is not None:
            name, values = parameter.condition
            assert values
            assert all(allows(earlier[name], value) for value in values)
        earlier[parameter.name] = parameter


@families
@pytest.mark.parametrize("shape", SHAPES, ids=("small", "large", "numbers"))
def test_a_portfolio_holds_valid_different_configurations(model: Family, shape: DataShape) -> None:
    portfolio = model.portfolio(shape)
    assert portfolio[0] == variation(model.parameters), "the default comes first"
    assert len(portfolio) >= 2
    assert len({json.dumps(entry, sort_keys=True) for entry in portfolio}) == len(portfolio)
    for entry in portfolio:
        expected = active(model.parameters, entry)
        assert set(entry) == set(expected)
        for name, value in entry.items():
            assert allows(expected[name], value), (name, value)


@families
@pytest.mark.parametrize("shape", SHAPES, ids=("small", "large", "numbers"))
def test_a_portfolio_gets_dearer(model: Family, shape: DataShape) -> None:
    seconds = [model.cost(shape, entry, 1).cpu_seconds for entry in model.portfolio(shape)[1:]]
    assert seconds == sorted(seconds)


@families
def test_lighter_changes_only_known_parameters_to_allowed_values(model: Family) -> None:
    for entry in model.portfolio(LARGE):
        for change in model.lighter(entry):
            assert change
            changed = {**entry, **change}
            known = active(model.parameters, changed)
            assert set(change) <= set(known)
            assert all(allows(known[name], value) for name, value in change.items())
            assert all(entry[name] != value for name, value in change.items())


def test_families_are_registered_under_their_names() -> None:
    assert set(FAMILIES) == {
        "xgboost", "hist_gradient_boosting", "random_forest", "extra_trees", "linear", "knn",
    }  # fmt: skip
    assert all(family(name) is model and model.name == name for name, model in FAMILIES.items())
    assert all(model.description.endswith(".") for model in ALL)


def test_an_unknown_family_is_refused_with_suggestions() -> None:
    with pytest.raises(ValueError, match=r"'xgbost'; did you mean xgboost\?"):
        family("xgbost")
    with pytest.raises(ValueError, match=r"'zzz'; known: xgboost, hist_gradient_boosting"):
        family("zzz")


def test_only_families_that_survive_a_refused_malloc_say_so() -> None:
    crashing = {model.name for model in ALL if not model.tolerates_failed_malloc}
    assert crashing == {"linear"}


def test_the_registry_loads_no_learning_library() -> None:
    """The controller imports it: a second and 100 MB of libraries would be paid for nothing."""
    code = (
        "import sys, workers.families.registry;"
        "heavy = {'numpy', 'scipy', 'sklearn', 'joblib', 'threadpoolctl', 'ray', 'pyarrow'};"
        "found = heavy & set(sys.modules);"
        "found |= {'xgboost'} & set(sys.modules);"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_values_are_read_with_their_types() -> None:
    entry: dict[str, Value] = {"a": 3.0, "b": 0.5, "c": "x", "d": None, "e": True}
    assert type(whole(entry, "a")) is int
    assert whole(entry, "a") == 3
    assert math.isclose(number(entry, "b"), 0.5)
    assert text(entry, "c") == "x"
    assert whole_or_none(entry, "d") is None
    with pytest.raises(ValueError, match="'b' must be a whole number"):
        whole(entry, "b")
    with pytest.raises(ValueError, match="'e' must be a number"):
        number(entry, "e")
    with pytest.raises(ValueError, match="'a' must be a text"):
        text(entry, "a")
    with pytest.raises(ValueError, match="'z' is missing"):
        number(entry, "z")


def test_a_variation_follows_conditions() -> None:
    parameters = (
        Parameter("kind", Choices(("a", "b")), "a", "Kind."),
        Parameter("of_b", Integers(1, 9), 2, "Only with b.", ("kind", ("b",))),
        Parameter("same", Fixed(1), 1, "Fixed."),
    )
    assert variation(parameters) == {"kind": "a", "same": 1}
    assert variation(parameters, kind="b") == {"kind": "b", "of_b": 2, "same": 1}
    with pytest.raises(ValueError, match="of_b"):
        variation(parameters, of_b=3)


def test_halvings_end_at_the_lowest() -> None:
    assert halvings(500, 100) == (250, 125, 100)
    assert halvings(100, 100) == ()

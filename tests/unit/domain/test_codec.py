"""The JSON codec of records."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.codec import from_json, to_json
from controller.domain.errors import DataLoss


class Colour(StrEnum):
    RED = "RED"


@dataclass(frozen=True)
class Leaf:
    number: float | None = None


@dataclass(frozen=True)
class Tree:
    name: str
    count: int
    is_green: bool = False
    colour: Colour | None = None
    leaves: tuple[Leaf, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    extra: Any = None


def round_trip(tree: Tree) -> Tree:
    return from_json(Tree, json.loads(json.dumps(to_json(tree), allow_nan=False)))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)

trees = st.builds(
    Tree,
    st.text(),
    st.integers(),
    st.booleans(),
    st.none() | st.just(Colour.RED),
    st.lists(st.builds(Leaf, st.none() | st.floats(allow_nan=False))).map(tuple),
    st.dictionaries(st.text(), st.integers()),
    values,
)


@given(trees)
def test_records_come_back_equal(tree: Tree) -> None:
    assert round_trip(tree) == tree


def test_nan_comes_back_in_typed_and_untyped_places() -> None:
    found = round_trip(Tree("t", 1, leaves=(Leaf(math.nan),), extra={"a": [math.nan, -math.inf]}))
    number = found.leaves[0].number
    assert number is not None
    assert math.isnan(number)
    assert math.isnan(found.extra["a"][0])
    assert found.extra["a"][1] == -math.inf


def test_whole_numbers_come_back_as_floats_where_floats_belong() -> None:
    leaf = from_json(Leaf, {"number": 3})
    assert isinstance(leaf.number, float)


def test_unknown_keys_are_ignored_and_missing_ones_take_defaults() -> None:
    assert from_json(Tree, {"name": "t", "count": 2, "later": {"a": 1}}) == Tree("t", 2)


def test_a_changed_field_changes_the_body() -> None:
    tree = Tree("t", 1)
    assert to_json(tree) != to_json(replace(tree, is_green=True))


@pytest.mark.parametrize(
    "body",
    [
        {"name": "t"},
        {"name": 1, "count": 1},
        {"name": "t", "count": True},
        {"name": "t", "count": 1.5},
        {"name": "t", "count": None},
        {"name": "t", "count": 1, "colour": "BLUE"},
        {"name": "t", "count": 1, "leaves": "x"},
        {"name": "t", "count": 1, "leaves": [{"number": "1"}]},
        {"name": "t", "count": 1, "leaves": [{"number": True}]},
        {"name": "t", "count": 1, "sizes": []},
    ],
)
def test_what_does_not_fit_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(DataLoss):
        from_json(Tree, body)


def test_only_dataclasses_are_records() -> None:
    with pytest.raises(TypeError):
        to_json({"a": 1})
    with pytest.raises(TypeError):
        to_json(Tree)


def test_annotations_that_cannot_be_read_back_are_refused() -> None:
    @dataclass(frozen=True)
    class Wrong:
        both: int | str = 1

    with pytest.raises(TypeError):
        from_json(Wrong, {})

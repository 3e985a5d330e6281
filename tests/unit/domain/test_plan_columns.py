"""Columns that a search is to weight, group or order by, and that cannot do it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.domain.plan import make_plan
from controller.domain.records import Column, ColumnKind
from tests.unit.domain.test_plan import YES_NO, category, number, refused, spec, table

GROUPS = category("role", ("a", 30), ("b", 30), ("c", 40))


@pytest.mark.parametrize(
    ("role", "column", "reason", "text"),
    [
        ("weight_column", number("role", missing_count=3), "BAD_WEIGHT_COLUMN", "3 missing"),
        ("weight_column", number("role", min=0.0, max=0.0), "BAD_WEIGHT_COLUMN", "are zero"),
        ("weight_column", number("role", min=-0.5), "BAD_WEIGHT_COLUMN", "down to -0.5"),
        ("weight_column", GROUPS, "BAD_WEIGHT_COLUMN", "not numbers"),
        ("group_column", category("role", ("a", 100)), "BAD_GROUP_COLUMN", "1 group"),
        ("group_column", category("role", missing=100), "BAD_GROUP_COLUMN", "0 group"),
        ("time_column", number("role", missing_count=2), "BAD_TIME_COLUMN", "2 missing"),
        ("time_column", number("role", distinct_count=1), "BAD_TIME_COLUMN", "one value only"),
        (
            "time_column",
            Column("role", ColumnKind.DATE, 1, 90),
            "BAD_TIME_COLUMN",
            "1 missing",
        ),
        ("time_column", GROUPS, "BAD_TIME_COLUMN", "not dates or numbers"),
    ],
)
def test_a_column_that_cannot_play_its_role(
    role: str, column: Column, reason: str, text: str
) -> None:
    error = refused(table(number("a"), column, YES_NO), spec(**{role: "role"}))
    (violation,) = error.violations
    assert violation.field == f"search.spec.{role}"
    assert error.reason == reason
    assert text in violation.description


@pytest.mark.parametrize(
    ("role", "column"),
    [
        ("weight_column", number("role", min=0.0, max=0.1)),
        ("group_column", category("role", ("a", 50), ("b", 50))),
        ("group_column", replace(GROUPS, missing_count=5)),
        ("time_column", number("role", distinct_count=2)),
        ("time_column", Column("role", ColumnKind.DATE, 0, 90)),
    ],
)
def test_a_column_that_can(role: str, column: Column) -> None:
    plan = make_plan(table(number("a"), column, YES_NO), spec(**{role: "role"}))
    assert plan.feature_columns == ("a",)


@pytest.mark.parametrize(("groups", "folds"), [(2, 2), (3, 3), (4, 4), (5, 5), (50, 5)])
def test_there_are_no_more_folds_than_groups(groups: int, folds: int) -> None:
    column: Any = number("role", distinct_count=groups)
    plan = make_plan(table(number("a"), column, YES_NO), spec(group_column="role"))
    assert plan.folds == folds
    assert f"{folds}-fold" in plan.validation

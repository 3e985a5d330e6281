"""Plans: what a spec means for a dataset, and every way in which it can be wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.errors import InvalidArgument
from controller.domain.plan import make_plan
from controller.domain.records import Column, ColumnKind, Dataset, SearchSpec, Task, ValueCount


def counted(*pairs: tuple[str, int]) -> tuple[ValueCount, ...]:
    return tuple(ValueCount(value, count) for value, count in pairs)


def number(name: str, **changes: object) -> Column:
    column = Column(name, ColumnKind.NUMBER, 0, 90, min=0.0, max=9.0)
    return replace(column, **changes)  # type: ignore[arg-type]


def category(name: str, *pairs: tuple[str, int], missing: int = 0) -> Column:
    return Column(name, ColumnKind.CATEGORY, missing, len(pairs), top_values=counted(*pairs))


YES_NO = category("label", ("yes", 60), ("no", 40))


def table(*columns: Column, rows: int = 100) -> Dataset:
    return Dataset("namespaces/n/datasets/d", "d.csv", "CSV", rows, columns, (), "uri", 1, 0.0)


def spec(**changes: object) -> SearchSpec:
    base = SearchSpec("namespaces/n/datasets/d", "label")
    return replace(base, **changes)  # type: ignore[arg-type]


def refused(dataset: Dataset, asked: SearchSpec) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        make_plan(dataset, asked)
    return caught.value


def test_a_binary_plan() -> None:
    plan = make_plan(table(number("a"), YES_NO, number("b")), spec())
    assert plan.task is Task.BINARY
    assert plan.metric == "roc_auc"
    assert plan.is_metric_maximized
    assert plan.classes == ("no", "yes")
    assert plan.positive_class == "yes"
    assert plan.feature_columns == ("a", "b")
    assert (plan.rows, plan.folds) == (100, 5)
    assert plan.validation == "5-fold stratified cross-validation"


def test_the_positive_class_comes_last() -> None:
    plan = make_plan(table(number("a"), YES_NO), spec(positive_class="no"))
    assert plan.classes == ("yes", "no")
    assert plan.positive_class == "no"


def test_numeric_classes_are_sorted_as_numbers_and_found_as_numbers() -> None:
    target = number("label", distinct_count=2, top_values=counted(("10.0", 50), ("9", 50)))
    plan = make_plan(table(number("a"), target), spec(positive_class="9.0"))
    assert plan.classes == ("10.0", "9")
    assert make_plan(table(number("a"), target), spec()).classes == ("9", "10.0")


@pytest.mark.parametrize(
    ("changes", "rows", "task"),
    [
        ({"distinct_count": 2, "top_values": counted(("0", 50), ("1", 50))}, 100, Task.BINARY),
        (
            {
                "distinct_count": 3,
                "is_integer": True,
                "top_values": counted(("1", 33), ("2", 33), ("3", 34)),
            },
            100,
            Task.MULTICLASS,
        ),
        ({"distinct_count": 6, "is_integer": True}, 100, Task.REGRESSION),
        ({"distinct_count": 21, "is_integer": True}, 10_000, Task.REGRESSION),
        ({"distinct_count": 3, "is_integer": False}, 100, Task.REGRESSION),
    ],
)
def test_inference_from_numbers(changes: dict[str, object], rows: int, task: Task) -> None:
    assert make_plan(table(number("a"), number("label", **changes), rows=rows), spec()).task is task


def test_regression_has_no_classes() -> None:
    plan = make_plan(table(number("a"), number("label")), spec(metric="mae"))
    assert (plan.classes, plan.positive_class, plan.metric) == ((), "", "mae")
    assert not plan.is_metric_maximized
    assert plan.validation == "5-fold cross-validation"


@pytest.mark.parametrize(("rows", "folds"), [(20_000, 5), (20_001, 3), (50_000, 3), (50_001, 0)])
def test_folds_by_rows(rows: int, folds: int) -> None:
    half = rows // 2
    target = category("label", ("a", half), ("b", rows - half))
    assert make_plan(table(number("a"), target, rows=rows), spec()).folds == folds


def test_folds_by_the_smallest_class() -> None:
    target = category("label", ("a", 97), ("b", 3))
    assert make_plan(table(number("a"), target), spec()).folds == 3


def test_rows_without_a_target_are_left_out() -> None:
    target = category("label", ("a", 40), ("b", 40), missing=20)
    plan = make_plan(table(number("a"), target), spec())
    assert plan.rows == 80
    assert plan.notes == ("20 rows without a target are left out",)


def test_dropped_columns_become_notes_and_roles_are_no_features() -> None:
    dropped = number("flat", is_dropped=True, note="constant")
    columns = (number("a"), dropped, number("w"), number("t"), number("x"), YES_NO)
    asked = spec(weight_column="w", time_column="t", excluded_columns=("x",))
    plan = make_plan(table(*columns), asked)
    assert plan.feature_columns == ("a",)
    assert plan.notes == ("column 'flat' is left out: constant",)
    assert plan.validation == "5 folds in the order of t"


TEXT = Column("label", ColumnKind.TEXT, 0, 100)
DATE = Column("label", ColumnKind.DATE, 0, 100)
WIDE = Column("label", ColumnKind.CATEGORY, 0, 1000, is_distinct_count_capped=True)


@pytest.mark.parametrize(
    ("target", "asked", "field", "reason"),
    [
        (YES_NO, {"target_column": "labl"}, "target_column", "UNKNOWN_COLUMN"),
        (YES_NO, {"target_column": ""}, "target_column", "MISSING_TARGET"),
        (category("label", ("a", 100)), {}, "target_column", "TARGET_ONE_CLASS"),
        (category("label", missing=100), {}, "target_column", "TARGET_ALL_MISSING"),
        (TEXT, {}, "target_column", "TARGET_IS_TEXT"),
        (DATE, {}, "target_column", "TARGET_IS_DATE"),
        (WIDE, {}, "target_column", "TOO_MANY_CLASSES"),
        (category("label", ("a", 99), ("b", 1)), {}, "target_column", "CLASS_TOO_SMALL"),
        (YES_NO, {"task": Task.REGRESSION}, "task", "TASK_MISMATCH"),
        (YES_NO, {"task": Task.MULTICLASS}, "task", "TASK_MISMATCH"),
        (number("label"), {"task": Task.BINARY}, "task", "TASK_MISMATCH"),
        (YES_NO, {"metric": "roc"}, "metric", "UNKNOWN_METRIC"),
        (YES_NO, {"metric": "rmse"}, "metric", "METRIC_MISMATCH"),
        (YES_NO, {"positive_class": "maybe"}, "positive_class", "UNKNOWN_CLASS"),
        (number("label"), {"positive_class": "1"}, "positive_class", "TASK_MISMATCH"),
        (YES_NO, {"excluded_columns": ("b",)}, "excluded_columns[0]", "UNKNOWN_COLUMN"),
        (YES_NO, {"excluded_columns": ("w", "w")}, "excluded_columns[1]", "DUPLICATE_COLUMN"),
        (YES_NO, {"excluded_columns": ("label",)}, "excluded_columns[0]", "DUPLICATE_COLUMN"),
        (YES_NO, {"excluded_columns": ("a", "w", "c")}, "excluded_columns", "NO_FEATURES"),
        (YES_NO, {"weight_column": "label"}, "weight_column", "DUPLICATE_COLUMN"),
        (YES_NO, {"weight_column": "nope"}, "weight_column", "UNKNOWN_COLUMN"),
        (YES_NO, {"weight_column": "c"}, "weight_column", "BAD_WEIGHT_COLUMN"),
        (YES_NO, {"weight_column": "w"}, "weight_column", "BAD_WEIGHT_COLUMN"),
        (YES_NO, {"time_column": "c"}, "time_column", "BAD_TIME_COLUMN"),
        (YES_NO, {"group_column": "g"}, "group_column", "UNKNOWN_COLUMN"),
        (
            YES_NO,
            {"group_column": "c", "time_column": "a"},
            "time_column",
            "CONFLICTING_COLUMNS",
        ),
    ],
)
def test_what_is_refused(target: Column, asked: dict[str, object], field: str, reason: str) -> None:
    negative = number("w", min=-1.0)
    dataset = table(number("a"), negative, category("c", ("u", 50), ("v", 50)), target)
    error = refused(dataset, spec(**asked))
    assert error.reason == reason
    assert error.violations[0].field == f"search.spec.{field}"
    assert error.violations[0].remedy


def test_a_near_column_is_suggested() -> None:
    error = refused(table(number("a"), YES_NO), spec(target_column="lable"))
    assert error.violations[0].remedy == "did you mean label?"


def test_all_faults_are_named_at_once() -> None:
    asked = spec(metric="roc", excluded_columns=("zzz",), weight_column="yyy")
    fields = {v.field for v in refused(table(number("a"), YES_NO), asked).violations}
    assert fields == {
        "search.spec.metric",
        "search.spec.excluded_columns[0]",
        "search.spec.weight_column",
    }


def test_too_few_rows() -> None:
    target = category("label", ("a", 4), ("b", 5))
    assert refused(table(number("a"), target, rows=9), spec()).reason == "TOO_FEW_ROWS"

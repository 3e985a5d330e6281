"""The target of a search: which task it makes, which classes it has, what is wrong with it.

Inference: two distinct values are BINARY; text values with more are MULTICLASS; a number column is
MULTICLASS when it is whole with at most 20 values that are at most 5 % of its rows, else
REGRESSION.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.records import Column, ColumnKind, Dataset, SearchSpec, Task
from controller.domain.violations import Violations, suggestion

FIELD = "search.spec"
"""Path of the spec in a request."""
MAX_CLASSES = 1_000
"""Most classes; the reader counts every value of a column up to so many."""
_MAX_INTEGER_CLASSES = 20
_MAX_INTEGER_CLASS_SHARE = 0.05


@dataclass(frozen=True)
class Target:
    """A resolved target. rows: those with a value. class_counts: (class, rows) in class order,
    empty for regression.
    """

    task: Task
    rows: int
    class_counts: tuple[tuple[str, int], ...]
    positive_class: str
    notes: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in order."""
        return tuple(name for name, _ in self.class_counts)


def resolve(dataset: Dataset, spec: SearchSpec, violations: Violations) -> Target | None:
    """The target, or None after adding to `violations`."""
    column = _column(dataset, spec, violations)
    if column is None:
        return None
    task = _task(column, dataset.rows - column.missing_count, spec, violations)
    if task is None:
        return None
    counts = () if task is Task.REGRESSION else _class_counts(column)
    if len(counts) != (0 if task is Task.REGRESSION else column.distinct_count):
        _blame(violations, f"the values of {column.name!r} were not all counted", "BAD_TARGET")
        return None
    counts, positive = _positive(counts, task, spec, violations)
    notes: tuple[str, ...] = ()
    if column.missing_count:
        notes = (f"{column.missing_count} rows without a target are left out",)
    return Target(task, dataset.rows - column.missing_count, counts, positive, notes)


def _blame(
    violations: Violations, text: str, reason: str, remedy: str = "choose another target column"
) -> None:
    violations.add(f"{FIELD}.target_column", text, remedy, reason)


def _column(dataset: Dataset, spec: SearchSpec, violations: Violations) -> Column | None:
    """The target's column if it can be a target at all."""
    names = [column.name for column in dataset.columns]
    if not spec.target_column:
        _blame(violations, "no target column is named", "MISSING_TARGET", suggestion("", names))
        return None
    column = dataset.column(spec.target_column)
    if column is None:
        text = f"{dataset.name} has no column {spec.target_column!r}"
        _blame(violations, text, "UNKNOWN_COLUMN", suggestion(spec.target_column, names))
        return None
    name, kind = column.name, column.kind
    if column.missing_count >= dataset.rows or column.distinct_count == 0:
        _blame(violations, f"every value of {name!r} is missing", "TARGET_ALL_MISSING")
    elif column.distinct_count < 2:
        value = column.top_values[0].value if column.top_values else ""
        _blame(violations, f"{name!r} has only the value {value!r}", "TARGET_ONE_CLASS")
    elif kind is ColumnKind.TEXT:
        _blame(violations, f"{name!r} holds free text, not classes or numbers", "TARGET_IS_TEXT")
    elif kind is ColumnKind.DATE:
        _blame(violations, f"{name!r} holds dates, not classes or numbers", "TARGET_IS_DATE")
    else:
        return column
    return None


def _infer(column: Column, rows: int) -> Task:
    if column.distinct_count == 2:
        return Task.BINARY
    if column.kind is not ColumnKind.NUMBER:
        return Task.MULTICLASS
    few = column.distinct_count <= min(_MAX_INTEGER_CLASSES, _MAX_INTEGER_CLASS_SHARE * rows)
    return Task.MULTICLASS if column.is_integer and few else Task.REGRESSION


def _task(column: Column, rows: int, spec: SearchSpec, violations: Violations) -> Task | None:
    """The task as asked for, else as inferred, if the column can have it."""
    name, distinct = column.name, column.distinct_count
    task = spec.task or _infer(column, rows)
    problem, remedy = "", ""
    if task is Task.REGRESSION and column.kind is not ColumnKind.NUMBER:
        problem = f"{name!r} holds {column.kind.value.lower()} values, which regression cannot use"
        remedy = f"use {_infer(column, rows).value} or a number column"
    elif task is Task.BINARY and distinct != 2:
        problem = f"a binary task needs 2 classes and {name!r} has {distinct} values"
        remedy = f"use {_infer(column, rows).value}, or leave task empty"
    elif task is Task.MULTICLASS and distinct == 2:
        problem, remedy = f"{name!r} has only 2 classes", "use BINARY, or leave task empty"
    if problem:
        violations.add(f"{FIELD}.task", problem, remedy, "TASK_MISMATCH")
        return None
    is_counted = distinct <= MAX_CLASSES and not column.is_distinct_count_capped
    if task is Task.MULTICLASS and not is_counted:
        text = f"{name!r} has more than {MAX_CLASSES} classes"
        remedy = "choose a target with fewer classes"
        if column.kind is ColumnKind.NUMBER:
            remedy += ", or use REGRESSION"
        _blame(violations, text, "TOO_MANY_CLASSES", remedy)
        return None
    return task


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _class_counts(column: Column) -> tuple[tuple[str, int], ...]:
    """Classes in sorted order, numerically when all of them are numbers."""
    pairs = [(value.value, value.count) for value in column.top_values]
    numbers = {text: _number(text) for text, _ in pairs}
    if all(number is not None for number in numbers.values()):
        return tuple(sorted(pairs, key=lambda pair: (numbers[pair[0]] or 0.0, pair[0])))
    return tuple(sorted(pairs))


def _positive(
    counts: tuple[tuple[str, int], ...], task: Task, spec: SearchSpec, violations: Violations
) -> tuple[tuple[tuple[str, int], ...], str]:
    """Puts the positive class of a binary task last."""
    field, given = f"{FIELD}.positive_class", spec.positive_class
    if task is not Task.BINARY:
        if given:
            text = f"a {task.value.lower()} task has no positive class"
            violations.add(field, text, "leave it empty", "TASK_MISMATCH")
        return counts, ""
    names = [name for name, _ in counts]
    positive = _find_class(given, names) if given else names[-1]
    if positive is None:
        text = f"{given!r} is no class of {spec.target_column!r}"
        violations.add(field, text, suggestion(given, names), "UNKNOWN_CLASS")
        return counts, ""
    ordered = sorted(counts, key=lambda pair: pair[0] == positive)
    return tuple(ordered), positive


def _find_class(given: str, names: list[str]) -> str | None:
    """The class as spelled in the file: `1` finds `1.0`."""
    if given in names:
        return given
    number = _number(given)
    return next((name for name in names if number is not None and _number(name) == number), None)

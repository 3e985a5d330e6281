"""What a search's spec means for its dataset: task, classes, features, metric, validation.

`make_plan` is pure. It collects everything that is wrong instead of stopping at the first.
"""

from __future__ import annotations

from controller.domain import plan_target
from controller.domain.metrics_catalog import DEFAULT_METRIC, METRICS, metrics_for
from controller.domain.plan_target import FIELD, Target
from controller.domain.records import ColumnKind, Dataset, Plan, SearchSpec, Task
from controller.domain.violations import Violations, suggestion

MIN_ROWS = 10
"""Fewest rows with a target: below, no split leaves enough to score."""
FIVE_FOLD_ROWS = 20_000
"""Up to so many rows a trial is scored by 5 folds."""
THREE_FOLD_ROWS = 50_000
"""Up to so many rows by 3 folds, above by one holdout of 20 %."""


def make_plan(dataset: Dataset, spec: SearchSpec) -> Plan:
    """Settles what is learned from what, and how it is scored.

    Raises: InvalidArgument with all violations, fields `search.spec.…`.
    """
    violations = Violations()
    features, notes = _features(dataset, spec, violations)
    target = plan_target.resolve(dataset, spec, violations)
    _check_roles(dataset, spec, violations)
    metric = _metric(spec, target.task if target else spec.task, violations)
    if target is not None and target.rows < MIN_ROWS:
        violations.add(
            f"{FIELD}.target_column",
            f"only {target.rows} rows have a value of {spec.target_column!r}",
            f"give at least {MIN_ROWS} rows",
            "TOO_FEW_ROWS",
        )
    folds = _folds(dataset, spec, target, violations) if target else 0
    violations.raise_if_any()
    assert target is not None  # a target that cannot be resolved is a violation
    return Plan(
        task=target.task,
        metric=metric,
        is_metric_maximized=METRICS[metric].is_maximized,
        classes=target.classes,
        positive_class=target.positive_class,
        feature_columns=features,
        rows=target.rows,
        folds=folds,
        validation=_describe_validation(spec, target.task, folds),
        notes=(*target.notes, *notes),
    )


def _features(
    dataset: Dataset, spec: SearchSpec, violations: Violations
) -> tuple[tuple[str, ...], list[str]]:
    """The columns to learn from, and notes about those left out."""
    names = [column.name for column in dataset.columns]
    for index, name in enumerate(spec.excluded_columns):
        field = f"{FIELD}.excluded_columns[{index}]"
        if name not in names:
            text = f"{dataset.name} has no column {name!r}"
            violations.add(field, text, suggestion(name, names), "UNKNOWN_COLUMN")
        elif name in spec.excluded_columns[:index]:
            text = f"{name!r} is named twice"
            violations.add(field, text, "name it once", "DUPLICATE_COLUMN")
    roles = {spec.target_column, spec.weight_column, spec.group_column, spec.time_column}
    left_out = roles | set(spec.excluded_columns)
    candidates = [column for column in dataset.columns if column.name not in left_out]
    notes = [
        f"column {column.name!r} is left out: {column.note or 'it holds nothing to learn from'}"
        for column in candidates
        if column.is_dropped
    ]
    features = tuple(column.name for column in candidates if not column.is_dropped)
    if not features:
        violations.add(
            f"{FIELD}.excluded_columns",
            "no column is left to learn from",
            "exclude fewer columns or give a table with more columns that vary",
            "NO_FEATURES",
        )
    return features, notes


def _check_roles(dataset: Dataset, spec: SearchSpec, violations: Violations) -> None:
    """Weight, group and time columns: known, of a fitting kind, each column in one role."""
    roles = [
        ("target_column", spec.target_column),
        ("weight_column", spec.weight_column),
        ("group_column", spec.group_column),
        ("time_column", spec.time_column),
        *((f"excluded_columns[{i}]", name) for i, name in enumerate(spec.excluded_columns)),
    ]
    first: dict[str, str] = {}
    for role, name in roles:
        if name and name in first and first[name].split("[")[0] != role.split("[")[0]:
            violations.add(
                f"{FIELD}.{role}",
                f"{name!r} is the {first[name]} too",
                "give each column one role",
                "DUPLICATE_COLUMN",
            )
        first.setdefault(name, role)
    if spec.group_column and spec.time_column:
        violations.add(
            f"{FIELD}.time_column",
            "folds cannot follow a group and a time column at once",
            "set group_column or time_column, not both",
            "CONFLICTING_COLUMNS",
        )
    _check_weight(dataset, spec, violations)
    _check_group(dataset, spec, violations)
    _check_time(dataset, spec, violations)


def _is_known(dataset: Dataset, role: str, name: str, violations: Violations) -> bool:
    if not name or dataset.column(name) is not None:
        return bool(name)
    names = [column.name for column in dataset.columns]
    text = f"{dataset.name} has no column {name!r}"
    violations.add(f"{FIELD}.{role}", text, suggestion(name, names), "UNKNOWN_COLUMN")
    return False


def _check_weight(dataset: Dataset, spec: SearchSpec, violations: Violations) -> None:
    if not _is_known(dataset, "weight_column", spec.weight_column, violations):
        return
    column = dataset.column(spec.weight_column)
    assert column is not None
    problem = ""
    if column.kind is not ColumnKind.NUMBER:
        problem = f"{column.name!r} holds {column.kind.value.lower()} values, not numbers"
    elif column.missing_count:
        problem = f"{column.name!r} has {column.missing_count} missing weights"
    elif column.min is not None and column.min < 0:
        problem = f"{column.name!r} has negative weights, down to {column.min:g}"
    elif column.max is not None and column.max <= 0:
        problem = f"all weights in {column.name!r} are zero"
    if problem:
        remedy = "name a column of non-negative numbers without gaps, or leave it empty"
        violations.add(f"{FIELD}.weight_column", problem, remedy, "BAD_WEIGHT_COLUMN")


def _check_group(dataset: Dataset, spec: SearchSpec, violations: Violations) -> None:
    if not _is_known(dataset, "group_column", spec.group_column, violations):
        return
    column = dataset.column(spec.group_column)
    assert column is not None
    if column.distinct_count < 2:
        violations.add(
            f"{FIELD}.group_column",
            f"{column.name!r} has {column.distinct_count} group(s), so rows cannot be split",
            "name a column with at least two groups, or leave it empty",
            "BAD_GROUP_COLUMN",
        )


def _check_time(dataset: Dataset, spec: SearchSpec, violations: Violations) -> None:
    if not _is_known(dataset, "time_column", spec.time_column, violations):
        return
    column = dataset.column(spec.time_column)
    assert column is not None
    problem = ""
    if column.kind not in (ColumnKind.DATE, ColumnKind.NUMBER):
        problem = f"{column.name!r} holds {column.kind.value.lower()} values, not dates or numbers"
    elif column.missing_count:
        problem = f"{column.name!r} has {column.missing_count} missing values"
    elif column.distinct_count < 2:
        problem = f"{column.name!r} has one value only, so it gives no order"
    if problem:
        remedy = "name a column of dates or numbers without gaps, or leave it empty"
        violations.add(f"{FIELD}.time_column", problem, remedy, "BAD_TIME_COLUMN")


def _metric(spec: SearchSpec, task: Task | None, violations: Violations) -> str:
    """The metric's name; what comes back beside a violation is not used."""
    if not spec.metric:
        return DEFAULT_METRIC[task] if task else ""
    field = f"{FIELD}.metric"
    metric = METRICS.get(spec.metric)
    if metric is None:
        known = metrics_for(task) if task else tuple(METRICS)
        text = f"{spec.metric!r} is not a metric"
        violations.add(field, text, suggestion(spec.metric, known), "UNKNOWN_METRIC")
    elif task is not None and task not in metric.tasks:
        text = f"{spec.metric} does not fit a {task.value.lower()} task"
        remedy = "use one of " + ", ".join(metrics_for(task))
        violations.add(field, text, remedy, "METRIC_MISMATCH")
    return spec.metric


def _folds(dataset: Dataset, spec: SearchSpec, target: Target, violations: Violations) -> int:
    """Folds of the cross-validation; 0 for a holdout."""
    for name, count in target.class_counts:
        if count < 2:
            violations.add(
                f"{FIELD}.target_column",
                f"class {name!r} has {count} row",
                "give every class at least 2 rows, or leave the rows of this class out",
                "CLASS_TOO_SMALL",
            )
    if target.rows > THREE_FOLD_ROWS:
        return 0
    wanted = 5 if target.rows <= FIVE_FOLD_ROWS else 3
    if target.class_counts and not spec.time_column:
        wanted = min(wanted, max(2, min(count for _, count in target.class_counts)))
    group = dataset.column(spec.group_column) if spec.group_column else None
    if group is not None:
        wanted = min(wanted, max(2, group.distinct_count))
    return wanted


def _describe_validation(spec: SearchSpec, task: Task, folds: int) -> str:
    """How candidates are scored, for people."""
    is_stratified = task is not Task.REGRESSION
    if spec.time_column:
        kind = f"{folds} folds" if folds else "a 20 % holdout"
        return f"{kind} in the order of {spec.time_column}"
    if spec.group_column:
        kind = f"{folds}-fold cross-validation" if folds else "20 % holdout"
        return f"{kind} that keeps the groups of {spec.group_column} together"
    if folds:
        return f"{folds}-fold {'stratified ' if is_stratified else ''}cross-validation"
    return f"{'stratified ' if is_stratified else ''}20 % holdout"

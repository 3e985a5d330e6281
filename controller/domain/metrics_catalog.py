"""The metrics a search can optimise: names, direction, tasks they fit, the default of each task.

| metric | better | tasks | definition |
|---|---|---|---|
| roc_auc | larger | classes | area under the ROC curve; multiclass: one versus rest, macro |
| log_loss | smaller | classes | mean negative log-likelihood, natural logarithm |
| accuracy | larger | classes | share of rows whose likeliest class is the true one |
| balanced_accuracy | larger | classes | mean recall of the classes |
| f1 | larger | classes | binary: of the positive class; multiclass: macro average |
| rmse | smaller | regression | root mean squared error, in the target's unit |
| mae | smaller | regression | mean absolute error, in the target's unit |
| r2 | larger | regression | coefficient of determination |
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.records import Task

_CLASSES = (Task.BINARY, Task.MULTICLASS)
_NUMBERS = (Task.REGRESSION,)


@dataclass(frozen=True)
class Metric:
    """A metric: its name, whether larger is better, and the tasks it fits."""

    name: str
    is_maximized: bool
    tasks: tuple[Task, ...]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", True, _CLASSES),
        Metric("log_loss", False, _CLASSES),
        Metric("accuracy", True, _CLASSES),
        Metric("balanced_accuracy", True, _CLASSES),
        Metric("f1", True, _CLASSES),
        Metric("rmse", False, _NUMBERS),
        Metric("mae", False, _NUMBERS),
        Metric("r2", True, _NUMBERS),
    )
}

DEFAULT_METRIC: dict[Task, str] = {
    Task.BINARY: "roc_auc",
    Task.MULTICLASS: "log_loss",
    Task.REGRESSION: "rmse",
}


def metrics_for(task: Task) -> tuple[str, ...]:
    """Names of the metrics that fit a task, the default first."""
    default = DEFAULT_METRIC[task]
    others = (name for name, m in METRICS.items() if task in m.tasks and name != default)
    return (default, *others)

"""What can be asked of a search, as keyword arguments."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headgate.errors import InputError
from headgate.v1.search_pb2 import (
    Budget,
    Limits,
    SearchSpace,
    SearchSpec,
    ShrinkPolicy,
    Task,
)

TASKS = {
    "binary": Task.TASK_BINARY,
    "multiclass": Task.TASK_MULTICLASS,
    "regression": Task.TASK_REGRESSION,
}


SHRINKS = {
    "none": ShrinkPolicy.SHRINK_POLICY_NONE,
    "same-result": ShrinkPolicy.SHRINK_POLICY_SAME_RESULT,
    "any": ShrinkPolicy.SHRINK_POLICY_ANY,
}


_INT32, _INT64, _SECONDS = 2**31 - 1, 2**63 - 1, 3.15576e11
_MOST: dict[str, float] = {
    "time_seconds": _SECONDS,
    "time_per_trial_seconds": _SECONDS,
    "max_predict_latency_seconds": _SECONDS,
    "trials": _INT32,
    "cpus_per_trial": _INT32,
    "max_concurrent_trials": _INT32,
    "memory_per_trial_bytes": _INT64,
    "max_model_bytes": _INT64,
    "seed": _INT64,
    "gpus_per_trial": 1e308,
}
"""What the API's fields can carry; the server is stricter."""


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search; `headgate/v1/search.proto` documents each under the same name.

    Units: `*_seconds` seconds, `*_bytes` bytes. Zero, empty or None means the server's default. At
    least one of `time_seconds` and `trials` must be set.
    """

    time_seconds: float = 0.0
    trials: int = 0
    metric: str = ""
    task: str = ""
    families: Sequence[str] = ()
    positive_class: str = ""
    exclude: Sequence[str] = ()
    weight_column: str = ""
    group_column: str = ""
    time_column: str = ""
    space: SearchSpace | None = None
    memory_per_trial_bytes: int = 0
    cpus_per_trial: int = 0
    gpus_per_trial: float = 0.0
    time_per_trial_seconds: float = 0.0
    max_concurrent_trials: int = 0
    max_model_bytes: int = 0
    max_predict_latency_seconds: float = 0.0
    shrink: str = ""
    seed: int = 0
    deploy: str = ""

    def changed(self, **settings: object) -> SearchOptions:
        """A copy with other values. Raises: InputError for an unknown name."""
        known = {field.name for field in dataclasses.fields(self)}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise InputError(f"unknown option {unknown[0]!r}; there are {', '.join(sorted(known))}")
        return dataclasses.replace(self, **settings)  # type: ignore[arg-type]

    def check(self) -> None:
        """Raises: InputError for what can be seen to be wrong without the server."""
        if self.task and self.task not in TASKS:
            raise InputError(f"task: {self.task!r} is unknown; use {', '.join(TASKS)}")
        for name, most in _MOST.items():
            _check_number(name, getattr(self, name), most)
        if self.shrink and self.shrink not in SHRINKS:
            known = ", ".join(SHRINKS)
            raise InputError(f"shrink: {self.shrink!r} is unknown; use {known}")

    def to_proto(self, dataset: str, target: str) -> SearchSpec:
        """The request's spec."""
        return SearchSpec(
            dataset=dataset,
            target_column=target,
            task=TASKS.get(self.task, Task.TASK_UNSPECIFIED),
            positive_class=self.positive_class,
            excluded_columns=self.exclude,
            weight_column=self.weight_column,
            group_column=self.group_column,
            time_column=self.time_column,
            metric=self.metric,
            families=self.families,
            space=self.space,
            seed=self.seed,
            budget=self.budget(),
            limits=self.limits(),
            deploy=self.deploy,
        )

    def budget(self) -> Budget:
        """The budget alone."""
        budget = Budget(max_trials=self.trials)
        if self.time_seconds:
            _set_duration(budget.time, self.time_seconds)
        return budget

    def limits(self) -> Limits:
        """The limits alone."""
        limits = Limits(
            memory_per_trial_bytes=self.memory_per_trial_bytes,
            cpus_per_trial=self.cpus_per_trial,
            gpus_per_trial=self.gpus_per_trial,
            max_concurrent_trials=self.max_concurrent_trials,
            max_model_bytes=self.max_model_bytes,
            shrink=SHRINKS.get(self.shrink, ShrinkPolicy.SHRINK_POLICY_UNSPECIFIED),
        )
        if self.time_per_trial_seconds:
            _set_duration(limits.time_per_trial, self.time_per_trial_seconds)
        if self.max_predict_latency_seconds:
            _set_duration(limits.max_predict_latency, self.max_predict_latency_seconds)
        return limits


def _check_number(name: str, value: Any, most: float) -> None:  # noqa: ANN401 - what a caller gave
    is_whole = isinstance(most, int)
    kind: Any = numbers.Integral if is_whole else numbers.Real
    if isinstance(value, bool) or not isinstance(value, kind):
        raise InputError(f"{name}: {value!r} is no {'whole number' if is_whole else 'number'}")
    if not -most <= value <= most:  # NaN is not, either
        raise InputError(f"{name}: {value} is out of range; the largest is {most:.12g}")


def _set_duration(duration: object, seconds: float) -> None:
    """Writes seconds into a `google.protobuf.Duration`."""
    duration.FromNanoseconds(round(seconds * 1e9))  # type: ignore[attr-defined]

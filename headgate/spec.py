"""What can be asked of a search, as keyword arguments."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

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


def _set_duration(duration: object, seconds: float) -> None:
    """Writes seconds into a `google.protobuf.Duration`."""
    duration.FromNanoseconds(round(seconds * 1e9))  # type: ignore[attr-defined]

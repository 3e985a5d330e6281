"""Converts searches, their specs and their progress between the domain and `headgate.v1`.

On the wire 0 or an absent message means no limit; in the domain that is None.
"""

from __future__ import annotations

from controller.api.convert import (
    failure_to_status,
    from_duration,
    from_enum,
    to_duration,
    to_duration_or_none,
    to_timestamp,
    to_timestamp_or_none,
)
from controller.api.convert_space import space_from_proto, space_to_proto
from controller.domain.records import (
    Budget,
    Limits,
    Progress,
    Search,
    SearchSpec,
    Shrink,
    Task,
)
from controller.service.etag import etag
from headgate.v1 import search_pb2 as pb

TASK_PREFIX = "TASK_"
SHRINK_PREFIX = "SHRINK_POLICY_"


def search_to_proto(search: Search, progress: Progress) -> pb.Search:
    """The resource as users see it."""
    plan = search.plan
    return pb.Search(
        name=search.name,
        spec=spec_to_proto(search.spec),
        state=search.state.value,
        task=task_to_proto(plan.task),
        metric=plan.metric,
        is_metric_maximized=plan.is_metric_maximized,
        classes=plan.classes,
        feature_columns=plan.feature_columns,
        validation=plan.validation,
        notes=plan.notes,
        pending_reason=search.pending_reason,
        progress=progress_to_proto(progress, search.phase),
        best_trial=search.best_trial,
        best_score=search.best_score,
        model=search.model,
        deployment=search.deployment,
        error=failure_to_status(search.error),
        create_time=to_timestamp(search.created_at),
        start_time=to_timestamp_or_none(search.started_at),
        end_time=to_timestamp_or_none(search.ended_at),
        driver_attempts=search.driver_attempts,
        etag=etag(search),
    )


def progress_to_proto(progress: Progress, phase: str) -> pb.Progress:
    """`phase`: what the driver is doing, for people."""
    return pb.Progress(
        elapsed=to_duration(progress.elapsed_seconds),
        remaining=to_duration_or_none(progress.remaining_seconds),
        paused=to_duration(progress.paused_seconds),
        controller_unavailable=to_duration(progress.unreachable_seconds),
        counted_trials=progress.counted_trials,
        trials_by_state=progress.trials_by_state,
        rejections_by_reason=progress.rejections_by_reason,
        phase=phase,
    )


def task_to_proto(task: Task | None) -> str:
    """The name of the enum's value."""
    return TASK_PREFIX + ("UNSPECIFIED" if task is None else task.value)


def spec_to_proto(spec: SearchSpec) -> pb.SearchSpec:
    """What was asked for, as it was asked."""
    return pb.SearchSpec(
        dataset=spec.dataset,
        target_column=spec.target_column,
        task=task_to_proto(spec.task),
        positive_class=spec.positive_class,
        excluded_columns=spec.excluded_columns,
        weight_column=spec.weight_column,
        group_column=spec.group_column,
        time_column=spec.time_column,
        metric=spec.metric,
        families=spec.families,
        space=space_to_proto(spec.space),
        seed=spec.seed,
        budget=_budget_to_proto(spec.budget),
        limits=_limits_to_proto(spec.limits),
        deploy=spec.deploy,
    )


def spec_from_proto(spec: pb.SearchSpec, field: str = "search.spec") -> SearchSpec:
    """Raises: InvalidField below `field` for what cannot be expressed in the domain."""
    return SearchSpec(
        dataset=spec.dataset,
        target_column=spec.target_column,
        task=from_enum(Task, pb.Task, spec.task, f"{field}.task", TASK_PREFIX),
        positive_class=spec.positive_class,
        excluded_columns=tuple(spec.excluded_columns),
        weight_column=spec.weight_column,
        group_column=spec.group_column,
        time_column=spec.time_column,
        metric=spec.metric,
        families=tuple(spec.families),
        space=space_from_proto(spec.space, f"{field}.space"),
        seed=spec.seed,
        budget=_budget_from_proto(spec.budget),
        limits=_limits_from_proto(spec.limits, f"{field}.limits"),
        deploy=spec.deploy,
    )


def _budget_to_proto(budget: Budget) -> pb.Budget:
    return pb.Budget(
        time=to_duration_or_none(budget.time_seconds), max_trials=budget.max_trials or 0
    )


def _budget_from_proto(budget: pb.Budget) -> Budget:
    return Budget(
        time_seconds=from_duration(budget.time) if budget.HasField("time") else None,
        max_trials=budget.max_trials or None,
    )


def _limits_to_proto(limits: Limits) -> pb.Limits:
    return pb.Limits(
        memory_per_trial_bytes=limits.memory_per_trial_bytes or 0,
        cpus_per_trial=limits.cpus_per_trial,
        gpus_per_trial=limits.gpus_per_trial,
        time_per_trial=to_duration_or_none(limits.time_per_trial_seconds),
        max_concurrent_trials=limits.max_concurrent_trials or 0,
        max_model_bytes=limits.max_model_bytes or 0,
        max_predict_latency=to_duration_or_none(limits.max_predict_seconds),
        shrink=SHRINK_PREFIX + limits.shrink.value,
    )


def _limits_from_proto(limits: pb.Limits, field: str) -> Limits:
    has = limits.HasField
    return Limits(
        memory_per_trial_bytes=limits.memory_per_trial_bytes or None,
        cpus_per_trial=limits.cpus_per_trial or 1,
        gpus_per_trial=limits.gpus_per_trial,
        time_per_trial_seconds=(
            from_duration(limits.time_per_trial) if has("time_per_trial") else None
        ),
        max_concurrent_trials=limits.max_concurrent_trials or None,
        max_model_bytes=limits.max_model_bytes or None,
        max_predict_seconds=(
            from_duration(limits.max_predict_latency) if has("max_predict_latency") else None
        ),
        shrink=from_enum(Shrink, pb.ShrinkPolicy, limits.shrink, f"{field}.shrink", SHRINK_PREFIX)
        or Shrink.SAME_RESULT,
    )

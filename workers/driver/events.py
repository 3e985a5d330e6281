"""What became of a trial, as the controller, the sampler and people want to hear it."""

from __future__ import annotations

import math
from functools import cache
from importlib.metadata import version

from google.protobuf import duration_pb2

from headgate.v1 import trial_pb2, worker_service_pb2
from workers.driver.known import Known
from workers.driver.task import Task
from workers.trial.job import FitResult, Outcome

State = trial_pb2.Trial.State
Trial = trial_pb2.Trial
TrialEvent = worker_service_pb2.TrialEvent

LOST = "LOST"
"""`Outcome.kind` of a fit whose worker, agent or node was lost."""
NODE = "node"
"""`Outcome.evidence` of a trial that its node ended for want of memory."""
CANCELLED = "CANCELLED"
"""`Outcome.kind` of a fit that was ended by order."""

TRACEBACK_CHARACTERS = 16_000
"""The last characters of a traceback that are reported; a message holds many events."""

_STATES = {
    "MEMORY_EXCEEDED": Trial.INFEASIBLE,
    "TIMED_OUT": Trial.TIMED_OUT,
    "CANCELLED": Trial.CANCELLED,
}
_KINDS = {
    "MEMORY_EXCEEDED": trial_pb2.TrialFailure.MEMORY_EXCEEDED,
    "TIMED_OUT": trial_pb2.TrialFailure.TIMED_OUT,
    "BAD_CONFIG": trial_pb2.TrialFailure.BAD_CONFIG,
    "LOST": trial_pb2.TrialFailure.LOST,
    "CANCELLED": trial_pb2.TrialFailure.CANCELLED,
}
RUNNING_STATES = frozenset({Trial.ADMITTED, Trial.RUNNING})
OPEN_STATES = RUNNING_STATES | {Trial.DEFERRED}
"""States of trials that have not ended."""

LIBRARIES = ("numpy", "scikit-learn", "xgboost")

_LEAST_VIOLATION = 0.05
"""A trial that did not fit is told as at least 5 % over: a watchdog kills at the limit exactly."""
_FAILURE_VIOLATION = 1.0
"""A crash, a refused configuration, a timeout: as bad as e times over the limit."""


def running_event(task: Task) -> TrialEvent:
    """Its fit began."""
    return TrialEvent(number=task.number, attempt=task.attempt, state=Trial.RUNNING)


def ended_event(task: Task, outcome: Outcome) -> TrialEvent:
    """Its fit ended, for good."""
    event = TrialEvent(number=task.number, attempt=task.attempt)
    event.usage.CopyFrom(_usage(outcome))
    result = outcome.value
    if outcome.kind == "OK" and isinstance(result, FitResult):
        event.state = Trial.SUCCEEDED
        event.score = result.score
        event.fold_scores.extend(result.fold_scores)
        event.metrics.update(result.metrics)
        event.usage.model_bytes = result.model_bytes
        event.usage.predict_latency.CopyFrom(_duration(result.predict_seconds))
        if not math.isfinite(result.score):
            _fail(event, "CRASHED", f"the metric came out as {result.score}")
        return event
    _fail(event, outcome.kind, outcome.message)
    event.failure.traceback = outcome.traceback[-TRACEBACK_CHARACTERS:]
    event.failure.stderr_tail = outcome.stderr_tail[-TRACEBACK_CHARACTERS:]
    event.failure.exit_code = outcome.exit_code
    event.failure.evidence = outcome.evidence
    return event


def known_of_event(event: TrialEvent, task: Task) -> Known:
    """What the sampler learns from the end of a trial."""
    score = event.score if event.HasField("score") else None
    peak = event.usage.peak_memory_bytes
    return _known(event.state, score, peak, task.reservation.memory_bytes)


def known_of_trial(trial: Trial) -> Known:
    """The same, from the log."""
    if trial.state == Trial.REJECTED:
        return Known(violation=_violation(trial.verdict.demand, trial.verdict.limit))
    score = trial.score if trial.HasField("score") else None
    limit = trial.verdict.reservation.memory_bytes
    return _known(trial.state, score, trial.usage.peak_memory_bytes, limit)


def describe(event: TrialEvent, task: Task, metric: str) -> str:
    """One line for people."""
    usage = event.usage
    used = f"{usage.wall_time.ToTimedelta().total_seconds():.1f} s, {_mib(usage.peak_memory_bytes)}"
    name = f"{task} {task.configuration.family}"
    if event.state == Trial.SUCCEEDED:
        return f"{name}: {metric} {event.score:.6g} ({used})"
    return f"{name}: {State.Name(event.state)}: {event.failure.message} ({used})"


def _known(state: State, score: float | None, peak: int, limit: int) -> Known:
    if state in OPEN_STATES or state == Trial.CANCELLED:
        return Known()
    if state == Trial.SUCCEEDED:
        return Known(score=score)
    if state == Trial.INFEASIBLE:
        return Known(violation=_violation(float(peak), float(limit)))
    return Known(violation=_FAILURE_VIOLATION)


def _violation(demand: float, limit: float) -> float:
    if demand <= 0 or limit <= 0:
        return _FAILURE_VIOLATION
    return max(_LEAST_VIOLATION, math.log(demand / limit))


def _fail(event: TrialEvent, kind: str, message: str) -> None:
    event.ClearField("score")
    event.state = _STATES.get(kind, Trial.FAILED)
    event.failure.kind = _KINDS.get(kind, trial_pb2.TrialFailure.CRASHED)
    event.failure.message = message


def _usage(outcome: Outcome) -> trial_pb2.Usage:
    return trial_pb2.Usage(
        peak_memory_bytes=outcome.peak_memory_bytes,
        cpu_time=_duration(outcome.cpu_seconds),
        wall_time=_duration(outcome.wall_seconds),
        node=outcome.node,
        enforcement=outcome.enforcement,
        limit_bytes=outcome.limit_bytes,
        libraries=libraries(),
    )


@cache
def libraries() -> str:
    """Versions of the libraries that decide what a fit needs, as nodes of one image have them."""
    return ", ".join(f"{name} {version(name)}" for name in LIBRARIES)


def _duration(seconds: float) -> duration_pb2.Duration:
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.0f} MiB"

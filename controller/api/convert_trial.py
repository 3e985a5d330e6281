"""Converts trials, verdicts, usage and failures between the domain and `headgate.v1`."""

from __future__ import annotations

from collections.abc import Iterable

from controller.api.convert import (
    from_duration,
    from_enum_required,
    to_duration,
    to_int64,
    to_struct,
    to_struct_or_none,
    to_timestamp,
    to_timestamp_or_none,
)
from controller.domain.records import (
    Attempt,
    Calibration,
    FailureKind,
    Prediction,
    Reservation,
    Trial,
    TrialFailure,
    Usage,
    Verdict,
)
from controller.domain.states import TrialState
from headgate.v1 import trial_pb2 as pb

ORIGIN_PREFIX = "CANDIDATE_ORIGIN_"


def trial_to_proto(trial: Trial) -> pb.Trial:
    """The resource as users see it."""
    return pb.Trial(
        name=trial.name,
        number=trial.number,
        state=trial.state.value,
        family=trial.family,
        parameters=to_struct(trial.parameters),
        seed=trial.seed,
        verdict=verdict_to_proto(trial.verdict),
        score=trial.score,
        fold_scores=trial.fold_scores,
        metrics=trial.metrics,
        usage=None if trial.usage is None else usage_to_proto(trial.usage),
        failure=None if trial.failure is None else failure_to_proto(trial.failure),
        create_time=to_timestamp(trial.created_at),
        start_time=to_timestamp_or_none(trial.started_at),
        end_time=to_timestamp_or_none(trial.ended_at),
        attempts=trial.attempts,
        origin=ORIGIN_PREFIX + trial.origin,
        history=[_attempt(each) for each in trial.history],
    )


def _attempt(attempt: Attempt) -> pb.Attempt:
    held, usage, failure = attempt.reservation, attempt.usage, attempt.failure
    return pb.Attempt(
        number=attempt.number,
        reservation=None if held is None else _reservation(held),
        usage=None if usage is None else usage_to_proto(usage),
        failure=None if failure is None else failure_to_proto(failure),
    )


def states_from_proto(states: Iterable[int], field: str) -> tuple[TrialState, ...]:
    """A filter of states. Raises: InvalidField for an unknown or unspecified one."""
    return tuple(from_enum_required(TrialState, pb.Trial.State, each, field) for each in states)


def verdict_to_proto(verdict: Verdict) -> pb.Verdict:
    """What the gate decided."""
    return pb.Verdict(
        decision=verdict.decision.value,
        reason="REASON_UNSPECIFIED" if verdict.reason is None else verdict.reason.value,
        prediction=_prediction(verdict.prediction),
        bound_bytes=to_int64(verdict.bound_bytes),
        limit=verdict.limit,
        demand=verdict.demand,
        limit_unit=verdict.limit_unit,
        fits_with=to_struct_or_none(verdict.fits_with),
        message=verdict.message,
        reservation=None if verdict.reservation is None else _reservation(verdict.reservation),
        changes=to_struct_or_none(verdict.changes),
        replaced=to_struct_or_none(verdict.replaced),
        waits_for=verdict.waits_for,
        calibration=None if verdict.calibration is None else _calibration(verdict.calibration),
    )


def _calibration(calibration: Calibration) -> pb.Calibration:
    return pb.Calibration(
        factor=calibration.factor,
        coverage=calibration.coverage,
        fits=calibration.fits,
        source=calibration.source.value,
    )


def _prediction(prediction: Prediction) -> pb.Prediction:
    return pb.Prediction(
        peak_memory_bytes=to_int64(prediction.peak_memory_bytes),
        cpu_time=to_duration(prediction.cpu_seconds),
        model_bytes=to_int64(prediction.model_bytes),
        predict_latency=to_duration(prediction.predict_seconds),
        memory_terms={k: to_int64(v) for k, v in prediction.memory_terms.items()},
        phases_bytes={k: to_int64(v) for k, v in prediction.phases_bytes.items()},
        gpu_memory_bytes=to_int64(prediction.gpu_memory_bytes),
    )


def _reservation(reservation: Reservation) -> pb.Reservation:
    return pb.Reservation(
        cpus=reservation.cpus, gpus=reservation.gpus, memory_bytes=reservation.memory_bytes
    )


def usage_to_proto(usage: Usage) -> pb.Usage:
    """What a fit really used."""
    return pb.Usage(
        peak_memory_bytes=usage.peak_memory_bytes,
        cpu_time=to_duration(usage.cpu_seconds),
        wall_time=to_duration(usage.wall_seconds),
        model_bytes=usage.model_bytes,
        predict_latency=to_duration(usage.predict_seconds),
        node=usage.node,
        enforcement=usage.enforcement,
        limit_bytes=usage.limit_bytes,
        libraries=usage.libraries,
    )


def usage_from_proto(usage: pb.Usage) -> Usage:
    """What a driver measured."""
    return Usage(
        peak_memory_bytes=usage.peak_memory_bytes,
        cpu_seconds=from_duration(usage.cpu_time),
        wall_seconds=from_duration(usage.wall_time),
        model_bytes=usage.model_bytes,
        predict_seconds=from_duration(usage.predict_latency),
        node=usage.node,
        enforcement=usage.enforcement,
        limit_bytes=usage.limit_bytes,
        libraries=usage.libraries,
    )


def failure_to_proto(failure: TrialFailure) -> pb.TrialFailure:
    """Why a trial has no score."""
    return pb.TrialFailure(
        kind=failure.kind.value,
        message=failure.message,
        traceback=failure.traceback,
        stderr_tail=failure.stderr_tail,
        exit_code=failure.exit_code,
        evidence=failure.evidence,
    )


def failure_from_proto(failure: pb.TrialFailure, field: str) -> TrialFailure:
    """Raises: InvalidField for an unknown or unspecified kind."""
    return TrialFailure(
        kind=from_enum_required(FailureKind, pb.TrialFailure.Kind, failure.kind, f"{field}.kind"),
        message=failure.message,
        traceback=failure.traceback,
        stderr_tail=failure.stderr_tail,
        exit_code=failure.exit_code,
        evidence=failure.evidence,
    )

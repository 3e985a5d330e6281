import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CandidateOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANDIDATE_ORIGIN_UNSPECIFIED: _ClassVar[CandidateOrigin]
    CANDIDATE_ORIGIN_DEFAULT: _ClassVar[CandidateOrigin]
    CANDIDATE_ORIGIN_PINNED: _ClassVar[CandidateOrigin]
    CANDIDATE_ORIGIN_SAMPLED: _ClassVar[CandidateOrigin]
CANDIDATE_ORIGIN_UNSPECIFIED: CandidateOrigin
CANDIDATE_ORIGIN_DEFAULT: CandidateOrigin
CANDIDATE_ORIGIN_PINNED: CandidateOrigin
CANDIDATE_ORIGIN_SAMPLED: CandidateOrigin

class Trial(_message.Message):
    __slots__ = ("name", "number", "state", "family", "parameters", "seed", "verdict", "score", "fold_scores", "metrics", "usage", "failure", "create_time", "start_time", "end_time", "attempts", "origin", "history")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Trial.State]
        ADMITTED: _ClassVar[Trial.State]
        RUNNING: _ClassVar[Trial.State]
        SUCCEEDED: _ClassVar[Trial.State]
        REJECTED: _ClassVar[Trial.State]
        FAILED: _ClassVar[Trial.State]
        INFEASIBLE: _ClassVar[Trial.State]
        TIMED_OUT: _ClassVar[Trial.State]
        CANCELLED: _ClassVar[Trial.State]
        DEFERRED: _ClassVar[Trial.State]
    STATE_UNSPECIFIED: Trial.State
    ADMITTED: Trial.State
    RUNNING: Trial.State
    SUCCEEDED: Trial.State
    REJECTED: Trial.State
    FAILED: Trial.State
    INFEASIBLE: Trial.State
    TIMED_OUT: Trial.State
    CANCELLED: Trial.State
    DEFERRED: Trial.State
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    FOLD_SCORES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    name: str
    number: int
    state: Trial.State
    family: str
    parameters: _struct_pb2.Struct
    seed: int
    verdict: Verdict
    score: float
    fold_scores: _containers.RepeatedScalarFieldContainer[float]
    metrics: _containers.ScalarMap[str, float]
    usage: Usage
    failure: TrialFailure
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    attempts: int
    origin: CandidateOrigin
    history: _containers.RepeatedCompositeFieldContainer[Attempt]
    def __init__(self, name: _Optional[str] = ..., number: _Optional[int] = ..., state: _Optional[_Union[Trial.State, str]] = ..., family: _Optional[str] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., seed: _Optional[int] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ..., score: _Optional[float] = ..., fold_scores: _Optional[_Iterable[float]] = ..., metrics: _Optional[_Mapping[str, float]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., failure: _Optional[_Union[TrialFailure, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempts: _Optional[int] = ..., origin: _Optional[_Union[CandidateOrigin, str]] = ..., history: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("number", "reservation", "usage", "failure")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    number: int
    reservation: Reservation
    usage: Usage
    failure: TrialFailure
    def __init__(self, number: _Optional[int] = ..., reservation: _Optional[_Union[Reservation, _Mapping]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., failure: _Optional[_Union[TrialFailure, _Mapping]] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("decision", "reason", "prediction", "bound_bytes", "limit", "demand", "limit_unit", "fits_with", "message", "reservation", "changes", "replaced", "waits_for", "calibration")
    class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        DECISION_UNSPECIFIED: _ClassVar[Verdict.Decision]
        ADMITTED: _ClassVar[Verdict.Decision]
        SHRUNK: _ClassVar[Verdict.Decision]
        DEFERRED: _ClassVar[Verdict.Decision]
        REJECTED: _ClassVar[Verdict.Decision]
    DECISION_UNSPECIFIED: Verdict.Decision
    ADMITTED: Verdict.Decision
    SHRUNK: Verdict.Decision
    DEFERRED: Verdict.Decision
    REJECTED: Verdict.Decision
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Verdict.Reason]
        EXCEEDS_NODE_MEMORY: _ClassVar[Verdict.Reason]
        EXCEEDS_TRIAL_LIMIT: _ClassVar[Verdict.Reason]
        EXCEEDS_QUOTA: _ClassVar[Verdict.Reason]
        EXCEEDS_TIME_BUDGET: _ClassVar[Verdict.Reason]
        EXCEEDS_MODEL_SIZE: _ClassVar[Verdict.Reason]
        EXCEEDS_PREDICT_LATENCY: _ClassVar[Verdict.Reason]
        NO_SUCH_RESOURCE: _ClassVar[Verdict.Reason]
        EXCEEDS_GPU_MEMORY: _ClassVar[Verdict.Reason]
    REASON_UNSPECIFIED: Verdict.Reason
    EXCEEDS_NODE_MEMORY: Verdict.Reason
    EXCEEDS_TRIAL_LIMIT: Verdict.Reason
    EXCEEDS_QUOTA: Verdict.Reason
    EXCEEDS_TIME_BUDGET: Verdict.Reason
    EXCEEDS_MODEL_SIZE: Verdict.Reason
    EXCEEDS_PREDICT_LATENCY: Verdict.Reason
    NO_SUCH_RESOURCE: Verdict.Reason
    EXCEEDS_GPU_MEMORY: Verdict.Reason
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    BOUND_BYTES_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    LIMIT_UNIT_FIELD_NUMBER: _ClassVar[int]
    FITS_WITH_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    decision: Verdict.Decision
    reason: Verdict.Reason
    prediction: Prediction
    bound_bytes: int
    limit: float
    demand: float
    limit_unit: str
    fits_with: _struct_pb2.Struct
    message: str
    reservation: Reservation
    changes: _struct_pb2.Struct
    replaced: _struct_pb2.Struct
    waits_for: str
    calibration: Calibration
    def __init__(self, decision: _Optional[_Union[Verdict.Decision, str]] = ..., reason: _Optional[_Union[Verdict.Reason, str]] = ..., prediction: _Optional[_Union[Prediction, _Mapping]] = ..., bound_bytes: _Optional[int] = ..., limit: _Optional[float] = ..., demand: _Optional[float] = ..., limit_unit: _Optional[str] = ..., fits_with: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., message: _Optional[str] = ..., reservation: _Optional[_Union[Reservation, _Mapping]] = ..., changes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., replaced: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., waits_for: _Optional[str] = ..., calibration: _Optional[_Union[Calibration, _Mapping]] = ...) -> None: ...

class Calibration(_message.Message):
    __slots__ = ("factor", "coverage", "fits", "source")
    class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SOURCE_UNSPECIFIED: _ClassVar[Calibration.Source]
        PRIOR: _ClassVar[Calibration.Source]
        POOLED: _ClassVar[Calibration.Source]
        FAMILY: _ClassVar[Calibration.Source]
        MEMO: _ClassVar[Calibration.Source]
        STRUCTURAL: _ClassVar[Calibration.Source]
    SOURCE_UNSPECIFIED: Calibration.Source
    PRIOR: Calibration.Source
    POOLED: Calibration.Source
    FAMILY: Calibration.Source
    MEMO: Calibration.Source
    STRUCTURAL: Calibration.Source
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    FITS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    factor: float
    coverage: float
    fits: int
    source: Calibration.Source
    def __init__(self, factor: _Optional[float] = ..., coverage: _Optional[float] = ..., fits: _Optional[int] = ..., source: _Optional[_Union[Calibration.Source, str]] = ...) -> None: ...

class Prediction(_message.Message):
    __slots__ = ("peak_memory_bytes", "cpu_time", "model_bytes", "predict_latency", "memory_terms", "phases_bytes", "gpu_memory_bytes")
    class MemoryTermsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class PhasesBytesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPU_TIME_FIELD_NUMBER: _ClassVar[int]
    MODEL_BYTES_FIELD_NUMBER: _ClassVar[int]
    PREDICT_LATENCY_FIELD_NUMBER: _ClassVar[int]
    MEMORY_TERMS_FIELD_NUMBER: _ClassVar[int]
    PHASES_BYTES_FIELD_NUMBER: _ClassVar[int]
    GPU_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    peak_memory_bytes: int
    cpu_time: _duration_pb2.Duration
    model_bytes: int
    predict_latency: _duration_pb2.Duration
    memory_terms: _containers.ScalarMap[str, int]
    phases_bytes: _containers.ScalarMap[str, int]
    gpu_memory_bytes: int
    def __init__(self, peak_memory_bytes: _Optional[int] = ..., cpu_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., model_bytes: _Optional[int] = ..., predict_latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., memory_terms: _Optional[_Mapping[str, int]] = ..., phases_bytes: _Optional[_Mapping[str, int]] = ..., gpu_memory_bytes: _Optional[int] = ...) -> None: ...

class Reservation(_message.Message):
    __slots__ = ("cpus", "gpus", "memory_bytes")
    CPUS_FIELD_NUMBER: _ClassVar[int]
    GPUS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    cpus: int
    gpus: float
    memory_bytes: int
    def __init__(self, cpus: _Optional[int] = ..., gpus: _Optional[float] = ..., memory_bytes: _Optional[int] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("peak_memory_bytes", "cpu_time", "wall_time", "model_bytes", "predict_latency", "node", "enforcement", "limit_bytes", "libraries")
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPU_TIME_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    MODEL_BYTES_FIELD_NUMBER: _ClassVar[int]
    PREDICT_LATENCY_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    ENFORCEMENT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    LIBRARIES_FIELD_NUMBER: _ClassVar[int]
    peak_memory_bytes: int
    cpu_time: _duration_pb2.Duration
    wall_time: _duration_pb2.Duration
    model_bytes: int
    predict_latency: _duration_pb2.Duration
    node: str
    enforcement: str
    limit_bytes: int
    libraries: str
    def __init__(self, peak_memory_bytes: _Optional[int] = ..., cpu_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., wall_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., model_bytes: _Optional[int] = ..., predict_latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., node: _Optional[str] = ..., enforcement: _Optional[str] = ..., limit_bytes: _Optional[int] = ..., libraries: _Optional[str] = ...) -> None: ...

class TrialFailure(_message.Message):
    __slots__ = ("kind", "message", "traceback", "stderr_tail", "exit_code", "evidence")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[TrialFailure.Kind]
        MEMORY_EXCEEDED: _ClassVar[TrialFailure.Kind]
        TIMED_OUT: _ClassVar[TrialFailure.Kind]
        CRASHED: _ClassVar[TrialFailure.Kind]
        BAD_CONFIG: _ClassVar[TrialFailure.Kind]
        LOST: _ClassVar[TrialFailure.Kind]
        CANCELLED: _ClassVar[TrialFailure.Kind]
    KIND_UNSPECIFIED: TrialFailure.Kind
    MEMORY_EXCEEDED: TrialFailure.Kind
    TIMED_OUT: TrialFailure.Kind
    CRASHED: TrialFailure.Kind
    BAD_CONFIG: TrialFailure.Kind
    LOST: TrialFailure.Kind
    CANCELLED: TrialFailure.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    STDERR_TAIL_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    kind: TrialFailure.Kind
    message: str
    traceback: str
    stderr_tail: str
    exit_code: int
    evidence: str
    def __init__(self, kind: _Optional[_Union[TrialFailure.Kind, str]] = ..., message: _Optional[str] = ..., traceback: _Optional[str] = ..., stderr_tail: _Optional[str] = ..., exit_code: _Optional[int] = ..., evidence: _Optional[str] = ...) -> None: ...

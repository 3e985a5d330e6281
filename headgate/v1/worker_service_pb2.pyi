import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from headgate.v1 import dataset_pb2 as _dataset_pb2
from headgate.v1 import model_pb2 as _model_pb2
from headgate.v1 import search_pb2 as _search_pb2
from headgate.v1 import trial_pb2 as _trial_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Directive(_message.Message):
    __slots__ = ("mode", "spec_revision", "spec", "remaining_time", "remaining_trials", "startable", "most_running")
    class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MODE_UNSPECIFIED: _ClassVar[Directive.Mode]
        RUN: _ClassVar[Directive.Mode]
        PAUSE: _ClassVar[Directive.Mode]
        FINISH: _ClassVar[Directive.Mode]
        CANCEL: _ClassVar[Directive.Mode]
    MODE_UNSPECIFIED: Directive.Mode
    RUN: Directive.Mode
    PAUSE: Directive.Mode
    FINISH: Directive.Mode
    CANCEL: Directive.Mode
    MODE_FIELD_NUMBER: _ClassVar[int]
    SPEC_REVISION_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REMAINING_TIME_FIELD_NUMBER: _ClassVar[int]
    REMAINING_TRIALS_FIELD_NUMBER: _ClassVar[int]
    STARTABLE_FIELD_NUMBER: _ClassVar[int]
    MOST_RUNNING_FIELD_NUMBER: _ClassVar[int]
    mode: Directive.Mode
    spec_revision: int
    spec: _search_pb2.SearchSpec
    remaining_time: _duration_pb2.Duration
    remaining_trials: int
    startable: _containers.RepeatedCompositeFieldContainer[_trial_pb2.Trial]
    most_running: int
    def __init__(self, mode: _Optional[_Union[Directive.Mode, str]] = ..., spec_revision: _Optional[int] = ..., spec: _Optional[_Union[_search_pb2.SearchSpec, _Mapping]] = ..., remaining_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., remaining_trials: _Optional[int] = ..., startable: _Optional[_Iterable[_Union[_trial_pb2.Trial, _Mapping]]] = ..., most_running: _Optional[int] = ...) -> None: ...

class OpenSessionRequest(_message.Message):
    __slots__ = ("search", "driver_id")
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    DRIVER_ID_FIELD_NUMBER: _ClassVar[int]
    search: str
    driver_id: str
    def __init__(self, search: _Optional[str] = ..., driver_id: _Optional[str] = ...) -> None: ...

class OpenSessionResponse(_message.Message):
    __slots__ = ("session", "search", "dataset", "dataset_uri", "bundle_uri", "space", "directive", "reservation_sizes_bytes", "slots", "folds", "probe_families")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    DATASET_URI_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_URI_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    DIRECTIVE_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_SIZES_BYTES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    FOLDS_FIELD_NUMBER: _ClassVar[int]
    PROBE_FAMILIES_FIELD_NUMBER: _ClassVar[int]
    session: str
    search: _search_pb2.Search
    dataset: _dataset_pb2.Dataset
    dataset_uri: str
    bundle_uri: str
    space: _search_pb2.SearchSpace
    directive: Directive
    reservation_sizes_bytes: _containers.RepeatedScalarFieldContainer[int]
    slots: int
    folds: int
    probe_families: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, session: _Optional[str] = ..., search: _Optional[_Union[_search_pb2.Search, _Mapping]] = ..., dataset: _Optional[_Union[_dataset_pb2.Dataset, _Mapping]] = ..., dataset_uri: _Optional[str] = ..., bundle_uri: _Optional[str] = ..., space: _Optional[_Union[_search_pb2.SearchSpace, _Mapping]] = ..., directive: _Optional[_Union[Directive, _Mapping]] = ..., reservation_sizes_bytes: _Optional[_Iterable[int]] = ..., slots: _Optional[int] = ..., folds: _Optional[int] = ..., probe_families: _Optional[_Iterable[str]] = ...) -> None: ...

class TreeGrowth(_message.Message):
    __slots__ = ("family", "leaf", "share", "nodes_per_row")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    NODES_PER_ROW_FIELD_NUMBER: _ClassVar[int]
    family: str
    leaf: int
    share: float
    nodes_per_row: float
    def __init__(self, family: _Optional[str] = ..., leaf: _Optional[int] = ..., share: _Optional[float] = ..., nodes_per_row: _Optional[float] = ...) -> None: ...

class ReportProbeRequest(_message.Message):
    __slots__ = ("session", "growths")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    GROWTHS_FIELD_NUMBER: _ClassVar[int]
    session: str
    growths: _containers.RepeatedCompositeFieldContainer[TreeGrowth]
    def __init__(self, session: _Optional[str] = ..., growths: _Optional[_Iterable[_Union[TreeGrowth, _Mapping]]] = ...) -> None: ...

class ReportProbeResponse(_message.Message):
    __slots__ = ("reservation_sizes_bytes",)
    RESERVATION_SIZES_BYTES_FIELD_NUMBER: _ClassVar[int]
    reservation_sizes_bytes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, reservation_sizes_bytes: _Optional[_Iterable[int]] = ...) -> None: ...

class ReplayTrialsRequest(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: str
    def __init__(self, session: _Optional[str] = ...) -> None: ...

class ReplayTrialsResponse(_message.Message):
    __slots__ = ("trial", "candidate_id")
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_ID_FIELD_NUMBER: _ClassVar[int]
    trial: _trial_pb2.Trial
    candidate_id: str
    def __init__(self, trial: _Optional[_Union[_trial_pb2.Trial, _Mapping]] = ..., candidate_id: _Optional[str] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("candidate_id", "family", "parameters", "seed", "origin")
    CANDIDATE_ID_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    candidate_id: str
    family: str
    parameters: _struct_pb2.Struct
    seed: int
    origin: _trial_pb2.CandidateOrigin
    def __init__(self, candidate_id: _Optional[str] = ..., family: _Optional[str] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., seed: _Optional[int] = ..., origin: _Optional[_Union[_trial_pb2.CandidateOrigin, str]] = ...) -> None: ...

class AdmitRequest(_message.Message):
    __slots__ = ("session", "candidates", "spec_revision")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    SPEC_REVISION_FIELD_NUMBER: _ClassVar[int]
    session: str
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    spec_revision: int
    def __init__(self, session: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., spec_revision: _Optional[int] = ...) -> None: ...

class AdmitResponse(_message.Message):
    __slots__ = ("trials", "directive")
    TRIALS_FIELD_NUMBER: _ClassVar[int]
    DIRECTIVE_FIELD_NUMBER: _ClassVar[int]
    trials: _containers.RepeatedCompositeFieldContainer[_trial_pb2.Trial]
    directive: Directive
    def __init__(self, trials: _Optional[_Iterable[_Union[_trial_pb2.Trial, _Mapping]]] = ..., directive: _Optional[_Union[Directive, _Mapping]] = ...) -> None: ...

class TrialEvent(_message.Message):
    __slots__ = ("number", "attempt", "state", "score", "fold_scores", "metrics", "usage", "failure")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    FOLD_SCORES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    number: int
    attempt: int
    state: _trial_pb2.Trial.State
    score: float
    fold_scores: _containers.RepeatedScalarFieldContainer[float]
    metrics: _containers.ScalarMap[str, float]
    usage: _trial_pb2.Usage
    failure: _trial_pb2.TrialFailure
    def __init__(self, number: _Optional[int] = ..., attempt: _Optional[int] = ..., state: _Optional[_Union[_trial_pb2.Trial.State, str]] = ..., score: _Optional[float] = ..., fold_scores: _Optional[_Iterable[float]] = ..., metrics: _Optional[_Mapping[str, float]] = ..., usage: _Optional[_Union[_trial_pb2.Usage, _Mapping]] = ..., failure: _Optional[_Union[_trial_pb2.TrialFailure, _Mapping]] = ...) -> None: ...

class ReportTrialsRequest(_message.Message):
    __slots__ = ("session", "events", "unreachable")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    session: str
    events: _containers.RepeatedCompositeFieldContainer[TrialEvent]
    unreachable: _duration_pb2.Duration
    def __init__(self, session: _Optional[str] = ..., events: _Optional[_Iterable[_Union[TrialEvent, _Mapping]]] = ..., unreachable: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ReportTrialsResponse(_message.Message):
    __slots__ = ("directive", "trials")
    DIRECTIVE_FIELD_NUMBER: _ClassVar[int]
    TRIALS_FIELD_NUMBER: _ClassVar[int]
    directive: Directive
    trials: _containers.RepeatedCompositeFieldContainer[_trial_pb2.Trial]
    def __init__(self, directive: _Optional[_Union[Directive, _Mapping]] = ..., trials: _Optional[_Iterable[_Union[_trial_pb2.Trial, _Mapping]]] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("session", "spec_revision", "phase", "unreachable", "nodes")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SPEC_REVISION_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    session: str
    spec_revision: int
    phase: str
    unreachable: _duration_pb2.Duration
    nodes: _containers.RepeatedCompositeFieldContainer[NodeReport]
    def __init__(self, session: _Optional[str] = ..., spec_revision: _Optional[int] = ..., phase: _Optional[str] = ..., unreachable: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., nodes: _Optional[_Iterable[_Union[NodeReport, _Mapping]]] = ...) -> None: ...

class NodeReport(_message.Message):
    __slots__ = ("node_id", "memory_for_trials_bytes", "gpu_memory_bytes")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FOR_TRIALS_BYTES_FIELD_NUMBER: _ClassVar[int]
    GPU_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    memory_for_trials_bytes: int
    gpu_memory_bytes: int
    def __init__(self, node_id: _Optional[str] = ..., memory_for_trials_bytes: _Optional[int] = ..., gpu_memory_bytes: _Optional[int] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("directive",)
    DIRECTIVE_FIELD_NUMBER: _ClassVar[int]
    directive: Directive
    def __init__(self, directive: _Optional[_Union[Directive, _Mapping]] = ...) -> None: ...

class FinishSearchRequest(_message.Message):
    __slots__ = ("session", "model", "error", "cancelled")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    session: str
    model: _model_pb2.Model
    error: str
    cancelled: bool
    def __init__(self, session: _Optional[str] = ..., model: _Optional[_Union[_model_pb2.Model, _Mapping]] = ..., error: _Optional[str] = ..., cancelled: _Optional[bool] = ...) -> None: ...

class FinishSearchResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

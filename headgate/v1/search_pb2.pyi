import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Task(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_UNSPECIFIED: _ClassVar[Task]
    TASK_BINARY: _ClassVar[Task]
    TASK_MULTICLASS: _ClassVar[Task]
    TASK_REGRESSION: _ClassVar[Task]

class ShrinkPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHRINK_POLICY_UNSPECIFIED: _ClassVar[ShrinkPolicy]
    SHRINK_POLICY_NONE: _ClassVar[ShrinkPolicy]
    SHRINK_POLICY_SAME_RESULT: _ClassVar[ShrinkPolicy]
    SHRINK_POLICY_ANY: _ClassVar[ShrinkPolicy]
TASK_UNSPECIFIED: Task
TASK_BINARY: Task
TASK_MULTICLASS: Task
TASK_REGRESSION: Task
SHRINK_POLICY_UNSPECIFIED: ShrinkPolicy
SHRINK_POLICY_NONE: ShrinkPolicy
SHRINK_POLICY_SAME_RESULT: ShrinkPolicy
SHRINK_POLICY_ANY: ShrinkPolicy

class Search(_message.Message):
    __slots__ = ("name", "spec", "state", "task", "metric", "is_metric_maximized", "classes", "feature_columns", "validation", "notes", "pending_reason", "progress", "best_trial", "best_score", "model", "deployment", "error", "create_time", "start_time", "end_time", "driver_attempts", "etag")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Search.State]
        PENDING: _ClassVar[Search.State]
        RUNNING: _ClassVar[Search.State]
        PAUSED: _ClassVar[Search.State]
        FINISHING: _ClassVar[Search.State]
        CANCELLING: _ClassVar[Search.State]
        SUCCEEDED: _ClassVar[Search.State]
        FAILED: _ClassVar[Search.State]
        CANCELLED: _ClassVar[Search.State]
    STATE_UNSPECIFIED: Search.State
    PENDING: Search.State
    RUNNING: Search.State
    PAUSED: Search.State
    FINISHING: Search.State
    CANCELLING: Search.State
    SUCCEEDED: Search.State
    FAILED: Search.State
    CANCELLED: Search.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    IS_METRIC_MAXIMIZED_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    FEATURE_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    PENDING_REASON_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    BEST_TRIAL_FIELD_NUMBER: _ClassVar[int]
    BEST_SCORE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    DRIVER_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: SearchSpec
    state: Search.State
    task: Task
    metric: str
    is_metric_maximized: bool
    classes: _containers.RepeatedScalarFieldContainer[str]
    feature_columns: _containers.RepeatedScalarFieldContainer[str]
    validation: str
    notes: _containers.RepeatedScalarFieldContainer[str]
    pending_reason: str
    progress: Progress
    best_trial: str
    best_score: float
    model: str
    deployment: str
    error: _status_pb2.Status
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    driver_attempts: int
    etag: str
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[SearchSpec, _Mapping]] = ..., state: _Optional[_Union[Search.State, str]] = ..., task: _Optional[_Union[Task, str]] = ..., metric: _Optional[str] = ..., is_metric_maximized: _Optional[bool] = ..., classes: _Optional[_Iterable[str]] = ..., feature_columns: _Optional[_Iterable[str]] = ..., validation: _Optional[str] = ..., notes: _Optional[_Iterable[str]] = ..., pending_reason: _Optional[str] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., best_trial: _Optional[str] = ..., best_score: _Optional[float] = ..., model: _Optional[str] = ..., deployment: _Optional[str] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., driver_attempts: _Optional[int] = ..., etag: _Optional[str] = ...) -> None: ...

class SearchSpec(_message.Message):
    __slots__ = ("dataset", "target_column", "task", "positive_class", "excluded_columns", "weight_column", "group_column", "time_column", "metric", "families", "space", "seed", "budget", "limits", "deploy")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    TARGET_COLUMN_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_CLASS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_COLUMN_FIELD_NUMBER: _ClassVar[int]
    GROUP_COLUMN_FIELD_NUMBER: _ClassVar[int]
    TIME_COLUMN_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    DEPLOY_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    target_column: str
    task: Task
    positive_class: str
    excluded_columns: _containers.RepeatedScalarFieldContainer[str]
    weight_column: str
    group_column: str
    time_column: str
    metric: str
    families: _containers.RepeatedScalarFieldContainer[str]
    space: SearchSpace
    seed: int
    budget: Budget
    limits: Limits
    deploy: str
    def __init__(self, dataset: _Optional[str] = ..., target_column: _Optional[str] = ..., task: _Optional[_Union[Task, str]] = ..., positive_class: _Optional[str] = ..., excluded_columns: _Optional[_Iterable[str]] = ..., weight_column: _Optional[str] = ..., group_column: _Optional[str] = ..., time_column: _Optional[str] = ..., metric: _Optional[str] = ..., families: _Optional[_Iterable[str]] = ..., space: _Optional[_Union[SearchSpace, _Mapping]] = ..., seed: _Optional[int] = ..., budget: _Optional[_Union[Budget, _Mapping]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., deploy: _Optional[str] = ...) -> None: ...

class Budget(_message.Message):
    __slots__ = ("time", "max_trials")
    TIME_FIELD_NUMBER: _ClassVar[int]
    MAX_TRIALS_FIELD_NUMBER: _ClassVar[int]
    time: _duration_pb2.Duration
    max_trials: int
    def __init__(self, time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_trials: _Optional[int] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("memory_per_trial_bytes", "cpus_per_trial", "gpus_per_trial", "time_per_trial", "max_concurrent_trials", "max_model_bytes", "max_predict_latency", "shrink")
    MEMORY_PER_TRIAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPUS_PER_TRIAL_FIELD_NUMBER: _ClassVar[int]
    GPUS_PER_TRIAL_FIELD_NUMBER: _ClassVar[int]
    TIME_PER_TRIAL_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_TRIALS_FIELD_NUMBER: _ClassVar[int]
    MAX_MODEL_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_PREDICT_LATENCY_FIELD_NUMBER: _ClassVar[int]
    SHRINK_FIELD_NUMBER: _ClassVar[int]
    memory_per_trial_bytes: int
    cpus_per_trial: int
    gpus_per_trial: float
    time_per_trial: _duration_pb2.Duration
    max_concurrent_trials: int
    max_model_bytes: int
    max_predict_latency: _duration_pb2.Duration
    shrink: ShrinkPolicy
    def __init__(self, memory_per_trial_bytes: _Optional[int] = ..., cpus_per_trial: _Optional[int] = ..., gpus_per_trial: _Optional[float] = ..., time_per_trial: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_concurrent_trials: _Optional[int] = ..., max_model_bytes: _Optional[int] = ..., max_predict_latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., shrink: _Optional[_Union[ShrinkPolicy, str]] = ...) -> None: ...

class SearchSpace(_message.Message):
    __slots__ = ("families", "pinned")
    class FamiliesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: FamilySpace
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[FamilySpace, _Mapping]] = ...) -> None: ...
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    families: _containers.MessageMap[str, FamilySpace]
    pinned: _containers.RepeatedCompositeFieldContainer[PinnedConfiguration]
    def __init__(self, families: _Optional[_Mapping[str, FamilySpace]] = ..., pinned: _Optional[_Iterable[_Union[PinnedConfiguration, _Mapping]]] = ...) -> None: ...

class FamilySpace(_message.Message):
    __slots__ = ("parameters", "description")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ParameterSpace
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ParameterSpace, _Mapping]] = ...) -> None: ...
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    parameters: _containers.MessageMap[str, ParameterSpace]
    description: str
    def __init__(self, parameters: _Optional[_Mapping[str, ParameterSpace]] = ..., description: _Optional[str] = ...) -> None: ...

class ParameterSpace(_message.Message):
    __slots__ = ("integers", "numbers", "choices", "fixed", "description", "default_value")
    INTEGERS_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    FIXED_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    integers: IntegerRange
    numbers: NumberRange
    choices: ChoiceList
    fixed: _struct_pb2.Value
    description: str
    default_value: _struct_pb2.Value
    def __init__(self, integers: _Optional[_Union[IntegerRange, _Mapping]] = ..., numbers: _Optional[_Union[NumberRange, _Mapping]] = ..., choices: _Optional[_Union[ChoiceList, _Mapping]] = ..., fixed: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., description: _Optional[str] = ..., default_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class IntegerRange(_message.Message):
    __slots__ = ("low", "high", "log")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    low: int
    high: int
    log: bool
    def __init__(self, low: _Optional[int] = ..., high: _Optional[int] = ..., log: _Optional[bool] = ...) -> None: ...

class NumberRange(_message.Message):
    __slots__ = ("low", "high", "log")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    low: float
    high: float
    log: bool
    def __init__(self, low: _Optional[float] = ..., high: _Optional[float] = ..., log: _Optional[bool] = ...) -> None: ...

class ChoiceList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Value]
    def __init__(self, values: _Optional[_Iterable[_Union[_struct_pb2.Value, _Mapping]]] = ...) -> None: ...

class PinnedConfiguration(_message.Message):
    __slots__ = ("family", "parameters")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    family: str
    parameters: _struct_pb2.Struct
    def __init__(self, family: _Optional[str] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("elapsed", "remaining", "paused", "controller_unavailable", "counted_trials", "trials_by_state", "rejections_by_reason", "phase")
    class TrialsByStateEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class RejectionsByReasonEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    CONTROLLER_UNAVAILABLE_FIELD_NUMBER: _ClassVar[int]
    COUNTED_TRIALS_FIELD_NUMBER: _ClassVar[int]
    TRIALS_BY_STATE_FIELD_NUMBER: _ClassVar[int]
    REJECTIONS_BY_REASON_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    elapsed: _duration_pb2.Duration
    remaining: _duration_pb2.Duration
    paused: _duration_pb2.Duration
    controller_unavailable: _duration_pb2.Duration
    counted_trials: int
    trials_by_state: _containers.ScalarMap[str, int]
    rejections_by_reason: _containers.ScalarMap[str, int]
    phase: str
    def __init__(self, elapsed: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., remaining: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., paused: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., controller_unavailable: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., counted_trials: _Optional[int] = ..., trials_by_state: _Optional[_Mapping[str, int]] = ..., rejections_by_reason: _Optional[_Mapping[str, int]] = ..., phase: _Optional[str] = ...) -> None: ...

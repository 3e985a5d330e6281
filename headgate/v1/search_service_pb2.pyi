import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from headgate.v1 import search_pb2 as _search_pb2
from headgate.v1 import trial_pb2 as _trial_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateSearchRequest(_message.Message):
    __slots__ = ("parent", "search_id", "search", "request_id", "validate_only")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    SEARCH_ID_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    parent: str
    search_id: str
    search: _search_pb2.Search
    request_id: str
    validate_only: bool
    def __init__(self, parent: _Optional[str] = ..., search_id: _Optional[str] = ..., search: _Optional[_Union[_search_pb2.Search, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class GetSearchRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListSearchesRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSearchesResponse(_message.Message):
    __slots__ = ("searches", "next_page_token")
    SEARCHES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    searches: _containers.RepeatedCompositeFieldContainer[_search_pb2.Search]
    next_page_token: str
    def __init__(self, searches: _Optional[_Iterable[_Union[_search_pb2.Search, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchSearchRequest(_message.Message):
    __slots__ = ("name", "resume_token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    resume_token: str
    def __init__(self, name: _Optional[str] = ..., resume_token: _Optional[str] = ...) -> None: ...

class WatchSearchResponse(_message.Message):
    __slots__ = ("search", "trials", "resume_token", "is_heartbeat")
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    TRIALS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    IS_HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    search: _search_pb2.Search
    trials: _containers.RepeatedCompositeFieldContainer[_trial_pb2.Trial]
    resume_token: str
    is_heartbeat: bool
    def __init__(self, search: _Optional[_Union[_search_pb2.Search, _Mapping]] = ..., trials: _Optional[_Iterable[_Union[_trial_pb2.Trial, _Mapping]]] = ..., resume_token: _Optional[str] = ..., is_heartbeat: _Optional[bool] = ...) -> None: ...

class CancelSearchRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class PauseSearchRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ResumeSearchRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class StopSearchRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class UpdateSearchRequest(_message.Message):
    __slots__ = ("search", "update_mask")
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    search: _search_pb2.Search
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, search: _Optional[_Union[_search_pb2.Search, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class DeleteSearchRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class PlanSearchRequest(_message.Message):
    __slots__ = ("parent", "search")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    parent: str
    search: _search_pb2.Search
    def __init__(self, parent: _Optional[str] = ..., search: _Optional[_Union[_search_pb2.Search, _Mapping]] = ...) -> None: ...

class PlanSearchResponse(_message.Message):
    __slots__ = ("feasible_share", "families", "refusal", "never_fitting_families", "reservation_sizes_bytes", "slots", "reservations", "expected_trials", "expected_trial_time", "trial_overhead", "expected_time", "start_overhead", "expected_cpu_time", "task", "metric", "is_metric_maximized", "classes", "feature_columns", "validation", "notes")
    FEASIBLE_SHARE_FIELD_NUMBER: _ClassVar[int]
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    NEVER_FITTING_FAMILIES_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_SIZES_BYTES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    RESERVATIONS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_TRIALS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_TRIAL_TIME_FIELD_NUMBER: _ClassVar[int]
    TRIAL_OVERHEAD_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_TIME_FIELD_NUMBER: _ClassVar[int]
    START_OVERHEAD_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_CPU_TIME_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    IS_METRIC_MAXIMIZED_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    FEATURE_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    feasible_share: float
    families: _containers.RepeatedCompositeFieldContainer[FamilyPlan]
    refusal: str
    never_fitting_families: _containers.RepeatedScalarFieldContainer[str]
    reservation_sizes_bytes: _containers.RepeatedScalarFieldContainer[int]
    slots: int
    reservations: _containers.RepeatedCompositeFieldContainer[PlannedReservation]
    expected_trials: int
    expected_trial_time: _duration_pb2.Duration
    trial_overhead: _duration_pb2.Duration
    expected_time: _duration_pb2.Duration
    start_overhead: _duration_pb2.Duration
    expected_cpu_time: _duration_pb2.Duration
    task: _search_pb2.Task
    metric: str
    is_metric_maximized: bool
    classes: _containers.RepeatedScalarFieldContainer[str]
    feature_columns: _containers.RepeatedScalarFieldContainer[str]
    validation: str
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, feasible_share: _Optional[float] = ..., families: _Optional[_Iterable[_Union[FamilyPlan, _Mapping]]] = ..., refusal: _Optional[str] = ..., never_fitting_families: _Optional[_Iterable[str]] = ..., reservation_sizes_bytes: _Optional[_Iterable[int]] = ..., slots: _Optional[int] = ..., reservations: _Optional[_Iterable[_Union[PlannedReservation, _Mapping]]] = ..., expected_trials: _Optional[int] = ..., expected_trial_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., trial_overhead: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., expected_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., start_overhead: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., expected_cpu_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., task: _Optional[_Union[_search_pb2.Task, str]] = ..., metric: _Optional[str] = ..., is_metric_maximized: _Optional[bool] = ..., classes: _Optional[_Iterable[str]] = ..., feature_columns: _Optional[_Iterable[str]] = ..., validation: _Optional[str] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class FamilyPlan(_message.Message):
    __slots__ = ("family", "feasible_share", "median_cpu_time", "sampled_candidates", "refused", "is_never_fitting", "boundary", "lightest_feasible", "lightest_refused", "demand", "feasible_demand")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    FEASIBLE_SHARE_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_CPU_TIME_FIELD_NUMBER: _ClassVar[int]
    SAMPLED_CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    IS_NEVER_FITTING_FIELD_NUMBER: _ClassVar[int]
    BOUNDARY_FIELD_NUMBER: _ClassVar[int]
    LIGHTEST_FEASIBLE_FIELD_NUMBER: _ClassVar[int]
    LIGHTEST_REFUSED_FIELD_NUMBER: _ClassVar[int]
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    FEASIBLE_DEMAND_FIELD_NUMBER: _ClassVar[int]
    family: str
    feasible_share: float
    median_cpu_time: _duration_pb2.Duration
    sampled_candidates: int
    refused: _containers.RepeatedCompositeFieldContainer[RefusedShare]
    is_never_fitting: bool
    boundary: PlanBoundary
    lightest_feasible: PlannedCandidate
    lightest_refused: PlannedCandidate
    demand: PlannedDemand
    feasible_demand: PlannedDemand
    def __init__(self, family: _Optional[str] = ..., feasible_share: _Optional[float] = ..., median_cpu_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., sampled_candidates: _Optional[int] = ..., refused: _Optional[_Iterable[_Union[RefusedShare, _Mapping]]] = ..., is_never_fitting: _Optional[bool] = ..., boundary: _Optional[_Union[PlanBoundary, _Mapping]] = ..., lightest_feasible: _Optional[_Union[PlannedCandidate, _Mapping]] = ..., lightest_refused: _Optional[_Union[PlannedCandidate, _Mapping]] = ..., demand: _Optional[_Union[PlannedDemand, _Mapping]] = ..., feasible_demand: _Optional[_Union[PlannedDemand, _Mapping]] = ...) -> None: ...

class RefusedShare(_message.Message):
    __slots__ = ("reason", "share")
    REASON_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    reason: _trial_pb2.Verdict.Reason
    share: float
    def __init__(self, reason: _Optional[_Union[_trial_pb2.Verdict.Reason, str]] = ..., share: _Optional[float] = ...) -> None: ...

class PlanBoundary(_message.Message):
    __slots__ = ("conditions", "share_within", "feasible_share_within", "feasible_share_beyond", "statement")
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    SHARE_WITHIN_FIELD_NUMBER: _ClassVar[int]
    FEASIBLE_SHARE_WITHIN_FIELD_NUMBER: _ClassVar[int]
    FEASIBLE_SHARE_BEYOND_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    conditions: _containers.RepeatedCompositeFieldContainer[PlanCondition]
    share_within: float
    feasible_share_within: float
    feasible_share_beyond: float
    statement: str
    def __init__(self, conditions: _Optional[_Iterable[_Union[PlanCondition, _Mapping]]] = ..., share_within: _Optional[float] = ..., feasible_share_within: _Optional[float] = ..., feasible_share_beyond: _Optional[float] = ..., statement: _Optional[str] = ...) -> None: ...

class PlanCondition(_message.Message):
    __slots__ = ("parameter", "relation", "threshold", "values")
    class Relation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RELATION_UNSPECIFIED: _ClassVar[PlanCondition.Relation]
        AT_MOST: _ClassVar[PlanCondition.Relation]
        AT_LEAST: _ClassVar[PlanCondition.Relation]
        ONE_OF: _ClassVar[PlanCondition.Relation]
    RELATION_UNSPECIFIED: PlanCondition.Relation
    AT_MOST: PlanCondition.Relation
    AT_LEAST: PlanCondition.Relation
    ONE_OF: PlanCondition.Relation
    PARAMETER_FIELD_NUMBER: _ClassVar[int]
    RELATION_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    parameter: str
    relation: PlanCondition.Relation
    threshold: float
    values: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Value]
    def __init__(self, parameter: _Optional[str] = ..., relation: _Optional[_Union[PlanCondition.Relation, str]] = ..., threshold: _Optional[float] = ..., values: _Optional[_Iterable[_Union[_struct_pb2.Value, _Mapping]]] = ...) -> None: ...

class PlannedCandidate(_message.Message):
    __slots__ = ("parameters", "verdict")
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    parameters: _struct_pb2.Struct
    verdict: _trial_pb2.Verdict
    def __init__(self, parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., verdict: _Optional[_Union[_trial_pb2.Verdict, _Mapping]] = ...) -> None: ...

class PlannedDemand(_message.Message):
    __slots__ = ("median_memory_bytes", "p90_memory_bytes", "median_bound_bytes", "p90_bound_bytes", "median_cpu_time", "p90_cpu_time")
    MEDIAN_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    P90_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_BOUND_BYTES_FIELD_NUMBER: _ClassVar[int]
    P90_BOUND_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_CPU_TIME_FIELD_NUMBER: _ClassVar[int]
    P90_CPU_TIME_FIELD_NUMBER: _ClassVar[int]
    median_memory_bytes: int
    p90_memory_bytes: int
    median_bound_bytes: int
    p90_bound_bytes: int
    median_cpu_time: _duration_pb2.Duration
    p90_cpu_time: _duration_pb2.Duration
    def __init__(self, median_memory_bytes: _Optional[int] = ..., p90_memory_bytes: _Optional[int] = ..., median_bound_bytes: _Optional[int] = ..., p90_bound_bytes: _Optional[int] = ..., median_cpu_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., p90_cpu_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class PlannedReservation(_message.Message):
    __slots__ = ("memory_bytes", "share", "slots")
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    memory_bytes: int
    share: float
    slots: int
    def __init__(self, memory_bytes: _Optional[int] = ..., share: _Optional[float] = ..., slots: _Optional[int] = ...) -> None: ...

class GetTrialRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListTrialsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token", "states")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    states: _containers.RepeatedScalarFieldContainer[_trial_pb2.Trial.State]
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., states: _Optional[_Iterable[_Union[_trial_pb2.Trial.State, str]]] = ...) -> None: ...

class ListTrialsResponse(_message.Message):
    __slots__ = ("trials", "next_page_token")
    TRIALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    trials: _containers.RepeatedCompositeFieldContainer[_trial_pb2.Trial]
    next_page_token: str
    def __init__(self, trials: _Optional[_Iterable[_Union[_trial_pb2.Trial, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetSearchSpaceRequest(_message.Message):
    __slots__ = ("families",)
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    families: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, families: _Optional[_Iterable[str]] = ...) -> None: ...

class GetSearchLogRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetSearchLogResponse(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

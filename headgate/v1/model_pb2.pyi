import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from headgate.v1 import dataset_pb2 as _dataset_pb2
from headgate.v1 import search_pb2 as _search_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Model(_message.Message):
    __slots__ = ("name", "search", "trial", "family", "parameters", "task", "target_column", "classes", "positive_class", "inputs", "metric", "score", "training_rows", "bundle_uri", "manifest_sha256", "bundle_bytes", "create_time", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    TARGET_COLUMN_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_CLASS_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    TRAINING_ROWS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_URI_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    search: str
    trial: str
    family: str
    parameters: _struct_pb2.Struct
    task: _search_pb2.Task
    target_column: str
    classes: _containers.RepeatedScalarFieldContainer[str]
    positive_class: str
    inputs: _containers.RepeatedCompositeFieldContainer[ModelInput]
    metric: str
    score: float
    training_rows: int
    bundle_uri: str
    manifest_sha256: str
    bundle_bytes: int
    create_time: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, name: _Optional[str] = ..., search: _Optional[str] = ..., trial: _Optional[str] = ..., family: _Optional[str] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., task: _Optional[_Union[_search_pb2.Task, str]] = ..., target_column: _Optional[str] = ..., classes: _Optional[_Iterable[str]] = ..., positive_class: _Optional[str] = ..., inputs: _Optional[_Iterable[_Union[ModelInput, _Mapping]]] = ..., metric: _Optional[str] = ..., score: _Optional[float] = ..., training_rows: _Optional[int] = ..., bundle_uri: _Optional[str] = ..., manifest_sha256: _Optional[str] = ..., bundle_bytes: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class ModelInput(_message.Message):
    __slots__ = ("name", "kind", "datatype")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DATATYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: _dataset_pb2.ColumnKind
    datatype: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[_dataset_pb2.ColumnKind, str]] = ..., datatype: _Optional[str] = ...) -> None: ...

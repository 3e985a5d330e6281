import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TableFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TABLE_FORMAT_UNSPECIFIED: _ClassVar[TableFormat]
    TABLE_FORMAT_CSV: _ClassVar[TableFormat]
    TABLE_FORMAT_PARQUET: _ClassVar[TableFormat]
    TABLE_FORMAT_ARROW: _ClassVar[TableFormat]
    TABLE_FORMAT_JSON_LINES: _ClassVar[TableFormat]
    TABLE_FORMAT_SKLEARN: _ClassVar[TableFormat]

class ColumnKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COLUMN_KIND_UNSPECIFIED: _ClassVar[ColumnKind]
    COLUMN_KIND_NUMBER: _ClassVar[ColumnKind]
    COLUMN_KIND_CATEGORY: _ClassVar[ColumnKind]
    COLUMN_KIND_BOOLEAN: _ClassVar[ColumnKind]
    COLUMN_KIND_DATE: _ClassVar[ColumnKind]
    COLUMN_KIND_TEXT: _ClassVar[ColumnKind]
TABLE_FORMAT_UNSPECIFIED: TableFormat
TABLE_FORMAT_CSV: TableFormat
TABLE_FORMAT_PARQUET: TableFormat
TABLE_FORMAT_ARROW: TableFormat
TABLE_FORMAT_JSON_LINES: TableFormat
TABLE_FORMAT_SKLEARN: TableFormat
COLUMN_KIND_UNSPECIFIED: ColumnKind
COLUMN_KIND_NUMBER: ColumnKind
COLUMN_KIND_CATEGORY: ColumnKind
COLUMN_KIND_BOOLEAN: ColumnKind
COLUMN_KIND_DATE: ColumnKind
COLUMN_KIND_TEXT: ColumnKind

class Dataset(_message.Message):
    __slots__ = ("name", "source", "format", "profile", "stored_bytes", "create_time", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    source: str
    format: TableFormat
    profile: DatasetProfile
    stored_bytes: int
    create_time: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, name: _Optional[str] = ..., source: _Optional[str] = ..., format: _Optional[_Union[TableFormat, str]] = ..., profile: _Optional[_Union[DatasetProfile, _Mapping]] = ..., stored_bytes: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class DatasetProfile(_message.Message):
    __slots__ = ("rows", "columns", "notes")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    rows: int
    columns: _containers.RepeatedCompositeFieldContainer[ColumnProfile]
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rows: _Optional[int] = ..., columns: _Optional[_Iterable[_Union[ColumnProfile, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class ColumnProfile(_message.Message):
    __slots__ = ("name", "kind", "missing_count", "distinct_count", "is_distinct_count_capped", "top_values", "min", "max", "mean", "standard_deviation", "is_integer", "mean_length", "is_dropped", "note")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MISSING_COUNT_FIELD_NUMBER: _ClassVar[int]
    DISTINCT_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_DISTINCT_COUNT_CAPPED_FIELD_NUMBER: _ClassVar[int]
    TOP_VALUES_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    STANDARD_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    IS_INTEGER_FIELD_NUMBER: _ClassVar[int]
    MEAN_LENGTH_FIELD_NUMBER: _ClassVar[int]
    IS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: ColumnKind
    missing_count: int
    distinct_count: int
    is_distinct_count_capped: bool
    top_values: _containers.RepeatedCompositeFieldContainer[ValueCount]
    min: float
    max: float
    mean: float
    standard_deviation: float
    is_integer: bool
    mean_length: float
    is_dropped: bool
    note: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[ColumnKind, str]] = ..., missing_count: _Optional[int] = ..., distinct_count: _Optional[int] = ..., is_distinct_count_capped: _Optional[bool] = ..., top_values: _Optional[_Iterable[_Union[ValueCount, _Mapping]]] = ..., min: _Optional[float] = ..., max: _Optional[float] = ..., mean: _Optional[float] = ..., standard_deviation: _Optional[float] = ..., is_integer: _Optional[bool] = ..., mean_length: _Optional[float] = ..., is_dropped: _Optional[bool] = ..., note: _Optional[str] = ...) -> None: ...

class ValueCount(_message.Message):
    __slots__ = ("value", "count")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    value: str
    count: int
    def __init__(self, value: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

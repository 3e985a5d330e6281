"""Converts what all resources share between the domain and `headgate.v1`.

Instants are seconds since the Unix epoch, to the microsecond; durations seconds, to the nanosecond;
both float. What is too large for the wire is sent as the largest value there is.
Enums have the same names on both sides, but for the prefix that top-level proto enums carry.
Numbers in a Struct are doubles on the wire; whole ones come back as int.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, TypeAlias, TypeVar

from google.protobuf import duration_pb2, struct_pb2, timestamp_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from controller.domain.errors import InvalidField
from controller.domain.records import Failure

ERROR_DOMAIN = "headgate.dev"
"""The `domain` of every ErrorInfo."""

Json: TypeAlias = Any
"""A value of a decoded JSON document."""

_E = TypeVar("_E", bound=StrEnum)
_EnumNumber: TypeAlias = Any

# Beyond it a double no longer holds every whole number.
_LARGEST_EXACT = 2**53
_LARGEST_INT64 = 2**63 - 1
# google/protobuf/duration.proto: "approximately +-10,000 years".
_LONGEST_SECONDS = 315_576_000_000


class EnumNames(Protocol):
    """What is needed of a generated enum: the name of a number."""

    def Name(self, number: _EnumNumber) -> str:  # noqa: N802 -- the name is protobuf's
        """Raises: ValueError for a number that the enum does not have."""
        ...


def to_timestamp(seconds: float) -> timestamp_pb2.Timestamp:
    """An instant; to the microsecond, which is what a float of today's seconds can hold."""
    instant = timestamp_pb2.Timestamp()
    instant.FromMicroseconds(round(seconds * 1e6))
    return instant


def to_timestamp_or_none(seconds: float | None) -> timestamp_pb2.Timestamp | None:
    """As `to_timestamp`; None stays None."""
    return None if seconds is None else to_timestamp(seconds)


def to_duration(seconds: float) -> duration_pb2.Duration:
    """A length of time, to the nanosecond, at most what the message can hold: 10,000 years."""
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(round(min(seconds, _LONGEST_SECONDS) * 1e9))
    return duration


def to_int64(number: int) -> int:
    """The number; the largest of 64 bits for a larger one, as an absurd space may predict."""
    return min(number, _LARGEST_INT64)


def to_duration_or_none(seconds: float | None) -> duration_pb2.Duration | None:
    """As `to_duration`; None stays None."""
    return None if seconds is None else to_duration(seconds)


def from_duration(duration: duration_pb2.Duration) -> float:
    """Seconds. Takes any value the message can hold, out of range or not."""
    return duration.seconds + duration.nanos / 1e9


def from_enum(
    domain: type[_E], names: EnumNames, number: int, field: str, prefix: str = ""
) -> _E | None:
    """The domain's value, None for 0 (unspecified). Raises: InvalidField for an unknown number."""
    if number == 0:
        return None
    try:
        return domain(names.Name(number).removeprefix(prefix))
    except ValueError:
        allowed = ", ".join(prefix + value for value in domain)
        raise InvalidField(
            field, f"{number} is not a value of the enum", f"use one of {allowed}"
        ) from None


def from_enum_required(
    domain: type[_E], names: EnumNames, number: int, field: str, prefix: str = ""
) -> _E:
    """As `from_enum`. Raises: InvalidField also for 0."""
    value = from_enum(domain, names, number, field, prefix)
    if value is None:
        allowed = ", ".join(prefix + each for each in domain)
        raise InvalidField(field, "is not set", f"use one of {allowed}")
    return value


def to_value(value: Json) -> struct_pb2.Value:
    """A JSON value. Raises: TypeError for anything else."""
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=to_struct(value))
    if isinstance(value, Sequence):
        items = [to_value(item) for item in value]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def to_struct(values: Mapping[str, Json]) -> struct_pb2.Struct:
    """A JSON object."""
    return struct_pb2.Struct(fields={key: to_value(value) for key, value in values.items()})


def to_struct_or_none(values: Mapping[str, Json] | None) -> struct_pb2.Struct | None:
    """As `to_struct`; None stays None."""
    return None if values is None else to_struct(values)


def from_value(value: struct_pb2.Value) -> Json:
    """None, bool, int, float, str, list or dict. A value without a kind is None."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return _number(value.number_value)
    if kind == "struct_value":
        return from_struct(value.struct_value)
    if kind == "list_value":
        return [from_value(item) for item in value.list_value.values]
    if kind is None or kind == "null_value":
        return None
    return getattr(value, kind)


def from_struct(struct: struct_pb2.Struct) -> dict[str, Json]:
    """A JSON object as a dict."""
    return {key: from_value(value) for key, value in struct.fields.items()}


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() and abs(value) <= _LARGEST_EXACT else value


def failure_to_status(failure: Failure | None) -> status_pb2.Status | None:
    """Why something ended badly, as a Status with code FAILED_PRECONDITION and ErrorInfo."""
    if failure is None:
        return None
    status = status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message=failure.message)
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(reason=failure.reason, domain=ERROR_DOMAIN)
    )
    return status

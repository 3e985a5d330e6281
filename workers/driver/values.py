"""Values between protobuf and Python: a Struct knows only floats, families want whole numbers.

A configuration is what `workers.families` wants: parameter name to bool, int, float, str or None.
"""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf import struct_pb2

from workers.families.base import Choices, Fixed, Integers, Numbers, Value, ValueSet


def from_value(value: struct_pb2.Value) -> Value:
    """A protobuf value as Python; whole floats become ints. Raises: ValueError for others."""
    kind = value.WhichOneof("kind")
    if kind in (None, "null_value"):
        return None
    if kind == "bool_value":
        return bool(value.bool_value)
    if kind == "string_value":
        return str(value.string_value)
    if kind == "number_value":
        number = float(value.number_value)
        return int(number) if number.is_integer() else number
    raise ValueError(f"a parameter cannot hold a {kind}")


def from_struct(struct: struct_pb2.Struct) -> dict[str, Value]:
    """A configuration as sent; whole floats become ints."""
    return {name: from_value(value) for name, value in sorted(struct.fields.items())}


def to_struct(parameters: Mapping[str, Value]) -> struct_pb2.Struct:
    """A configuration to send."""
    struct = struct_pb2.Struct()
    struct.update(dict(parameters))
    return struct


def typed(values: ValueSet, value: Value) -> Value:
    """`value` in the type that `values` has, unchanged where it has no such type.

    Protobuf made 5 of 5.0 and the other way round; choices keep the declared one that is equal.
    """
    if isinstance(values, Choices):
        return next((each for each in values.values if is_same(each, value)), value)
    if isinstance(values, Fixed):
        return values.value if is_same(values.value, value) else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(values, Integers):
        return int(value) if float(value).is_integer() else value
    return float(value)


def is_inside(values: ValueSet, value: Value) -> bool:
    """True when `value` is one of `values`."""
    if isinstance(values, Choices):
        return any(is_same(each, value) for each in values.values)
    if isinstance(values, Fixed):
        return is_same(values.value, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(values, Integers) and not float(value).is_integer():
        return False
    return values.low <= value <= values.high


def nearest(values: ValueSet, value: Value) -> Value:
    """The element of `values` next to `value`; the first choice where there is no distance."""
    if is_inside(values, value):
        return typed(values, value)
    if isinstance(values, Fixed):
        return values.value
    if isinstance(values, Choices):
        return _nearest_choice(values, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return values.low
    clipped = min(max(value, values.low), values.high)
    return round(clipped) if isinstance(values, Integers) else float(clipped)


def is_same(one: Value, other: Value) -> bool:
    """Equality where 1 is 1.0 but not True."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def is_number(value: Value) -> bool:
    """True for ints and floats, not for booleans."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def rounded(values: Numbers, value: float) -> float:
    """Six significant digits: short to read, exact to repeat; still inside the range."""
    return min(max(float(f"{value:.6g}"), values.low), values.high)


def _nearest_choice(values: Choices, value: Value) -> Value:
    numbers = [each for each in values.values if is_number(each)]
    if numbers and is_number(value):
        return min(numbers, key=lambda each: abs(float(each or 0) - float(value or 0)))
    return values.values[0]

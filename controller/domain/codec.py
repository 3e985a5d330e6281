"""Turns the frozen records into plain JSON and back, by their type annotations.

Laws: `from_json(type(r), json.loads(json.dumps(to_json(r)))) == r`, NaN and infinities included
(they become `{"$float": "NaN"}`, as strict JSON has no word for them). Reading is tolerant of other
versions: keys that the class does not know are ignored, missing keys take the field's default.
Under an annotation of `Any` sequences come back as lists. Where a field may hold a float, whole
numbers come back as floats.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from controller.domain.errors import DataLoss

T = TypeVar("T")

_FLOAT_KEY = "$float"
_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

Json: TypeAlias = Any
"""A value of a decoded JSON document, or of a record on its way to or from one."""

_Hint: TypeAlias = Any
"""A type annotation."""

_Decoder = Callable[[Json], Any]


def to_json(record: object) -> dict[str, Json]:
    """The record, an instance of a dataclass, as dicts, lists, strings, numbers, bools and None."""
    if not is_dataclass(record) or isinstance(record, type):
        raise TypeError(f"{record!r} is no instance of a dataclass")
    return {field.name: _encode(getattr(record, field.name)) for field in fields(record)}


def from_json(cls: type[T], body: Mapping[str, Json]) -> T:
    """A record of `cls` from what `to_json` gave.

    Raises: DataLoss when a field without default is missing or a value does not fit its type.
    """
    record = _decoder(cast("Hashable", cls))(body)
    assert isinstance(record, cls)
    return record


def _encode(value: object) -> Json:
    """Any value that a record may hold, as JSON."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_FLOAT_KEY: _float_word(value)}
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    return to_json(value)


def _float_word(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


@cache
def _decoder(hint: Hashable) -> _Decoder:
    """The function that reads values annotated with `hint`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is not None:
        return _generic_decoder(hint, origin, arguments)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if is_dataclass(hint):
        return _dataclass_decoder(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum_decoder(hint)
    raise TypeError(f"records must not be annotated with {hint!r}")


def _generic_decoder(hint: _Hint, origin: _Hint, arguments: tuple[_Hint, ...]) -> _Decoder:
    if origin in (Union, types.UnionType):
        return _optional_decoder(hint, arguments)
    if origin is tuple:
        return _tuple_decoder(arguments)
    if issubclass(origin, Mapping):
        return _mapping_decoder(arguments[1])
    raise TypeError(f"records must not be annotated with {hint!r}")


def _optional_decoder(hint: _Hint, arguments: tuple[_Hint, ...]) -> _Decoder:
    inner = [argument for argument in arguments if argument is not type(None)]
    if len(inner) != 1 or len(arguments) != 2:
        raise TypeError(f"records must not be annotated with {hint!r}")
    decode = _decoder(inner[0])
    return lambda value: None if value is None else decode(value)


def _tuple_decoder(arguments: tuple[_Hint, ...]) -> _Decoder:
    if len(arguments) != 2 or arguments[1] is not Ellipsis:
        raise TypeError("records hold tuples of one type and any length only")
    decode = _decoder(arguments[0])
    return lambda value: tuple(decode(item) for item in _checked(value, list))


def _mapping_decoder(item_hint: _Hint) -> _Decoder:
    decode = _decoder(item_hint)
    return lambda value: {key: decode(item) for key, item in _checked(value, dict).items()}


def _enum_decoder(kind: type[Enum]) -> _Decoder:
    def decode(value: Json) -> Enum:
        try:
            return kind(value)
        except ValueError:
            raise DataLoss(f"stored {kind.__name__} is unknown: {value!r}") from None

    return decode


def _dataclass_decoder(cls: _Hint) -> _Decoder:
    hints = get_type_hints(cls)
    plan = [(field.name, _decoder(hints[field.name]), _is_required(field)) for field in fields(cls)]

    def decode(body: Json) -> Json:
        _checked(body, Mapping)
        values = {name: read(body[name]) for name, read, _ in plan if name in body}
        missing = [name for name, _, is_required in plan if is_required and name not in body]
        if missing:
            raise DataLoss(f"stored {cls.__name__} lacks {', '.join(missing)}")
        return cls(**values)

    return decode


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _checked(value: Json, kind: _Hint) -> Json:
    """Returns `value`. Raises: DataLoss when it is not of `kind` (True is no int here)."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise DataLoss(f"stored value should be {kind.__name__}: {value!r:.80}")
    return value


def _decode_float(value: Json) -> float:
    if isinstance(value, dict) and value.get(_FLOAT_KEY) in _FLOATS:
        return _FLOATS[value[_FLOAT_KEY]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataLoss(f"stored value should be a number: {value!r:.80}")
    return float(value)


def _decode_any(value: Json) -> Json:
    if isinstance(value, dict):
        if len(value) == 1 and value.get(_FLOAT_KEY) in _FLOATS:
            return _FLOATS[value[_FLOAT_KEY]]
        return {key: _decode_any(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode_any(item) for item in value]
    return value


_SCALARS: Mapping[_Hint, _Decoder] = {
    Any: _decode_any,
    float: _decode_float,
    str: lambda value: _checked(value, str),
    int: lambda value: _checked(value, int),
    bool: lambda value: _checked(value, bool),
}

"""From one tensor of an inference request to the cells of a column.

A tensor's name, shape and data must agree, and its data with its datatype. What a cell means to its
column (a number as text, a date, a class of a category) is for the model's encoder to say, the same
way as in training: any datatype may be tried for any column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workers.serving.model import Cell, InputColumn

_INTEGERS = {f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)}
_UNSIGNED = {f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)}
_RANGES = _INTEGERS | _UNSIGNED
_FLOATS = frozenset({"FP16", "FP32", "FP64"})

DATATYPES = ("BOOL", *_RANGES, *sorted(_FLOATS), "BYTES")
"""The datatypes that JSON data may have."""


class RequestError(ValueError):
    """The caller's request cannot be answered; the text is one line and says what to change.

    status: of HTTP.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class _BadCell(ValueError):
    """A cell is not what its datatype wants; the text says what would be."""


def shown(value: object) -> str:
    """`value` for a message: on one line, at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def cells_of(tensor: Mapping[str, Any], column: InputColumn) -> list[Cell]:
    """The column's n cells. Raises: RequestError."""
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise RequestError(
            f"input {shown(column.name)} has the datatype {shown(datatype)}; use {column.datatype} "
            f"or another of {', '.join(DATATYPES)}"
        )
    data = _flat(tensor, column.name)
    read = _reader(datatype)
    cells: list[Cell] = []
    for row, value in enumerate(data):
        try:
            cells.append(None if value is None else read(value))
        except (_BadCell, OverflowError) as error:
            raise RequestError(
                f"input {shown(column.name)} of datatype {datatype} holds {shown(value)} in row "
                f"{row}; {error}, or null where the value is missing"
            ) from error
    return cells


def _flat(tensor: Mapping[str, Any], name: str) -> Sequence[object]:
    """The data as one list, checked against the shape."""
    shape, data = tensor.get("shape"), tensor.get("data")
    rows = _rows(shape)
    if rows is None:
        raise RequestError(
            f"input {shown(name)} has the shape {shown(shape)}; use [n] or [n, 1] for n >= 1 rows"
        )
    if not isinstance(data, list):
        raise RequestError(
            f"input {shown(name)} has no list as data; send JSON data (clients of Triton: "
            "binary_data=False)"
        )
    if data and all(isinstance(value, list) and len(value) == 1 for value in data):
        data = [value[0] for value in data]
    if len(data) != rows:
        raise RequestError(
            f"input {shown(name)} has the shape {shape} and {len(data)} values; make them agree"
        )
    return data


def _rows(shape: Any) -> int | None:
    """N of a shape `[n]` or `[n, 1]`, None for any other."""
    is_list = isinstance(shape, list) and len(shape) in (1, 2)
    if not is_list or not all(type(size) is int for size in shape):
        return None
    is_column = shape[0] >= 1 and (len(shape) == 1 or shape[1] == 1)
    return int(shape[0]) if is_column else None


def _reader(datatype: str) -> Callable[[Any], Cell]:
    """Checks one value against the tensor's datatype."""
    if datatype == "BOOL":
        return _read_boolean
    if datatype == "BYTES":
        return _read_text
    if datatype in _FLOATS:
        return _read_float
    low, high = _RANGES[datatype]

    def read_integer(value: Any) -> Cell:
        is_whole = type(value) is int or (type(value) is float and value.is_integer())
        if not is_whole or not low <= value <= high:
            raise _BadCell(f"send whole numbers from {low} to {high}")
        return int(value)

    return read_integer


def _read_boolean(value: Any) -> Cell:
    if type(value) is not bool:
        raise _BadCell("send true or false")
    return value


def _read_float(value: Any) -> Cell:
    if type(value) not in (int, float) or math.isinf(number := float(value)):
        raise _BadCell("send finite numbers")
    return None if math.isnan(number) else number


def _read_text(value: Any) -> Cell:
    if type(value) is not str:
        raise _BadCell("send strings")
    return value or None

"""Reads cells in the types people and protocols send them: one place decides what a value means.

Accepted is a pyarrow array (the stored table), a numpy array, or a plain list as JSON or the Open
Inference Protocol brings it. Each function answers with one numpy or pyarrow array in a single
canonical form, so the training table and a single served row cannot be read differently.

Missing is None, NaN, an empty text, and, where a number, boolean or date is wanted, the texts in
`MISSING_TEXTS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MISSING_TEXTS = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"})
"""What the reader of tables takes for missing in a column of numbers."""

NOT_A_TIME = np.iinfo(np.int64).min
"""The missing value among `moments`."""

_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})
_PLAIN_NUMBERS = frozenset({int, float, bool, type(None)})
_DOTS = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})")
_SLASHES = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})")
_YEAR_FIRST = re.compile(r"(\d{4})/(\d\d?)/(\d\d?)")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (stored times have no zone: they are UTC)


class CellError(ValueError):
    """A cell that does not fit its column.

    column: its name. row: position in the values given, from 0. value: shortened text of the cell.
    expected: what would do.
    """

    def __init__(self, column: str, row: int, value: object, expected: str) -> None:
        self.column, self.row, self.expected = column, row, expected
        self.value = _shortened(value)
        super().__init__(f"column {column!r}, row {row}: {self.value} is not {expected}")


def numbers(column: str, values: Any) -> npt.NDArray[np.float64]:
    """(n,) float64, NaN for missing. Raises: CellError."""
    values = _unwrapped(values)
    if isinstance(values, pa.Array):
        if _is_numeric(values.type):
            return _float64(values)
        values = values.to_pylist()
    if isinstance(values, np.ndarray):
        if values.dtype.kind in "fiub":
            return values.astype(np.float64)
        values = values.tolist()
    if _PLAIN_NUMBERS.issuperset(map(type, values)):
        try:
            return np.array(values, dtype=np.float64)
        except OverflowError:
            pass  # an integer beyond float64: the cell-by-cell reading below names it
    return np.array(_each(column, values, _number, "a number"), dtype=np.float64)


def booleans(column: str, values: Any) -> npt.NDArray[np.float64]:
    """(n,) float64: 0, 1, or NaN for missing. Raises: CellError."""
    values = _unwrapped(values)
    if isinstance(values, pa.Array) and pa.types.is_boolean(values.type):
        return _float64(values.cast(pa.int8()))
    return np.array(_each(column, _listed(values), _boolean, "true or false"), dtype=np.float64)


def moments(column: str, values: Any) -> npt.NDArray[np.int64]:
    """(n,) microseconds since 1970 UTC, `NOT_A_TIME` for missing. A time without a zone is UTC.

    Raises: CellError.
    """
    values = _unwrapped(values)
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        values = pa.array(values)
    if isinstance(values, pa.Array):
        if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
            microseconds = values.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
            return np.asarray(microseconds.fill_null(NOT_A_TIME).to_numpy(zero_copy_only=False))
        values = values.to_pylist()
    expected = "a date, such as 2024-12-31 or 2024-12-31T23:59:00Z"
    return np.array(_each(column, _listed(values), _moment, expected), dtype=np.int64)


def texts(column: str, values: Any) -> pa.StringArray:
    """A string array, null for missing and for the empty text. Raises: CellError.

    Numbers become their shortest text, whole ones without a fraction (`1`, `2.5`), booleans `true`
    and `false`.
    """
    values = _unwrapped(values)
    if isinstance(values, pa.Array) and _is_text(values.type):
        strings = values.cast(pa.string())
    else:
        strings = pa.array(_each(column, _listed(values), _text, "UTF-8 text"), type=pa.string())
    is_empty = pc.equal(strings, "")
    if pc.any(is_empty).as_py():
        strings = pc.if_else(is_empty, pa.scalar(None, pa.string()), strings)
    return strings


def parse_number(text: str) -> float:
    """The number that `text` spells. Raises: ValueError."""
    if "_" in text:  # Python takes 1_000 for a number, tables do not
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def parse_boolean(text: str) -> bool:
    """The truth that `text` spells, in any case of letters. Raises: ValueError."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{text!r} is not true or false")


def _unwrapped(values: Any) -> Any:
    """One contiguous array of plain values out of chunks and dictionaries."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.Array) and pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return values


def _listed(values: Any) -> Sequence[Any]:
    if isinstance(values, pa.Array):
        return list(values.to_pylist())
    if isinstance(values, np.ndarray):
        return list(values.tolist())
    return list(values)


def _each(
    column: str, values: Sequence[Any], read: Callable[[Any], Any], expected: str
) -> list[Any]:
    result = []
    for row, value in enumerate(values):
        try:
            result.append(read(value))
        except (ValueError, TypeError, OverflowError) as error:
            raise CellError(column, row, value, expected) from error
    return result


def _number(value: Any) -> float:
    if value is None:
        return np.nan
    if isinstance(value, str | bytes):
        text = _decoded(value).strip()
        return np.nan if text in MISSING_TEXTS else parse_number(text)
    return float(value)


def _boolean(value: Any) -> float:
    if value is None or value != value:  # noqa: PLR0124 (NaN alone differs from itself)
        return np.nan
    if isinstance(value, str | bytes):
        text = _decoded(value).strip()
        return np.nan if text in MISSING_TEXTS else float(parse_boolean(text))
    if value in (0, 1):
        return float(value)
    raise ValueError


def _moment(value: Any) -> int:
    if value is None or value != value:  # noqa: PLR0124 (NaN and NaT)
        return NOT_A_TIME
    if isinstance(value, str | bytes):
        text = _decoded(value).strip()
        if text in MISSING_TEXTS:
            return NOT_A_TIME
        value = _parsed_date(text)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise TypeError
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    passed: timedelta = value - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _parsed_date(text: str) -> datetime:
    """ISO 8601, or another form that the reader of tables takes, if one cell can tell it.

    05/04/2024 may be April or May: a table's other cells decide, a single cell cannot.
    """
    if match := _DOTS.match(text):
        day, month, year = match.groups()
    elif match := _YEAR_FIRST.match(text):
        year, month, day = match.groups()
    elif match := _SLASHES.match(text):
        day, month, year = match.groups()
        if int(month) > 12:
            day, month = month, day
        elif int(day) <= 12 and int(day) != int(month):
            raise ValueError(f"{text!r}: which is the month?")
    else:
        return datetime.fromisoformat(text)
    rest = text[match.end() :]
    return datetime.fromisoformat(f"{year}-{int(month):02}-{int(day):02}{rest}")


def _text(value: Any) -> str | None:
    if value is None or value != value:  # noqa: PLR0124 (NaN alone differs from itself)
        return None
    if isinstance(value, str | bytes):
        return _decoded(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float | date):
        return str(value)
    raise TypeError


def _decoded(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    value.encode("utf-8")  # a lone surrogate, which JSON can spell, is no text
    return value


def _float64(array: pa.Array) -> npt.NDArray[np.float64]:
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    # By way of float64 even for integers: what a served row's Python int becomes as well.
    return np.asarray(array.to_numpy(zero_copy_only=False)).astype(np.float64)


def _is_numeric(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

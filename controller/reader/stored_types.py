"""Maps the types of typed formats to the few that are stored."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from controller.domain.records import ColumnKind
from controller.reader.request import TableError, TableReason
from controller.reader.spelling import TIMESTAMP, nan_to_null
from controller.reader.survey import Convert, Reading


def reading_of(name: str, kind: pa.DataType) -> Reading:
    """How a column of type `kind` is stored. Raises: TableError when it cannot be."""
    if isinstance(kind, pa.BaseExtensionType):
        return _unwrapped(reading_of(name, kind.storage_type), lambda cells: cells.storage)
    if types.is_dictionary(kind):
        return Reading(ColumnKind.CATEGORY, pa.string(), _dictionary_to_text)
    if types.is_nested(kind):
        raise TableError(
            TableReason.NESTED_TYPE,
            f"column {name!r} holds values of type {kind}",
            "split it into columns of plain values, or leave it out",
        )
    for fits, reading in _PLAIN:
        if fits(kind):
            return reading
    raise TableError(
        TableReason.UNSUPPORTED_TYPE,
        f"column {name!r} holds values of type {kind}",
        "convert it to numbers, text, booleans or dates, or leave it out",
    )


def _unwrapped(inner: Reading, unwrap: Convert) -> Reading:
    return Reading(inner.kind, inner.stored_type, lambda cells: inner.convert(unwrap(cells)))


def _to_float(cells: pa.Array) -> pa.Array:
    """float64; digits beyond its precision are lost, NaN is missing."""
    return nan_to_null(pc.cast(cells, pa.float64(), safe=False))


def _to_timestamp(cells: pa.Array) -> pa.Array:
    """Microseconds, finer ones cut off; times with a zone are stored in UTC."""
    if types.is_timestamp(cells.type) and cells.type.tz is not None:
        cells = pc.local_timestamp(pc.cast(cells, pa.timestamp(cells.type.unit, "UTC")))
    return pc.cast(cells, TIMESTAMP, safe=False)


def _to_text(cells: pa.Array) -> pa.Array:
    """Text; the empty cell is missing, as in CSV."""
    text = pc.cast(cells, pa.string())
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _dictionary_to_text(cells: pa.Array) -> pa.Array:
    return _to_text(pc.cast(cells.dictionary_decode(), pa.string()))


def _to(stored: pa.DataType) -> Convert:
    return lambda cells: pc.cast(cells, stored)


def _is_plain_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_inexact(kind: pa.DataType) -> bool:
    """Has values that only float64 holds, if any."""
    is_number = types.is_floating(kind) or types.is_decimal(kind) or kind == pa.uint64()
    return bool(is_number or types.is_null(kind))


_PLAIN: tuple[tuple[Callable[[pa.DataType], bool], Reading], ...] = (
    (_is_inexact, Reading(ColumnKind.NUMBER, pa.float64(), _to_float)),
    (types.is_integer, Reading(ColumnKind.NUMBER, pa.int64(), _to(pa.int64()))),
    (types.is_boolean, Reading(ColumnKind.BOOLEAN, pa.bool_(), _to(pa.bool_()))),
    (types.is_date, Reading(ColumnKind.DATE, TIMESTAMP, _to_timestamp)),
    (types.is_timestamp, Reading(ColumnKind.DATE, TIMESTAMP, _to_timestamp)),
    (_is_plain_text, Reading(ColumnKind.CATEGORY, pa.string(), _to_text)),
)
"""How plain types are stored: the first that fits."""

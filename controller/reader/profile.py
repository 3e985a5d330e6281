"""Makes the profile of a column out of what was counted and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from controller.domain.records import Column, ColumnKind, ValueCount
from controller.reader.measure import Measure
from controller.reader.request import TableError, TableReason
from controller.reader.spelling import blanked, to_numbers
from controller.reader.survey import Reading
from controller.reader.tally import COMPLETE_LIST, Counted, Tally, by_frequency

TEXT_LENGTH = 40
"""Mean characters above which mostly distinct cells are text and not levels of a category."""

TEXT_WORDS = 4
"""Mean words from which mostly distinct cells are text."""

LISTED_OF_MANY = 20
"""Values listed of a column that has more than `COMPLETE_LIST` of them."""

LISTED_BYTES = 1 << 20
"""Bytes that the value lists of a table may take together: profiles travel in messages."""


@dataclass(frozen=True)
class Surveyed:
    """A column after the last pass. is_spelled: the tally counted text cells as they are."""

    name: str
    reading: Reading
    tally: Tally
    measure: Measure
    is_spelled: bool


def column_of(surveyed: Surveyed) -> Column:
    """The profile. Raises: TableError for infinite values."""
    measure, tally = surveyed.measure, surveyed.tally
    _refuse_infinite(surveyed)
    counted = _levels(surveyed)
    distinct = tally.distinct() if tally.is_capped else len(counted.values)
    note = _note(measure, distinct)
    is_number = surveyed.reading.kind is ColumnKind.NUMBER and measure.has_numbers
    return Column(
        name=surveyed.name,
        kind=_final_kind(surveyed),
        missing_count=measure.missing,
        distinct_count=distinct,
        is_distinct_count_capped=tally.is_capped,
        top_values=_top_values(
            counted, COMPLETE_LIST if _is_complete(surveyed) else LISTED_OF_MANY
        ),
        min=measure.min if is_number else None,
        max=measure.max if is_number else None,
        mean=measure.mean if is_number else None,
        standard_deviation=measure.standard_deviation if is_number else None,
        is_integer=measure.is_whole,
        mean_length=measure.mean_length,
        is_dropped=bool(note),
        note=note,
    )


def bounded(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns with value lists of at most `LISTED_BYTES` together, or nearly so.

    Lists of columns with few values are kept whole first, so that classes stay complete.
    """
    left = LISTED_BYTES
    kept: dict[str, Column] = {}
    for column in sorted(columns, key=lambda column: len(column.top_values)):
        need = _list_bytes(column)
        if need > left:
            column = replace(column, top_values=column.top_values[:LISTED_OF_MANY])  # noqa: PLW2901
            need = _list_bytes(column)
        left -= need
        kept[column.name] = column
    return tuple(kept[column.name] for column in columns)


def _list_bytes(column: Column) -> int:
    return sum(len(entry.value.encode()) + 12 for entry in column.top_values)  # 12: tags and count


def _refuse_infinite(surveyed: Surveyed) -> None:
    count = surveyed.measure.infinite
    if count:
        raise TableError(
            TableReason.INFINITE_VALUES,
            f"column {surveyed.name!r} has {count} infinite {'value' if count == 1 else 'values'}",
            "replace them by numbers or leave the cells empty",
        )


def _final_kind(surveyed: Surveyed) -> ColumnKind:
    """CATEGORY becomes TEXT where cells are mostly distinct and long."""
    measure, kind = surveyed.measure, surveyed.reading.kind
    if kind is not ColumnKind.CATEGORY or surveyed.tally.distinct_share() <= 0.5:
        return kind
    is_long = measure.mean_length > TEXT_LENGTH or measure.mean_words >= TEXT_WORDS
    return ColumnKind.TEXT if is_long else kind


def _note(measure: Measure, distinct: int) -> str:
    """Why searches leave the column out; empty when they do not."""
    if not measure.present:
        return "it has no values"
    if distinct == 1 and not measure.missing:
        return "all its values are the same"
    return ""


def _is_complete(surveyed: Surveyed) -> bool:
    return not surveyed.tally.is_capped and len(_levels(surveyed).values) <= COMPLETE_LIST


def _levels(surveyed: Surveyed) -> Counted:
    """Distinct values as text, those without a value left out; numbers by value, first spelling."""
    counted = surveyed.tally.counted()
    if not surveyed.is_spelled:
        return Counted(_as_text(counted.values), counted.counts)
    if surveyed.reading.kind is ColumnKind.CATEGORY:
        return _where(counted, pc.not_equal(counted.values, ""))
    cells = blanked(counted.values)
    given = _where(Counted(cells, counted.counts), pc.is_valid(cells))
    if surveyed.reading.kind is not ColumnKind.NUMBER:
        return _joined(given, given.values)
    numbers = to_numbers(given.values, surveyed.reading.stored_type)
    assert numbers is not None, "the survey has seen every cell"
    given = _where(given, pc.is_valid(numbers))
    return _joined(given, numbers.drop_null())


def _where(counted: Counted, mask: pa.Array) -> Counted:
    return Counted(counted.values.filter(mask), counted.counts[mask.to_numpy(zero_copy_only=False)])


def _joined(spelled: Counted, meaning: pa.Array) -> Counted:
    """Adds up the counts of values with one meaning, under the first spelling."""
    table = pa.table({"meaning": meaning, "count": spelled.counts, "at": np.arange(len(meaning))})
    merged = table.group_by("meaning", use_threads=False).aggregate(
        [("count", "sum"), ("at", "min")]
    )
    first = merged["at_min"].combine_chunks()
    return Counted(spelled.values.take(first), merged["count_sum"].to_numpy())


def _as_text(values: pa.Array) -> pa.Array:
    """Typed values as text: whole floats as `1.0`, dates as ISO 8601."""
    if pa.types.is_floating(values.type):
        return pa.array([repr(value) for value in values.to_pylist()], pa.string())
    return values if pa.types.is_string(values.type) else pc.cast(values, pa.string())


def _top_values(counted: Counted, most: int) -> tuple[ValueCount, ...]:
    order = by_frequency(counted.counts)[:most]
    values = counted.values.take(pa.array(order)).to_pylist()
    return tuple(
        ValueCount(value, int(count))
        for value, count in zip(values, counted.counts[order], strict=True)
    )

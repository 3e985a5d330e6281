"""What cells of text may mean: numbers, dates, booleans, missing. All functions are vectorised.

Spaces around a number, date, boolean or missing token do not count. Text columns are left exactly
as they are spelled, and only the empty cell is missing in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

MISSING_TOKENS = pa.array(["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"])
"""Cells without a value, in columns of numbers, dates and booleans."""

_TRUE = pa.array(["true", "True", "TRUE", "yes", "Yes", "YES"])
_FALSE = pa.array(["false", "False", "FALSE", "no", "No", "NO"])

TIMESTAMP = pa.timestamp("us")
"""How dates are stored: microseconds without a zone; what had a zone is in UTC."""


@dataclass(frozen=True)
class DateFormat:
    """A way to write dates. rewrite: pattern and replacement that make ISO 8601 of it."""

    name: str
    rewrite: tuple[str, str] | None = None
    has_zone: bool = False


_SLASHES = r"^(\d\d)/(\d\d)/(\d{4})"

DATE_FORMATS = (
    DateFormat("ISO 8601"),
    DateFormat("ISO 8601 with zone", has_zone=True),
    DateFormat("day/month/year", (_SLASHES, r"\3-\2-\1")),
    DateFormat("month/day/year", (_SLASHES, r"\3-\1-\2")),
    DateFormat("day.month.year", (r"^(\d\d)\.(\d\d)\.(\d{4})", r"\3-\2-\1")),
    DateFormat("year/month/day", (r"^(\d{4})/(\d\d)/(\d\d)", r"\1-\2-\3")),
)
"""All that are tried. A column has a date format when exactly one reads every cell of it."""


def present(cells: pa.Array) -> pa.Array:
    """The cells with a value, trimmed."""
    trimmed = pc.utf8_trim_whitespace(cells)
    return trimmed.filter(pc.invert(pc.is_in(trimmed, value_set=MISSING_TOKENS)))


def blanked(cells: pa.Array) -> pa.Array:
    """The cells trimmed, those without a value null."""
    trimmed = pc.utf8_trim_whitespace(cells)
    missing = pc.is_in(trimmed, value_set=MISSING_TOKENS)
    return pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)


def to_numbers(cells: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Trimmed cells as `kind`, int64 or float64 (NaN becomes null); None when one is no number."""
    try:
        numbers = pc.cast(cells, kind)
    except pa.ArrowInvalid:
        return None
    return nan_to_null(numbers) if kind == pa.float64() else numbers


def nan_to_null(numbers: pa.Array) -> pa.Array:
    """float64 with null for each NaN."""
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, numbers.type), numbers)


def to_dates(cells: pa.Array, form: DateFormat) -> pa.Array | None:
    """Trimmed cells as timestamps in microseconds; None when one is no date of that format."""
    if form.rewrite is not None:
        padded = pc.replace_substring_regex(cells, r"\b(\d)\b", r"0\1")
        if not pc.all(pc.match_substring_regex(padded, form.rewrite[0])).as_py():
            return None if len(cells) > cells.null_count else pc.cast(cells, TIMESTAMP)
        cells = pc.replace_substring_regex(padded, *form.rewrite)
    try:
        if form.has_zone:
            return pc.local_timestamp(pc.cast(cells, pa.timestamp("us", "UTC")))
        return pc.cast(cells, TIMESTAMP)
    except pa.ArrowInvalid:
        return None


def is_boolean(levels: pa.Array) -> bool:
    """True when the distinct cells with a value are one spelling each of true and false, or one."""
    if not 1 <= len(levels) <= 2:
        return False
    trues = pc.sum(pc.is_in(levels, value_set=_TRUE)).as_py()
    falses = pc.sum(pc.is_in(levels, value_set=_FALSE)).as_py()
    return bool(trues + falses == len(levels) and trues <= 1 and falses <= 1)


def to_booleans(cells: pa.Array) -> pa.Array:
    """Trimmed cells of a boolean column as bool."""
    return pc.if_else(pc.is_null(cells), None, pc.is_in(cells, value_set=_TRUE))


def to_text(cells: pa.Array) -> pa.Array:
    """Cells as they are, the empty ones null."""
    return pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)

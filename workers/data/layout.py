"""Which features the encoder makes of which columns: the rule, known before any data is read.

The controller predicts memory from it and the encoder follows it, so both agree on the shape of
`X: (rows, features) float32`. Only the standard library is imported here.

| column kind | features |
|---|---|
| NUMBER | the value |
| BOOLEAN | 0 or 1 |
| CATEGORY | the level's rank by frequency, as a category code; with more than `MAX_LEVELS` levels
the rest share one code and a second feature holds the level's share of the rows |
| DATE | days since 1970, year, month, day of month, day of week, hour |
| TEXT | characters, words, and `TEXT_BUCKETS` hashed word counts |

Missing is NaN in every feature of a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.families.base import DataShape

MAX_LEVELS = 250
"""Category codes of one feature: HistGradientBoosting takes at most 255 bins, missing included."""

TEXT_BUCKETS = 32
"""Hash buckets for the words of a text column."""

DATE_PARTS = ("days", "year", "month", "day", "weekday", "hour")
"""Features of a date, in order."""


@dataclass(frozen=True)
class ColumnInfo:
    """What must be known of a column. kind: NUMBER, CATEGORY, BOOLEAN, DATE or TEXT."""

    name: str
    kind: str
    distinct_count: int
    has_missing: bool


@dataclass(frozen=True)
class Feature:
    """One column of X. levels: number of category codes, 0 for a numeric feature. part: which
    feature of its column it is, for example `value`, `code`, `share`, `weekday`, `words`, `hash7`.
    """

    column: str
    part: str
    levels: int = 0


def features_of(column: ColumnInfo) -> tuple[Feature, ...]:
    """The features of one column, in order. Raises: ValueError for an unknown kind."""
    if column.kind in ("NUMBER", "BOOLEAN"):
        return (Feature(column.name, "value"),)
    if column.kind == "CATEGORY":
        if column.distinct_count <= MAX_LEVELS:
            return (Feature(column.name, "code", max(1, column.distinct_count)),)
        return (Feature(column.name, "code", MAX_LEVELS), Feature(column.name, "share"))
    if column.kind == "DATE":
        return tuple(Feature(column.name, part) for part in DATE_PARTS)
    if column.kind == "TEXT":
        hashes = (f"hash{bucket}" for bucket in range(TEXT_BUCKETS))
        return tuple(Feature(column.name, part) for part in ("characters", "words", *hashes))
    raise ValueError(f"column {column.name!r} has the unknown kind {column.kind!r}")


def layout(columns: Sequence[ColumnInfo]) -> tuple[Feature, ...]:
    """All features in order: the columns' order, then each column's own."""
    return tuple(feature for column in columns for feature in features_of(column))


def fold_copy_bytes(shape: DataShape) -> int:
    """Anonymous memory that a trial holds for a fold's training rows before any family's own.

    Prepared rows lie sorted by fold (`workers.data.prepared`). A holdout's training part is one
    piece of the memory map: 0. With several folds the two pieces around the validation part are
    joined: 4·n·d for X, 8·n for y, 8·n for weights, n = train_rows; y and weights are counted
    whether or not they are needed. Validation parts are never copied. Example: 16,000 rows of 20
    features in 5 folds: 1.5 MB. Exact; 0 in truth for folds in time order.
    """
    if shape.folds <= 1:
        return 0
    return shape.train_rows * (4 * shape.features + 16)

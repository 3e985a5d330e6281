"""Turns a table into the float32 matrix that all model families start from.

The rule is `workers.data.layout`; this file carries it out, the same way in training and serving:
`workers.data.cells` first brings whatever was given into one canonical form. No state but the
levels of category columns, counted over the whole training table (they never see the target).

| kind | how |
|---|---|
| NUMBER | as float32; values beyond its range become its largest |
| BOOLEAN | 0 or 1 |
| CATEGORY | rank by frequency; an unseen level is missing; `share` is the level's rows / all rows |
| DATE | in UTC; `days` since 1970 are whole, `weekday` is 0 on Monday |
| TEXT | characters; words (parted by white space, in lower case, punctuation around them trimmed);
CRC-32 of a word, modulo the buckets, names the bucket that counts it |
"""

from __future__ import annotations

import json
import string
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from workers.data import cells
from workers.data.layout import MAX_LEVELS, TEXT_BUCKETS, ColumnInfo, Feature, features_of, layout
from workers.data.levels import Levels

ENCODER_VERSION = 1
"""Of the JSON form. A change of any rule above is a new version."""

Matrix = npt.NDArray[np.float32]

_DAY_MICROSECONDS = 86_400_000_000
_HOUR_MICROSECONDS = 3_600_000_000
_LARGEST = float(np.finfo(np.float32).max)
_PUNCTUATION = string.punctuation + "…–—‘’“”«»¿¡、。，！？：；（）「」"


class EncoderError(ValueError):
    """Columns that do not fit an encoder. columns: the names at fault."""

    def __init__(self, message: str, columns: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.columns = tuple(columns)


class Encoder:
    """Encodes tables of the given columns. Immutable; `transform` may run in several threads.

    columns: in the order of the features. rows: of the table that the levels were counted over.
    levels: of each CATEGORY column by name.

    Raises: EncoderError when a column holds more levels than its `distinct_count` says.
    """

    def __init__(
        self, columns: Sequence[ColumnInfo], rows: int, levels: Mapping[str, Levels]
    ) -> None:
        self.columns = tuple(columns)
        self.rows = rows
        self.levels = dict(levels)
        self.features = layout(self.columns)
        self._spans = _spans(self.columns)
        for column in self.columns:
            if column.kind == "CATEGORY":
                _check_levels(column, self.levels[column.name])

    @classmethod
    def fit(cls, table: pa.Table, columns: Sequence[ColumnInfo]) -> Encoder:
        """Learns the levels from a whole table in memory."""
        return cls.fit_batches(
            lambda name: iter(table[name].chunks), columns=columns, rows=table.num_rows
        )

    @classmethod
    def fit_batches(
        cls,
        read: Callable[[str], Iterable[pa.Array]],
        *,
        columns: Sequence[ColumnInfo],
        rows: int,
    ) -> Encoder:
        """Learns the levels from a table too large for memory.

        read: gives a column's arrays by its name, once each; rows: of the whole table.
        """
        levels = {
            column.name: Levels.count(cells.texts(column.name, part) for part in read(column.name))
            for column in columns
            if column.kind == "CATEGORY"
        }
        return cls(columns, rows, levels)

    def transform(
        self,
        data: pa.Table | pa.RecordBatch | Mapping[str, Any],
        out: npt.NDArray[np.float32] | None = None,
    ) -> Matrix:
        """Encodes rows: (n, features) float32 in C order, NaN for missing.

        data: columns by name, as arrays or lists of equal length; others than the encoder's are
        ignored. out: where to write, shape (n, features).

        Raises: EncoderError for missing columns or unequal lengths, CellError for a bad value.
        """
        given = _columns_of(data)
        missing = [column.name for column in self.columns if column.name not in given]
        if missing:
            raise EncoderError(f"missing columns: {', '.join(map(repr, missing))}", missing)
        rows = len(given[self.columns[0].name]) if self.columns else 0
        uneven = [column.name for column in self.columns if len(given[column.name]) != rows]
        if uneven:
            first = self.columns[0].name
            raise EncoderError(
                f"columns of unequal length: {uneven[0]!r} has {len(given[uneven[0]])} values, "
                f"{first!r} has {rows}",
                uneven,
            )
        if out is None:
            out = np.empty((rows, len(self.features)), dtype=np.float32)
        for column, span in zip(self.columns, self._spans, strict=True):
            self._encode(column, given[column.name], out[:, span])
        return out

    def to_json(self) -> dict[str, Any]:
        """Everything `from_json` needs, as JSON data."""
        return {
            "encoder_version": ENCODER_VERSION,
            "rows": self.rows,
            "features": len(self.features),
            "columns": [asdict(column) for column in self.columns],
            "levels": {
                name: {"texts": levels.texts.to_pylist(), "counts": levels.counts.tolist()}
                for name, levels in self.levels.items()
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Encoder:
        """Raises: EncoderError for another version's data, KeyError for incomplete data."""
        version = data["encoder_version"]
        if version != ENCODER_VERSION:
            raise EncoderError(f"encoder version {version!r}; this code reads {ENCODER_VERSION}")
        levels = {
            name: Levels(
                pa.array(entry["texts"], pa.string()), np.array(entry["counts"], dtype=np.int64)
            )
            for name, entry in data["levels"].items()
        }
        encoder = cls([ColumnInfo(**column) for column in data["columns"]], data["rows"], levels)
        if len(encoder.features) != data["features"]:
            raise EncoderError(
                f"an encoder of {data['features']} features; this code's layout gives its columns "
                f"{len(encoder.features)}"
            )
        return encoder

    def dumps(self) -> str:
        """`to_json` as text, the same for the same encoder."""
        return json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":"))

    def _encode(self, column: ColumnInfo, values: Any, out: Matrix) -> None:
        if column.kind == "NUMBER":
            out[:, 0] = np.clip(cells.numbers(column.name, values), -_LARGEST, _LARGEST)
        elif column.kind == "BOOLEAN":
            out[:, 0] = cells.booleans(column.name, values)
        elif column.kind == "CATEGORY":
            self._encode_category(column, cells.texts(column.name, values), out)
        elif column.kind == "DATE":
            _encode_dates(cells.moments(column.name, values), out)
        else:
            _encode_texts(cells.texts(column.name, values), out)

    def _encode_category(self, column: ColumnInfo, values: pa.StringArray, out: Matrix) -> None:
        levels = self.levels[column.name]
        ranks = levels.ranks(values)
        is_unknown = ranks < 0
        out[:, 0] = np.minimum(ranks, MAX_LEVELS - 1)
        if out.shape[1] > 1:
            # The extra last entry is what rank -1 picks; it is overwritten below.
            shares = np.append(levels.counts / max(1, self.rows), np.nan)
            out[:, 1] = shares[ranks]
        out[is_unknown] = np.nan


def categorical_levels(features: Sequence[Feature]) -> tuple[int, ...]:
    """For each feature its number of category codes, 0 for a numeric one."""
    return tuple(feature.levels for feature in features)


def _columns_of(data: pa.Table | pa.RecordBatch | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(data, pa.Table | pa.RecordBatch):
        return dict(zip(data.schema.names, data.columns, strict=True))
    return data


def _spans(columns: Sequence[ColumnInfo]) -> list[slice]:
    """Where each column's features lie in a row."""
    stops = np.cumsum([len(features_of(column)) for column in columns]).tolist()
    return [slice(start, stop) for start, stop in zip([0, *stops], stops, strict=False)]


def _check_levels(column: ColumnInfo, levels: Levels) -> None:
    codes = features_of(column)[0].levels
    if column.distinct_count <= MAX_LEVELS and len(levels) > codes:
        raise EncoderError(
            f"column {column.name!r} holds {len(levels)} levels, more than the "
            f"{column.distinct_count} of its profile: read the dataset again",
            [column.name],
        )


def _encode_dates(moments: npt.NDArray[np.int64], out: Matrix) -> None:
    is_missing = moments == cells.NOT_A_TIME
    moments = np.where(is_missing, 0, moments)
    days = moments // _DAY_MICROSECONDS
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    month_count = months.astype(np.int64)
    out[:, 0] = days
    out[:, 1] = 1970 + month_count // 12
    out[:, 2] = 1 + month_count % 12
    out[:, 3] = 1 + (dates - months.astype("datetime64[D]")).astype(np.int64)
    out[:, 4] = (days + 3) % 7  # 1970-01-01 was a Thursday
    out[:, 5] = moments % _DAY_MICROSECONDS // _HOUR_MICROSECONDS
    out[is_missing] = np.nan


def _encode_texts(values: pa.StringArray, out: Matrix) -> None:
    is_missing = values.is_null().to_numpy(zero_copy_only=False)
    filled = values.fill_null("")
    out[:, 0] = pc.utf8_length(filled).to_numpy(zero_copy_only=False)
    # Plain Python: Arrow's chain of split, trim and dictionary gave a word another word's code on
    # rare texts, and only at times.
    known: dict[str, int] = {}
    places: list[int] = []
    for row, text in enumerate(filled.to_pylist()):
        for piece in text.lower().split():
            word = piece.strip(_PUNCTUATION)
            if not word:
                continue
            bucket = known.get(word)
            if bucket is None:
                bucket = known[word] = zlib.crc32(word.encode()) % TEXT_BUCKETS
            places.append(row * TEXT_BUCKETS + bucket)
    counts = np.bincount(
        np.array(places, dtype=np.int64), minlength=len(values) * TEXT_BUCKETS
    ).reshape(len(values), TEXT_BUCKETS)
    out[:, 1] = counts.sum(axis=1)
    out[:, 2:] = counts
    out[is_missing] = np.nan

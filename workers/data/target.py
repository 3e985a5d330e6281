"""Reads the columns that are not features: target, weight, group and time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from workers.data import cells
from workers.data.source import Source
from workers.trial.job import PrepareJob


@dataclass(frozen=True)
class RowFacts:
    """What is known of the rows that can be learned from, besides their features.

    is_kept: (all rows of the table,) whether a row has a target and, if wanted, a weight. All
    others are of the n kept rows. y: (n,) int32 class codes, or float64. groups: (n,) int64 codes.
    times: (n,) float64, NaN for missing.
    """

    is_kept: npt.NDArray[np.bool_]
    y: npt.NDArray[np.generic]
    weights: npt.NDArray[np.float64] | None
    groups: npt.NDArray[np.int64] | None
    times: npt.NDArray[np.float64] | None
    notes: tuple[str, ...]


def read_row_facts(source: Source, job: PrepareJob) -> RowFacts:
    """Streams the columns one by one; memory is a few numbers a row.

    Raises: ValueError naming the column: a target outside `job.classes`, a negative weight,
    weights that are all 0, no rows left.
    """
    y, has_target = _target(source, job)
    is_kept = has_target
    notes: list[str] = []
    _note_dropped(notes, len(y) - int(has_target.sum()), "target", job.target_column)
    weights = None
    if job.weight_column:
        weights = _weights(source, job.weight_column)
        has_weight = ~np.isnan(weights)
        _note_dropped(notes, int((has_target & ~has_weight).sum()), "weight", job.weight_column)
        is_kept = has_target & has_weight
        weights = weights[is_kept]
        if len(weights) and not weights.sum() > 0:
            raise ValueError(f"weight column {job.weight_column!r}: all weights are 0")
    if not is_kept.any():
        raise ValueError(f"target column {job.target_column!r}: no row has a value")
    groups = _groups(source, job.group_column)[is_kept] if job.group_column else None
    times = _times(source, job.time_column)[is_kept] if job.time_column else None
    return RowFacts(is_kept, y[is_kept], weights, groups, times, tuple(notes))


def _target(
    source: Source, job: PrepareJob
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    name = job.target_column
    if job.task == "regression":
        values = _numbers(source, name)
        return values, ~np.isnan(values)
    code = _coder(source.schema, name, job.classes)
    codes = np.concatenate([code(part) for part in source.column(name)] or [_NO_CODES])
    return codes, codes >= 0


_NO_CODES = np.empty(0, dtype=np.int32)


def _coder(
    schema: pa.Schema, name: str, classes: Sequence[str]
) -> Callable[[pa.Array], npt.NDArray[np.int32]]:
    """What turns arrays of the target into class codes, -1 for missing."""
    kind = _type_of(schema, name)
    read: Callable[[str, Any], Any]
    parsed: list[Any]
    if pa.types.is_boolean(kind):
        read, parsed = cells.booleans, [float(cells.parse_boolean(text)) for text in classes]
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        read, parsed = cells.numbers, [cells.parse_number(text) for text in classes]
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        read, parsed = cells.texts, list(classes)
    else:
        raise ValueError(f"target column {name!r} of type {kind} has no classes")
    if len(set(parsed)) != len(classes):
        raise ValueError(f"target column {name!r}: two classes spell the same value")
    wanted = pa.array(parsed)

    def code(part: pa.Array) -> npt.NDArray[np.int32]:
        values = read(name, part)
        values = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
        found = pc.index_in(values, value_set=wanted)
        is_unknown = pc.and_(found.is_null(), values.is_valid())
        if pc.any(is_unknown).as_py():
            stranger = values.filter(is_unknown)[0].as_py()
            raise ValueError(
                f"target column {name!r} holds {stranger!r}, which is none of the search's "
                f"{len(classes)} classes"
            )
        return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False)).astype(np.int32)

    return code


def _type_of(schema: pa.Schema, name: str) -> pa.DataType:
    if name not in schema.names:
        raise ValueError(f"the dataset has no column {name!r}")
    kind = schema.field(name).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _numbers(source: Source, name: str) -> npt.NDArray[np.float64]:
    kind = _type_of(source.schema, name)
    read = cells.booleans if pa.types.is_boolean(kind) else cells.numbers
    parts = [read(name, part) for part in source.column(name)]
    return np.concatenate(parts or [np.empty(0)])


def _weights(source: Source, name: str) -> npt.NDArray[np.float64]:
    weights = _numbers(source, name)
    if (weights < 0).any():
        raise ValueError(f"weight column {name!r} holds a negative weight")
    if np.isinf(weights).any():
        raise ValueError(f"weight column {name!r} holds an infinite weight")
    return weights


def _groups(source: Source, name: str) -> npt.NDArray[np.int64]:
    """Codes by first appearance; the rows without a group share one code of their own."""
    parts = [
        part if pa.types.is_dictionary(part.type) else part.dictionary_encode()
        for part in source.column(name)
    ]
    whole = pa.chunked_array(parts).unify_dictionaries()
    codes = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in whole.chunks]
    return np.concatenate(codes).astype(np.int64)


def _times(source: Source, name: str) -> npt.NDArray[np.float64]:
    """Numbers, or microseconds since 1970: exact in float64 for three centuries around it."""
    kind = _type_of(source.schema, name)
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return _numbers(source, name)
    moments = np.concatenate([cells.moments(name, part) for part in source.column(name)])
    return np.where(moments == cells.NOT_A_TIME, np.nan, moments.astype(np.float64))


def _note_dropped(notes: list[str], count: int, what: str, column: str) -> None:
    if count:
        rows = "row" if count == 1 else "rows"
        notes.append(f"{count} {rows} without a {what} left out (column {column!r})")

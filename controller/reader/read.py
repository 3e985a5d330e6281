"""Reads one table: decides types over the whole of it, writes the typed copy, makes the profile.

Text formats are read twice, once for the types and once for the copy; typed ones once. Memory is
bounded by the batch, by the row group and by the tallies, not by the table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from controller.domain.records import Column
from controller.reader.columnar_sources import ArrowSource, ParquetSource, SklearnSource
from controller.reader.csv_source import CsvSource
from controller.reader.fetch import local_copy
from controller.reader.formats import find_format
from controller.reader.json_source import JsonSource
from controller.reader.measure import Measure
from controller.reader.profile import Surveyed, bounded, column_of
from controller.reader.request import (
    ReadRequest,
    ReadResult,
    TableError,
    TableFormat,
    TableReason,
)
from controller.reader.source import TextSource, TypedSource, make_header
from controller.reader.stored_types import reading_of
from controller.reader.survey import Reading, Survey
from controller.reader.table_writer import TableWriter
from controller.reader.tally import Tally, TallyLimits, count_values

SKLEARN_SCHEME = "sklearn:"

MIN_ROWS = 2
"""Nothing can be learned from fewer."""

# Distinct values kept over all columns together, and their bytes: with the doubling of a merge and
# the arrays that point to them, some 200 MB at the very most.
_ALL_DISTINCT, _ALL_BYTES = 1_000_000, 64 << 20
_MOST_DISTINCT = 100_000

_TYPED_SOURCES: dict[TableFormat, Callable[[Path], TypedSource]] = {
    TableFormat.PARQUET: ParquetSource,
    TableFormat.ARROW: ArrowSource,
    TableFormat.JSON_LINES: JsonSource,
}


def read_table(request: ReadRequest) -> ReadResult:
    """Reads the table and writes `request.output`. Blocks. Raises: TableError."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reader = _TableReader(Path(request.output), pool)
        if request.location.startswith(SKLEARN_SCHEME) or request.format is TableFormat.SKLEARN:
            name = request.location.removeprefix(SKLEARN_SCHEME)
            return reader.read_typed(SklearnSource(name), TableFormat.SKLEARN)
        with local_copy(request) as path:
            form = find_format(path, request.name, request.format)
            if form is TableFormat.CSV:
                return reader.read_text(CsvSource(path), form)
            return reader.read_typed(_TYPED_SOURCES[form](path), form)


class _TableReader:
    """One reading; columns of a batch are worked on side by side, as Arrow lets go of the GIL."""

    def __init__(self, output: Path, pool: Executor) -> None:
        self._output = output
        self._pool = pool

    def read_text(self, source: TextSource, form: TableFormat) -> ReadResult:
        """Two passes over cells that are all text."""
        limits = _limits(len(source.names))
        surveys = [Survey(limits) for _ in source.names]
        for batch in source.batches():
            _drain(self._pool.map(Survey.observe, surveys, batch.columns))
        columns = [
            _Pass(name, survey.decide(), survey.tally, is_spelled=True)
            for name, survey in zip(source.names, surveys, strict=True)
        ]
        return self._write(columns, source.batches(), form, source.notes)

    def read_typed(self, source: TypedSource, form: TableFormat) -> ReadResult:
        """One pass over columns that have types."""
        header = make_header(source.schema.names)
        limits = _limits(len(header.names))
        readings = [
            reading_of(name, field.type)
            for name, field in zip(header.names, source.schema, strict=True)
        ]
        columns = [
            _Pass(name, reading, Tally(reading.stored_type, limits), is_spelled=False)
            for name, reading in zip(header.names, readings, strict=True)
        ]
        return self._write(columns, source.batches(), form, header.notes)

    def _write(
        self,
        columns: Sequence[_Pass],
        batches: Iterable[pa.RecordBatch],
        form: TableFormat,
        notes: Iterable[str],
    ) -> ReadResult:
        schema = pa.schema([(column.name, column.reading.stored_type) for column in columns])
        with TableWriter(self._output, schema) as writer:
            for batch in batches:
                writer.write(list(self._pool.map(_Pass.take, columns, batch.columns)))
        rows = columns[0].measure.rows
        if rows < MIN_ROWS:
            what = "one row" if rows else "a header and no rows"
            raise TableError(TableReason.EMPTY_TABLE, f"the table has {what}", "give two at least")
        profiles = bounded(list(self._pool.map(_Pass.profile, columns)))
        dropped = tuple(
            f"column {column.name!r} is left out: {column.note}"
            for column in profiles
            if column.is_dropped
        )
        return ReadResult(rows, profiles, (*notes, *dropped), form)


class _Pass:
    """One column on its way to the stored copy."""

    def __init__(self, name: str, reading: Reading, tally: Tally, is_spelled: bool) -> None:
        self.name = name
        self.reading = reading
        self.measure = Measure(reading.stored_type)
        self._tally = tally
        self._is_spelled = is_spelled

    def take(self, cells: pa.Array) -> pa.Array:
        """Converts, measures and, unless the survey did, counts a batch; returns the converted."""
        try:
            converted = self.reading.convert(cells)
            self.measure.observe(converted)
        except pa.ArrowInvalid as error:  # for example text in Parquet that is no UTF-8
            raise TableError(
                TableReason.UNREADABLE_TABLE,
                f"column {self.name!r} cannot be read: {error}",
                "correct its values or write the file again",
            ) from error
        if not self._is_spelled:
            if self._tally.is_capped:
                self._tally.add_capped(converted)
            else:
                self._tally.add(count_values(converted))
        return converted

    def profile(self) -> Column:
        """The column's profile, after the last batch."""
        return column_of(
            Surveyed(self.name, self.reading, self._tally, self.measure, self._is_spelled)
        )


def _limits(columns: int) -> TallyLimits:
    width = max(1, columns)
    return TallyLimits(min(_MOST_DISTINCT, _ALL_DISTINCT // width), _ALL_BYTES // width)


def _drain(results: Iterator[object]) -> None:
    """Waits for all, and raises what one of them raised."""
    for _ in results:
        pass

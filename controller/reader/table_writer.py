"""Writes the stored copy of a table: Parquet with row groups of even size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pyarrow as pa
from pyarrow import parquet

ROW_GROUP_ROWS = 1 << 16
"""Rows of a row group, for tables of usual width."""

ROW_GROUP_CELLS = 1 << 22
"""Cells of a row group at most: bounds memory for wide tables."""


def rows_for(columns: int, most: int) -> int:
    """Rows to hold at a time for a table of that width, at most `most`."""
    return max(256, min(most, ROW_GROUP_CELLS // max(1, columns)))


class TableWriter:
    """Gathers batches to row groups. Use as a context; the file is whole after its end."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._group_rows = rows_for(len(schema), ROW_GROUP_ROWS)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._writer = parquet.ParquetWriter(path, schema, compression="zstd")

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def write(self, columns: Sequence[pa.Array]) -> None:
        """Adds a batch: one array a column, of the schema's types."""
        batch = pa.record_batch(list(columns), schema=self._schema)
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        if self._waiting_rows >= self._group_rows:
            self._flush()

    def _flush(self) -> None:
        if self._waiting_rows:
            table = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(table, row_group_size=self._waiting_rows)
        self._waiting, self._waiting_rows = [], 0

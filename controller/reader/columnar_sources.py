"""Parquet, Arrow IPC and Feather files, and the tables of scikit-learn, as typed batches."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from controller.reader.request import TableError, TableReason
from controller.reader.table_writer import rows_for

BATCH_ROWS = 1 << 14
"""Rows read at a time from Parquet, at most."""

SKLEARN_NAMES = ("breast_cancer", "iris", "wine", "digits", "diabetes")
"""Tables bundled with scikit-learn that can be read by `sklearn:NAME`."""


class ParquetSource:
    """`controller.reader.source.TypedSource` of a Parquet file. Raises: TableError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _readable("Parquet"), parquet.ParquetFile(path) as file:
            self.schema = file.schema_arrow

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows."""
        with _readable("Parquet"), parquet.ParquetFile(self._path) as file:
            yield from file.iter_batches(rows_for(len(self.schema), BATCH_ROWS))


class ArrowSource:
    """`controller.reader.source.TypedSource` of an Arrow IPC file or stream. Raises: TableError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _readable("Arrow"), pa.OSFile(str(path)) as file, _open_ipc(file) as reader:
            self.schema = reader.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows."""
        with _readable("Arrow"), pa.OSFile(str(self._path)) as file, _open_ipc(file) as reader:
            if isinstance(reader, pa.RecordBatchFileReader):
                for at in range(reader.num_record_batches):
                    yield reader.get_batch(at)
            else:
                yield from reader


class SklearnSource:
    """`controller.reader.source.TypedSource` of a table of scikit-learn.

    The target is column `target`, for classification with the class names as text.
    Raises: TableError for an unknown name.
    """

    def __init__(self, name: str) -> None:
        if name not in SKLEARN_NAMES:
            raise TableError(
                TableReason.UNKNOWN_SKLEARN_DATASET,
                f"scikit-learn has no table {name!r} that is known here",
                f"use one of {', '.join(SKLEARN_NAMES)}",
            )
        bunch = getattr(importlib.import_module("sklearn.datasets"), f"load_{name}")()
        columns = {
            str(feature): pa.array(bunch.data[:, at])
            for at, feature in enumerate(bunch.feature_names)
        }
        if "target_names" in bunch:
            columns["target"] = pa.array([str(bunch.target_names[code]) for code in bunch.target])
        else:
            columns["target"] = pa.array(bunch.target)
        self._table = pa.table(columns)
        self.schema = self._table.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows."""
        yield from self._table.to_batches()


def _open_ipc(file: pa.NativeFile) -> pa.RecordBatchFileReader | pa.RecordBatchStreamReader:
    if file.read(6) == b"ARROW1":
        file.seek(0)
        return pa.ipc.open_file(file)
    file.seek(0)
    return pa.ipc.open_stream(file)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Turns Arrow's errors into TableError; running out of memory stays what it is."""
    try:
        yield
    except pa.ArrowMemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        raise TableError(
            TableReason.UNREADABLE_TABLE,
            f"it is not a complete {what} file: {first_line}",
            "write and upload it again",
        ) from error

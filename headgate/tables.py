"""Tables on the client's side: columns of a file for `predict`, and predictions as CSV.

CSV and JSON lines are read by the standard library; Parquet, Arrow and Feather files need pyarrow
to be installed.
"""

from __future__ import annotations

import csv
import importlib
import json
import os
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from headgate.csv_table import open_text, read_csv
from headgate.errors import InputError
from headgate.inference import Predictions
from headgate.table_format import TableFormat, column_names, find_format


def read_columns(path: str | Path) -> dict[str, list[Any]]:
    """Columns of a CSV, JSON lines (both optionally gzipped), Parquet or Arrow file by name, read
    by the server's rules; empty cells are None.

    Raises: InputError when the file is not there or no table.
    """
    source = Path(path)
    try:
        form = find_format(source)
        if form is TableFormat.CSV:
            return {**read_csv(source)}
        if form is TableFormat.JSON_LINES:
            return _read_json_lines(source)
        return _read_binary(source, form)
    except UnicodeDecodeError as error:
        raise InputError(f"{source} cannot be read: it is not UTF-8; save it as UTF-8") from error
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise InputError(f"{source} cannot be read: {error}") from error


def _read_json_lines(path: Path) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    count = 0
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            record = _record(path, number, line)
            for name in record:
                columns.setdefault(name, [None] * count)
            for name, column in columns.items():
                column.append(record.get(name))
            count += 1
    return dict(zip(column_names(list(columns), path), columns.values(), strict=True))


class _Pairs(list[tuple[str, Any]]):
    """A decoded JSON object, with the names that occur twice."""


def _record(path: Path, number: int, line: str) -> dict[str, Any]:
    """One line's object. Raises: InputError."""
    try:
        pairs = json.loads(line, object_pairs_hook=_Pairs)
    except ValueError as error:
        raise InputError(f"{path}, line {number}: {error}") from error
    if not isinstance(pairs, _Pairs):
        raise InputError(f"{path}, line {number}: one JSON object a line is needed")
    for name, value in pairs:
        if isinstance(value, list):
            raise InputError(f"{path}, line {number}: {name!r} is no plain value")
    column_names([name for name, _ in pairs], path)
    return dict(pairs)


def _read_binary(path: Path, form: TableFormat) -> dict[str, list[Any]]:
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(f"{path} needs pyarrow to be read; install it or use CSV") from error
    try:
        if form is TableFormat.PARQUET:
            table = parquet.ParquetFile(path).read()
        else:
            table = _read_arrow(arrow, path)
    except arrow.ArrowException as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    names = column_names(table.column_names, path)
    return {
        name: [_plain(value) for value in column.to_pylist()]
        for name, column in zip(names, table.columns, strict=True)
    }


def _read_arrow(arrow: ModuleType, path: Path) -> Any:  # noqa: ANN401 - a pyarrow.Table
    """An Arrow IPC file or stream, Feather included."""
    with arrow.OSFile(str(path)) as file:
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        return (arrow.ipc.open_file if is_file else arrow.ipc.open_stream)(file).read_all()


def _plain(value: object) -> object:
    """Dates as ISO 8601 text, as the inference protocol has none."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def write_predictions(predictions: Predictions, path: str | Path) -> None:
    """Writes a CSV in input order, whole or not at all: `prediction`, then `proba_CLASS`."""
    target = Path(path)
    columns: Mapping[str, Sequence[Any]] = {
        "prediction": predictions.labels,
        **{f"proba_{name}": values for name, values in predictions.probabilities.items()},
    }
    try:
        descriptor, scratch = tempfile.mkstemp(dir=target.parent, prefix=".headgate-")
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        Path(scratch).replace(target)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise

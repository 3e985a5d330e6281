"""Tables on the client's side: columns of a file for `predict`, and predictions as CSV.

CSV is read by the standard library. Parquet, Arrow and Feather files need pyarrow to be installed.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headgate.errors import InputError
from headgate.inference import Predictions

_BINARY = {".parquet": "parquet", ".feather": "feather", ".arrow": "feather"}


def read_columns(path: str | Path) -> dict[str, list[Any]]:
    """Columns of a CSV (optionally gzipped), JSON lines or binary file; empty cells are None.

    Raises: InputError when the file is not there or no table.
    """
    source = Path(path)
    try:
        if source.suffix.lower() in _BINARY:
            return _read_binary(source)
        if source.suffix.lower() in (".jsonl", ".ndjson", ".json"):
            return _read_json_lines(source)
        return _read_csv(source)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{source} cannot be read: {error}") from error


def _read_csv(path: Path) -> dict[str, list[Any]]:
    opener = gzip.open if path.suffix == ".gz" else Path.open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, None)
        if not header:
            raise InputError(f"{path} is empty; a header line with column names is needed")
        if len(set(header)) != len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise InputError(f"{path}: the column {twice!r} occurs twice; rename one of them")
        columns: list[list[Any]] = [[] for _ in header]
        for row in rows:
            if not row and len(header) > 1:
                continue
            if len(row) != len(header):
                raise InputError(
                    f"{path}, line {rows.line_num}: {len(row)} cells, the header has {len(header)}"
                )
            for column, cell in zip(columns, row, strict=True):
                column.append(cell or None)
    return dict(zip(header, columns, strict=True))


def _read_json_lines(path: Path) -> dict[str, list[Any]]:
    import json  # noqa: PLC0415 - one format of several

    columns: dict[str, list[Any]] = {}
    count = 0
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise InputError(f"{path}, line {number}: {error}") from error
            if not isinstance(record, dict):
                raise InputError(f"{path}, line {number}: one JSON object a line is needed")
            for name in record.keys() - columns.keys():
                columns[name] = [None] * count
            for name, column in columns.items():
                column.append(record.get(name))
            count += 1
    return columns


def _read_binary(path: Path) -> dict[str, list[Any]]:
    try:
        reader = importlib.import_module(f"pyarrow.{_BINARY[path.suffix.lower()]}")
        arrow = importlib.import_module("pyarrow")
    except ImportError as error:
        raise InputError(f"{path} needs pyarrow to be read; install it or use CSV") from error
    try:
        table = reader.read_table(path)
    except arrow.ArrowInvalid as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return {
        name: [value.isoformat() if hasattr(value, "isoformat") else value for value in values]
        for name, values in table.to_pydict().items()
    }


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

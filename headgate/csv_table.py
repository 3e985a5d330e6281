"""CSV on the client's side: UTF-8, a header line, optionally gzipped.

The separator is a comma; when the header has none, a tab, semicolon or bar that it does have.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from headgate.errors import InputError
from headgate.table_format import column_names, is_gzip

_CELL_CHARACTERS = 4 << 20
"""Longest cell: the server takes no longer row."""


def read_csv(path: Path) -> dict[str, list[str | None]]:
    """Columns by name; empty cells are None. Raises: InputError, OSError, csv.Error, EOFError."""
    delimiter = _find_delimiter(path)
    with open_text(path, newline="") as text, _long_cells():
        rows = csv.reader(text, delimiter=delimiter)
        header = next((row for row in rows if row), None)
        if header is None:
            raise InputError(f"{path} is empty; a header line with column names is needed")
        names = column_names(header, path)
        columns: list[list[str | None]] = [[] for _ in names]
        for row in rows:
            if not row:  # an empty line
                continue
            if len(row) != len(names):
                raise InputError(
                    f"{path}, line {rows.line_num}: {len(row)} cells, the header has {len(names)}"
                )
            for column, cell in zip(columns, row, strict=True):
                column.append(cell or None)
    return dict(zip(names, columns, strict=True))


def open_text(path: Path, newline: str | None = None) -> io.TextIOWrapper:
    """The text of a UTF-8 file, unpacked when it is gzipped. Raises: OSError."""
    return io.TextIOWrapper(_open(path), "utf-8-sig", newline=newline)


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if is_gzip(path) else path.open("rb")


def _find_delimiter(path: Path) -> str:
    with _open(path) as stream:
        line = stream.read(1 << 16).lstrip().split(b"\n", 1)[0]
    if b"," in line:
        return ","
    found = max((b"\t", b";", b"|"), key=line.count)
    return found.decode() if found in line else ","


@contextmanager
def _long_cells() -> Iterator[None]:
    """Lets the standard library read cells as long as the server's."""
    before = csv.field_size_limit(_CELL_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)

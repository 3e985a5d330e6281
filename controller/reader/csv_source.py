"""CSV as a stream of text batches: UTF-8, a header line, optionally gzipped.

The separator is a comma; when the header has none, a tab, semicolon or bar that it does have.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import pyarrow as pa
from pyarrow import csv as arrow_csv

from controller.reader.formats import is_gzip
from controller.reader.request import TableError, TableReason
from controller.reader.source import make_header

BLOCK_BYTES = 4 << 20
"""Bytes parsed at a time; also the longest possible row."""

_LONGEST_HEADER = 16 << 20


class CsvSource:
    """`controller.reader.source.TextSource` of a CSV file.

    Raises: TableError from the constructor for a bad header, from `batches` for bad rows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._delimiter = self._find_delimiter()
        raw = self._raw_header()
        header = make_header(raw)
        self.names, self.notes = header.names, header.notes
        if self._delimiter != ",":
            self.notes = (*self.notes, f"cells are separated by {self._delimiter!r}")

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as text."""
        is_first = True
        for raw in self._read(len(self.names)):
            batch = raw.slice(1) if is_first else raw  # the header is the first row
            is_first = False
            if batch.num_rows:
                yield batch.rename_columns(list(self.names))

    def _read(self, columns: int) -> Iterator[pa.RecordBatch]:
        ragged: list[arrow_csv.InvalidRow] = []

        def keep(row: arrow_csv.InvalidRow) -> str:
            ragged.append(row)
            return "error"

        names = [f"f{at}" for at in range(columns)]
        try:
            with self._open() as stream:
                yield from arrow_csv.open_csv(
                    stream,
                    arrow_csv.ReadOptions(autogenerate_column_names=True, block_size=BLOCK_BYTES),
                    arrow_csv.ParseOptions(
                        delimiter=self._delimiter,
                        newlines_in_values=True,
                        invalid_row_handler=keep,
                    ),
                    arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
                )
        except pa.ArrowInvalid as error:
            self._explain(error, is_ragged=bool(ragged))
        except (OSError, EOFError) as error:
            self._refuse_gzip(error)

    def _open(self) -> BinaryIO:
        if is_gzip(self._path):
            return cast(BinaryIO, pa.input_stream(str(self._path), compression="gzip"))
        return self._path.open("rb")

    def _find_delimiter(self) -> str:
        try:
            with self._open() as stream:
                line = bytes(stream.read(1 << 16)).lstrip().split(b"\n", 1)[0]
        except (OSError, EOFError) as error:
            self._refuse_gzip(error)
        if b"," in line:
            return ","
        found = max((b"\t", b";", b"|"), key=line.count)
        return found.decode() if found in line else ","

    def _raw_header(self) -> list[str]:
        """The first row. Raises: TableError when there is none or it is no UTF-8."""
        try:
            with self._open() as stream:
                text = io.TextIOWrapper(
                    io.BytesIO(stream.read(_LONGEST_HEADER)), "utf-8-sig", newline=""
                )
                rows = csv.reader(text, delimiter=self._delimiter)
                header = next((row for row in rows if row), None)
        except UnicodeDecodeError:
            self._refuse_encoding()
        except csv.Error as error:
            raise TableError(
                TableReason.UNREADABLE_TABLE, f"the header cannot be read: {error}", "correct it"
            ) from error
        if header is None:
            raise TableError(TableReason.EMPTY_TABLE, "the file is empty", "give one with rows")
        return header

    def _explain(self, error: pa.ArrowInvalid, is_ragged: bool) -> NoReturn:
        message = str(error)
        if is_ragged:
            self._refuse_ragged()
        if "UTF8" in message:
            self._refuse_encoding()
        if "straddling" in message or "Empty CSV" in message:
            reason = f"a row is longer than {BLOCK_BYTES >> 20} MiB or a quote is never closed"
            if "Empty CSV" in message:
                raise TableError(
                    TableReason.EMPTY_TABLE, "the table has a header and no rows", "add rows"
                ) from error
            raise TableError(TableReason.UNREADABLE_TABLE, reason, "close the quote") from error
        raise TableError(
            TableReason.UNREADABLE_TABLE, f"it is no valid CSV: {message}", "correct the file"
        ) from error

    def _refuse_ragged(self) -> NoReturn:
        """Finds the row by reading once more, as Arrow does not tell where it is."""
        csv.field_size_limit(1 << 30)
        expected = len(self.names)
        with self._open() as stream:
            text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
            rows = csv.reader(text, delimiter=self._delimiter)
            before = 0
            for row in rows:
                if row and len(row) != expected:
                    raise TableError(
                        TableReason.RAGGED_ROWS,
                        f"line {before + 1} has {len(row)} cells and the header has {expected}",
                        "correct that line, or put quotes around cells that contain separators",
                    )
                before = rows.line_num
        raise TableError(
            TableReason.RAGGED_ROWS,
            f"a row has not the {expected} cells of the header",
            "correct it",
        )

    def _refuse_encoding(self) -> NoReturn:
        with self._open() as stream:
            for number, line in enumerate(stream, 1):
                try:
                    line.decode()
                except UnicodeDecodeError:
                    raise TableError(
                        TableReason.WRONG_ENCODING,
                        f"line {number} is not UTF-8",
                        "save the file as UTF-8, it may be Windows-1252 or Latin-1 now",
                    ) from None
        raise TableError(
            TableReason.WRONG_ENCODING, "the file is not UTF-8", "save the file as UTF-8"
        )

    def _refuse_gzip(self, error: Exception) -> NoReturn:
        raise TableError(
            TableReason.UNREADABLE_TABLE,
            f"the file cannot be read to its end: {error}",
            "compress or upload it again",
        ) from error

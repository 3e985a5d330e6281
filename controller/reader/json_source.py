"""JSON lines as a stream of typed batches: one flat object a line, UTF-8, optionally gzipped.

Types are those that hold in all lines: the file is read once for its schema. Numbers mixed with
text in a column are refused, as either reading would invent something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import pyarrow as pa
from pyarrow import json as arrow_json

from controller.reader.formats import is_gzip
from controller.reader.request import TableError, TableReason

BLOCK_BYTES = 4 << 20
"""Bytes parsed at a time; a longer line makes a longer block."""


class JsonSource:
    """`controller.reader.source.TypedSource` of a JSON lines file.

    Raises: TableError from the constructor, which reads the whole file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.schema = pa.schema([])
        for table in self._tables(None):
            self.schema = _merged(self.schema, table.schema)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in the schema that fits all lines."""
        for table in self._tables(self.schema):
            yield from table.select(self.schema.names).combine_chunks().to_batches()

    def _tables(self, schema: pa.Schema | None) -> Iterator[pa.Table]:
        lines_before = 0
        for block in self._blocks():
            _check_encoding(block, lines_before)
            try:
                table = arrow_json.read_json(
                    pa.BufferReader(block),
                    arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1),
                    arrow_json.ParseOptions(explicit_schema=schema),
                )
            except pa.ArrowInvalid as error:
                _refuse(str(error), lines_before)
            lines_before += block.count(b"\n")
            yield table

    def _blocks(self) -> Iterator[bytes]:
        """The file cut at ends of lines."""
        rest = b""
        try:
            with self._open() as stream:
                while piece := bytes(stream.read(BLOCK_BYTES)):
                    whole, newline, tail = piece.rpartition(b"\n")
                    if newline:
                        if (rest + whole).strip():
                            yield rest + whole + newline
                        rest = tail
                    else:
                        rest += tail
        except (OSError, EOFError) as error:
            raise TableError(
                TableReason.UNREADABLE_TABLE,
                f"the file cannot be read to its end: {error}",
                "compress or upload it again",
            ) from error
        if rest.strip():
            yield rest

    def _open(self) -> BinaryIO:
        if is_gzip(self._path):
            return cast(BinaryIO, pa.input_stream(str(self._path), compression="gzip"))
        return self._path.open("rb")


def _merged(known: pa.Schema, found: pa.Schema) -> pa.Schema:
    """The columns of both, in the order of their first line."""
    types: dict[str, Any] = {field.name: field.type for field in known}
    for field in found:
        before = types.get(field.name, pa.null())
        types[field.name] = _wider(field.name, before, field.type)
    return pa.schema(list(types.items()))


def _wider(name: str, one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """A type that holds the values of both."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    kinds = {one, other}
    if kinds == {pa.int64(), pa.float64()}:
        return pa.float64()
    if all(pa.types.is_timestamp(kind) for kind in kinds):
        return pa.timestamp("ns")
    if all(pa.types.is_timestamp(kind) or pa.types.is_string(kind) for kind in kinds):
        return pa.string()
    raise TableError(
        TableReason.UNREADABLE_TABLE,
        f"column {name!r} holds {one} in some lines and {other} in others",
        "write one kind of value in all lines",
    )


def _refuse(message: str, lines_before: int) -> NoReturn:
    """Raises the TableError that says what Arrow's message means."""
    row = re.search(r"in row (\d+)", message)
    where = f"line {lines_before + int(row[1]) + 1}" if row else "a line"
    column = re.search(r"Column\(/?(.*?)\)", message)
    if "specified twice" in message:
        raise TableError(
            TableReason.DUPLICATE_COLUMNS,
            f"{where} names column {column[1] if column else ''!r} twice",
            "name each column once",
        )
    if "Column()" in message:
        raise TableError(
            TableReason.UNREADABLE_TABLE, f"{where} is no JSON object", "write one object a line"
        )
    if re.search("object|array", message) and "changed" in message:
        raise TableError(
            TableReason.NESTED_TYPE,
            f"{where} has a list or an object in column {column[1] if column else ''!r}",
            "write plain values only",
        )
    what = message.removeprefix("JSON parse error: ")
    raise TableError(
        TableReason.UNREADABLE_TABLE, f"{where} cannot be read: {what}", "correct that line"
    )


def _check_encoding(block: bytes, lines_before: int) -> None:
    """Raises: TableError naming the line. Arrow takes any bytes in a string for text."""
    try:
        block.decode()
    except UnicodeDecodeError as error:
        line = lines_before + block.count(b"\n", 0, error.start) + 1
        raise TableError(
            TableReason.WRONG_ENCODING, f"line {line} is not UTF-8", "save the file as UTF-8"
        ) from None

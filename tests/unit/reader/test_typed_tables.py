"""Parquet, Arrow, JSON lines and scikit-learn: their types are kept."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from controller.domain.records import ColumnKind, ValueCount
from controller.reader import json_source
from controller.reader.request import ReadResult, TableFormat

Read = Callable[..., ReadResult]

UTC = dt.UTC
TABLE = pa.table(
    {
        "int": pa.array([1, 2, None], pa.int8()),
        "uint": pa.array([1, 2**64 - 1, None], pa.uint64()),
        "float": pa.array([1.0, float("nan"), 2.5], pa.float32()),
        "decimal": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal(2)]),
        "bool": [True, None, False],
        "date": [dt.date(2020, 1, 2), None, dt.date(2020, 1, 3)],
        "stamp": pa.array([1, None, 2_000], pa.timestamp("ns")),
        "zone": pa.array([dt.datetime(2020, 1, 1, tzinfo=UTC)] * 3).cast(
            pa.timestamp("ms", "Europe/Paris")
        ),
        "text": pa.array(["1", "", "b"], pa.large_string()),
        "view": pa.array(["x", "y", None], pa.string_view()),
        "dictionary": pa.array(["x", "y", "x"]).dictionary_encode(),
        "coded": pa.array([7, 8, 7]).dictionary_encode(),
        "nothing": pa.nulls(3),
    }
)

KINDS = ["NUMBER"] * 4 + ["BOOLEAN"] + ["DATE"] * 3 + ["CATEGORY"] * 4 + ["NUMBER"]


def arrow_bytes(table: pa.Table, is_stream: bool) -> bytes:
    sink = io.BytesIO()
    make = pa.ipc.new_stream if is_stream else pa.ipc.new_file
    with make(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_arrow_types(read: Read, output: Path) -> None:
    result = read(arrow_bytes(TABLE, is_stream=False), "t.arrow")
    assert [column.kind for column in result.columns] == KINDS
    assert (result.format, result.rows) == (TableFormat.ARROW, 3)
    stored = parquet.read_table(output)
    assert {str(kind) for kind in stored.schema.types} == {
        "int64",
        "double",
        "bool",
        "timestamp[us]",
        "string",
    }
    assert stored["int"].to_pylist() == [1, 2, None]
    assert stored["float"].to_pylist() == [1.0, None, 2.5]
    assert stored["decimal"].to_pylist() == [1.5, None, 2.0]
    assert stored["text"].to_pylist() == ["1", None, "b"]
    assert stored["coded"].to_pylist() == ["7", "8", "7"]
    assert str(stored["zone"][0]) == "2020-01-01 00:00:00"
    by_name = {column.name: column for column in result.columns}
    assert by_name["float"].top_values == (ValueCount("1.0", 1), ValueCount("2.5", 1))
    assert by_name["float"].missing_count == 1
    assert by_name["int"].top_values == (ValueCount("1", 1), ValueCount("2", 1))
    assert by_name["nothing"].is_dropped


@pytest.mark.parametrize("name", ["t.arrow", "unnamed"])
def test_arrow_streams(read: Read, name: str) -> None:
    result = read(arrow_bytes(TABLE.select(["int", "text"]), is_stream=True), name)
    assert (result.format, result.rows) == (TableFormat.ARROW, 3)


def test_feather_and_parquet(read: Read, tmp_path: Path) -> None:
    feather.write_feather(TABLE, str(tmp_path / "f"))
    assert read((tmp_path / "f").read_bytes(), "t.feather").format == TableFormat.ARROW
    parquet.write_table(TABLE.drop_columns("coded"), tmp_path / "p")  # Parquet has no such type
    result = read((tmp_path / "p").read_bytes(), "t.pq")
    assert (result.format, result.rows) == (TableFormat.PARQUET, 3)
    expected = [k for n, k in zip(TABLE.column_names, KINDS, strict=True) if n != "coded"]
    assert [column.kind for column in result.columns] == expected


def test_long_text_in_typed_tables(read: Read) -> None:
    table = pa.table({"t": [f"some rather free words {at}" for at in range(20)]})
    assert read(arrow_bytes(table, is_stream=False), "t.arrow").columns[0].kind == ColumnKind.TEXT


@pytest.mark.parametrize("block", [24, 1 << 20])
def test_json_lines(read: Read, output: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(json_source, "BLOCK_BYTES", block)
    lines = (
        b'{"a":1,"s":"x","d":"2020-01-01"}\n\n{"a":2.5,"b":true}\n{"s":null,"d":"2020-01-02"}\n'
        b'{"a":3,"late":"x","d":"2020-01-02 10:00:00"}'
    )
    result = read(lines, "t.jsonl")
    assert [(column.name, column.kind.value) for column in result.columns] == [
        ("a", "NUMBER"),
        ("s", "CATEGORY"),
        ("d", "DATE"),
        ("b", "BOOLEAN"),
        ("late", "CATEGORY"),
    ]
    stored = parquet.read_table(output)
    assert stored["a"].to_pylist() == [1.0, 2.5, None, 3.0]
    assert stored["late"].to_pylist() == [None, None, None, "x"]


def test_json_texts_that_are_dates_in_some_lines_only(
    read: Read, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_source, "BLOCK_BYTES", 16)
    result = read(b'{"d":"2020-01-01"}\n{"d":"soon"}\n', "t.ndjson")
    assert result.columns[0].kind == ColumnKind.CATEGORY
    assert parquet.read_table(output)["d"].to_pylist() == ["2020-01-01", "soon"]


def test_gzip(read: Read) -> None:
    assert read(gzip.compress(b"a,b\n1,x\n2,y\n"), "t.csv.gz").rows == 2
    assert read(gzip.compress(b'{"a":1}\n{"a":2}\n'), "t.jsonl.gz").rows == 2
    assert read(gzip.compress(b"a,b\n1,x\n2,y\n"), "download").rows == 2


def test_the_first_bytes_tell_when_the_name_does_not(read: Read) -> None:
    assert read(b'{"a":1}\n{"a":2}\n', "data").format == TableFormat.JSON_LINES
    assert read(b"a,b\n1,2\n3,4\n", "data").format == TableFormat.CSV


def test_a_file_uri(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "a b.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    assert read(None, "a b.csv", location=path.as_uri()).rows == 2


@pytest.mark.parametrize(
    ("name", "rows", "columns", "kind"),
    [
        ("breast_cancer", 569, 31, ColumnKind.CATEGORY),
        ("iris", 150, 5, ColumnKind.CATEGORY),
        ("wine", 178, 14, ColumnKind.CATEGORY),
        ("digits", 1797, 65, ColumnKind.CATEGORY),
        ("diabetes", 442, 11, ColumnKind.NUMBER),
    ],
)
def test_sklearn_tables(read: Read, name: str, rows: int, columns: int, kind: ColumnKind) -> None:
    result = read(None, location=f"sklearn:{name}")
    assert (result.rows, len(result.columns), result.format) == (rows, columns, "SKLEARN")
    assert (result.columns[-1].name, result.columns[-1].kind) == ("target", kind)


def test_class_names_of_sklearn_tables_are_text(read: Read) -> None:
    result = read(None, location="sklearn:breast_cancer")
    assert result.columns[-1].top_values == (
        ValueCount("benign", 357),
        ValueCount("malignant", 212),
    )

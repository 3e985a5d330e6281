"""Tables that cannot be used are refused in one line that says what to change."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from controller.reader.request import ReadResult, TableError, TableFormat

Read = Callable[..., ReadResult]


def parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


WHOLE = parquet_bytes(pa.table({"a": np.arange(10_000)}))
NOT_UTF8 = pa.array([b"\xff", b"x"]).view(pa.string())
ZIPPED = gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)


@pytest.mark.parametrize(
    ("content", "name", "reason", "says"),
    [
        (b"", "t.csv", "EMPTY_TABLE", "empty"),
        (b"\n\n", "t.csv", "EMPTY_TABLE", "empty"),
        (b"a,b\n", "t.csv", "EMPTY_TABLE", "no rows"),
        (b"a,b", "t.csv", "EMPTY_TABLE", "no rows"),
        (b"a,b\n1,2\n", "t.csv", "EMPTY_TABLE", "one row"),
        (b"a,b\n1,2\n3\n", "t.csv", "RAGGED_ROWS", "line 3 has 1 cells and the header has 2"),
        (b"a,b\n\n1,2\n3,4,5\n", "t.csv", "RAGGED_ROWS", "line 4 has 3 cells"),
        (b'a,b\n"x\ny",2\n1,2,3\n', "t.csv", "RAGGED_ROWS", "line 4 has 3 cells"),
        (b'a,b\n"x,2\n1,2\n', "t.csv", "RAGGED_ROWS", "line 2 has 1 cells"),
        (b"a,b\n1,2\n\xe9,3\n", "t.csv", "WRONG_ENCODING", "line 3"),
        ("é,b\n1,2\n".encode("latin-1"), "t.csv", "WRONG_ENCODING", "line 1"),
        ("a,b\n1,2\n".encode("utf-16"), "t.csv", "WRONG_ENCODING", "UTF-16"),
        (b"a,b,a\n1,2,3\n4,5,6\n", "t.csv", "DUPLICATE_COLUMNS", "'a' occurs 2 times"),
        (b"a, a\n1,2\n4,5\n", "t.csv", "DUPLICATE_COLUMNS", "'a'"),
        (b"a,b\n1,inf\n2,-Infinity\n", "t.csv", "INFINITE_VALUES", "'b' has 2 infinite values"),
        (b"a,b\n1,1e999\n2,3\n", "t.csv", "INFINITE_VALUES", "'b' has 1 infinite value"),
        (ZIPPED[:-20], "t.csv.gz", "UNREADABLE_TABLE", "end"),
        (b"\x1f\x8b broken", "t.csv.gz", "UNREADABLE_TABLE", "end"),
        (WHOLE[: len(WHOLE) // 2], "t.parquet", "UNREADABLE_TABLE", "not a complete Parquet file"),
        (b"PAR1", "t.parquet", "UNREADABLE_TABLE", "not a complete Parquet file"),
        (WHOLE, "t.csv", "UNKNOWN_FORMAT", "holds PARQUET"),
        (WHOLE, "t.arrow", "UNREADABLE_TABLE", "not a complete Arrow file"),
        (b"PK\x03\x04rest", "t.xlsx", "UNKNOWN_FORMAT", "spreadsheet"),
        (b"\x00\x01\x02", "t.bin", "UNKNOWN_FORMAT", "binary"),
        (parquet_bytes(pa.table({})), "t.parquet", "EMPTY_TABLE", "no columns"),
        (parquet_bytes(pa.table({"a": [1]})), "t.parquet", "EMPTY_TABLE", "one row"),
        (
            parquet_bytes(pa.table({"a": [1.0, np.inf]})),
            "t.parquet",
            "INFINITE_VALUES",
            "'a' has 1",
        ),
        (parquet_bytes(pa.table({"a": [[1], [2]]})), "t.parquet", "NESTED_TYPE", "'a'"),
        (
            parquet_bytes(pa.table({"a": [b"x", b"y"]})),
            "t.parquet",
            "UNSUPPORTED_TYPE",
            "'a' holds values of type binary",
        ),
        (
            parquet_bytes(pa.table([[1, 2], [3, 4]], names=["a", "a"])),
            "t.parquet",
            "DUPLICATE_COLUMNS",
            "'a'",
        ),
        (
            parquet_bytes(pa.table({"a": NOT_UTF8})),
            "t.parquet",
            "UNREADABLE_TABLE",
            "column 'a' cannot be read",
        ),
        (b'{"a":1}\n{"a":tru}\n', "t.jsonl", "UNREADABLE_TABLE", "line 2"),
        (b'{"a":1}\n[1]\n', "t.jsonl", "UNREADABLE_TABLE", "line 2 is no JSON object"),
        (b'{"a":1,"a":2}\n', "t.jsonl", "DUPLICATE_COLUMNS", "'a' twice"),
        (b'{"a":1}\n{"a":[1]}\n', "t.jsonl", "NESTED_TYPE", "line 2"),
        (b'{"a":{"b":1}}\n{"a":{"b":1}}\n', "t.jsonl", "NESTED_TYPE", "'a'"),
        (b'{"a":1}\n{"a":"x"}\n', "t.jsonl", "UNREADABLE_TABLE", "'a'|line 2"),
        (b'{"a":"x"}\n{"a":"\xff"}\n', "t.jsonl", "WRONG_ENCODING", "line 2"),
        (b"\n\n", "t.jsonl", "EMPTY_TABLE", "no columns"),
    ],
)
def test_refusals(read: Read, content: bytes, name: str, reason: str, says: str) -> None:
    with pytest.raises(TableError, match=says) as caught:
        read(content, name)
    assert caught.value.reason == reason
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_unknown_sklearn_tables_are_refused_with_the_known_ones(read: Read) -> None:
    with pytest.raises(TableError, match="breast_cancer, iris") as caught:
        read(None, location="sklearn:titanic")
    assert caught.value.reason == "UNKNOWN_SKLEARN_DATASET"


@pytest.mark.parametrize("uri", ["file:///no/such/file.csv", "file:///tmp", "gopher://x/y.csv"])
def test_uris_that_lead_nowhere_are_refused(read: Read, uri: str) -> None:
    with pytest.raises(TableError) as caught:
        read(None, location=uri)
    assert caught.value.reason == "UNREADABLE_URI"


def test_a_wrong_format_is_refused(read: Read) -> None:
    with pytest.raises(TableError, match="not a complete Parquet file"):
        read(b"a,b\n1,2\n3,4\n", "t.csv", TableFormat.PARQUET)

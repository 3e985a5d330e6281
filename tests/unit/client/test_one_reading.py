"""What the client predicts from is read as the server read what was learned from."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from controller.reader import formats
from controller.reader.read import read_table
from controller.reader.request import ReadRequest, TableError, TableFormat
from headgate.errors import InputError
from headgate.table_format import _MAGIC, _SUFFIXES
from headgate.tables import read_columns

_TABLE = pa.table({" size": [1.5, None, 3.0], "": ["x", "y", "z"], "city ": ["a b", " c", "d"]})
_LINES = '{"b": "x", "a": 1.5}\n\n{"a": 2.5, " late": "q", "b": "y"}\n'


def _server(path: Path, scratch: Path) -> dict[str, list[Any]]:
    """The stored copy; numbers of text formats as text, as the client leaves cells alone."""
    output = scratch / "stored.parquet"
    request = ReadRequest(
        str(path), path.name, TableFormat.UNSPECIFIED, str(output), str(scratch), 1 << 30
    )
    read_table(request)
    stored: dict[str, list[Any]] = parquet.read_table(output).to_pydict()
    return stored


def _as_text(columns: dict[str, list[Any]]) -> dict[str, list[str | None]]:
    return {
        name: [None if value is None else str(value) for value in values]
        for name, values in columns.items()
    }


def _parquet(path: Path) -> None:
    parquet.write_table(_TABLE, path)


def _ipc_file(path: Path) -> None:
    feather.write_feather(_TABLE, path)


def _ipc_stream(path: Path) -> None:
    with pa.ipc.new_stream(path, _TABLE.schema) as writer:
        writer.write_table(_TABLE)


def _text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content.encode())


def _packed(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(gzip.compress(content.encode()))


_CSV = 'a, b ,,"c, d"\n1.5,x,u,p\n\n2.5,, v,"q\nr"\n'


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("t.csv", _text(_CSV)),
        ("t.csv", _text("\ufeff" + _CSV)),
        ("t.csv", _text(_CSV.replace("\n", "\r\n"))),
        ("t.csv", _text("\n\n" + _CSV)),
        ("t.csv", _packed(_CSV)),
        ("t.csv.gz", _packed(_CSV)),
        ("t.tsv", _text("a\tb \tc\n1.5\tx, y\tu\n2.5\tz\t\n")),
        ("t.csv", _text("a;b;c\n1.5;x, y;u\n2.5;z;\n")),
        ("t.data", _text("a|b|c;d\n1.5|x|u\n2.5|z|v\n")),
        ("t.txt", _text("a;b;b2|\tc\n1.5;x;u\n2.5;z;v\n")),
        ("t.csv", _text("a\nx\n\ny\n")),
        ("t.csv", _text("a;b,c\nx;y,u\nz;w,v\n")),
        ("t.csv", _text("a,b\n" + "x" * 200_000 + ",u\ny,v\n")),
        ("t", _text("a,b\nx,u\ny,v\n")),
        ("t", _text(_LINES)),
        ("t.json", _text(_LINES)),
        ("t.jsonl", _text(_LINES)),
        ("t.jsonl", _packed(_LINES)),
        ("t.ndjson.gz", _packed(_LINES)),
        ("t.parquet", _parquet),
        ("t.pq", _parquet),
        ("T.PQ", _parquet),
        ("t", _parquet),
        ("t.feather", _ipc_file),
        ("t.ipc", _ipc_file),
        ("t.arrow", _ipc_file),
        ("t.arrow", _ipc_stream),
        ("t.arrows", _ipc_stream),
        ("t", _ipc_stream),
    ],
)
def test_client_and_server_read_alike(
    tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    path = tmp_path / name
    write(path)
    assert _as_text(read_columns(path)) == _as_text(_server(path, tmp_path))


_PACKED = gzip.compress(b"a,b\n" * 999)
_SPOILT = _PACKED[:12] + bytes(8) + _PACKED[20:]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("t.csv", _text("a, a\n1,2\n3,4\n")),
        ("t.csv", _text("a,b\n1\n2,3\n")),
        ("t.csv", _text("\n\n")),
        ("t.csv", lambda path: path.write_bytes(b"a,b\n\xff,1\nx,2\n")),
        ("t.csv", _parquet),
        ("t.csv", lambda path: path.write_bytes("a,b\n1,2\n".encode("utf-16"))),
        ("t.csv", lambda path: path.write_bytes(gzip.compress(b"a,b\n" * 999)[:20])),
        ("t.csv", lambda path: path.write_bytes(_SPOILT)),
        ("t.jsonl", _text('{"a": 1, "a": 2}\n{"a": 3}\n')),
        ("t.jsonl", _text('{"a": [1]}\n{"a": [2]}\n')),
        ("t.jsonl", _text("[1]\n[2]\n")),
        ("t.xlsx", lambda path: path.write_bytes(b"PK\x03\x04abc")),
        ("t.ipc", _text("a,b\n1,2\n")),
    ],
)
def test_client_and_server_refuse_alike(
    tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(TableError):
        _server(path, tmp_path)
    with pytest.raises(InputError):
        read_columns(path)


def test_the_same_suffixes_and_first_bytes_are_known() -> None:
    assert {k: v.name for k, v in _SUFFIXES.items()} == {
        k: v.name for k, v in formats._SUFFIXES.items()
    }
    assert {k: v.name for k, v in _MAGIC.items()} == {k: v.name for k, v in formats._MAGIC.items()}

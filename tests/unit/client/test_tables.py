"""Tables on the client's side."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pandas as pd
import pytest

from headgate.errors import InputError
from headgate.inference import Predictions, encode_column
from headgate.tables import read_columns, write_predictions


def test_csv_with_empty_cells_bom_and_gzip(tmp_path: Path) -> None:
    text = '\ufeffa,b\n1,"x, y"\n,z\n'
    plain, packed = tmp_path / "t.csv", tmp_path / "t.csv.gz"
    plain.write_text(text, encoding="utf-8")
    packed.write_bytes(gzip.compress(text.encode()))
    expected = {"a": ["1", None], "b": ["x, y", "z"]}
    assert read_columns(plain) == expected
    assert read_columns(packed) == expected


def test_json_lines_with_columns_that_come_later(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n\n{"b": "x"}\n')
    assert read_columns(path) == {"a": [1, None], "b": [None, "x"]}


def test_parquet_dates_become_text(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1.5, None], "d": pd.to_datetime(["2024-01-02", None])}).to_parquet(path)
    columns = read_columns(path)
    assert columns["a"][0] == 1.5
    assert str(columns["d"][0]).startswith("2024-01-02")
    assert columns["d"][1] is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"a,b\n1\n", "line 2: 1 cells, the header has 2"),
        ("t.csv", b"a,a\n1,2\n", "'a' occurs twice"),
        ("t.csv", b"a\n\xff\n", "cannot be read"),
        ("t.csv.gz", b"\x1f\x8b no gzip", "cannot be read"),
        ("t.jsonl", b"[1]\n", "one JSON object a line"),
        ("t.jsonl", b"{\n", "line 1"),
        ("t.parquet", b"PAR1", "cannot be read"),
    ],
)
def test_what_is_no_table_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_columns(path)


def test_predictions_are_written_whole_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    first = Predictions(["no"], {"no": [0.75], "yes": [0.25]})
    second = Predictions(["yes"], {"no": [0.25], "yes": [0.75]})
    write_predictions(Predictions([], {}).joined(first).joined(second), path)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["prediction", "proba_no", "proba_yes"],
        ["no", "0.75", "0.25"],
        ["yes", "0.25", "0.75"],
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["p.csv"]


def test_a_target_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_predictions(Predictions([1.0], {}), tmp_path / "none" / "p.csv")


def test_cells_become_tensors_and_mistakes_name_the_row() -> None:
    tensor = encode_column("age", "FP64", ["1", None, "NA", 2.5, float("nan")])
    assert tensor == {
        "name": "age",
        "shape": [5],
        "datatype": "FP64",
        "data": [1.0, None, None, 2.5, None],
    }
    assert encode_column("ok", "BOOL", ["yes", "0", True, ""])["data"] == [True, False, True, None]
    assert encode_column("t", "BYTES", ["x", "", 3])["data"] == ["x", None, "3"]
    with pytest.raises(InputError, match="column 'age', row 2: 'old' is not a number"):
        encode_column("age", "FP64", ["1", "old"])
    with pytest.raises(InputError, match="true or false"):
        encode_column("ok", "BOOL", ["maybe"])

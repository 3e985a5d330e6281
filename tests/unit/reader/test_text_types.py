"""What cells of a CSV file are taken for, and what is stored of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from controller.domain.records import Column, ColumnKind, ValueCount
from controller.reader import csv_source
from controller.reader.request import ReadResult, TableFormat

Read = Callable[..., ReadResult]


def one_column(read: Read, cells: list[str]) -> Column:
    """The profile of a column with these cells; a second column keeps empty lines from ending."""
    return read("x,keep\n" + "".join(f"{cell},1\n" for cell in cells)).columns[0]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2"], ColumnKind.NUMBER),
        (["1.5", "-2e3", " 7 ", "+4"], ColumnKind.NUMBER),
        (["1", "NA", "N/A", "nan", "NaN", "null", "NULL", "None", "?", ""], ColumnKind.NUMBER),
        (["1", "2", "x"], ColumnKind.CATEGORY),
        (["0x10", "0x11"], ColumnKind.CATEGORY),
        (["true", "false", ""], ColumnKind.BOOLEAN),
        (["yes", "no"], ColumnKind.BOOLEAN),
        (["TRUE", "TRUE"], ColumnKind.BOOLEAN),
        (["true", "True", "false"], ColumnKind.CATEGORY),
        (["yes", "no", "maybe"], ColumnKind.CATEGORY),
        (["2020-01-01", "2021-12-31"], ColumnKind.DATE),
        (["2020-01-01T10:00:00", "2021-12-31 11:12:13.5"], ColumnKind.DATE),
        (["2020-01-01T10:00:00Z", "2020-01-01T10:00:00+02:00"], ColumnKind.DATE),
        (["2020-01-01", "NA"], ColumnKind.DATE),
        (["31/12/2020", "1/2/2020"], ColumnKind.DATE),
        (["12/31/2020", "1/2/2020"], ColumnKind.DATE),
        (["11/12/2020", "1/2/2020"], ColumnKind.CATEGORY),
        (["31.12.2020", "1.2.2020 10:30"], ColumnKind.DATE),
        (["31/02/2020", "30/01/2020"], ColumnKind.CATEGORY),
        (["2020-13-01", "2020-01-01"], ColumnKind.CATEGORY),
        (["2020", "2020-01-01"], ColumnKind.CATEGORY),
    ],
)
def test_kinds(read: Read, cells: list[str], kind: ColumnKind) -> None:
    assert one_column(read, cells).kind == kind


def test_types_are_decided_by_the_whole_table(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 256)
    cells = [str(number) for number in range(500)]
    assert one_column(read, cells).kind == ColumnKind.NUMBER
    assert one_column(read, [*cells, "1.5"]).is_integer is False
    found = one_column(read, [*cells, "later"])
    assert (found.kind, found.distinct_count) == (ColumnKind.CATEGORY, 501)


def test_numbers_are_measured_and_counted_by_value(read: Read, output: Path) -> None:
    found = one_column(read, ["1.0", "3", "1", "NA", "", "1.00", "7.5"])
    assert (found.missing_count, found.distinct_count) == (2, 3)
    assert found.top_values == (ValueCount("1.0", 3), ValueCount("3", 1), ValueCount("7.5", 1))
    assert (found.min, found.max, found.mean, found.is_integer) == (1.0, 7.5, 2.7, False)
    assert found.standard_deviation == pytest.approx(math.sqrt(6.36))
    stored = parquet.read_table(output)["x"]
    assert stored.to_pylist() == [1.0, 3.0, 1.0, None, None, 1.0, 7.5]


def test_moments_do_not_depend_on_the_batches(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [str(1e9 + number) for number in range(400)]
    whole = one_column(read, cells)
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 128)
    parts = one_column(read, cells)
    assert parts.mean == pytest.approx(whole.mean)
    assert parts.standard_deviation == pytest.approx(math.sqrt((400**2 - 1) / 12))


def test_whole_numbers_are_stored_exactly(read: Read, output: Path) -> None:
    found = one_column(read, [str(2**62 + 1), "-3", ""])
    assert found.is_integer
    stored = parquet.read_table(output)["x"]
    assert (str(stored.type), stored.to_pylist()) == ("int64", [2**62 + 1, -3, None])


def test_numbers_too_large_for_int64_are_floats(read: Read, output: Path) -> None:
    assert one_column(read, ["1", "99999999999999999999"]).kind == ColumnKind.NUMBER
    assert str(parquet.read_table(output)["x"].type) == "double"


def test_booleans_and_dates_are_stored_typed(read: Read, output: Path) -> None:
    result = read(
        "b,d,z\n"
        "yes,31/12/2020,2020-01-01T12:00:00+02:00\n"
        "no,1/2/2020 10:30,\n"
        ",,2020-01-02T00:00:00Z\n"
    )
    assert [value.value for value in result.columns[0].top_values] == ["yes", "no"]
    table = parquet.read_table(output)
    assert table["b"].to_pylist() == [True, False, None]
    assert [str(value) for value in table["d"].to_pylist()] == [
        "2020-12-31 00:00:00",
        "2020-02-01 10:30:00",
        "None",
    ]
    assert [str(value) for value in table["z"].to_pylist()] == [
        "2020-01-01 10:00:00",
        "None",
        "2020-01-02 00:00:00",
    ]


def test_categories_keep_their_spelling(read: Read, output: Path) -> None:
    found = one_column(read, ["NA", " a", "a", "", "NA", "é"])
    assert found.top_values == (
        ValueCount("NA", 2),
        ValueCount(" a", 1),
        ValueCount("a", 1),
        ValueCount("é", 1),
    )
    assert (found.missing_count, found.distinct_count) == (1, 4)
    assert parquet.read_table(output)["x"].to_pylist() == ["NA", " a", "a", None, "NA", "é"]


def test_long_distinct_cells_are_text(read: Read) -> None:
    words = [f"the quick brown fox number {number}" for number in range(50)]
    long = [f"{number:050d}x" for number in range(50)]
    assert one_column(read, words).kind == ColumnKind.TEXT
    assert one_column(read, long).kind == ColumnKind.TEXT
    assert one_column(read, words[:2] * 25).kind == ColumnKind.CATEGORY
    assert one_column(read, [f"id{number}" for number in range(50)]).kind == ColumnKind.CATEGORY


@pytest.mark.parametrize("count", [1000, 1001])
def test_lists_of_values_are_complete_up_to_a_thousand(read: Read, count: int) -> None:
    found = one_column(read, [f"v{number}" for number in range(count)] + ["v7"])
    assert found.distinct_count == count
    assert found.top_values[0] == ValueCount("v7", 2)
    assert len(found.top_values) == (1000 if count <= 1000 else 20)


def test_counting_stops_at_a_cap_and_stays_exact_for_frequent_values(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.reader.read._MOST_DISTINCT", 2000)
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 4096)
    cells = ["often" if number % 3 else f"v{number}" for number in range(15_000)]
    found = one_column(read, cells)
    assert found.is_distinct_count_capped
    assert 2000 < found.distinct_count <= 5001
    assert found.top_values[0] == ValueCount("often", 10_000)


def test_useless_columns_are_noted_and_kept(read: Read, output: Path) -> None:
    result = read("none,same,tokens,x\n,a,NA,1\n,a,?,2\n")
    assert [column.is_dropped for column in result.columns] == [True, True, True, False]
    assert result.notes == (
        "column 'none' is left out: it has no values",
        "column 'same' is left out: all its values are the same",
        "column 'tokens' is left out: it has no values",
    )
    assert parquet.read_table(output).column_names == ["none", "same", "tokens", "x"]


def test_one_value_and_missing_cells_are_not_constant(read: Read) -> None:
    assert not one_column(read, ["a", "", "a"]).is_dropped


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_headers(read: Read, prefix: bytes) -> None:
    result = read(prefix + b'"a, b", c ,,"d\ne"\r\n1,2,3,4\r\n\r\n5,6,7,8\r\n')
    assert [column.name for column in result.columns] == ["a, b", "c", "column_3", "d\ne"]
    assert result.rows == 2
    assert "column 3 has no name and is called 'column_3'" in result.notes


def test_quotes_and_line_ends(read: Read, output: Path) -> None:
    read('a,b\n"x ""y"",\nz",1\nplain,2')
    assert parquet.read_table(output).to_pylist() == [
        {"a": 'x "y",\nz', "b": 1},
        {"a": "plain", "b": 2},
    ]


@pytest.mark.parametrize("separator", ["\t", ";", "|"])
def test_other_separators(read: Read, separator: str) -> None:
    result = read(f"a{separator}b\n1{separator}x\n2{separator}y\n")
    assert [column.name for column in result.columns] == ["a", "b"]
    assert result.notes == (f"cells are separated by {separator!r}",)


def test_tokens_of_a_wide_table_stay_bounded(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.reader.profile.LISTED_BYTES", 3000)
    header = ",".join(f"c{at}" for at in range(5)) + ",y\n"
    rows = "".join(
        ",".join(f"v{row * 7 + at}" for at in range(5)) + f",{row % 3}\n" for row in range(60)
    )
    result = read(header + rows, form=TableFormat.CSV)
    assert [len(column.top_values) for column in result.columns] == [60, 60, 60, 20, 20, 3]

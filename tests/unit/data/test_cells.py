"""How single cells are read: every spelling of a value, and what is refused."""

from __future__ import annotations

import decimal
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from workers.data import cells


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (3, 3.0),
        (-2.5, -2.5),
        (True, 1.0),
        ("17", 17.0),
        (" 1e3 ", 1000.0),
        (b"-0.5", -0.5),
        (np.int64(4), 4.0),
        (np.float32(0.5), 0.5),
        (2**70, float(2**70)),
        (decimal.Decimal("1.5"), 1.5),
    ],
)
def test_numbers_in_every_spelling(given: object, number: float) -> None:
    assert cells.numbers("a", [given, "1"]).tolist() == [number, 1.0]


@pytest.mark.parametrize("given", [None, float("nan"), "", "NA", "null", "?", "NaN", b""])
def test_missing_numbers(given: object) -> None:
    assert np.isnan(cells.numbers("a", [given, "1"])[0])
    assert np.isnan(cells.numbers("a", [given])[0])


@pytest.mark.parametrize("given", ["abc", "1_000", "1,5", [1], {}, 10**400, b"\xff"])
def test_what_is_no_number_is_named(given: object) -> None:
    with pytest.raises(cells.CellError, match=r"column 'a', row 1: .* is not a number") as caught:
        cells.numbers("a", [1, given])
    assert (caught.value.column, caught.value.row) == ("a", 1)


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(cells.CellError) as caught:
        cells.numbers("a", ["x" * 10_000])
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, 2, None], pa.int8()),
        pa.array([1, 2, None], pa.uint64()),
        pa.array([1.0, 2.0, None], pa.float32()),
        pa.array([decimal.Decimal(1), decimal.Decimal(2), None], pa.decimal128(9, 2)),
        pa.array(["1", "2", None]),
        pa.array(["1", "2", None]).dictionary_encode(),
        pa.chunked_array([[1, 2], [None]], pa.int64()),
        np.array([1, 2, np.nan]),
        np.array(["1", "2", ""], dtype=object),
        np.array([b"1", b"2", b""], dtype=object),
    ],
)
def test_numbers_in_every_container(array: Any) -> None:
    numbers = cells.numbers("a", array)
    assert numbers.dtype == np.float64
    np.testing.assert_array_equal(numbers, [1, 2, np.nan])


def test_a_long_integer_is_read_the_same_from_a_table_and_from_a_request() -> None:
    value = 2**53 + 1
    from_table = cells.numbers("a", pa.array([value], pa.int64()))
    assert from_table.tolist() == cells.numbers("a", [value]).tolist()
    assert from_table.tolist() == cells.numbers("a", [str(value)]).tolist()


def test_booleans_in_every_spelling() -> None:
    truths = [True, "true", "TRUE", "yes", 1, 1.0, "1", b"True", np.bool_(True)]
    lies = [False, "false", "No", 0, 0.0, "0"]
    gone = [None, float("nan"), "", "NA"]
    read = cells.booleans("a", [*truths, *lies, *gone])
    assert read[: len(truths)].tolist() == [1.0] * len(truths)
    assert read[len(truths) : -len(gone)].tolist() == [0.0] * len(lies)
    assert np.isnan(read[-len(gone) :]).all()
    np.testing.assert_array_equal(cells.booleans("a", pa.array([True, None])), [1, np.nan])
    np.testing.assert_array_equal(cells.booleans("a", np.array([True, False])), [1, 0])


@pytest.mark.parametrize("given", ["maybe", 2, -1, 0.5, [True]])
def test_what_is_no_boolean_is_named(given: object) -> None:
    with pytest.raises(cells.CellError, match="is not true or false"):
        cells.booleans("a", [given])


def microseconds(text: str) -> int:
    return int(np.datetime64(text, "us").astype(np.int64))


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2024-02-29", "2024-02-29T00:00:00"),
        ("2024-02-29T05:06:07.25", "2024-02-29T05:06:07.25"),
        ("2024-02-29 05:06", "2024-02-29T05:06"),
        ("2024-02-29T05:00:00Z", "2024-02-29T05:00"),
        ("2024-02-29T05:00:00+02:00", "2024-02-29T03:00"),
        ("1950-01-01", "1950-01-01"),
        ("31/12/1969", "1969-12-31"),
        ("12/31/1969", "1969-12-31"),
        ("5/5/2024 06:07", "2024-05-05T06:07"),
        ("5.4.2024", "2024-04-05"),
        ("2024/4/5T06:07Z", "2024-04-05T06:07"),
        (b"2024-02-29", "2024-02-29"),
        (date(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29, 5, tzinfo=UTC), "2024-02-29T05:00"),
        (datetime(2024, 2, 29, 5, tzinfo=timezone(timedelta(hours=5))), "2024-02-29T00:00"),
    ],
)
def test_dates_in_every_spelling(given: object, moment: str) -> None:
    assert cells.moments("a", [given]).tolist() == [microseconds(moment)]


def test_dates_in_every_container() -> None:
    wanted = [microseconds("2024-02-29"), cells.NOT_A_TIME]
    for array in (
        pa.array([date(2024, 2, 29), None]),
        pa.array([datetime(2024, 2, 29), None], pa.timestamp("ns")),  # noqa: DTZ001
        pa.array([datetime(2024, 2, 29, tzinfo=UTC), None], pa.timestamp("s", "Europe/Berlin")),
        pa.array(["2024-02-29", ""]),
        np.array(["2024-02-29", "NaT"], dtype="datetime64[ns]"),
    ):
        assert cells.moments("a", array).tolist() == wanted


@pytest.mark.parametrize(
    "given", ["yesterday", "2024-02-30", "05/04/2024", "31/31/2024", 5, 1.5, True]
)
def test_what_is_no_date_is_named(given: object) -> None:
    with pytest.raises(cells.CellError, match="is not a date, such as"):
        cells.moments("a", [given])


def test_texts_of_other_types() -> None:
    given = ["x", b"\xc3\xa4", 1, 1.0, 2.5, True, np.int32(7), None, "", float("nan"), " "]
    wanted = ["x", "ä", "1", "1", "2.5", "true", "7", None, None, None, " "]
    assert cells.texts("a", given).to_pylist() == wanted
    assert cells.texts("a", pa.array([1.0, 2.5, None])).to_pylist() == ["1", "2.5", None]
    assert cells.texts("a", pa.array(["", "b"], pa.large_string())).to_pylist() == [None, "b"]


@pytest.mark.parametrize("given", [b"\xff", "\ud800", ["x"], {}])
def test_what_is_no_text_is_named(given: object) -> None:
    with pytest.raises(cells.CellError, match="is not UTF-8 text"):
        cells.texts("a", [given])

"""The encoder: its rules, and that a served row is encoded as the training table was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.data.cells import CellError
from workers.data.encode import Encoder, EncoderError, categorical_levels
from workers.data.layout import DATE_PARTS, MAX_LEVELS, ColumnInfo, layout

MIXED = (
    ColumnInfo("number", "NUMBER", 1000, has_missing=True),
    ColumnInfo("whole", "NUMBER", 1000, has_missing=True),
    ColumnInfo("flag", "BOOLEAN", 2, has_missing=True),
    ColumnInfo("level", "CATEGORY", 8, has_missing=True),
    ColumnInfo("day", "DATE", 1000, has_missing=True),
    ColumnInfo("story", "TEXT", 1000, has_missing=True),
)
TYPES = (
    pa.float64(),
    pa.int64(),
    pa.bool_(),
    pa.string(),
    pa.timestamp("us"),
    pa.string(),
)
LEVELS = ("a", "b", "B", "ä", "1", "true", "NA", "x y")


def table_of(columns: tuple[ColumnInfo, ...], types: Any, rows: list[Any]) -> pa.Table:
    named = zip(columns, types, zip(*rows, strict=True), strict=True)
    return pa.table({column.name: pa.array(cells, kind) for column, kind, cells in named})


def encode_one(name: str, kind: str, values: Any) -> Any:
    column = ColumnInfo(name, kind, 10, has_missing=True)
    return Encoder.fit(pa.table({name: pa.array(values)}), [column]).transform({name: values})


def test_numbers_become_float32_and_missing_nan() -> None:
    X = encode_one("n", "NUMBER", [1.5, None, -3.0])
    assert X.dtype == np.float32
    assert X.flags.c_contiguous
    np.testing.assert_array_equal(X[:, 0], [1.5, np.nan, -3])


def test_numbers_beyond_float32_stay_finite() -> None:
    X = encode_one("n", "NUMBER", [1e300, -1e300, float("inf")])
    largest = np.finfo(np.float32).max
    np.testing.assert_array_equal(X[:, 0], [largest, -largest, largest])


def test_levels_rank_by_frequency_then_by_text() -> None:
    X = encode_one("c", "CATEGORY", ["z", "b", "a", "z", None, "b", "", "c"])
    # b and z twice, a and c once; the empty text is missing.
    np.testing.assert_array_equal(X[:, 0], [1, 0, 2, 1, np.nan, 0, np.nan, 3])


def test_ranks_do_not_depend_on_how_the_table_is_cut() -> None:
    texts = [f"v{n * n % 17}" for n in range(400)]
    column = [ColumnInfo("c", "CATEGORY", 17, has_missing=False)]
    whole = Encoder.fit(pa.table({"c": texts}), column)
    cut = pa.table({"c": pa.chunked_array([texts[:1], texts[1:3], [], texts[3:]], pa.string())})
    assert Encoder.fit(cut, column).dumps() == whole.dumps()


@pytest.mark.parametrize("repeats", [1, 300])
def test_an_unseen_level_is_missing(repeats: int) -> None:
    column = ColumnInfo("c", "CATEGORY", 2, has_missing=False)
    encoder = Encoder.fit(pa.table({"c": ["a", "a", "b"]}), [column])
    X = encoder.transform({"c": ["b", "c", None] * repeats})
    np.testing.assert_array_equal(X[:, 0], [1, np.nan, np.nan] * repeats)


@pytest.mark.parametrize("repeats", [1, 300])
def test_many_levels_share_the_last_code_and_keep_their_share(repeats: int) -> None:
    texts = [f"{n:04}" for n in range(MAX_LEVELS + 50)]
    table = pa.table({"c": [*texts, "0003", "0003"]})
    column = ColumnInfo("c", "CATEGORY", len(texts), has_missing=False)
    encoder = Encoder.fit(table, [column])
    assert categorical_levels(encoder.features) == (MAX_LEVELS, 0)
    asked = ["0003", "0000", texts[-1], "new", None]
    X = encoder.transform({"c": asked * repeats})[:5]
    rows = table.num_rows
    np.testing.assert_array_equal(X[:, 0], [0, 1, MAX_LEVELS - 1, np.nan, np.nan])
    np.testing.assert_allclose(X[:, 1], [3 / rows, 1 / rows, 1 / rows, np.nan, np.nan], rtol=1e-6)


def test_more_levels_than_the_profile_promised_is_an_error() -> None:
    column = ColumnInfo("c", "CATEGORY", 1, has_missing=False)
    with pytest.raises(EncoderError, match="'c' holds 2 levels, more than the 1 of its profile"):
        Encoder.fit(pa.table({"c": ["a", "b"]}), [column])


@pytest.mark.parametrize(
    ("moment", "features"),
    [
        ("1970-01-01T00:00", [0, 1970, 1, 1, 3, 0]),
        ("1969-12-31T23:59:59.999999", [-1, 1969, 12, 31, 2, 23]),
        ("2024-02-29T13:30", [19782, 2024, 2, 29, 3, 13]),
        ("1900-03-01T00:00", [-25508, 1900, 3, 1, 3, 0]),
        ("2000-12-31T01:00", [11322, 2000, 12, 31, 6, 1]),
    ],
)
def test_parts_of_a_date(moment: str, features: list[int]) -> None:
    parsed = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert parsed.weekday() == features[DATE_PARTS.index("weekday")]
    X = encode_one("d", "DATE", [parsed, None])
    assert X[0].tolist() == features
    assert np.isnan(X[1]).all()


def test_text_is_counted_in_stable_buckets() -> None:
    X = encode_one("t", "TEXT", ["Hello, WORLD! hello", "--- ...", None, "", "äöü"])
    assert X[:2, :2].tolist() == [[19, 3], [7, 0]]
    assert X[0, 2:].sum() == 3
    assert X[0, 2 + 6] == 2  # CRC-32 of "hello" is 0x3610a686, its last five bits are 6
    assert np.isnan(X[2:4]).all()
    assert X[4, :2].tolist() == [3, 1]


CELLS = st.tuples(
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.booleans(),
    st.none() | st.sampled_from(LEVELS),
    st.none() | st.datetimes(datetime(1700, 1, 1), datetime(2300, 1, 1)),  # noqa: DTZ001
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)


def spelled(value: Any, spelling: int) -> Any:
    """A cell as one of the clients sends it."""
    if value is None:
        return (None, "", float("nan"))[spelling % 3]
    if isinstance(value, datetime):
        return value.isoformat(sep=" T"[spelling % 2])
    if isinstance(value, bool):
        return (value, str(value), str(value).lower(), int(value))[spelling % 4]
    if isinstance(value, int | float):
        return (value, repr(value))[spelling % 2]
    return (value, value.encode())[spelling % 2]


@settings(deadline=None, max_examples=60)
@given(st.lists(CELLS, min_size=1, max_size=12), st.integers(0, 11))
def test_a_served_row_is_encoded_as_in_the_table(rows: list[Any], spelling: int) -> None:
    table = table_of(MIXED, TYPES, rows)
    encoder = Encoder.fit(table, MIXED)
    whole = encoder.transform(table)
    assert whole.shape == (len(rows), len(layout(MIXED)))
    served = Encoder.from_json(json.loads(encoder.dumps()))
    for number, row in enumerate(rows):
        given_row = {
            column.name: [spelled(cell, spelling + number)]
            for column, cell in zip(MIXED, row, strict=True)
        }
        np.testing.assert_array_equal(served.transform(given_row)[0], whole[number])


def test_a_long_table_and_its_rows_agree_on_levels() -> None:
    texts = [f"v{n % 700}" for n in range(3000)]
    column = ColumnInfo("c", "CATEGORY", 700, has_missing=False)
    encoder = Encoder.fit(pa.table({"c": texts}), [column])
    whole = encoder.transform({"c": texts})
    for row in (0, 1, 299, 699, 2999):
        np.testing.assert_array_equal(encoder.transform({"c": [texts[row]]})[0], whole[row])


def test_transform_writes_where_it_is_told() -> None:
    encoder = Encoder.fit(pa.table({"n": [1.0, 2.0]}), [ColumnInfo("n", "NUMBER", 2, False)])
    out = np.zeros((2, 1), dtype=np.float32)
    assert encoder.transform({"n": [5, 6]}, out) is out
    assert out.tolist() == [[5], [6]]


def test_errors_name_the_columns() -> None:
    columns = [ColumnInfo(name, "NUMBER", 2, has_missing=False) for name in "abc"]
    encoder = Encoder(columns, 2, {})
    with pytest.raises(EncoderError, match="missing columns: 'b', 'c'") as missing:
        encoder.transform({"a": [1]})
    assert missing.value.columns == ("b", "c")
    with pytest.raises(EncoderError, match="'c' has 1 values, 'a' has 2"):
        encoder.transform({"a": [1, 2], "b": [1, 2], "c": [1]})
    with pytest.raises(CellError, match="column 'b', row 0"):
        encoder.transform({"a": [1], "b": ["x"], "c": [1]})


def test_another_versions_encoder_is_refused() -> None:
    data = Encoder([ColumnInfo("n", "NUMBER", 2, has_missing=False)], 2, {}).to_json()
    with pytest.raises(EncoderError, match="encoder version 2; this code reads 1"):
        Encoder.from_json({**data, "encoder_version": 2})
    with pytest.raises(EncoderError, match="an encoder of 7 features"):
        Encoder.from_json({**data, "features": 7})


def test_no_rows_encode_to_no_rows() -> None:
    table = table_of(MIXED, TYPES, [(1.0, 1, True, "a", None, "x")])
    empty: dict[str, list[Any]] = {column.name: [] for column in MIXED}
    assert Encoder.fit(table, MIXED).transform(empty).shape == (0, len(layout(MIXED)))

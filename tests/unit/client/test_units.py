"""Durations and sizes as people write them."""

from __future__ import annotations

import pytest

from headgate.errors import InputError
from headgate.units import format_bytes, format_duration, parse_bytes, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("1.5h", 5400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "5x", "-5s", "1h nope", "1..5s", "inf", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="90s, 5m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("1024", 1024), ("2GiB", 2 << 30), ("512 MiB", 512 << 20), ("1.5GB", 1_500_000_000)],
)
def test_sizes(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GiB", "2XB", "-1GiB", "1e9"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="512MiB or 2GiB"):
        parse_bytes(text)


def test_formatting() -> None:
    assert [format_bytes(n) for n in (5, 2048, 5 << 20, 3 << 30)] == [
        "5 B",
        "2.0 KiB",
        "5.0 MiB",
        "3.00 GiB",
    ]
    assert [format_duration(s) for s in (3.21, 61, 3720)] == ["3.2s", "1m 01s", "1h 02m"]

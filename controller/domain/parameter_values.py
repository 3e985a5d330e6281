"""Values of one parameter: does a change stay within the declared type, does a value fit.

All errors are ValueError with `what is wrong; what would be right`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

Value = bool | int | float | str | None
"""A parameter's value: what JSON can hold, lists and objects left out."""

KINDS = ("integers", "numbers", "choices", "fixed")
"""The ways to say which values a parameter may take."""


def kind_of(values: Mapping[str, Any]) -> str:
    """The one key of `values` that names its kind. Raises: ValueError when there is none."""
    kinds = [kind for kind in KINDS if kind in values]
    if len(kinds) != 1:
        raise ValueError("it has no values; give integers, numbers, choices or fixed")
    return kinds[0]


def check_values(declared: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The change in the declared type. Raises: ValueError when it does not stay within it."""
    kind = kind_of(given)
    if kind == "fixed":
        return {"fixed": fit_value(declared, given["fixed"], is_within=False)}
    if kind == "choices":
        choices = [fit_value(declared, value, is_within=False) for value in given["choices"]]
        if not choices:
            raise ValueError("the list of choices is empty; name at least one value")
        return {"choices": choices}
    return {kind: _check_range(declared, kind, given[kind])}


def _check_range(declared: Mapping[str, Any], kind: str, given: Sequence[Any]) -> list[Any]:
    low, high, log = given
    wanted = kind_of(declared)
    if wanted not in ("integers", "numbers"):
        raise ValueError(f"it is not a range; {_describe(declared)}")
    if kind == "numbers" and wanted == "integers":
        raise ValueError("it takes whole numbers; give integers, not numbers")
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("the range is not finite; give two numbers")
    if low > high:
        raise ValueError(f"low {low} is above high {high}; swap them")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range cannot begin at {low}; begin above 0 or drop log")
    if low < 0 <= declared[wanted][0]:
        raise ValueError(f"it cannot be negative; begin at {declared[wanted][0]} or so")
    return [low, high, bool(log)]


def fit_value(declared: Mapping[str, Any], value: Value, *, is_within: bool) -> Value:
    """`value` in the declared type; with `is_within` it must lie in the declared range too.

    Raises: ValueError.
    """
    kind = kind_of(declared)
    if kind == "integers":
        return _in_range(_whole(value), declared[kind], is_within)
    if kind == "numbers":
        return _in_range(_real(value), declared[kind], is_within)
    known = declared["choices"] if kind == "choices" else [declared["fixed"]]
    for each in known:
        if each == value and isinstance(each, bool) == isinstance(value, bool):
            return cast(Value, each)
    if kind == "fixed" and _is_same_type(known[0], value):
        return value
    raise ValueError(f"{value!r} is not a value of it; {_describe(declared)}")


def _is_same_type(declared: Value, value: Value) -> bool:
    if isinstance(declared, bool) or isinstance(value, bool):
        return isinstance(declared, bool) and isinstance(value, bool)
    if isinstance(declared, int | float):
        return isinstance(value, int | float)
    return isinstance(value, type(declared))


def _whole(value: Value) -> int:
    if _real(value) != int(_real(value)):
        raise ValueError(f"{value!r} is not a whole number; give one")
    return int(_real(value))


def _real(value: Value) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number; give one")
    return float(value)


def _in_range(value: float, declared: Sequence[Any], is_within: bool) -> float:
    low, high = declared[0], declared[1]
    if is_within and not low <= value <= high:
        raise ValueError(f"{value} is outside {low} to {high}; stay within")
    if value < 0 <= low:
        raise ValueError(f"{value} is negative; use {low} or more")
    return value


def _describe(declared: Mapping[str, Any]) -> str:
    kind = kind_of(declared)
    if kind in ("integers", "numbers"):
        low, high, _ = declared[kind]
        return f"use {'whole ' if kind == 'integers' else ''}numbers, by default {low} to {high}"
    known = declared["choices"] if kind == "choices" else [declared["fixed"]]
    return "use " + " or ".join(repr(value) for value in known)

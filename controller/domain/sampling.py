"""Draws configurations from a space, for foretelling what its trials will need.

Only for estimates: the search itself samples in its driver.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any, cast

from controller.domain.parameter_values import Value, fit_value, kind_of
from controller.domain.records import Space
from controller.domain.space import Declarations, FamilyDeclaration


def draw(
    space: Space, declarations: Declarations, count: int, seed: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """`count` configurations, the families in turn. The same arguments draw the same ones."""
    source = random.Random(seed)  # noqa: S311 - no secrets here
    families = list(space.families)
    for index in range(count if families else 0):
        family = families[index % len(families)]
        values = space.families[family]
        yield family, _configuration(declarations[family], values, source, is_corner=False)


def draw_corners(
    space: Space, declarations: Declarations, count: int, seed: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """As `draw`, with each range at one of its ends: where the extremes of the demand are."""
    source = random.Random(seed)  # noqa: S311 - no secrets here
    families = list(space.families)
    for index in range(count if families else 0):
        family = families[index % len(families)]
        values = space.families[family]
        yield family, _configuration(declarations[family], values, source, is_corner=True)


def stratified(
    space: Space, declarations: Declarations, family: str, count: int, seed: int
) -> list[dict[str, Any]]:
    """`count` configurations of one family, spread evenly: a Latin hypercube.

    Every parameter takes each of `count` equal parts of its range once, every choice equally often
    (to within one), in an order of its own: shares of the space come out with less noise than from
    `draw`. The same arguments give the same configurations.
    """
    source = random.Random(f"{seed}/{family}")  # noqa: S311 - no secrets here
    declaration, values = declarations[family], space.families[family]
    parts = {name: source.sample(range(count), count) for name in declaration.parameter_names}
    result: list[dict[str, Any]] = []
    for index in range(count):
        drawn: dict[str, Any] = {}
        for parameter in declaration.parameters:
            share = (parts[parameter.name][index] + source.random()) / count
            if parameter.exists(drawn):
                drawn[parameter.name] = _value_at(values[parameter.name], share)
        result.append(drawn)
    return result


def contains(
    space: Space, declarations: Declarations, family: str, parameters: Mapping[str, Any]
) -> bool:
    """The configuration could be drawn from the space."""
    if family not in space.families:
        return False
    for name, value in parameters.items():
        values = space.families[family].get(name)
        if values is None or declarations[family].parameter(name) is None:
            return False
        try:
            fitted = fit_value(values, value, is_within=True)
        except ValueError:
            return False
        if kind_of(values) == "fixed" and fitted != values["fixed"]:
            return False
    return True


def _configuration(
    declaration: FamilyDeclaration,
    values: Mapping[str, Mapping[str, Any]],
    source: random.Random,
    *,
    is_corner: bool,
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for parameter in declaration.parameters:
        if parameter.exists(result):
            result[parameter.name] = _value(values[parameter.name], source, is_corner)
    return result


def _value(values: Mapping[str, Any], source: random.Random, is_corner: bool) -> Value:
    kind = kind_of(values)
    if is_corner and kind in ("integers", "numbers"):
        low, high, _ = values[kind]
        return cast(Value, source.choice((low, high)))
    return _value_at(values, source.random())


def _value_at(values: Mapping[str, Any], share: float) -> Value:
    """The value below which `share` of the space lies, from 0 to just below 1."""
    kind = kind_of(values)
    if kind == "fixed":
        return cast(Value, values["fixed"])
    if kind == "choices":
        return cast(Value, values["choices"][int(share * len(values["choices"]))])
    low, high, log = values[kind]
    if log:
        drawn = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        return cast(Value, min(high, max(low, round(drawn) if kind == "integers" else drawn)))
    if kind == "integers":
        return cast(Value, min(high, low + int(share * (high - low + 1))))
    return cast(Value, low + share * (high - low))

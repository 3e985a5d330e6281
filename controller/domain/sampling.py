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
    if kind == "fixed":
        return cast(Value, values["fixed"])
    if kind == "choices":
        return cast(Value, source.choice(list(values["choices"])))
    low, high, log = values[kind]
    if is_corner:
        return cast(Value, source.choice((low, high)))
    if not log:
        return source.randint(low, high) if kind == "integers" else source.uniform(low, high)
    drawn = math.exp(source.uniform(math.log(low), math.log(high)))
    return cast(Value, min(high, max(low, round(drawn) if kind == "integers" else drawn)))

"""Converts search spaces between the domain's plain data and `headgate.v1.SearchSpace`.

The domain's form of a parameter is a mapping with one key: `integers` or `numbers` with [low, high,
log], `choices` with a list, or `fixed` with a value. It may also hold `description` and `default`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.api.convert import from_struct, from_value, to_struct, to_value
from controller.domain.errors import InvalidField
from controller.domain.records import Space
from headgate.v1 import search_pb2 as pb


def space_to_proto(space: Space, descriptions: Mapping[str, str] | None = None) -> pb.SearchSpace:
    """`descriptions`: what each family is, for people."""
    texts = descriptions or {}
    return pb.SearchSpace(
        families={
            family: pb.FamilySpace(
                parameters={name: _parameter_to_proto(each) for name, each in parameters.items()},
                description=texts.get(family, ""),
            )
            for family, parameters in space.families.items()
        },
        pinned=[
            pb.PinnedConfiguration(
                family=each["family"], parameters=to_struct(each.get("parameters", {}))
            )
            for each in space.pinned
        ],
    )


def _parameter_to_proto(parameter: Mapping[str, Any]) -> pb.ParameterSpace:
    space = pb.ParameterSpace(description=parameter.get("description", ""))
    if "default" in parameter:
        space.default_value.CopyFrom(to_value(parameter["default"]))
    if "integers" in parameter:
        low, high, log = parameter["integers"]
        space.integers.CopyFrom(pb.IntegerRange(low=low, high=high, log=log))
    elif "numbers" in parameter:
        low, high, log = parameter["numbers"]
        space.numbers.CopyFrom(pb.NumberRange(low=low, high=high, log=log))
    elif "choices" in parameter:
        values = [to_value(value) for value in parameter["choices"]]
        space.choices.CopyFrom(pb.ChoiceList(values=values))
    else:
        space.fixed.CopyFrom(to_value(parameter["fixed"]))
    return space


def space_from_proto(space: pb.SearchSpace, field: str) -> Space:
    """Descriptions and defaults are output-only and ignored.

    Raises: InvalidField below `field` for a parameter without any kind of values.
    """
    return Space(
        families={
            family: {
                name: _parameter_from_proto(
                    parameter, f"{field}.families.{family}.parameters.{name}"
                )
                for name, parameter in sorted(each.parameters.items())
            }
            for family, each in sorted(space.families.items())
        },
        pinned=tuple(
            {"family": each.family, "parameters": from_struct(each.parameters)}
            for each in space.pinned
        ),
    )


def _parameter_from_proto(parameter: pb.ParameterSpace, field: str) -> dict[str, Any]:
    kind = parameter.WhichOneof("kind")
    if kind == "integers":
        whole = parameter.integers
        return {"integers": [whole.low, whole.high, whole.log]}
    if kind == "numbers":
        real = parameter.numbers
        return {"numbers": [real.low, real.high, real.log]}
    if kind == "choices":
        return {"choices": [from_value(value) for value in parameter.choices.values]}
    if kind == "fixed":
        return {"fixed": from_value(parameter.fixed)}
    raise InvalidField(field, "has no values", "give integers, numbers, choices or fixed")

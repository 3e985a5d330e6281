"""The space a search draws from: families, their parameters, configurations pinned by a person.

The proto carries ranges and choices; which parameter exists under which value of another is the
family's own knowledge and comes from `workers.families.registry`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from headgate.v1 import search_pb2
from workers.driver.values import from_struct, from_value, nearest, typed
from workers.families.base import (
    Choices,
    Fixed,
    Integers,
    Numbers,
    Parameter,
    Parameters,
    Value,
    ValueSet,
)


@dataclass(frozen=True)
class Configuration:
    """A family and a value for each of its parameters whose condition holds."""

    family: str
    parameters: Mapping[str, Value]

    @property
    def key(self) -> str:
        """Equal for equal configurations, whatever the order and the type of whole numbers."""
        items = {
            name: float(value) if type(value) is int else value
            for name, value in self.parameters.items()
        }
        return json.dumps([self.family, items], sort_keys=True)


@dataclass(frozen=True)
class SearchSpace:
    """families: in a fixed order; parameters in the order they are sampled."""

    families: Mapping[str, tuple[Parameter, ...]]
    pinned: tuple[Configuration, ...] = ()

    def complete(self, family: str, given: Parameters) -> Configuration:
        """`given` in the declared types, the family's defaults for what is not named."""
        chosen: dict[str, Value] = {}
        for parameter in self.families[family]:
            if holds(parameter, chosen):
                value = given.get(parameter.name, parameter.default)
                chosen[parameter.name] = typed(parameter.values, value)
        return Configuration(family, chosen)

    def fit_into(self, family: str, given: Parameters) -> Configuration:
        """The configuration of the space next to `given`."""
        chosen: dict[str, Value] = {}
        for parameter in self.families[family]:
            if holds(parameter, chosen):
                value = given.get(parameter.name, parameter.default)
                chosen[parameter.name] = nearest(parameter.values, value)
        return Configuration(family, chosen)

    def all(self) -> Iterator[Configuration]:
        """Every configuration of a finite space, in a fixed order."""
        for family, parameters in self.families.items():
            for chosen in _combinations(parameters, {}):
                yield Configuration(family, chosen)

    @property
    def is_finite(self) -> bool:
        """No parameter is a range of real numbers."""
        return not any(
            isinstance(parameter.values, Numbers) and parameter.values.low < parameter.values.high
            for parameters in self.families.values()
            for parameter in parameters
        )

    def narrowed(self, families: Sequence[str]) -> SearchSpace:
        """Only `families`; all of them when empty."""
        if not families:
            return self
        kept = {name: self.families[name] for name in self.families if name in families}
        pinned = tuple(each for each in self.pinned if each.family in kept)
        return replace(self, families=kept, pinned=pinned)


def holds(parameter: Parameter, chosen: Parameters) -> bool:
    """True when the parameter exists under the values chosen before it."""
    if parameter.condition is None:
        return True
    name, values = parameter.condition
    return name in chosen and chosen[name] in values


def read_space(
    space: search_pb2.SearchSpace, declared: Mapping[str, Sequence[Parameter]]
) -> SearchSpace:
    """The declarations of all families, with the values that `space` gives them.

    A family that `space` does not name keeps what is declared, so that it can be taken up later.

    Raises: ValueError for a family that is not declared.
    """
    unknown = sorted(set(space.families) - set(declared))
    if unknown:
        raise ValueError(f"this driver has no family {', '.join(unknown)}; update the workers")
    families = {
        family: tuple(
            _with_values(parameter, space.families[family].parameters[parameter.name])
            if family in space.families and parameter.name in space.families[family].parameters
            else parameter
            for parameter in parameters
        )
        for family, parameters in sorted(declared.items())
    }
    found = SearchSpace(families)
    pinned = tuple(found.complete(p.family, from_struct(p.parameters)) for p in space.pinned)
    return replace(found, pinned=pinned)


def _with_values(parameter: Parameter, space: search_pb2.ParameterSpace) -> Parameter:
    kind = space.WhichOneof("kind")
    if kind is None:
        return parameter
    return replace(parameter, values=_values(parameter.values, space, str(kind)))


def _values(declared: ValueSet, space: search_pb2.ParameterSpace, kind: str) -> ValueSet:
    if kind == "integers":
        return Integers(space.integers.low, space.integers.high, space.integers.log)
    if kind == "numbers":
        return Numbers(space.numbers.low, space.numbers.high, space.numbers.log)
    if kind == "choices":
        return Choices(tuple(typed(declared, from_value(v)) for v in space.choices.values))
    return Fixed(typed(declared, from_value(space.fixed)))


def _combinations(
    parameters: Sequence[Parameter], chosen: dict[str, Value]
) -> Iterator[dict[str, Value]]:
    if not parameters:
        yield dict(chosen)
        return
    first, rest = parameters[0], parameters[1:]
    if not holds(first, chosen):
        yield from _combinations(rest, chosen)
        return
    for value in _listed(first.values):
        yield from _combinations(rest, {**chosen, first.name: value})


def _listed(values: ValueSet) -> Iterator[Value]:
    if isinstance(values, Integers):
        yield from range(values.low, values.high + 1)
    elif isinstance(values, Choices):
        yield from values.values
    elif isinstance(values, Fixed):
        yield values.value
    else:
        yield values.low

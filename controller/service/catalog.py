"""The model families as plain data: declarations for the domain, predictions for the gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.domain.errors import InvalidField
from controller.domain.records import Prediction, SearchSpec, Space, TreeGrowth
from controller.domain.space import (
    FamilyDeclaration,
    ParameterDeclaration,
    effective_space,
    restrict,
    selected_families,
)
from controller.domain.violations import suggestion
from workers.families.base import Choices, DataShape, Family, Fixed, Integers, Numbers, Parameter


@dataclass(frozen=True)
class DocumentedSpace:
    """A space whose parameters also carry `description` and `default`, and what each family is."""

    space: Space
    descriptions: Mapping[str, str]


class FamilyCatalog:
    """Wraps the registry of `workers.families`. Immutable; all calls take microseconds."""

    def __init__(self, families: Mapping[str, Family]) -> None:
        self._families = dict(families)
        self.declarations: Mapping[str, FamilyDeclaration] = {
            name: FamilyDeclaration(
                name, family.description, tuple(_declaration(p) for p in family.parameters)
            )
            for name, family in self._families.items()
        }

    def space_of(self, spec: SearchSpec) -> Space:
        """The space that a stored spec draws from. Changes to families that an update took out of
        the search are left aside.
        """
        families = selected_families(spec, self.declarations)
        kept = restrict(spec.space, families)
        return effective_space(
            SearchSpec(spec.dataset, spec.target_column, families=spec.families, space=kept),
            self.declarations,
        )

    def documented(self, families: Sequence[str]) -> DocumentedSpace:
        """The default space of some families, all when empty. Raises: InvalidField for an unknown
        one.
        """
        for index, name in enumerate(families):
            if name not in self._families:
                raise InvalidField(
                    f"families[{index}]",
                    f"{name!r} is not a family",
                    suggestion(name, self._families),
                    "UNKNOWN_FAMILY",
                )
        chosen = tuple(dict.fromkeys(families)) or tuple(self._families)
        spaces = {name: _documented(self.declarations[name]) for name in chosen}
        texts = {name: self.declarations[name].description for name in chosen}
        return DocumentedSpace(Space(spaces), texts)

    def predict(
        self,
        family: str,
        shape: DataShape,
        parameters: Mapping[str, Any],
        cpus: int,
        gpus: float = 0.0,
    ) -> Prediction:
        """What a trial is predicted to need, the copy of a fold's rows included."""
        cost = self._families[family].cost(shape, parameters, cpus, gpus)
        return Prediction(
            memory_terms=dict(cost.memory_terms),
            cpu_seconds=cost.cpu_seconds,
            model_bytes=cost.model_bytes,
            predict_seconds=cost.predict_seconds,
            phases_bytes=dict(cost.phases),
            gpu_memory_bytes=cost.gpu_memory_bytes,
            most_bytes=cost.most_bytes,
        )

    def lighter(
        self,
        family: str,
        shape: DataShape,
        parameters: Mapping[str, Any],
        cpus: int,
        gpus: float = 0.0,
    ) -> Iterator[tuple[Mapping[str, Any], Prediction]]:
        """Changes that need less memory, nearest first, with their predictions; lazy."""
        for change in self._families[family].lighter(parameters):
            yield change, self.predict(family, shape, {**parameters, **change}, cpus, gpus)

    def keeps_result(self, family: str) -> frozenset[str]:
        """Parameters of the family whose change changes no prediction of the model."""
        return self._families[family].keeps_result

    def grows_trees(self, family: str) -> bool:
        """Its memory is nearly all trees, whose size only the data tell."""
        return self._families[family].grows_trees

    def grown(
        self, family: str, shape: DataShape, parameters: Mapping[str, Any], model_bytes: int
    ) -> TreeGrowth | None:
        """What the size of a fitted model tells of its data; None when it tells nothing."""
        found = self._families[family].grown(shape, parameters, model_bytes)
        return None if found is None else TreeGrowth(**vars(found))

    def portfolio(self, family: str, shape: DataShape) -> tuple[dict[str, Any], ...]:
        """The family's strong configurations, cheapest first."""
        return tuple(dict(each) for each in self._families[family].portfolio(shape))


def _declaration(parameter: Parameter) -> ParameterDeclaration:
    return ParameterDeclaration(
        name=parameter.name,
        values=_values(parameter),
        default=parameter.default,
        description=parameter.description,
        condition=parameter.condition,
    )


def _values(parameter: Parameter) -> dict[str, Any]:
    values = parameter.values
    if isinstance(values, Integers):
        return {"integers": [values.low, values.high, values.log]}
    if isinstance(values, Numbers):
        return {"numbers": [values.low, values.high, values.log]}
    if isinstance(values, Choices):
        return {"choices": list(values.values)}
    assert isinstance(values, Fixed)
    return {"fixed": values.value}


def _documented(declaration: FamilyDeclaration) -> dict[str, dict[str, Any]]:
    return {
        parameter.name: {
            **parameter.values,
            "description": parameter.description,
            "default": parameter.default,
        }
        for parameter in declaration.parameters
    }

"""Search spaces: what a user changed, checked against what the families declare, merged into one.

A parameter's values are a mapping with one key, as in `controller.domain.records.Space`:
`{"integers": [low, high, log]}`, `{"numbers": [low, high, log]}`, `{"choices": [...]}` or
`{"fixed": value}`. A change must stay within the declared type; ranges may be narrower or wider,
choices must be among the declared ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.parameter_values import Value, check_values, fit_value
from controller.domain.records import SearchSpec, Space
from controller.domain.violations import Violations, suggestion

_FIELD = "search.spec.space"
_FAMILIES_FIELD = "search.spec.families"


@dataclass(frozen=True)
class ParameterDeclaration:
    """One parameter as its family declares it. condition: (other parameter, its values under which
    this one exists); None means always.
    """

    name: str
    values: Mapping[str, Any]
    default: Any
    description: str
    condition: tuple[str, tuple[Any, ...]] | None = None

    def exists(self, parameters: Mapping[str, Any]) -> bool:
        """Its condition holds in a configuration."""
        if self.condition is None:
            return True
        other, allowed = self.condition
        return other in parameters and parameters[other] in allowed


@dataclass(frozen=True)
class FamilyDeclaration:
    """A family's name, what it is, and its parameters; a condition's parameter comes before."""

    name: str
    description: str
    parameters: tuple[ParameterDeclaration, ...]

    def parameter(self, name: str) -> ParameterDeclaration | None:
        """The parameter called `name`, or None."""
        return next((p for p in self.parameters if p.name == name), None)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """In declared order."""
        return tuple(parameter.name for parameter in self.parameters)


Declarations = Mapping[str, FamilyDeclaration]
"""All families by name."""


def selected_families(spec: SearchSpec, declarations: Declarations) -> tuple[str, ...]:
    """The families of a search: those asked for, else all."""
    return tuple(dict.fromkeys(spec.families)) or tuple(declarations)


def check_families(families: tuple[str, ...], declarations: Declarations) -> Violations:
    """What is wrong with a list of families."""
    violations = Violations()
    for index, name in enumerate(families):
        field = f"{_FAMILIES_FIELD}[{index}]"
        if name not in declarations:
            text = f"{name!r} is not a family"
            violations.add(field, text, suggestion(name, declarations), "UNKNOWN_FAMILY")
        elif name in families[:index]:
            text = f"{name!r} is named twice"
            violations.add(field, text, "name it once", "DUPLICATE_FAMILY")
    return violations


def effective_space(spec: SearchSpec, declarations: Declarations) -> Space:
    """The space to draw from: every parameter of every selected family, and the complete pinned
    configurations.

    Raises: InvalidArgument with all violations.
    """
    violations = check_families(spec.families, declarations)
    selected = [name for name in selected_families(spec, declarations) if name in declarations]
    for family, changes in spec.space.families.items():
        _check_family(family, changes, selected, declarations, violations)
    pinned = [
        _pinned(index, item, selected, declarations, violations)
        for index, item in enumerate(spec.space.pinned)
    ]
    violations.raise_if_any()
    return Space({name: _merged(declarations[name], spec) for name in selected}, tuple(pinned))


def restrict(space: Space, families: tuple[str, ...]) -> Space:
    """A spec's own space without what belongs to families that are not in `families`."""
    kept = {name: space.families[name] for name in space.families if name in families}
    return Space(kept, tuple(item for item in space.pinned if item["family"] in families))


def normalized(declaration: FamilyDeclaration, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with values of the declared types: a whole 6.0 becomes 6.

    Raises: ValueError for an unknown parameter or a value that is not of its type.
    """
    result: dict[str, Any] = {}
    for name, value in parameters.items():
        parameter = declaration.parameter(name)
        if parameter is None:
            hint = suggestion(name, declaration.parameter_names)
            raise ValueError(f"{declaration.name} has no parameter {name!r}; {hint}")
        result[name] = fit_value(parameter.values, value, is_within=False)
    return result


def _merged(declaration: FamilyDeclaration, spec: SearchSpec) -> dict[str, dict[str, Any]]:
    """A family's space with the user's changes."""
    changes = spec.space.families.get(declaration.name, {})
    return {
        parameter.name: check_values(parameter.values, changes[parameter.name])
        if parameter.name in changes
        else dict(parameter.values)
        for parameter in declaration.parameters
    }


def _known_family(
    family: str, field: str, selected: list[str], declarations: Declarations, found: Violations
) -> FamilyDeclaration | None:
    if family not in declarations:
        text = f"{family!r} is not a family"
        found.add(field, text, suggestion(family, declarations), "UNKNOWN_FAMILY")
        return None
    if family not in selected:
        text = f"{family!r} is not among the families of this search"
        found.add(field, text, f"add it to {_FAMILIES_FIELD} or leave it out", "UNSELECTED_FAMILY")
        return None
    return declarations[family]


def _check_family(
    family: str,
    changes: Mapping[str, Mapping[str, Any]],
    selected: list[str],
    declarations: Declarations,
    violations: Violations,
) -> None:
    path = f"{_FIELD}.families.{family}"
    declaration = _known_family(family, path, selected, declarations, violations)
    if declaration is None:
        return
    for name, values in changes.items():
        field = f"{path}.parameters.{name}"
        parameter = declaration.parameter(name)
        if parameter is None:
            text = f"{family} has no parameter {name!r}"
            hint = suggestion(name, declaration.parameter_names)
            violations.add(field, text, hint, "UNKNOWN_PARAMETER")
            continue
        try:
            check_values(parameter.values, values)
        except ValueError as error:
            text, _, remedy = str(error).partition("; ")
            violations.add(field, text, remedy, "BAD_VALUES")


def _pinned(
    index: int,
    item: Mapping[str, Any],
    selected: list[str],
    declarations: Declarations,
    violations: Violations,
) -> dict[str, Any]:
    """The configuration completed with the family's defaults."""
    path = f"{_FIELD}.pinned[{index}]"
    family, given = str(item.get("family", "")), item.get("parameters", {})
    declaration = _known_family(family, f"{path}.family", selected, declarations, violations)
    if declaration is None:
        return {}
    _check_pinned(declaration, given, path, violations)
    complete: dict[str, Any] = {}
    for parameter in declaration.parameters:
        if parameter.exists(complete):
            value = given.get(parameter.name, parameter.default)
            complete[parameter.name] = _fitted_or_given(parameter, value)
    for name in given:
        wanted = declaration.parameter(name)
        if wanted is not None and name not in complete and wanted.condition is not None:
            other, allowed = wanted.condition
            text = f"{name!r} only exists with {other} = {' or '.join(map(str, allowed))}"
            remedy = f"set {other} so, or leave {name} out"
            violations.add(f"{path}.parameters.{name}", text, remedy, "BAD_VALUES")
    return {"family": family, "parameters": complete}


def _check_pinned(
    declaration: FamilyDeclaration, given: Mapping[str, Any], path: str, violations: Violations
) -> None:
    for name, value in given.items():
        try:
            normalized(declaration, {name: value})
        except ValueError as error:
            is_known = declaration.parameter(name) is not None
            text, _, remedy = str(error).partition("; ")
            reason = "BAD_VALUES" if is_known else "UNKNOWN_PARAMETER"
            violations.add(f"{path}.parameters.{name}", text, remedy, reason)


def _fitted_or_given(parameter: ParameterDeclaration, value: Value) -> Value:
    try:
        return fit_value(parameter.values, value, is_within=False)
    except ValueError:
        return value  # reported by _check_pinned

"""Changes of a running search's spec by an update mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from controller.domain.budget import check_budget, check_limits
from controller.domain.errors import InvalidArgument, InvalidField
from controller.domain.records import SearchSpec
from controller.domain.space import Declarations, check_families
from controller.domain.violations import Violations

_Change = Callable[[SearchSpec, SearchSpec], SearchSpec]


def _limit(field: str) -> _Change:
    def change(old: SearchSpec, new: SearchSpec) -> SearchSpec:
        value = getattr(new.limits, field)
        return replace(old, limits=replace(old.limits, **{field: value}))

    return change


def _all_limits(old: SearchSpec, new: SearchSpec) -> SearchSpec:
    """The parent path leaves alone what cannot change."""
    fixed = replace(
        new.limits,
        cpus_per_trial=old.limits.cpus_per_trial,
        gpus_per_trial=old.limits.gpus_per_trial,
    )
    return replace(old, limits=fixed)


def _time(old: SearchSpec, new: SearchSpec) -> SearchSpec:
    return replace(old, budget=replace(old.budget, time_seconds=new.budget.time_seconds))


def _trials(old: SearchSpec, new: SearchSpec) -> SearchSpec:
    return replace(old, budget=replace(old.budget, max_trials=new.budget.max_trials))


_CHANGES: dict[str, _Change] = {
    "spec.budget": lambda old, new: replace(old, budget=new.budget),
    "spec.budget.time": _time,
    "spec.budget.max_trials": _trials,
    "spec.families": lambda old, new: replace(old, families=new.families),
    "spec.limits": _all_limits,
    "spec.limits.memory_per_trial_bytes": _limit("memory_per_trial_bytes"),
    "spec.limits.time_per_trial": _limit("time_per_trial_seconds"),
    "spec.limits.max_concurrent_trials": _limit("max_concurrent_trials"),
    "spec.limits.max_model_bytes": _limit("max_model_bytes"),
    "spec.limits.max_predict_latency": _limit("max_predict_seconds"),
    "spec.limits.shrink": _limit("shrink"),
}


def changed_spec(
    old: SearchSpec, new: SearchSpec, paths: tuple[str, ...], declarations: Declarations
) -> SearchSpec:
    """`old` with the values of `new` at `paths`.

    Raises: InvalidField naming `update_mask` for no path or one that cannot change; InvalidArgument
    for values that are wrong.
    """
    known = ", ".join(_CHANGES)
    if not paths:
        raise InvalidField("update_mask", "it names no path", f"name one or more of {known}")
    spec = old
    for path in paths:
        if path not in _CHANGES:
            text = f"{path!r} cannot be changed"
            raise InvalidField("update_mask", text, f"use {known}", "IMMUTABLE_FIELD")
        spec = _CHANGES[path](spec, new)
    _check(spec, declarations)
    return spec


def _check(spec: SearchSpec, declarations: Declarations) -> None:
    found = Violations()
    for part in (
        check_budget(spec.budget),
        check_limits(spec.limits),
        check_families(spec.families, declarations),
    ):
        try:
            part.raise_if_any()
        except InvalidArgument as error:
            found.extend(error)
    found.raise_if_any()

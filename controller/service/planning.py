"""Turns what was asked for into a search that could start, or one error that names all faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from controller.domain.budget import check_budget, check_limits
from controller.domain.errors import InvalidArgument
from controller.domain.names import DatasetName, NamespaceName, check_id
from controller.domain.plan import make_plan
from controller.domain.records import Dataset, Plan, SearchSpec, Space
from controller.domain.space import effective_space
from controller.domain.violations import Violations
from controller.service.catalog import FamilyCatalog
from controller.service.gate import Gate
from workers.families.base import DataShape

T = TypeVar("T")


@dataclass(frozen=True)
class Prepared:
    """A checked spec: its plan and the reservation sizes it will use, empty while unknown."""

    plan: Plan
    sizes_bytes: tuple[int, ...]


@dataclass(frozen=True)
class Settled:
    """A checked spec before the gate is asked: what it means for its dataset."""

    plan: Plan
    space: Space
    shape: DataShape


def dataset_name(parent: NamespaceName, spec: SearchSpec) -> str:
    """The name of the dataset, which must be in the same namespace. Raises: InvalidArgument."""
    name = DatasetName.parse(spec.dataset, "search.spec.dataset")
    if name.parent != parent:
        found = Violations()
        found.add(
            "search.spec.dataset",
            f"{name} is not in {parent}",
            "use a dataset of the search's own namespace",
            "FOREIGN_NAMESPACE",
        )
        found.raise_if_any()
    return str(name)


def prepare(dataset: Dataset, spec: SearchSpec, catalog: FamilyCatalog, gate: Gate) -> Prepared:
    """Checks everything about a spec.

    Raises: InvalidArgument with all violations; NothingFits.
    """
    settled = settle(dataset, spec, catalog, gate)
    gate.check_fits(spec, settled.shape, settled.space)
    return Prepared(settled.plan, gate.sizes(spec, settled.shape, settled.space))


def settle(dataset: Dataset, spec: SearchSpec, catalog: FamilyCatalog, gate: Gate) -> Settled:
    """Checks everything about a spec but whether it fits.

    Raises: InvalidArgument with all violations.
    """
    found = Violations()
    _collect(found, check_budget(spec.budget).raise_if_any)
    _collect(found, check_limits(spec.limits).raise_if_any)
    if spec.deploy:
        _collect(found, lambda: check_id(spec.deploy, "search.spec.deploy"))
    if not 0 <= spec.seed < 1 << 63:
        text = f"{spec.seed} is negative or larger than 2^63 - 1"
        found.add("search.spec.seed", text, "give a number from 0", "BAD_SEED")
    plan = _collect(found, lambda: make_plan(dataset, spec))
    space = _collect(found, lambda: effective_space(spec, catalog.declarations))
    found.raise_if_any()
    assert plan is not None  # else there is a violation
    assert space is not None
    return Settled(plan, space, gate.shape(dataset, plan, spec))


def _collect(found: Violations, check: Callable[[], T]) -> T | None:
    try:
        return check()
    except InvalidArgument as error:
        found.extend(error)
        return None

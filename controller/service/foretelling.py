"""Foretells a search without creating it: `PlanSearch`. Stores nothing; takes under a second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from controller.domain import forecast as forecasts
from controller.domain import plan_report, sampling
from controller.domain.errors import NothingFits
from controller.domain.forecast import Forecast, Frame
from controller.domain.plan_report import Evidence, FamilyReport, Judged
from controller.domain.records import Dataset, Plan, SearchSpec, Space
from controller.service.catalog import FamilyCatalog
from controller.service.gate import Gate, Setting
from controller.service.planning import Settled, settle

SAMPLED = 400
"""Candidates judged of each family. Half of them check the boundary: a share counted on 200 is off
by 7 percentage points at most, 19 times of 20."""
CORNERS = 32
"""Further candidates a family, with every range at one of its ends."""


@dataclass(frozen=True)
class SearchPlan:
    """`headgate.v1.PlanSearchResponse` documents each field. refusal: why the search could not be
    created, empty when it could.
    """

    plan: Plan
    families: tuple[FamilyReport, ...]
    feasible_share: float
    refusal: str
    sizes_bytes: tuple[int, ...]
    slots: int
    forecast: Forecast
    notes: tuple[str, ...]


def foretell(dataset: Dataset, spec: SearchSpec, catalog: FamilyCatalog, gate: Gate) -> SearchPlan:
    """Judges a sample of every family with what the cluster has now.

    Raises: InvalidArgument with all violations, as creating the search would.
    """
    settled = settle(dataset, spec, catalog, gate)
    refusal = _refusal(gate, spec, settled)
    sizes = gate.sizes(spec, settled.shape, settled.space)
    setting = Setting(settled.shape, spec.limits, sizes, spec.budget.time_seconds)
    families = settled.space.families
    evidence = [_evidence(name, spec, settled, setting, catalog, gate) for name in families]
    reports = tuple(plan_report.report(each) for each in evidence)
    outlook = forecasts.NO_TRIALS if refusal else _outlook(evidence, spec, settled, gate)
    return SearchPlan(
        plan=settled.plan,
        families=reports,
        feasible_share=plan_report.feasible_share(reports),
        refusal=refusal,
        sizes_bytes=() if refusal else sizes,
        slots=0 if refusal else gate.slots(spec.limits, sizes),
        forecast=outlook,
        notes=(*settled.plan.notes, *_notes(reports, refusal, outlook, gate)),
    )


def _outlook(
    evidence: Sequence[Evidence], spec: SearchSpec, settled: Settled, gate: Gate
) -> Forecast:
    def slots_of(size_bytes: int) -> int:
        return gate.slots(spec.limits, (size_bytes,))

    frame = Frame(spec.budget, spec.limits, settled.plan.folds, slots_of)
    return forecasts.forecast(evidence, frame)


def _refusal(gate: Gate, spec: SearchSpec, settled: Settled) -> str:
    try:
        gate.check_fits(spec, settled.shape, settled.space)
    except NothingFits as error:
        return error.message
    return ""


def _evidence(
    family: str,
    spec: SearchSpec,
    settled: Settled,
    setting: Setting,
    catalog: FamilyCatalog,
    gate: Gate,
) -> Evidence:
    space, declarations, seed = settled.space, catalog.declarations, spec.seed
    pinned = [dict(each["parameters"]) for each in space.pinned if each["family"] == family]
    defaults = [
        each
        for each in catalog.portfolio(family, settled.shape)
        if sampling.contains(space, declarations, family, each)
    ]
    alone = Space({family: space.families[family]})
    corners = [each for _, each in sampling.draw_corners(alone, declarations, CORNERS, seed)]
    sampled = sampling.stratified(space, declarations, family, SAMPLED, seed)
    return Evidence(
        family,
        *(_judged(gate, setting, family, each) for each in (sampled, pinned, defaults, corners)),
    )


def _judged(
    gate: Gate, setting: Setting, family: str, candidates: Sequence[dict[str, Any]]
) -> tuple[Judged, ...]:
    verdicts = gate.verdicts(setting, family, candidates)
    return tuple(Judged(p, verdict) for p, verdict in zip(candidates, verdicts, strict=True))


def _notes(
    reports: Sequence[FamilyReport], refusal: str, outlook: Forecast, gate: Gate
) -> Iterator[str]:
    never = [each.family for each in reports if each.is_never_fitting]
    if never and not refusal:
        yield f"leave out {', '.join(never)}: no candidate of them fits"
    if not gate.is_cluster_known:
        yield "the cluster was not seen yet: only the search's own limits were looked at"
    if not refusal and not outlook.trials:
        yield "the time budget is likely to end before a trial does"

"""What the gate would say of a space, told family by family, from judged candidates. Pure.

Shares are of `Evidence.sampled`, which is drawn evenly from the family's space. Pinned
configurations, defaults and corners stand for nothing but themselves: they count only for what fits
at all and for what is lightest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.domain.boundary import Boundary, find_boundary
from controller.domain.records import Decision, Reason, Verdict


@dataclass(frozen=True)
class Judged:
    """A configuration and what the gate says of it."""

    parameters: Mapping[str, Any]
    verdict: Verdict

    @property
    def is_fitting(self) -> bool:
        """It would start, now or later, as it is or after a change of the gate's."""
        return self.verdict.decision is not Decision.REJECTED


@dataclass(frozen=True)
class Evidence:
    """All that was judged of a family; see the module. pinned, defaults: in the order a search
    tries them. corners: every range at one of its ends.
    """

    family: str
    sampled: tuple[Judged, ...]
    pinned: tuple[Judged, ...] = ()
    defaults: tuple[Judged, ...] = ()
    corners: tuple[Judged, ...] = ()

    @property
    def all(self) -> tuple[Judged, ...]:
        """Everything that was judged."""
        return (*self.sampled, *self.pinned, *self.defaults, *self.corners)


@dataclass(frozen=True)
class Demand:
    """What candidates are predicted to need: medians and 90th percentiles.

    memory: predicted peak. bound: with the gate's safety, what is compared with limits. cpu: all
    folds together.
    """

    median_memory_bytes: int
    p90_memory_bytes: int
    median_bound_bytes: int
    p90_bound_bytes: int
    median_cpu_seconds: float
    p90_cpu_seconds: float


@dataclass(frozen=True)
class FamilyReport:
    """What would become of one family; `headgate.v1.FamilyPlan` documents each field.

    feasible_share and refused_shares add up to 1. demand: of all sampled; feasible_demand: of those
    that fit, None when none does.
    """

    family: str
    sampled_count: int
    feasible_share: float
    refused_shares: Mapping[Reason, float]
    is_never_fitting: bool
    boundary: Boundary | None
    lightest_feasible: Judged | None
    lightest_refused: Judged | None
    demand: Demand | None
    feasible_demand: Demand | None


def report(evidence: Evidence) -> FamilyReport:
    """The family's report."""
    sampled = evidence.sampled
    fitting = [each for each in sampled if each.is_fitting]
    reasons = Counter(each.verdict.reason for each in sampled if each.verdict.reason)
    return FamilyReport(
        family=evidence.family,
        sampled_count=len(sampled),
        feasible_share=_share(len(fitting), len(sampled)),
        refused_shares={r: _share(n, len(sampled)) for r, n in reasons.most_common()},
        is_never_fitting=not any(each.is_fitting for each in evidence.all),
        boundary=find_boundary([(each.parameters, each.is_fitting) for each in sampled]),
        lightest_feasible=min(
            (each for each in evidence.all if each.is_fitting), key=_weight, default=None
        ),
        lightest_refused=min(
            (each for each in evidence.all if not each.is_fitting), key=_excess, default=None
        ),
        demand=demand_of(sampled),
        feasible_demand=demand_of(fitting),
    )


def feasible_share(reports: Sequence[FamilyReport]) -> float:
    """Share of the whole space that fits: the sampler draws from all families alike."""
    return _share(sum(each.feasible_share for each in reports), len(reports))


def demand_of(judged: Sequence[Judged]) -> Demand | None:
    """None for no candidates."""
    if not judged:
        return None
    memory = sorted(each.verdict.prediction.peak_memory_bytes for each in judged)
    bounds = sorted(each.verdict.bound_bytes for each in judged)
    cpu = sorted(each.verdict.prediction.cpu_seconds for each in judged)
    middle, high = len(judged) // 2, min(len(judged) - 1, len(judged) * 9 // 10)
    return Demand(
        median_memory_bytes=memory[middle],
        p90_memory_bytes=memory[high],
        median_bound_bytes=bounds[middle],
        p90_bound_bytes=bounds[high],
        median_cpu_seconds=cpu[middle],
        p90_cpu_seconds=cpu[high],
    )


def _weight(judged: Judged) -> tuple[int, float]:
    return judged.verdict.bound_bytes, judged.verdict.prediction.cpu_seconds


def _excess(judged: Judged) -> tuple[float, int, float]:
    """How far it is beyond the limit that refused it; of equals the lighter comes first."""
    demand, limit = judged.verdict.demand or 0.0, judged.verdict.limit or 0.0
    return (demand / limit if limit > 0 else float("inf"), *_weight(judged))


def _share(part: float, whole: int) -> float:
    return part / whole if whole else 0.0

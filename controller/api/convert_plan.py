"""Converts what a search would do from the domain to `headgate.v1`."""

from __future__ import annotations

from controller.api.convert import to_duration, to_int64, to_struct, to_value
from controller.api.convert_search import task_to_proto
from controller.api.convert_trial import verdict_to_proto
from controller.domain.boundary import Boundary, Condition, Relation
from controller.domain.forecast import OVERHEAD_SECONDS, START_SECONDS, ReservationShare
from controller.domain.plan_report import Demand, FamilyReport, Judged
from controller.service.foretelling import SearchPlan
from headgate.v1 import search_service_pb2 as pb


def plan_to_proto(foretold: SearchPlan) -> pb.PlanSearchResponse:
    """The answer as users see it."""
    plan, outlook = foretold.plan, foretold.forecast
    return pb.PlanSearchResponse(
        feasible_share=foretold.feasible_share,
        families=[_family(each) for each in foretold.families],
        refusal=foretold.refusal,
        never_fitting_families=[f.family for f in foretold.families if f.is_never_fitting],
        reservation_sizes_bytes=foretold.sizes_bytes,
        slots=foretold.slots,
        reservations=[_reservation(each) for each in outlook.reservations],
        expected_trials=outlook.trials,
        expected_trial_time=to_duration(outlook.trial_seconds),
        trial_overhead=to_duration(OVERHEAD_SECONDS),
        expected_time=to_duration(outlook.seconds),
        start_overhead=to_duration(START_SECONDS),
        expected_cpu_time=to_duration(outlook.cpu_seconds),
        task=task_to_proto(plan.task),
        metric=plan.metric,
        is_metric_maximized=plan.is_metric_maximized,
        classes=plan.classes,
        feature_columns=plan.feature_columns,
        validation=plan.validation,
        notes=foretold.notes,
    )


def _family(report: FamilyReport) -> pb.FamilyPlan:
    feasible = report.feasible_demand
    return pb.FamilyPlan(
        family=report.family,
        feasible_share=report.feasible_share,
        median_cpu_time=None if feasible is None else to_duration(feasible.median_cpu_seconds),
        sampled_candidates=report.sampled_count,
        refused=[
            pb.RefusedShare(reason=reason.value, share=share)
            for reason, share in report.refused_shares.items()
        ],
        is_never_fitting=report.is_never_fitting,
        boundary=_boundary(report.boundary),
        lightest_feasible=_candidate(report.lightest_feasible),
        lightest_refused=_candidate(report.lightest_refused),
        demand=_demand(report.demand),
        feasible_demand=_demand(feasible),
    )


def _boundary(boundary: Boundary | None) -> pb.PlanBoundary | None:
    if boundary is None:
        return None
    return pb.PlanBoundary(
        conditions=[_condition(each) for each in boundary.conditions],
        share_within=boundary.share_within,
        feasible_share_within=boundary.feasible_share_within,
        feasible_share_beyond=boundary.feasible_share_beyond,
        statement=str(boundary),
    )


def _condition(condition: Condition) -> pb.PlanCondition:
    is_list = condition.relation is Relation.ONE_OF
    return pb.PlanCondition(
        parameter=condition.parameter,
        relation=condition.relation.value,
        threshold=0.0 if is_list else condition.threshold,
        values=[to_value(each) for each in condition.values],
    )


def _candidate(judged: Judged | None) -> pb.PlannedCandidate | None:
    if judged is None:
        return None
    return pb.PlannedCandidate(
        parameters=to_struct(judged.parameters), verdict=verdict_to_proto(judged.verdict)
    )


def _demand(demand: Demand | None) -> pb.PlannedDemand | None:
    if demand is None:
        return None
    return pb.PlannedDemand(
        median_memory_bytes=to_int64(demand.median_memory_bytes),
        p90_memory_bytes=to_int64(demand.p90_memory_bytes),
        median_bound_bytes=to_int64(demand.median_bound_bytes),
        p90_bound_bytes=to_int64(demand.p90_bound_bytes),
        median_cpu_time=to_duration(demand.median_cpu_seconds),
        p90_cpu_time=to_duration(demand.p90_cpu_seconds),
    )


def _reservation(share: ReservationShare) -> pb.PlannedReservation:
    return pb.PlannedReservation(
        memory_bytes=to_int64(share.memory_bytes), share=share.share, slots=share.slots
    )

"""What a plan holds, on the wire."""

from __future__ import annotations

from controller.api.convert import from_value
from controller.api.convert_plan import plan_to_proto
from controller.domain.boundary import Boundary, Condition, Relation
from controller.domain.forecast import Forecast, ReservationShare
from controller.domain.plan_report import FamilyReport
from controller.domain.records import Plan, Reason, Task
from controller.service.foretelling import SearchPlan
from headgate.v1 import search_pb2, trial_pb2
from headgate.v1 import search_service_pb2 as pb

PLAN = Plan(Task.REGRESSION, "rmse", False, (), "", ("a", "b"), 90, 5, "5-fold cross-validation")


def family(boundary: Boundary | None) -> FamilyReport:
    refused = {Reason.EXCEEDS_TIME_BUDGET: 0.5, Reason.EXCEEDS_QUOTA: 0.25}
    return FamilyReport("forest", 400, 0.25, refused, False, boundary, None, None, None, None)


def told(report: FamilyReport) -> pb.PlanSearchResponse:
    outlook = Forecast(1 << 40, 1.5, 60.0, 7200.0, (ReservationShare(1 << 70, 3, 1.0),))
    return plan_to_proto(SearchPlan(PLAN, (report,), 0.25, "", (64,), 3, outlook, ("look",)))


def test_every_kind_of_condition() -> None:
    conditions = (
        Condition("depth", Relation.ONE_OF, values=(None, 6, "auto", True)),
        Condition("trees", Relation.AT_MOST, 310),
        Condition("rate", Relation.AT_LEAST, 0.25),
    )
    made = told(family(Boundary(conditions, 0.3, 0.9, 0.1))).families[0].boundary
    one_of, at_most, at_least = made.conditions
    assert one_of.relation == pb.PlanCondition.ONE_OF
    assert [from_value(each) for each in one_of.values] == [None, 6, "auto", True]
    assert (at_most.relation, at_most.threshold) == (pb.PlanCondition.AT_MOST, 310.0)
    assert (at_least.relation, at_least.threshold) == (pb.PlanCondition.AT_LEAST, 0.25)
    assert (made.share_within, made.feasible_share_within, made.feasible_share_beyond) == (
        0.3, 0.9, 0.1,
    )  # fmt: skip
    assert made.statement == (
        "depth in {None, 6, auto, True} and trees <= 310 and rate >= 0.25: "
        "90 % of such candidates fit, 10 % of the others"
    )


def test_what_is_not_known_is_absent() -> None:
    made = told(family(None)).families[0]
    for field in ("boundary", "lightest_feasible", "demand", "feasible_demand", "median_cpu_time"):
        assert not made.HasField(field)
    assert [(each.reason, each.share) for each in made.refused] == [
        (trial_pb2.Verdict.EXCEEDS_TIME_BUDGET, 0.5),
        (trial_pb2.Verdict.EXCEEDS_QUOTA, 0.25),
    ]


def test_the_outlook() -> None:
    made = told(family(None))
    assert made.expected_trials == 1 << 40
    assert made.expected_cpu_time.seconds == 7200
    assert made.reservations[0].memory_bytes == (1 << 63) - 1  # the largest that the wire holds
    assert (made.reservations[0].slots, made.slots) == (3, 3)
    assert (made.task, list(made.notes)) == (search_pb2.TASK_REGRESSION, ["look"])

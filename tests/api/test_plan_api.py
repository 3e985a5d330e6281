"""PlanSearch over the wire."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from controller.domain.records import Dataset
from controller.in_process import InProcessController
from headgate.v1 import search_pb2, trial_pb2
from headgate.v1 import search_service_pb2 as pb
from tests.api.wire import PARENT, Refuses, Stubs

FOREST = "random_forest"


def asked(dataset: str, /, **changes: Any) -> pb.PlanSearchRequest:
    spec = search_pb2.SearchSpec(dataset=dataset, target_column="churned")
    spec.budget.max_trials = 5
    spec.MergeFrom(search_pb2.SearchSpec(**changes))
    return pb.PlanSearchRequest(parent=PARENT, search=search_pb2.Search(spec=spec))


def small_models(dataset: str) -> pb.PlanSearchRequest:
    """Some forests of the space fit, some do not."""
    limits = search_pb2.Limits(max_model_bytes=600_000)
    return asked(dataset, families=[FOREST], limits=limits)


def test_a_plan_is_what_create_would_settle(stubs: Stubs, people: Dataset) -> None:
    plan = stubs.searches.PlanSearch(asked(people.name))
    created = stubs.searches.CreateSearch(
        pb.CreateSearchRequest(parent=PARENT, search=asked(people.name).search)
    )
    for field in ("task", "metric", "is_metric_maximized", "validation"):
        assert getattr(plan, field) == getattr(created, field)
    for field in ("classes", "feature_columns", "notes"):
        assert list(getattr(plan, field)) == list(getattr(created, field))


def test_all_that_fits(stubs: Stubs, people: Dataset) -> None:
    plan = stubs.searches.PlanSearch(asked(people.name))
    assert plan.feasible_share == 1.0
    assert not plan.refusal
    assert plan.slots == 4
    assert plan.expected_trials == 5
    assert plan.expected_trial_time.ToTimedelta() > plan.trial_overhead.ToTimedelta()
    assert plan.expected_time.ToTimedelta() > plan.start_overhead.ToTimedelta()
    assert plan.expected_cpu_time.ToNanoseconds() > 0
    assert sum(each.share for each in plan.reservations) == pytest.approx(1.0)
    assert {r.memory_bytes for r in plan.reservations} <= set(plan.reservation_sizes_bytes)
    for family in plan.families:
        assert family.sampled_candidates >= 200
        assert family.median_cpu_time == family.feasible_demand.median_cpu_time
        assert family.lightest_feasible.verdict.decision == trial_pb2.Verdict.ADMITTED
        assert not family.refused
        assert not family.HasField("boundary")
        assert not family.HasField("lightest_refused")


def test_part_that_fits(stubs: Stubs, people: Dataset) -> None:
    plan = stubs.searches.PlanSearch(small_models(people.name))
    (family,) = plan.families
    assert 0.0 < family.feasible_share < 1.0
    assert plan.feasible_share == family.feasible_share
    (refused,) = family.refused
    assert refused.reason == trial_pb2.Verdict.EXCEEDS_MODEL_SIZE
    assert refused.share + family.feasible_share == pytest.approx(1.0)
    boundary = family.boundary
    assert boundary.conditions[0].parameter in ("n_estimators", "min_samples_leaf", "max_depth")
    assert boundary.feasible_share_within > boundary.feasible_share_beyond
    assert boundary.statement.startswith(boundary.conditions[0].parameter)
    for condition in boundary.conditions:
        is_list = condition.relation == pb.PlanCondition.ONE_OF
        assert bool(condition.values) == is_list
        assert (condition.threshold == 0.0) == is_list
    near = family.lightest_refused
    assert near.verdict.limit == 600_000
    assert 600_000 < near.verdict.demand < 700_000
    assert near.verdict.limit_unit == "bytes"
    assert near.verdict.HasField("fits_with")
    assert near.parameters["n_estimators"]
    assert family.demand.p90_memory_bytes > family.feasible_demand.p90_memory_bytes


def test_what_is_not_known_is_told(
    stubs: Stubs, people: Dataset, controller: InProcessController
) -> None:
    controller.cluster_view.saw(())
    (note,) = stubs.searches.PlanSearch(asked(people.name)).notes
    assert "cluster was not seen" in note


def test_nothing_that_fits_is_an_answer(stubs: Stubs, people: Dataset) -> None:
    request = asked(people.name, limits=search_pb2.Limits(cpus_per_trial=64))
    plan = stubs.searches.PlanSearch(request)
    assert "NO_SUCH_RESOURCE" in plan.refusal
    assert plan.feasible_share == 0.0
    assert set(plan.never_fitting_families) == {each.family for each in plan.families}
    assert (plan.expected_trials, plan.slots) == (0, 0)
    assert not plan.families[0].HasField("median_cpu_time")
    assert not plan.families[0].HasField("feasible_demand")
    assert plan.families[0].HasField("demand")


def test_planning_leaves_nothing_behind(stubs: Stubs, people: Dataset) -> None:
    first = stubs.searches.PlanSearch(small_models(people.name))
    assert stubs.searches.PlanSearch(small_models(people.name)) == first
    assert not stubs.searches.ListSearches(pb.ListSearchesRequest(parent=PARENT)).searches


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target_column": "chruned"}, "search.spec.target_column"),
        ({"metric": "rmse"}, "search.spec.metric"),
        ({"families": ["xgbost"]}, "search.spec.families[0]"),
        ({"budget": search_pb2.Budget(max_trials=-7)}, "search.spec.budget.max_trials"),
        ({"dataset": "people"}, "search.spec.dataset"),
        ({"task": 99}, "search.spec.task"),
    ],
)
def test_bad_input_names_its_field(
    stubs: Stubs, people: Dataset, refused: Refuses, changes: dict[str, Any], field: str
) -> None:
    refusal = refused(stubs.searches.PlanSearch, asked(people.name, **changes))
    assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, (field,))


def test_names_that_are_none(stubs: Stubs, refused: Refuses) -> None:
    refusal = refused(stubs.searches.PlanSearch, pb.PlanSearchRequest())
    assert refusal.fields == ("parent",)
    missing = refused(stubs.searches.PlanSearch, asked(f"{PARENT}/datasets/none"))
    assert missing.code is grpc.StatusCode.NOT_FOUND
    assert missing.resource_type == "headgate.v1/Dataset"

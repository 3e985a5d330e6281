"""What a search would do, foretold with real families: the verdicts are the gate's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.errors import InvalidArgument, NotFound, NothingFits
from controller.domain.forecast import NO_TRIALS
from controller.domain.names import NamespaceName
from controller.domain.records import (
    Budget,
    Column,
    ColumnKind,
    Dataset,
    Decision,
    Limits,
    Reason,
    SearchSpec,
    Space,
)
from controller.ports.cluster import Node
from controller.ports.store import Store
from controller.service.calibrator import Calibrator
from controller.service.catalog import FamilyCatalog
from controller.service.cluster_view import ClusterView
from controller.service.foretelling import SAMPLED, SearchPlan, foretell
from controller.service.gate import Gate, Setting
from controller.service.searches import SearchService
from workers.families.base import DataShape

PARENT = NamespaceName("default")
MIB = 1 << 20


@pytest.fixture
def large(store: Store, dataset: Dataset) -> Dataset:
    """200,000 rows of 100 columns."""
    (*_, label) = dataset.columns
    numbers = tuple(Column(f"x{i}", ColumnKind.NUMBER, 0, 900) for i in range(100))
    counts = tuple(replace(each, count=each.count * 200) for each in label.top_values)
    table = replace(
        dataset,
        name="namespaces/default/datasets/large",
        rows=200_000,
        columns=(*numbers, replace(label, top_values=counts)),
    )
    with store.transaction() as tx:
        return tx.put(table)


@pytest.fixture
def tight(searches: SearchService, large: Dataset, spec: SearchSpec) -> SearchPlan:
    """A plan in which some fits."""
    limits = Limits(memory_per_trial_bytes=270 * MIB)
    return searches.plan(PARENT, replace(spec, dataset=large.name, limits=limits))


def test_all_of_a_small_table_fits(searches: SearchService, spec: SearchSpec) -> None:
    told = searches.plan(PARENT, spec)
    assert (told.feasible_share, told.refusal) == (1.0, "")
    assert [each.family for each in told.families] == list(searches.space().space.families)
    for family in told.families:
        assert (family.sampled_count, family.refused_shares) == (SAMPLED, {})
        assert (family.boundary, family.lightest_refused) == (None, None)
        assert family.feasible_demand == family.demand is not None
    assert told.plan.metric == "roc_auc"
    assert told.plan.classes == ("no", "yes")
    assert told.slots == 4
    assert told.forecast.trials == spec.budget.max_trials


def test_it_settles_what_create_settles(searches: SearchService, spec: SearchSpec) -> None:
    created = searches.create(PARENT, "s", spec).search
    told = searches.plan(PARENT, spec)
    assert told.plan == created.plan
    assert told.sizes_bytes == created.reservation_sizes_bytes


def test_it_stores_nothing_and_repeats_itself(searches: SearchService, spec: SearchSpec) -> None:
    assert searches.plan(PARENT, spec) == searches.plan(PARENT, spec)
    assert searches.list(PARENT)[0] == []


def test_the_sample_follows_the_seed(searches: SearchService, spec: SearchSpec) -> None:
    told, other = (searches.plan(PARENT, replace(spec, seed=seed)) for seed in (1, 2))
    for one, another in zip(told.families, other.families, strict=True):
        assert one.sampled_count == another.sampled_count
    assert told.families[0].demand != other.families[0].demand


def test_part_of_a_large_table_fits(
    tight: SearchPlan, catalog: FamilyCatalog, gate: Gate, large: Dataset, spec: SearchSpec
) -> None:
    assert 0.0 < tight.feasible_share < 1.0
    partly = [each for each in tight.families if 0.05 < each.feasible_share < 0.95]
    assert partly
    asked = replace(spec, dataset=large.name, limits=Limits(memory_per_trial_bytes=270 * MIB))
    shape = gate.shape(large, tight.plan, asked)
    setting = Setting(shape, asked.limits, tight.sizes_bytes, asked.budget.time_seconds)
    for family in partly:
        assert sum(family.refused_shares.values()) + family.feasible_share == pytest.approx(1.0)
        assert Reason.EXCEEDS_TRIAL_LIMIT in family.refused_shares
        light, heavy = family.lightest_feasible, family.lightest_refused
        assert light is not None
        assert heavy is not None
        assert light.verdict.bound_bytes <= 270 * MIB
        for each in (light, heavy):
            assert gate.judge(setting, family.family, each.parameters) == each.verdict
        change = heavy.verdict.fits_with
        if change is not None:
            changed = gate.judge(setting, family.family, {**heavy.parameters, **change})
            assert changed.decision is Decision.ADMITTED


def test_the_boundary_of_real_families_holds(tight: SearchPlan) -> None:
    boundaries = [each.boundary for each in tight.families if each.boundary is not None]
    assert boundaries
    for boundary in boundaries:
        assert boundary.feasible_share_within > boundary.feasible_share_beyond + 0.2


def test_a_family_that_never_fits_is_named(
    searches: SearchService, large: Dataset, spec: SearchSpec
) -> None:
    limits = Limits(memory_per_trial_bytes=150 * MIB)
    told = searches.plan(PARENT, replace(spec, dataset=large.name, limits=limits))
    never = {each.family for each in told.families if each.is_never_fitting}
    assert "linear" in never
    assert "random_forest" not in never
    assert any(note.startswith("leave out ") and "linear" in note for note in told.notes)


def test_nothing_fits_is_an_answer(searches: SearchService, spec: SearchSpec) -> None:
    asked = replace(spec, limits=Limits(max_model_bytes=1))
    told = searches.plan(PARENT, asked)
    with pytest.raises(NothingFits) as caught:
        searches.create(PARENT, "s", asked)
    assert told.refusal == caught.value.message
    assert (told.feasible_share, told.sizes_bytes, told.slots) == (0.0, (), 0)
    assert told.forecast.trials == 0
    assert all(each.is_never_fitting for each in told.families)
    assert all(set(e.refused_shares) == {Reason.EXCEEDS_MODEL_SIZE} for e in told.families)


def test_a_pinned_configuration_that_alone_fits_counts(
    searches: SearchService, spec: SearchSpec
) -> None:
    wide = {"random_forest": {"n_estimators": {"integers": [50_000, 60_000, False]}}}
    small = {"family": "random_forest", "parameters": {"n_estimators": 50}}
    asked = replace(
        spec,
        families=("random_forest",),
        space=Space(wide, (small,)),
        limits=Limits(max_model_bytes=20 * MIB, memory_per_trial_bytes=64 * MIB),
    )
    (family,) = searches.plan(PARENT, asked).families
    assert (family.feasible_share, family.is_never_fitting) == (0.0, False)
    assert family.lightest_feasible is not None
    assert family.lightest_feasible.parameters["n_estimators"] == 50


def test_the_limits_of_the_cluster_count(
    searches: SearchService, cluster_view: ClusterView, large: Dataset, spec: SearchSpec
) -> None:
    asked = replace(spec, dataset=large.name)
    roomy = searches.plan(PARENT, asked)
    cluster_view.saw((Node("n1", 4.0, 0.0, 300 * MIB),))
    narrow = searches.plan(PARENT, asked)
    assert narrow.feasible_share < roomy.feasible_share
    reasons = {reason for family in narrow.families for reason in family.refused_shares}
    assert Reason.EXCEEDS_NODE_MEMORY in reasons


def test_an_unknown_cluster_is_told(
    searches: SearchService, cluster_view: ClusterView, spec: SearchSpec
) -> None:
    assert not searches.plan(PARENT, spec).notes
    cluster_view.saw(())
    told = searches.plan(PARENT, spec)
    assert any("cluster was not seen" in note for note in told.notes)
    assert told.slots == 1


def test_a_budget_too_short_for_a_trial_is_told(
    searches: SearchService, large: Dataset, spec: SearchSpec
) -> None:
    hasty = replace(spec, dataset=large.name, budget=Budget(12.0))
    told = searches.plan(PARENT, hasty)
    assert told.forecast.trials == 0
    assert any("time budget" in note for note in told.notes)
    assert any(Reason.EXCEEDS_TIME_BUDGET in each.refused_shares for each in told.families)


class _StrictGate(Gate):
    """Refuses every search, as the gate does when the few that fit are missed by its own draw."""

    def check_fits(self, spec: SearchSpec, shape: DataShape, space: Space) -> None:
        raise NothingFits("nothing")


def test_a_search_that_would_be_refused_expects_nothing(
    catalog: FamilyCatalog,
    cluster_view: ClusterView,
    calibrator: Calibrator,
    dataset: Dataset,
    spec: SearchSpec,
) -> None:
    told = foretell(dataset, spec, catalog, _StrictGate(catalog, cluster_view, calibrator))
    assert (told.feasible_share, told.refusal) == (1.0, "nothing")
    assert (told.forecast, told.slots) == (NO_TRIALS, 0)


def test_wrong_fields_are_those_of_create(searches: SearchService, spec: SearchSpec) -> None:
    wrong = replace(spec, budget=Budget(), metric="roc", families=("zzz",), target_column="nope")
    with pytest.raises(InvalidArgument) as created:
        searches.create(PARENT, "s", wrong)
    with pytest.raises(InvalidArgument) as planned:
        searches.plan(PARENT, wrong)
    assert planned.value.violations == created.value.violations
    with pytest.raises(NotFound):
        searches.plan(PARENT, replace(spec, dataset="namespaces/default/datasets/zzz"))

"""The gate with real families: shapes, predictions, sizes, and which limit refuses a search."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.errors import NothingFits
from controller.domain.plan import make_plan
from controller.domain.records import (
    BoundSource,
    Column,
    ColumnKind,
    Dataset,
    Decision,
    Limits,
    Quota,
    SearchSpec,
    Shrink,
)
from controller.ports.cluster import Node
from controller.service.calibrator import Calibrator
from controller.service.catalog import FamilyCatalog
from controller.service.cluster_view import ClusterView
from controller.service.gate import Gate, Setting
from controller.service.shape import column_infos, data_shape
from workers.data.layout import fold_copy_bytes

MIB = 1 << 20


def test_the_shape_follows_the_layout(dataset: Dataset, spec: SearchSpec) -> None:
    city = Column("city", ColumnKind.CATEGORY, 3, 40)
    day = Column("day", ColumnKind.DATE, 0, 300)
    wide = replace(dataset, columns=(*dataset.columns, city, day))
    shape = data_shape(wide, make_plan(wide, spec))
    assert shape.features == 10 + 1 + 6
    assert (shape.categorical_features, shape.category_levels) == (1, 40)
    assert (shape.rows, shape.train_rows, shape.validation_rows) == (1000, 800, 200)
    assert (shape.folds, shape.classes, shape.cells_missing) == (5, 2, True)


def test_the_last_fold_in_time_order_trains_on_more(dataset: Dataset, spec: SearchSpec) -> None:
    plan = make_plan(dataset, replace(spec, time_column="x0"))
    assert data_shape(dataset, plan, is_in_time_order=True).train_rows == 833


def test_only_features_are_encoded(dataset: Dataset, spec: SearchSpec) -> None:
    plan = make_plan(dataset, replace(spec, weight_column="", excluded_columns=("x3",)))
    names = [info.name for info in column_infos(dataset, plan)]
    assert names == [f"x{i}" for i in range(10) if i != 3]


def test_every_prediction_holds_the_copy_of_a_fold(
    catalog: FamilyCatalog, gate: Gate, dataset: Dataset, spec: SearchSpec
) -> None:
    shape = gate.shape(dataset, make_plan(dataset, spec), spec)
    for family in catalog.declarations:
        (first, *_) = catalog.portfolio(family, shape)
        terms = catalog.predict(family, shape, first, 1).memory_terms
        assert sum(terms.values()) > fold_copy_bytes(shape) > 0


def test_every_admitted_default_gets_one_of_the_sizes(
    catalog: FamilyCatalog, gate: Gate, dataset: Dataset, spec: SearchSpec
) -> None:
    shape = gate.shape(dataset, make_plan(dataset, spec), spec)
    sizes = gate.sizes(spec, shape)
    setting = Setting(shape, spec.limits, sizes, None)
    for family in catalog.declarations:
        for parameters in catalog.portfolio(family, shape):
            verdict = gate.judge(setting, family, parameters)
            assert verdict.decision is Decision.ADMITTED
            assert verdict.reservation is not None
            assert verdict.reservation.memory_bytes in sizes
            assert verdict.bound_bytes > verdict.prediction.peak_memory_bytes
            assert verdict.calibration is not None
            assert verdict.calibration.source in (BoundSource.PRIOR, BoundSource.STRUCTURAL)


def test_a_table_that_is_too_large_for_every_node(
    catalog: FamilyCatalog, gate: Gate, dataset: Dataset, spec: SearchSpec
) -> None:
    huge = replace(dataset, rows=10**9)
    shape = replace(data_shape(huge, make_plan(huge, spec)), rows=10**9, train_rows=8 * 10**8)
    endless = replace(spec, budget=replace(spec.budget, time_seconds=None))
    with pytest.raises(NothingFits, match="EXCEEDS_NODE_MEMORY"):
        gate.check_fits(endless, shape, catalog.space_of(spec))
    assert gate.sizes(spec, shape) == ()


def test_what_drivers_hold_is_taken_off() -> None:
    view = ClusterView(driver_memory_bytes=512 * MIB)
    assert view.capacity() is None
    view.saw((Node("a", 4.0, 0.0, 1024 * MIB), Node("b", 2.0, 0.0, 100 * MIB)))
    capacity = view.capacity()
    assert capacity is not None
    assert [node.memory_bytes for node in capacity.nodes] == [512 * MIB, 0]
    view.failed("gone")
    assert view.capacity() == capacity
    assert view.status().problem == "gone"


def test_slots(gate: Gate) -> None:
    assert gate.slots(Limits(), (512 * MIB,)) == 4
    assert gate.slots(Limits(), (2048 * MIB,)) == 2
    assert gate.slots(Limits(max_concurrent_trials=1), (64 * MIB,)) == 1
    assert gate.slots(Limits(cpus_per_trial=2), (64 * MIB,)) == 2


@pytest.fixture
def hog(
    catalog: FamilyCatalog, cluster_view: ClusterView, dataset: Dataset, spec: SearchSpec
) -> tuple[Setting, dict[str, object]]:
    """A setting in which a deep xgboost fits with 256 cached histograms, not with 65536."""
    shape = replace(
        data_shape(dataset, make_plan(dataset, spec)),
        rows=10**6, train_rows=800_000, validation_rows=200_000, features=40,
    )  # fmt: skip
    (default, *_) = catalog.portfolio("xgboost", shape)
    deep = {**default, "max_depth": 12, "max_cached_hist_node": 65536, "n_estimators": 50}
    limits = Limits(memory_per_trial_bytes=900 * MIB)
    return Setting(shape, limits, (), None), deep


def test_a_hog_is_shrunk_by_what_changes_no_prediction(
    gate: Gate, hog: tuple[Setting, dict[str, object]]
) -> None:
    setting, deep = hog
    verdict = gate.judge(setting, "xgboost", deep)
    assert verdict.decision is Decision.SHRUNK
    assert verdict.changes == {"max_cached_hist_node": 256}
    assert verdict.replaced == {"max_cached_hist_node": 65536}
    assert "max_cached_hist_node 65536 -> 256" in verdict.message
    assert verdict.reservation is not None


def test_nothing_is_shrunk_where_the_search_says_so(
    gate: Gate, hog: tuple[Setting, dict[str, object]]
) -> None:
    setting, deep = hog
    untouched = replace(setting, limits=replace(setting.limits, shrink=Shrink.NONE))
    verdict = gate.judge(untouched, "xgboost", deep)
    assert verdict.decision is Decision.REJECTED
    assert verdict.fits_with == {"max_cached_hist_node": 256}


def test_results_change_only_where_the_search_allows_it(
    gate: Gate, hog: tuple[Setting, dict[str, object]]
) -> None:
    setting, deep = hog
    just_short = gate.judge(setting, "xgboost", deep).bound_bytes - 1
    tight = replace(setting, limits=replace(setting.limits, memory_per_trial_bytes=just_short))
    assert gate.judge(tight, "xgboost", deep).decision is Decision.REJECTED
    free = replace(tight, limits=replace(tight.limits, shrink=Shrink.ANY))
    verdict = gate.judge(free, "xgboost", deep)
    assert verdict.decision is Decision.SHRUNK
    assert verdict.changes is not None
    assert verdict.changes["max_bin"] < 256


def test_a_namespace_has_its_quota(
    catalog: FamilyCatalog,
    cluster_view: ClusterView,
    calibrator: Calibrator,
    hog: tuple[Setting, dict[str, object]],
) -> None:
    setting, deep = hog
    gate = Gate(catalog, cluster_view, calibrator, {"team": Quota(memory_bytes=MIB)})
    open_ended = replace(setting, limits=Limits(), namespace="team")
    assert str(gate.judge(open_ended, "xgboost", deep).reason) == "EXCEEDS_QUOTA"


def test_the_table_itself_is_taken_off_every_node(
    gate: Gate, hog: tuple[Setting, dict[str, object]]
) -> None:
    setting, _ = hog
    open_ended = replace(setting, limits=Limits())
    cap = gate.cap_bytes(open_ended)
    assert cap == (4 << 30) - 10**6 * (4 * 40 + 8)


def test_what_serving_holds_is_taken_off_while_anything_is_deployed() -> None:
    view = ClusterView(0, gateway_memory_bytes=512 * MIB, gateway_spare_bytes=128 * MIB)
    view.saw((Node("a", 4.0, 0.0, 1024 * MIB),))
    sizes = []
    for is_serving in (False, True, False):
        view.serves(is_serving)
        capacity = view.capacity()
        assert capacity is not None
        sizes.append(capacity.nodes[0].memory_bytes // MIB)
    assert sizes == [896, 512, 896]

"""Predictions by phase, provable bounds, and what a fit on a GPU is predicted and told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from controller.service.catalog import FamilyCatalog
from loadtests.measure_families import Bench, Table
from workers.families.base import DataShape, Family, FeatureInfo
from workers.families.configurations import variation
from workers.families.preprocessing import width
from workers.families.registry import FAMILIES, family
from workers.families.xgboost_cost import CUDA_CONTEXT_BYTES

SHAPE = DataShape(100_000, 80_000, 20_000, 50, 0, 0, 2, 5, False)
PHASES = {"prepare", "fit", "predict", "save"}
MIB = 1 << 20

families = pytest.mark.parametrize("model", FAMILIES.values(), ids=lambda model: model.name)


@families
def test_the_terms_are_those_of_the_largest_phase(model: Family) -> None:
    for shape in (SHAPE, replace(SHAPE, classes=0, folds=1), replace(SHAPE, classes=9)):
        for parameters in model.portfolio(shape):
            cost = model.cost(shape, parameters, 2)
            assert set(cost.phases) == PHASES
            assert cost.peak_memory_bytes == max(cost.phases.values())
            assert cost.phases["prepare"] < cost.phases["fit"]


@families
def test_phases_and_bounds_reach_the_prediction(model: Family) -> None:
    parameters = variation(model.parameters)
    cost = model.cost(SHAPE, parameters, 2)
    prediction = FamilyCatalog(FAMILIES).predict(model.name, SHAPE, parameters, 2)
    assert prediction.phases_bytes == cost.phases
    assert prediction.most_bytes == cost.most_bytes


def test_a_model_far_larger_than_its_rows_peaks_while_it_is_saved() -> None:
    few = replace(SHAPE, rows=4000, train_rows=3200, validation_rows=800, features=4)
    boosted = family("xgboost")
    parameters = variation(boosted.parameters, n_estimators=2000, max_depth=8)
    phases = boosted.cost(few, parameters, 1).phases
    assert max(phases, key=lambda name: phases[name]) == "save"


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
def test_a_forest_holds_no_more_than_can_be_proved(name: str, tmp_path: Path) -> None:
    """Pure noise as a target: every leaf is as small as allowed."""
    forest, table = family(name), Table("noise", 6000, 5, classes=0)
    X, _ = table.make()
    np.save(tmp_path / "noise.X.npy", X)
    np.save(tmp_path / "noise.y.npy", np.random.default_rng(1).normal(size=len(X)))
    parameters = variation(forest.parameters, n_estimators=120)
    most = forest.cost(table.shape(), parameters, 1).most_bytes
    measured = Bench(tmp_path).measure(table, forest, parameters, 1)
    assert most is not None
    assert measured.peak_memory_bytes <= most
    assert most <= 1.6 * measured.peak_memory_bytes + 20 * MIB


def test_leaves_and_depth_limit_what_a_forest_can_hold() -> None:
    forest = family("random_forest")

    def most(**changes: Any) -> int:
        found = forest.cost(SHAPE, variation(forest.parameters, **changes), 1).most_bytes
        assert found is not None
        return found

    assert most() > 5 * most(min_samples_leaf=8) > 0
    assert most() > 5 * most(max_depth=10) > 0
    # 127 nodes of 80 bytes in 100 trees are 1 MB: what is left are the rows and the fit's arrays.
    assert most(max_depth=6) < 60 * MIB


def test_features_of_many_categories_are_no_columns_of_neighbours() -> None:
    mixed = replace(
        SHAPE, categorical_features=4, category_levels=262, category_sizes=(3, 4, 5, 250)
    )
    assert width(mixed, 1, 20).levels == 12
    assert width(mixed, 1, 20).coded == 3
    assert width(mixed, 1, None).levels == 262
    unknown = replace(mixed, category_sizes=())
    model = family("knn")
    parameters = variation(model.parameters)
    known = model.cost(mixed, parameters, 1).peak_memory_bytes
    many = replace(mixed, category_levels=80, category_sizes=())
    assert known < model.cost(many, parameters, 1).peak_memory_bytes
    assert width(unknown, 1, 20).levels == 0, "66 levels on average are too many"


def test_only_a_family_with_gpu_support_needs_gpu_memory() -> None:
    catalog = FamilyCatalog(FAMILIES)
    for name, model in FAMILIES.items():
        parameters = variation(model.parameters)
        assert catalog.predict(name, SHAPE, parameters, 1).gpu_memory_bytes == 0
        on_gpu = catalog.predict(name, SHAPE, parameters, 1, 0.5).gpu_memory_bytes
        assert (on_gpu > CUDA_CONTEXT_BYTES) == (name == "xgboost")


def test_gpu_memory_worked_number() -> None:
    """80,000 x 50 at depth 6, as the docstring says: 532 MB; histograms double with the depth."""
    model = family("xgboost")
    at_six = model.cost(SHAPE, variation(model.parameters, max_depth=6), 1, 1.0)
    assert at_six.gpu_memory_bytes == pytest.approx(532e6, rel=0.01)
    assert "histograms" not in at_six.memory_terms
    at_seven = model.cost(SHAPE, variation(model.parameters, max_depth=7), 1, 1.0)
    more = at_seven.gpu_memory_bytes - at_six.gpu_memory_bytes
    assert more == pytest.approx(2 * 16 * 50 * 256 * 64, rel=0.01)


@pytest.mark.parametrize(("gpus", "device"), [(0.0, "cpu"), (0.25, "cuda")])
def test_the_trees_grow_where_the_trial_has_its_device(
    monkeypatch: pytest.MonkeyPatch, gpus: float, device: str
) -> None:
    """No device is needed: what would reach the library is looked at, and nothing is fitted."""
    seen: dict[str, Any] = {}

    class Untrained:
        def set_param(self, settings: dict[str, Any]) -> None:
            seen["afterwards"] = settings

    def train(settings: dict[str, Any], data: Any, num_boost_round: int) -> Untrained:
        seen.update(settings, rounds=num_boost_round, rows=data.num_row())
        return Untrained()

    monkeypatch.setattr(xgboost, "train", train)
    model = family("xgboost")
    X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    features = FeatureInfo([0, 0, 0], "regression", 0, 1, False, gpus)
    model.fit(features, variation(model.parameters), X, X[:, 0].astype(np.float64), None, 1)
    assert (seen["device"], seen["tree_method"]) == (device, "hist")
    assert (seen["rounds"], seen["rows"]) == (150, 50)
    assert seen["afterwards"] == {"device": "cpu"}, "rows to predict are on the host"

"""Cost formulas grow with what costs, worked numbers hold, and `lighter` is lighter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workers.data.layout import fold_copy_bytes
from workers.families.base import DataShape, Family, Value
from workers.families.configurations import variation
from workers.families.registry import FAMILIES, family

ALL = tuple(FAMILIES.values())
SHAPE = DataShape(100_000, 80_000, 20_000, 50, 0, 0, 2, 5, False)
CODED = DataShape(100_000, 80_000, 20_000, 50, 20, 4000, 2, 5, True)
MIB = 1024 * 1024

families = pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)


def peak(name: str, shape: DataShape = SHAPE, cpus: int = 2, **changes: Value) -> int:
    model = family(name)
    return model.cost(shape, variation(model.parameters, **changes), cpus).peak_memory_bytes


@families
def test_costs_are_positive_and_their_terms_sum_up(model: Family) -> None:
    for shape in (SHAPE, CODED, replace(SHAPE, classes=0), replace(SHAPE, classes=9)):
        for parameters in model.portfolio(shape):
            cost = model.cost(shape, parameters, 2)
            assert cost.peak_memory_bytes == sum(cost.memory_terms.values())
            assert all(isinstance(term, int) and term >= 0 for term in cost.memory_terms.values())
            assert isinstance(cost.model_bytes, int)
            assert cost.model_bytes > 0
            assert cost.cpu_seconds > 0
            assert 0 < cost.predict_seconds < 1


@families
def test_more_rows_or_features_cost_more(model: Family) -> None:
    parameters = variation(model.parameters)
    base = model.cost(SHAPE, parameters, 2)
    double = replace(SHAPE, rows=200_000, train_rows=160_000, validation_rows=40_000)
    longer = model.cost(double, parameters, 2)
    wider = model.cost(replace(SHAPE, features=100), parameters, 2)
    for more in (longer, wider):
        assert more.peak_memory_bytes > base.peak_memory_bytes
        assert more.cpu_seconds > base.cpu_seconds


@families
def test_folds_take_time_and_a_copy_of_their_rows(model: Family) -> None:
    parameters = variation(model.parameters)
    one = model.cost(replace(SHAPE, folds=1), parameters, 2)
    five = model.cost(SHAPE, parameters, 2)
    assert five.cpu_seconds == pytest.approx(5 * one.cpu_seconds)
    more = five.peak_memory_bytes - one.peak_memory_bytes
    assert 0 <= more <= fold_copy_bytes(SHAPE)


@families
def test_categories_cost_memory(model: Family) -> None:
    parameters = variation(model.parameters)
    coded, numeric = model.cost(CODED, parameters, 2), model.cost(SHAPE, parameters, 2)
    if "forest" in model.name or "trees" in model.name:
        assert coded.peak_memory_bytes == numeric.peak_memory_bytes
    else:
        assert coded.peak_memory_bytes > numeric.peak_memory_bytes


@families
def test_what_is_lighter_needs_less(model: Family) -> None:
    for parameters in model.portfolio(CODED):
        last = model.cost(CODED, parameters, 2).peak_memory_bytes
        peaks = [
            model.cost(CODED, {**parameters, **change}, 2).peak_memory_bytes
            for change in model.lighter(parameters)
        ]
        assert peaks, "every default has something lighter"
        assert all(after <= before for before, after in zip([last, *peaks], peaks, strict=False))


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("xgboost", 0.85),
        ("hist_gradient_boosting", 0.95),
        ("random_forest", 0.2),
        ("extra_trees", 0.2),
    ],
)
def test_the_lightest_trees_need_much_less(name: str, share: float) -> None:
    model = family(name)
    parameters = variation(model.parameters)
    *_, lightest = model.lighter(parameters)
    after = model.cost(SHAPE, {**parameters, **lightest}, 2).peak_memory_bytes
    assert after < share * peak(name)


def test_the_last_lever_of_linear_caps_one_hot_columns() -> None:
    model = family("linear")
    parameters = variation(model.parameters, scaling="quantile", min_frequency=1)
    changes = list(model.lighter(parameters))
    assert changes[0] == {"scaling": "standard"}
    assert changes[-1] == {"scaling": "standard", "min_frequency": 100}
    few = DataShape(1000, 800, 200, 20, 20, 5000, 9, 5, False)
    light = {**parameters, **changes[-1]}
    assert model.cost(few, light, 1).model_bytes < model.cost(few, parameters, 1).model_bytes / 5


@pytest.mark.parametrize(
    ("name", "parameter", "values"),
    [
        ("xgboost", "max_depth", (3, 5, 7, 8)),
        ("xgboost", "max_bin", (64, 128, 256)),
        ("xgboost", "n_estimators", (50, 500, 2000)),
        ("hist_gradient_boosting", "max_leaf_nodes", (7, 31, 255)),
        ("hist_gradient_boosting", "max_iter", (30, 300, 1500)),
        ("random_forest", "n_estimators", (50, 100, 600)),
        ("random_forest", "max_depth", (6, 10, 15, None)),
        ("extra_trees", "n_estimators", (50, 100, 600)),
    ],
)
def test_bigger_trees_need_more(name: str, parameter: str, values: tuple[Value, ...]) -> None:
    model = family(name)
    default = variation(model.parameters)
    peaks = [
        model.cost(SHAPE, {**default, parameter: value}, 2).peak_memory_bytes for value in values
    ]
    assert peaks == sorted(peaks)
    assert peaks[0] < peaks[-1]


def test_bigger_leaves_need_less() -> None:
    for name in ("random_forest", "extra_trees"):
        peaks = [peak(name, min_samples_leaf=rows) for rows in (64, 8, 1)]
        assert peaks[0] < peaks[1] < peaks[2]


def test_capping_cached_histograms_is_the_first_lever_of_deep_trees() -> None:
    model = family("xgboost")
    shape = replace(SHAPE, features=500)
    deep = variation(model.parameters, max_depth=12, max_cached_hist_node=65536)
    first = next(model.lighter(deep))
    assert first == {"max_cached_hist_node": 256}
    uncapped = model.cost(shape, deep, 2).peak_memory_bytes
    assert model.cost(shape, {**deep, **first}, 2).peak_memory_bytes < uncapped / 2


def test_xgboost_worked_number() -> None:
    """80,000 x 50 at depth 6 with 2 threads, as the docstring says: 69 MB."""
    assert peak("xgboost", max_depth=6) == pytest.approx(69e6, rel=0.03)
    terms = family("xgboost").cost(
        SHAPE, variation(family("xgboost").parameters, max_depth=6), 2
    ).memory_terms  # fmt: skip
    assert terms["histograms"] == pytest.approx(14e6, rel=0.03)
    assert terms["quantised rows"] == pytest.approx(27e6, rel=0.03)


def test_hist_gradient_boosting_worked_number() -> None:
    """80,000 x 50 with 31 leaves and 2 threads, as the docstring says: 77 MB."""
    assert peak("hist_gradient_boosting") == pytest.approx(77e6, rel=0.03)


def test_forest_linear_and_knn_worked_numbers() -> None:
    shape = DataShape(20_000, 16_000, 4000, 20, 0, 0, 2, 5, False)
    forest = family("random_forest")
    trees = forest.cost(shape, variation(forest.parameters), 2).memory_terms["trees"]
    assert trees == pytest.approx(49e6, rel=0.03)
    assert peak("linear", shape) == pytest.approx(7.2e6, rel=0.03)
    assert peak("knn", shape) == pytest.approx(7.7e6, rel=0.03)


def test_regression_counts_one_output_and_full_trees() -> None:
    many = replace(SHAPE, classes=10)
    assert peak("xgboost", many, n_estimators=500) > peak("xgboost", n_estimators=500)
    numbers = replace(SHAPE, classes=0)
    assert peak("random_forest", numbers) > peak("random_forest")

"""Every family fits, predicts, is saved and read back, on every task and kind of column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workers.families.base import Family, FeatureInfo, Value
from workers.families.configurations import variation
from workers.families.registry import FAMILIES, family

ALL = tuple(FAMILIES.values())
ROWS = 400
QUICK = {"n_estimators": 50, "max_iter": 30}

families = pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)


@dataclass(frozen=True)
class Data:
    features: FeatureInfo
    X: Any
    y: Any


def quick(model: Family, **changes: Value) -> dict[str, Value]:
    names = {parameter.name for parameter in model.parameters}
    small = {name: value for name, value in QUICK.items() if name in names}
    return variation(model.parameters, **{**small, **changes})


def data(classes: int, is_missing: bool = False, is_coded: bool = False) -> Data:
    """Four numeric features and two of category codes (5 and 60 levels), which decide y."""
    random = np.random.default_rng(3)
    X = random.normal(size=(ROWS, 6)).astype(np.float32)
    categorical = [0, 5, 0, 0, 60, 0] if is_coded else [0] * 6
    for column, levels in enumerate(categorical):
        if levels:
            X[:, column] = random.integers(0, levels, ROWS)
    shift = np.isin(X[:, 1], (1, 4)) * 2.0 if is_coded else X[:, 1]
    signal = X[:, 0] + shift + 0.1 * random.normal(size=ROWS)
    if is_missing:
        X[random.random(X.shape) < 0.1] = np.nan
        X[:, 3] = np.nan
    if classes:
        edges = np.quantile(signal, np.linspace(0, 1, classes + 1)[1:-1])
        y: Any = np.searchsorted(edges, signal).astype(np.int32)
    else:
        y = signal.astype(np.float64) * 1000
    task = {0: "regression", 2: "binary"}.get(classes, "multiclass")
    return Data(FeatureInfo(categorical, task, classes, 1, is_missing), X, y)


def score(classes: int, y: Any, predictions: Any) -> float:
    if classes:
        return float((predictions.argmax(axis=1) == y).mean())
    return float(1 - np.square(predictions - y).mean() / y.var())


@families
@pytest.mark.parametrize("is_coded", [False, True], ids=("numeric", "coded"))
@pytest.mark.parametrize("is_missing", [False, True], ids=("whole", "missing"))
@pytest.mark.parametrize("classes", [2, 4, 0], ids=("binary", "multiclass", "regression"))
def test_a_model_learns_and_survives_being_saved(
    model: Family, classes: int, is_missing: bool, is_coded: bool, tmp_path: Path
) -> None:
    table = data(classes, is_missing, is_coded)
    training, rest = slice(0, 300), slice(300, ROWS)
    fitted = model.fit(table.features, quick(model), table.X[training], table.y[training], None, 7)
    predictions = model.predict(fitted, table.X[rest])
    assert predictions.dtype == np.float64
    if classes:
        assert predictions.shape == (100, classes)
        assert np.allclose(predictions.sum(axis=1), 1, atol=1e-5)
        assert predictions.min() >= 0
    else:
        assert predictions.shape == (100,)
    chance = 1 / classes if classes else 0.0
    assert score(classes, table.y[rest], predictions) > chance + 0.15
    model.save(fitted, tmp_path)
    loaded = model.load(tmp_path)
    assert np.array_equal(model.predict(loaded, table.X[rest]), predictions)
    one = model.predict(loaded, table.X[300:301])
    assert np.allclose(one, predictions[:1], rtol=1e-4, atol=1e-6)


@families
def test_categories_are_not_read_as_an_order(model: Family) -> None:
    """Codes 1 and 4 of 5 raise y: what splits sets or one-hot columns learn at once."""
    table = data(0, is_coded=True)
    numeric = FeatureInfo([0] * 6, "regression", 0, 1, False)
    coded = model.fit(table.features, quick(model), table.X[:300], table.y[:300], None, 7)
    ordered = model.fit(numeric, quick(model), table.X[:300], table.y[:300], None, 7)
    with_codes, without = (
        score(0, table.y[300:], model.predict(fitted, table.X[300:])) for fitted in (coded, ordered)
    )
    if model.name in ("linear", "knn"):
        assert with_codes > without + 0.1
    else:
        assert with_codes > without - 0.05


@families
@pytest.mark.parametrize("classes", [2, 0], ids=("binary", "regression"))
def test_the_same_seed_gives_the_same_model(model: Family, classes: int) -> None:
    table = data(classes, is_missing=True, is_coded=True)
    first, second, other = (
        model.predict(
            model.fit(table.features, quick(model), table.X, table.y, None, seed), table.X
        )
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    if model.name in ("xgboost", "random_forest", "extra_trees"):
        assert not np.array_equal(first, other), "these draw rows or features"


@families
def test_weights_count(model: Family) -> None:
    """Rows of weight 0 are copies with the opposite class: only neighbours are misled."""
    table = data(2)
    X, y = np.concatenate((table.X, table.X)), np.concatenate((table.y, 1 - table.y))
    weight = np.concatenate((np.ones(ROWS), np.full(ROWS, 1e-6)))
    changes = {"min_child_weight": 0.001} if model.name == "xgboost" else {}
    fitted = model.fit(table.features, quick(model, **changes), X, y, weight, 1)
    accuracy = score(2, table.y, model.predict(fitted, table.X))
    assert accuracy < 0.7 if model.name == "knn" else accuracy > 0.8


@families
def test_read_only_rows_and_whole_floats_are_accepted(model: Family) -> None:
    """X comes as a read-only memory map, and numbers from JSON are floats."""
    table = data(2)
    table.X.setflags(write=False)
    parameters: dict[str, Value] = {
        name: float(value) if type(value) is int else value for name, value in quick(model).items()
    }
    fitted = model.fit(table.features, parameters, table.X, table.y, None, 1)
    assert model.predict(fitted, table.X).shape == (ROWS, 2)


@families
def test_a_class_without_training_rows_gets_its_column(model: Family) -> None:
    table = data(4)
    is_kept = table.y != 2
    fitted = model.fit(table.features, quick(model), table.X[is_kept], table.y[is_kept], None, 1)
    predictions = model.predict(fitted, table.X)
    assert predictions.shape == (ROWS, 4)
    assert predictions[:, 2].max() < 0.1
    assert (predictions.argmax(axis=1) == table.y)[is_kept].mean() > 0.5


@families
def test_codes_never_seen_in_training_can_be_predicted(model: Family) -> None:
    table = data(2, is_coded=True)
    is_seen = table.X[:, 4] < 50
    fitted = model.fit(table.features, quick(model), table.X[is_seen], table.y[is_seen], None, 1)
    assert np.isfinite(model.predict(fitted, table.X[~is_seen])).all()


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
@pytest.mark.parametrize("classes", [3, 0], ids=("multiclass", "regression"))
def test_forests_score_few_rows_as_they_score_many(name: str, classes: int) -> None:
    table = data(classes, is_missing=True)
    model = family(name)
    fitted = model.fit(table.features, quick(model), table.X, table.y, None, 1)
    many, few = model.predict(fitted, table.X), model.predict(fitted, table.X[:200])
    assert np.allclose(many[:200], few, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 0], ids=("binary", "multiclass", "regression"))
@pytest.mark.parametrize("scaling", ["standard", "quantile"])
@pytest.mark.parametrize("solver", ["lbfgs", "saga"])
def test_linear_configurations_all_learn(solver: str, scaling: str, classes: int) -> None:
    table = data(classes, is_missing=True, is_coded=True)
    model = family("linear")
    parameters = variation(model.parameters, solver=solver, scaling=scaling, C=10.0)
    fitted = model.fit(table.features, parameters, table.X, table.y, None, 1)
    assert score(classes, table.y, model.predict(fitted, table.X)) > 0.5


@pytest.mark.parametrize("grow_policy", ["depthwise", "lossguide"])
def test_the_cap_on_cached_histograms_changes_no_prediction(grow_policy: str) -> None:
    table = data(0)
    model = family("xgboost")
    predictions = [
        model.predict(
            model.fit(
                table.features,
                quick(model, grow_policy=grow_policy, max_cached_hist_node=nodes),
                table.X,
                table.y,
                None,
                1,
            ),
            table.X,
        )
        for nodes in (256, 65536)
    ]
    assert np.array_equal(*predictions)


def test_lossguide_trees_are_as_deep_as_their_leaves_need() -> None:
    table = data(0)
    model = family("xgboost")
    parameters = quick(
        model, grow_policy="lossguide", max_leaves=128, min_child_weight=0.001, subsample=1.0
    )
    fitted = model.fit(table.features, parameters, table.X, table.y, None, 1)
    assert fitted.booster.get_dump()[0].count("\t" * 8) > 0, "deeper than 6"


@pytest.mark.parametrize("columns", [3, 20], ids=("tree", "brute"))
def test_neighbours_are_clipped_to_the_rows(columns: int) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(12, columns)).astype(np.float32)
    y = np.arange(12, dtype=np.float64)
    model = family("knn")
    parameters = variation(model.parameters, n_neighbors=50, weights="uniform")
    features = FeatureInfo([0] * columns, "regression", 0, 1, False)
    fitted = model.fit(features, parameters, X, y, None, 1)
    assert np.allclose(model.predict(fitted, X), y.mean())


def test_neighbours_of_many_codes_alone_are_still_found() -> None:
    """Features of many categories are dropped, unless nothing else would be left."""
    X = np.repeat(np.arange(50, dtype=np.float32), 8)[:, None]
    y = (X[:, 0] % 2).astype(np.int32)
    model = family("knn")
    features = FeatureInfo([50], "binary", 2, 1, False)
    parameters = variation(model.parameters, n_neighbors=5)
    fitted = model.fit(features, parameters, X, y, None, 1)
    assert score(2, y, model.predict(fitted, X)) == 1.0

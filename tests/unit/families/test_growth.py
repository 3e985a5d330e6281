"""What a grown tree tells is what is predicted where it grew, and between such points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workers.families.base import DataShape, Family, FeatureInfo, Growth, Value
from workers.families.configurations import variation
from workers.families.growth import ratio
from workers.families.registry import FAMILIES, family

SHAPE = DataShape(5000, 4000, 1000, 16, 0, 0, 2, 5, False)
FORESTS = tuple(name for name, each in FAMILIES.items() if each.grows_trees)


def model_bytes(name: str, shape: DataShape, **changes: Value) -> int:
    forest = family(name)
    return forest.cost(shape, variation(forest.parameters, **changes), 1).model_bytes


def test_forests_grow_trees_and_others_do_not() -> None:
    assert set(FORESTS) == {"random_forest", "extra_trees"}
    for name in set(FAMILIES) - set(FORESTS):
        other = family(name)
        assert other.grown(SHAPE, variation(other.parameters), 10**6) is None


def test_nothing_seen_changes_nothing() -> None:
    others = (Growth("extra_trees", 1, 0.25, 0.01),)
    assert ratio((), "random_forest", 0.4, 4, 0.5) == 1.0
    assert ratio(others, "random_forest", 0.4, 4, 0.5) == 1.0


def test_a_single_growth_holds_everywhere() -> None:
    seen = (Growth("random_forest", 4, 0.25, 0.01),)  # of .1 expected: .4 at one row, by 4
    for leaf, share in ((1, 1.0), (4, 0.25), (64, 0.1)):
        assert ratio(seen, "random_forest", 0.4, leaf, share) == pytest.approx(0.1)


def test_between_growths_the_nearer_one_counts_more() -> None:
    seen = (Growth("a", 1, 0.5, 0.4), Growth("a", 64, 0.5, 0.4 / 64 / 10))
    ratios = [ratio(seen, "a", 0.4, leaf, 0.5) for leaf in (1, 4, 8, 16, 64)]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] == pytest.approx(1.0, rel=0.05)
    assert ratios[2] == pytest.approx(10**-0.5)
    assert ratios[-1] == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("name", FORESTS)
def test_predictions_follow_what_grew(name: str) -> None:
    sparse = replace(SHAPE, growths=(Growth(name, 1, 0.25, 0.002),))
    nodes = 0.002 * SHAPE.train_rows
    assert model_bytes(name, sparse) == pytest.approx(100 * (nodes * 80 + 400) + 1500, rel=0.02)
    assert model_bytes(name, sparse) < model_bytes(name, SHAPE) / 10


@pytest.mark.parametrize("name", FORESTS)
def test_no_tree_has_more_than_two_nodes_a_row_that_it_sees(name: str) -> None:
    wild = replace(SHAPE, growths=(Growth(name, 64, 0.25, 2.0),))
    most = 100 * (2 * SHAPE.train_rows * 80 + 400) + 1500
    assert model_bytes(name, wild) <= most
    assert model_bytes(name, wild, max_depth=6) <= 100 * (127 * 80 + 400) + 1500


@pytest.mark.parametrize("name", FORESTS)
@pytest.mark.parametrize("classes", [0, 2, 5])
def test_a_model_file_tells_the_nodes_of_its_trees(tmp_path: Path, name: str, classes: int) -> None:
    model, parameters, nodes, size = fitted(tmp_path, family(name), classes)
    shape = replace(SHAPE, train_rows=400, classes=classes, features=4)
    grown = model.grown(shape, parameters, size)
    assert grown is not None
    assert (grown.family, grown.leaf, grown.share) == (name, 2, 0.5)
    assert grown.nodes_per_row == pytest.approx(nodes / 400, rel=0.01)
    cut = {**parameters, "max_depth": 6}
    assert model.grown(shape, cut, size) is None, "its depth may have cut it"
    assert model.grown(shape, parameters, 40_000) is None, "too small to tell"


def fitted(
    directory: Path, model: Family, classes: int
) -> tuple[Family, dict[str, Value], float, int]:
    """A forest on noise: the family, its parameters, the mean nodes of its trees, its bytes."""
    draw = np.random.default_rng(0)
    X = draw.normal(size=(400, 4)).astype(np.float32)
    y = draw.integers(0, classes, 400) if classes else draw.normal(size=400)
    task = {0: "regression", 2: "binary"}.get(classes, "multiclass")
    info = FeatureInfo([0] * 4, task, classes, 1)
    parameters = variation(model.parameters, n_estimators=50, min_samples_leaf=2, max_features=0.5)
    forest = model.fit(info, parameters, X, y, None, 1)
    model.save(forest, directory)
    size = sum(path.stat().st_size for path in directory.iterdir())
    nodes = [tree.tree_.node_count for tree in forest.estimator.estimators_]
    return model, parameters, sum(nodes) / len(nodes), size

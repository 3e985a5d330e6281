"""XGBoost: gradient boosted trees grown on histograms (tree_method `hist`), on the CPU.

Rounds are a parameter, there is no early stopping. Categories are split natively. The cache of
histograms is capped at `max_cached_hist_node=256` nodes: the same trees and predictions as with
the library's own cap of 65536, for a fraction of the memory.
"""

# ruff: noqa: PLC0415  # learning libraries are imported where they are used: see base.py
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.families.base import (
    Choices,
    Cost,
    DataShape,
    Family,
    FeatureInfo,
    Fixed,
    Integers,
    Numbers,
    Parameter,
    Parameters,
    Value,
)
from workers.families.configurations import halvings, number, text, variation, whole
from workers.families.phases import MIB, largest, training_rows_bytes, validation_rows_bytes

_DEPTHWISE = ("grow_policy", ("depthwise",))
_LOSSGUIDE = ("grow_policy", ("lossguide",))

_PARAMETERS = (
    Parameter("n_estimators", Integers(50, 2000, log=True), 150, "Boosting rounds."),
    Parameter("learning_rate", Numbers(0.005, 0.3, log=True), 0.1, "Shrinkage of each round."),
    Parameter(
        "grow_policy",
        Choices(("depthwise", "lossguide")),
        "depthwise",
        "Grow level by level, or always the leaf with the largest gain.",
    ),
    Parameter("max_depth", Integers(2, 12), 5, "Depth of a tree.", _DEPTHWISE),
    Parameter("max_leaves", Integers(4, 512, log=True), 31, "Leaves of a tree.", _LOSSGUIDE),
    Parameter(
        "min_child_weight",
        Numbers(0.001, 128.0, log=True),
        1.0,
        "Least sum of second derivatives in a leaf.",
    ),
    Parameter("subsample", Numbers(0.5, 1.0), 0.9, "Share of the rows that a round sees."),
    Parameter("colsample_bytree", Numbers(0.3, 1.0), 0.9, "Share of the features a tree sees."),
    Parameter("colsample_bylevel", Numbers(0.3, 1.0), 1.0, "Share of those that a level sees."),
    Parameter("reg_alpha", Numbers(1e-4, 10.0, log=True), 1e-4, "L1 penalty on leaf values."),
    Parameter("reg_lambda", Numbers(1e-3, 100.0, log=True), 1.0, "L2 penalty on leaf values."),
    Parameter("max_bin", Choices((64, 128, 256)), 256, "Histogram bins of a feature."),
    Parameter(
        "max_cat_to_onehot",
        Integers(4, 64, log=True),
        4,
        "Categories up to which a split asks for one category, above for a set of them.",
    ),
    Parameter(
        "max_cached_hist_node",
        Fixed(256),
        256,
        "Nodes whose histograms stay in memory; changes no prediction.",
    ),
)


@dataclass(frozen=True)
class Boosted:
    """A fitted booster. classes: number of classes, 0 for regression."""

    booster: Any
    classes: int


class XGBoost(Family):
    """Gradient boosted trees of the XGBoost library, trained through its native interface."""

    name = "xgboost"
    description = "Gradient boosted trees of the XGBoost library: usually the most accurate."
    parameters = _PARAMETERS
    keeps_result = frozenset({"max_cached_hist_node"})

    def portfolio(self, shape: DataShape) -> tuple[dict[str, Value], ...]:
        """Six configurations; with under 2,000 rows the two large ones give way to cautious ones.

        After the defaults of AutoGluon's zero-shot portfolio and of FLAML, for rounds without
        early stopping.
        """
        small = (
            variation(_PARAMETERS),
            variation(
                _PARAMETERS, n_estimators=200, learning_rate=0.05, max_depth=3, subsample=0.8,
                colsample_bytree=0.7,
            ),
            variation(
                _PARAMETERS, n_estimators=300, learning_rate=0.05, max_depth=4,
                min_child_weight=3.0, subsample=0.8, colsample_bytree=0.6, reg_lambda=5.0,
            ),
        )  # fmt: skip
        if shape.rows < 2000:
            return small
        return (
            *small,
            variation(
                _PARAMETERS, n_estimators=500, learning_rate=0.04, grow_policy="lossguide",
                max_leaves=48, min_child_weight=3.0, subsample=0.8, colsample_bytree=0.7,
            ),
            variation(
                _PARAMETERS, n_estimators=400, learning_rate=0.05, max_depth=6, subsample=0.8,
                colsample_bytree=0.8,
            ),
            variation(
                _PARAMETERS, n_estimators=800, learning_rate=0.025, max_depth=8,
                min_child_weight=2.0, subsample=0.75, colsample_bytree=0.5, reg_lambda=3.0,
            ),
        )  # fmt: skip

    def cost(self, shape: DataShape, parameters: Parameters, cpus: int) -> Cost:
        """One fold's histograms, quantised rows, gradients and trees.

        n train rows, d features, B bins, K' outputs, T threads, N nodes with a histogram.
        histograms: 16·d·B·N·(1+0.09(T−1)); two float64 a bin (hist_cache.h), one cache a tree.
        quantised rows: 6.8·n·d; sketches: 494·d·B; gradients: 0.6·n·(12K'+32); runtime: 1 MB.
        trees: 100 bytes a node and its categories. serialised model: 3.3 × its file, 5 kB a tree.
        Example: 80,000 x 50, depth 6, 2 threads: 64 nodes, 14 MB of histograms, 27 MB of
        quantised rows, 6 MB of sketches, 2 MB of gradients, and 18 MB of the fold's rows: 69 MB.
        Known error: predicted/actual 1.0 to 1.6, .75 for trees of depth 10 without the cap.
        """
        n, d, outputs = shape.train_rows, shape.features, shape.outputs
        bins = min(whole(parameters, "max_bin"), n)
        trees = whole(parameters, "n_estimators") * outputs
        nodes = tree_nodes(shape, parameters)
        cached = min(
            tree_nodes(shape, parameters, with_histogram=True),
            max(256, whole(parameters, "max_cached_hist_node")),
        )
        per_node = 40 + _category_bytes(shape)
        model_bytes = int(trees * (per_node * nodes + 400) + 5000)
        held = {"trees": (60 + per_node) * trees * nodes, "runtime": MIB}
        fit = held | {
            "training rows": training_rows_bytes(shape),
            "histograms": 16 * d * bins * cached * (1 + 0.09 * (cpus - 1)),
            "quantised rows": 6.8 * n * d,
            "sketches": 494 * d * bins,
            "gradients": 0.6 * n * (12 * outputs + 32),
        }
        predict = held | {
            "validation rows": validation_rows_bytes(shape),
            "serialised model": 3.3 * model_bytes + 5000 * trees,
        }
        return Cost(
            memory_terms=largest(fit, predict),
            cpu_seconds=shape.folds * _fold_seconds(shape, parameters, bins, nodes),
            model_bytes=model_bytes,
            predict_seconds=2e-4 + 3e-7 * trees,
        )

    def lighter(self, parameters: Parameters) -> Iterator[dict[str, Value]]:
        """The cap on cached histograms (changes no prediction), bins, depth or leaves, rounds."""
        changes: dict[str, Value] = {}
        if whole(parameters, "max_cached_hist_node") > 256:
            changes["max_cached_hist_node"] = 256
            yield dict(changes)
        for bins in halvings(whole(parameters, "max_bin"), 64):
            changes["max_bin"] = bins
            yield dict(changes)
        if text(parameters, "grow_policy") == "depthwise":
            # From depth 8 on all 256 cached nodes are in use, so only trees get smaller.
            for depth in range(min(8, whole(parameters, "max_depth")) - 1, 2, -1):
                changes["max_depth"] = depth
                yield dict(changes)
        else:
            for leaves in halvings(whole(parameters, "max_leaves"), 8):
                changes["max_leaves"] = leaves
                yield dict(changes)
        for rounds in halvings(whole(parameters, "n_estimators"), 50):
            changes["n_estimators"] = rounds
            yield dict(changes)

    def fit(
        self,
        features: FeatureInfo,
        parameters: Parameters,
        X: Any,
        y: Any,
        sample_weight: Any | None,
        seed: int,
    ) -> Boosted:
        """See `Family.fit`. Rows are quantised straight from X, without a copy."""
        import xgboost

        has_categories = any(features.categorical)
        data = xgboost.QuantileDMatrix(
            X,
            label=y,
            weight=sample_weight,
            missing=math.nan,
            nthread=features.cpus,
            max_bin=whole(parameters, "max_bin"),
            feature_types=["c" if levels else "q" for levels in features.categorical],
            enable_categorical=has_categories,
        )
        settings = {name: value for name, value in parameters.items() if name != "n_estimators"}
        settings |= _objective(features) | {
            "tree_method": "hist",
            "nthread": features.cpus,
            "seed": seed,
            "verbosity": 0,
        }
        if parameters["grow_policy"] == "lossguide":
            settings["max_depth"] = 0
        rounds = whole(parameters, "n_estimators")
        booster = xgboost.train(_whole_numbers(settings), data, num_boost_round=rounds)
        return Boosted(booster, features.classes)

    def predict(self, model: Boosted, X: Any) -> Any:
        """See `Family.predict`. Reads X in place."""
        import numpy as np

        scores = model.booster.inplace_predict(X, missing=math.nan, validate_features=False)
        scores = np.asarray(scores, dtype=np.float64)
        if model.classes == 2:
            return np.column_stack((1.0 - scores, scores))
        return scores

    def save(self, model: Boosted, directory: Path) -> None:
        """Writes `booster.ubj`; the number of classes is an attribute of the booster."""
        model.booster.set_attr(headgate_classes=str(model.classes))
        model.booster.save_model(directory / "booster.ubj")

    def load(self, directory: Path) -> Boosted:
        """Reads `booster.ubj`. Predicts on one thread: who loads a model asks for few rows."""
        import xgboost

        booster = xgboost.Booster({"nthread": 1}, model_file=directory / "booster.ubj")
        return Boosted(booster, int(booster.attr("headgate_classes") or 0))


def tree_nodes(shape: DataShape, parameters: Parameters, *, with_histogram: bool = False) -> float:
    """Nodes of one tree: the structure's limit, then what the rows can fill.

    with_histogram: only those; the deepest level of a tree grown by depth has none.

    A leaf needs a hessian of min_child_weight, at most ¼ a row for classes and 1 for regression.
    Above n/32 nodes growth slows: full·(N/full)^0.3, fitted to measured peaks.
    """
    n = shape.train_rows
    hessian = 1.0 if shape.classes == 0 else 0.25
    if text(parameters, "grow_policy") == "depthwise":
        limit = 2.0 ** (whole(parameters, "max_depth") + (0 if with_histogram else 1)) - 1
    else:
        limit = 2.0 * whole(parameters, "max_leaves") - 1
    nodes = min(limit, 2 * n * hessian / number(parameters, "min_child_weight"), 2.0 * n)
    full = max(1.0, n / 32)
    if nodes > full:
        nodes = full * (nodes / full) ** 0.3
    return max(1.0, nodes)


def _category_bytes(shape: DataShape) -> float:
    """Bytes a node to store the categories of a split: 4 each, at most 64, half of the levels.

    Splits prefer categories by about a third over their share of the features (measured).
    """
    if not shape.categorical_features:
        return 0.0
    levels = shape.category_levels / shape.categorical_features
    share = min(1.0, 1.35 * shape.categorical_features / shape.features)
    return 4 * min(64.0, levels / 2) * share


def _fold_seconds(shape: DataShape, parameters: Parameters, bins: int, nodes: float) -> float:
    """CPU seconds of one fold, fitted on noisy machines: predicted/actual .8 to 1.2.

    0.08 + 2.2e-7·n·d + R·K'·(1.3e-9·n'·d'·D + 1.2e-8·N·d'·B), n' and d' after subsampling.
    """
    share = number(parameters, "colsample_bytree") * number(parameters, "colsample_bylevel")
    n, d = shape.train_rows, shape.features
    rows, columns = n * number(parameters, "subsample"), d * share
    trees = whole(parameters, "n_estimators") * shape.outputs
    per_tree = 1.3e-9 * rows * columns * math.log2(nodes + 1) + 1.2e-8 * nodes * columns * bins
    return 0.08 + 2.2e-7 * n * d + trees * per_tree


def _objective(features: FeatureInfo) -> dict[str, Value]:
    if features.task == "regression":
        return {"objective": "reg:squarederror"}
    if features.classes == 2:
        return {"objective": "binary:logistic"}
    return {"objective": "multi:softprob", "num_class": features.classes}


def _whole_numbers(settings: dict[str, Value]) -> dict[str, Value]:
    """Whole floats as ints, as the library refuses `max_depth=6.0`."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in settings.items()
    }

"""XGBoost: gradient boosted trees grown on histograms (tree_method `hist`), on the CPU or a GPU.

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

from workers.families import xgboost_cost
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
from workers.families.configurations import halvings, text, variation, whole

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

    def cost(self, shape: DataShape, parameters: Parameters, cpus: int, gpus: float = 0.0) -> Cost:
        """See `workers.families.xgboost_cost`."""
        return xgboost_cost.cost(shape, parameters, cpus, gpus)

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
        """See `Family.fit`. Rows are quantised straight from X, without a copy.

        With a GPU the trees are grown there (`device=cuda`); the model predicts on the CPU, where
        the rows are, and is the same file.
        """
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
            "device": "cuda" if features.gpus else "cpu",
        }
        if parameters["grow_policy"] == "lossguide":
            settings["max_depth"] = 0
        rounds = whole(parameters, "n_estimators")
        booster = xgboost.train(_whole_numbers(settings), data, num_boost_round=rounds)
        booster.set_param({"device": "cpu"})
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

"""Histogram gradient boosting of scikit-learn. Handles missing values and categories natively.

`early_stopping` is off: rounds (`max_iter`) are a parameter, which saves the copy of the rows that
the library would split off (7.4 bytes a cell) and learns from all rows.
"""

# ruff: noqa: PLC0415  # learning libraries are imported where they are used: see base.py
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from workers.families.base import (
    Cost,
    DataShape,
    FeatureInfo,
    Fixed,
    Integers,
    Numbers,
    Parameter,
    Parameters,
    Value,
)
from workers.families.configurations import halvings, number, variation, whole
from workers.families.estimators import EstimatorFamily, Fitted, library_scores
from workers.families.phases import MIB, peaks, training_rows_bytes, validation_rows_bytes
from workers.families.preprocessing import empty_features

_PARAMETERS = (
    Parameter("max_iter", Integers(30, 1500, log=True), 100, "Boosting rounds."),
    Parameter("learning_rate", Numbers(0.005, 0.5, log=True), 0.1, "Shrinkage of each round."),
    Parameter("max_leaf_nodes", Integers(4, 255, log=True), 31, "Leaves of a tree."),
    Parameter("min_samples_leaf", Integers(2, 128, log=True), 20, "Least rows in a leaf."),
    Parameter("max_features", Numbers(0.3, 1.0), 1.0, "Share of the features a split looks at."),
    Parameter(
        "l2_regularization", Numbers(1e-6, 100.0, log=True), 1e-6, "L2 penalty on leaf values."
    ),
    Parameter("max_bins", Fixed(255), 255, "Histogram bins of a feature, missing aside."),
)


class HistGradientBoosting(EstimatorFamily):
    """`HistGradientBoostingClassifier` and `HistGradientBoostingRegressor`."""

    name = "hist_gradient_boosting"
    description = "Gradient boosted trees of scikit-learn, grown on histograms: fast and robust."
    parameters = _PARAMETERS

    def portfolio(self, shape: DataShape) -> tuple[dict[str, Value], ...]:
        """Five configurations; with under 2,000 rows smaller leaves take the place of many leaves.

        After the library's default and the ranges that AutoGluon and FLAML find for LightGBM,
        whose trees grow the same way.
        """
        if shape.rows < 2000:
            return (
                variation(_PARAMETERS),
                variation(_PARAMETERS, max_leaf_nodes=8, min_samples_leaf=5),
                variation(
                    _PARAMETERS, max_iter=200, learning_rate=0.05, max_leaf_nodes=8,
                    min_samples_leaf=10, max_features=0.5, l2_regularization=1.0,
                ),
            )  # fmt: skip
        return (
            variation(_PARAMETERS),
            variation(
                _PARAMETERS, max_iter=300, learning_rate=0.05, max_leaf_nodes=15,
                max_features=0.7,
            ),
            variation(
                _PARAMETERS, max_iter=300, learning_rate=0.06, max_leaf_nodes=31,
                max_features=0.5, l2_regularization=1.0,
            ),
            variation(
                _PARAMETERS, max_iter=500, learning_rate=0.03, max_leaf_nodes=48,
                min_samples_leaf=10, max_features=0.6, l2_regularization=3.0,
            ),
        )  # fmt: skip

    def cost(
        self,
        shape: DataShape,
        parameters: Parameters,
        cpus: int,
        gpus: float = 0.0,  # noqa: ARG002  # no GPU support
    ) -> Cost:
        """One fold's float64 copy, bins, live histograms, gradients and trees.

        n train rows, d features, L leaves, K' outputs, T threads.
        float64 copy: 8·n·d; bins: 0.8·n·d; category codes: 8·n·d once more when a feature is
        categorical, as the library re-encodes the table. histograms: 22·256·d·live, where
        live = min(L+1, 32) + 0.3·max(0, L−31) is how many the grower keeps. gradients:
        1.08·n·(130+15K'). threads: 1 MB·(T−1). runtime: 0.5 MB. trees: 56 bytes a node.
        Example: 80,000 x 50, 31 leaves, 2 threads: 35 MB of copies, 9 of histograms, 13 of
        gradients, 18 of the fold's rows: 77 MB. Known error: predicted/actual 1.0 to 1.4.
        """
        n, d, outputs = shape.train_rows, shape.features, shape.outputs
        leaves = _leaves(shape, parameters)
        trees = whole(parameters, "max_iter") * outputs
        bins = whole(parameters, "max_bins") + 1
        live = min(leaves + 1, 32) + 0.3 * max(0.0, leaves - 31)
        model_bytes = int(trees * (56 * (2 * leaves - 1) + 900) + 2040 * d + 5000)
        held = {"trees": model_bytes, "runtime": MIB // 2}
        codes = 8 * n * d if shape.categorical_features else 0
        fit = held | {
            "training rows": training_rows_bytes(shape),
            "float64 copy": 8 * n * d,
            "category codes": codes,
            "bins": 0.8 * n * d,
            "histograms": 22 * bins * d * live,
            "gradients": 1.08 * n * (130 + 15 * outputs),
            "threads": MIB * (cpus - 1),
        }
        m = shape.validation_rows
        predict = held | {
            "validation rows": validation_rows_bytes(shape),
            "float64 copy": 8 * m * d * (2 if shape.categorical_features else 1),
        }
        peak = peaks(shape, fit, predict, held | {"serialised model": model_bytes})
        # Per round and output, fitted to measured fits: predicted/actual .7 to 1.2.
        share = number(parameters, "max_features")
        per_tree = 1.3e-8 * n * d + 4.5e-6 * leaves * d * (0.5 + 0.5 * share) + 3e-4
        return Cost(
            memory_terms=peak.terms,
            cpu_seconds=shape.folds * (0.1 + 2e-7 * n * d + trees * per_tree),
            model_bytes=model_bytes,
            predict_seconds=4e-4 + 6e-6 * trees + (3e-3 if shape.categorical_features else 0.0),
            phases=peak.phases,
        )

    def lighter(self, parameters: Parameters) -> Iterator[dict[str, Value]]:
        """Fewer leaves, which set the live histograms and the trees' size; then fewer rounds."""
        changes: dict[str, Value] = {}
        for leaves in halvings(whole(parameters, "max_leaf_nodes"), 7):
            changes["max_leaf_nodes"] = leaves
            yield dict(changes)
        for rounds in halvings(whole(parameters, "max_iter"), 30):
            changes["max_iter"] = rounds
            yield dict(changes)

    def fit(
        self,
        features: FeatureInfo,
        parameters: Parameters,
        X: Any,
        y: Any,
        sample_weight: Any | None,
        seed: int,
    ) -> Fitted:
        """See `Family.fit`."""
        from sklearn import ensemble
        from threadpoolctl import threadpool_limits

        build = (
            ensemble.HistGradientBoostingClassifier
            if features.classes
            else ensemble.HistGradientBoostingRegressor
        )
        is_categorical = [levels > 0 for levels in features.categorical]
        estimator = build(
            max_iter=whole(parameters, "max_iter"),
            learning_rate=number(parameters, "learning_rate"),
            max_leaf_nodes=whole(parameters, "max_leaf_nodes"),
            min_samples_leaf=whole(parameters, "min_samples_leaf"),
            max_features=number(parameters, "max_features"),
            l2_regularization=number(parameters, "l2_regularization"),
            max_bins=whole(parameters, "max_bins"),
            categorical_features=is_categorical if any(is_categorical) else None,
            early_stopping=False,
            random_state=seed,
        )
        empty = empty_features(X)
        if empty:
            # The library cannot bin a feature without any value; one value makes no split.
            X = X.copy()
            X[0, empty] = 0.0
        with threadpool_limits(limits=features.cpus):
            return Fitted(estimator.fit(X, y, sample_weight=sample_weight), features.classes)

    def scores(self, model: Fitted, X: Any) -> Any:
        """See `EstimatorFamily.scores`."""
        return library_scores(model, X)


def _leaves(shape: DataShape, parameters: Parameters) -> float:
    """Leaves that the rows can fill."""
    filled = shape.train_rows / whole(parameters, "min_samples_leaf")
    return max(1.0, min(float(whole(parameters, "max_leaf_nodes")), math.floor(filled)))

"""Nearest neighbours of scikit-learn on scaled, filled and one-hot encoded rows.

Features with more than `MAX_ONE_HOT` categories are left out. Neighbours cannot be weighted by
row: sample weights are ignored.
"""

# ruff: noqa: PLC0415  # learning libraries are imported where they are used: see base.py
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from workers.families.base import (
    Choices,
    Cost,
    DataShape,
    FeatureInfo,
    Integers,
    Parameter,
    Parameters,
    Value,
)
from workers.families.configurations import text, variation, whole
from workers.families.estimators import EstimatorFamily, Fitted, library_scores
from workers.families.phases import (
    MIB,
    peaks,
    training_rows_bytes,
    validation_rows_bytes,
    written_bytes,
)
from workers.families.preprocessing import (
    SCALINGS,
    expected_warnings_ignored,
    table_transformer,
    width,
)

MAX_ONE_HOT = 20
"""Categories up to which a feature is one-hot encoded: more would drown the distances."""

_TREE_COLUMNS = 15
"""Up to so many columns a k-d tree is searched, above all rows: the library's own rule."""

_PARAMETERS = (
    Parameter(
        "n_neighbors",
        Integers(1, 200, log=True),
        15,
        "Neighbours that vote; at most all training rows.",
    ),
    Parameter(
        "weights",
        Choices(("uniform", "distance")),
        "distance",
        "Neighbours count alike, or by the inverse of their distance.",
    ),
    Parameter("p", Choices((1, 2)), 2, "Distance: 1 Manhattan, 2 Euclidean."),
    Parameter(
        "scaling",
        Choices(SCALINGS),
        "standard",
        "Numeric features: unit variance, or ranks mapped to a normal distribution.",
    ),
)


class NearestNeighbors(EstimatorFamily):
    """`KNeighborsClassifier` and `KNeighborsRegressor` behind one preprocessing pipeline."""

    name = "knn"
    description = "Nearest neighbours of scikit-learn: no training, slow to predict on many rows."
    parameters = _PARAMETERS

    def portfolio(self, shape: DataShape) -> tuple[dict[str, Value], ...]:
        """The default, then ranks, with more neighbours where there are rows for them."""
        neighbours = 5 if shape.rows < 2000 else 40
        return (
            variation(_PARAMETERS),
            variation(_PARAMETERS, n_neighbors=neighbours, scaling="quantile"),
        )

    def cost(
        self,
        shape: DataShape,
        parameters: Parameters,
        cpus: int,
        gpus: float = 0.0,  # noqa: ARG002  # no GPU support
    ) -> Cost:
        """The transformed rows, which are the model, and the copies that lead to them.

        n train rows, q numeric features, p columns after preprocessing.
        preprocessing: 9·n·q + 9·n·indicators + 12·n·c for the c categorical features that are not
        dropped, and 4·n a level of them for the block before it is joined. index: 4·n·p
        for all rows; with up to 15 columns a k-d tree: 8·n·p float64, 16·n of indices, and as much
        as the rows again while it is built. targets: 16·n. runtime: 0.5 MB and 0.5 MB a
        thread. Example: 16,000 x 20 numeric, 2 threads: 2.9 MB of preprocessing, 1.3 MB of index,
        1.7 MB of the fold's rows: 7.7 MB. Known error: predicted/actual 1 to 1.6 on numbers; up to
        6 with many categories, since which features are dropped is not known.
        """
        n, m, wide = shape.train_rows, shape.validation_rows, width(shape, 1, MAX_ONE_HOT)
        columns = max(1, wide.columns)
        is_tree = columns <= _TREE_COLUMNS
        index = n * (8 * columns + 16) if is_tree else 4 * n * columns
        per_row = 9 * wide.numeric + 9 * wide.indicators + 12 * wide.coded
        held = {
            "index": index + (4 * n * columns if is_tree else 0),
            "targets": 16 * n,
            "runtime": MIB // 2 + cpus * MIB // 2,
        }
        fit = held | {
            "training rows": training_rows_bytes(shape),
            "preprocessing": n * (per_row + 4 * wide.levels),
        }
        neighbours = min(whole(parameters, "n_neighbors"), n)
        predict = held | {
            "validation rows": validation_rows_bytes(shape),
            "preprocessing": m * (per_row + 4 * columns),
            "neighbours": _neighbour_bytes(shape, parameters, is_tree) * m * neighbours,
        }
        quantiles = 8000 * wide.numeric if text(parameters, "scaling") == "quantile" else 0
        search = _row_seconds(n, columns, is_tree, whole(parameters, "p"))
        prepare = 6e-8 * n * shape.features * (8 if quantiles else 1)
        peak = peaks(shape, fit, predict, held | {"piece of the index": written_bytes(index)})
        return Cost(
            memory_terms=peak.terms,
            cpu_seconds=shape.folds * (0.05 + prepare + 1e-7 * n * columns + m * search),
            model_bytes=index + (4 * n * columns if is_tree else 0) + 16 * n + quantiles + 12_000,
            predict_seconds=3e-3 + (4e-4 if is_tree else 2e-9 * n * columns),
            phases=peak.phases,
        )

    def lighter(self, parameters: Parameters) -> Iterator[dict[str, Value]]:
        """Fewer neighbours: less to hold while rows are scored. The index is the rows."""
        for neighbours in (100, 50, 25, 10, 5):
            if neighbours < whole(parameters, "n_neighbors"):
                yield {"n_neighbors": neighbours}

    def fit(
        self,
        features: FeatureInfo,
        parameters: Parameters,
        X: Any,
        y: Any,
        sample_weight: Any | None,  # noqa: ARG002  # neighbours have no weights by row
        seed: int,
    ) -> Fitted:
        """See `Family.fit`."""
        from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
        from sklearn.pipeline import Pipeline
        from threadpoolctl import threadpool_limits

        table = table_transformer(
            X,
            features.categorical,
            text(parameters, "scaling"),
            features.has_missing,
            min_frequency=1,
            max_levels=MAX_ONE_HOT,
            is_sparse_allowed=False,
            seed=seed,
        )
        build = KNeighborsClassifier if features.classes else KNeighborsRegressor
        with threadpool_limits(limits=features.cpus), expected_warnings_ignored():
            rows = table.fit_transform(X)
            model = build(
                n_neighbors=min(whole(parameters, "n_neighbors"), len(X)),
                weights=text(parameters, "weights"),
                p=whole(parameters, "p"),
                algorithm="kd_tree" if rows.shape[1] <= _TREE_COLUMNS else "brute",
            )
            model.fit(rows, y)
        return Fitted(Pipeline([("table", table), ("model", model)]), features.classes)

    def scores(self, model: Fitted, X: Any) -> Any:
        """See `EstimatorFamily.scores`."""
        return library_scores(model, X)


def _neighbour_bytes(shape: DataShape, parameters: Parameters, is_tree: bool) -> int:
    """Of one neighbour of one row: distance, index and target at 8 bytes, its weight where they
    differ, 5 for the votes of classes without a tree (measured).
    """
    weight = 8 if text(parameters, "weights") == "distance" else 0
    return 24 + weight + (5 if shape.classes and not is_tree else 0)


def _row_seconds(rows: int, columns: int, is_tree: bool, p: int) -> float:
    """CPU seconds to find one row's neighbours: measured, within a factor of 3."""
    if is_tree:
        return 1e-5 * math.log2(rows + 2)
    return rows * columns * (4e-11 if p == 2 else 8e-10)

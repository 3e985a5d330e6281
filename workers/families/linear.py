"""Linear models of scikit-learn: logistic regression, or ridge and elastic net for numbers.

A pipeline scales, fills and one-hot encodes inside `fit`, so a fold's validation rows never shape
it. liblinear is not used: it crashes when memory is refused.
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
    Numbers,
    Parameter,
    Parameters,
    Value,
)
from workers.families.configurations import number, text, variation, whole
from workers.families.estimators import EstimatorFamily, Fitted, library_scores
from workers.families.phases import MIB, peaks, training_rows_bytes, validation_rows_bytes
from workers.families.preprocessing import (
    SCALINGS,
    Width,
    expected_warnings_ignored,
    table_transformer,
    width,
)

_LBFGS_ITERATIONS = 300
_SAGA_EPOCHS = 100

_PARAMETERS = (
    Parameter(
        "C",
        Numbers(1e-4, 1e3, log=True),
        1.0,
        "Inverse of the penalty's strength; ridge's alpha is 1/C.",
    ),
    Parameter(
        "solver",
        Choices(("lbfgs", "saga")),
        "lbfgs",
        "lbfgs: squared penalty (ridge for regression); saga: elastic net, slower.",
    ),
    Parameter(
        "l1_ratio",
        Numbers(0.05, 1.0),
        0.5,
        "Share of the absolute penalty, which sets coefficients to 0.",
        ("solver", ("saga",)),
    ),
    Parameter(
        "scaling",
        Choices(SCALINGS),
        "standard",
        "Numeric features: unit variance, or ranks mapped to a normal distribution.",
    ),
    Parameter(
        "min_frequency",
        Integers(1, 100, log=True),
        2,
        "Categories of fewer rows share one column.",
    ),
)


class Linear(EstimatorFamily):
    """`LogisticRegression`, `Ridge` and `ElasticNet` behind one preprocessing pipeline."""

    name = "linear"
    description = "Logistic or linear regression of scikit-learn: small, fast, easy to explain."
    parameters = _PARAMETERS
    # OpenBLAS exits or hangs when a thread's buffer is refused.
    tolerates_failed_malloc = False

    def portfolio(self, shape: DataShape) -> tuple[dict[str, Value], ...]:
        """Two strengths, the second the weaker the fewer rows; then ranks instead of values."""
        return (
            variation(_PARAMETERS),
            variation(_PARAMETERS, C=0.02 if shape.rows < 2000 else 0.1, min_frequency=5),
            variation(_PARAMETERS, C=0.5, scaling="quantile"),
        )

    def cost(
        self,
        shape: DataShape,
        parameters: Parameters,
        cpus: int,
        gpus: float = 0.0,  # noqa: ARG002  # no GPU support
    ) -> Cost:
        """One fold's preprocessing copies, the design matrix, and the solver's vectors.

        n train rows, q numeric features, p columns after preprocessing, z of a row's cells filled,
        K' outputs.
        preprocessing: 9·n·q for the scaled copy, the filled one and the mask, 9·n·indicators, and
        21·n·c for c categorical features (codes, mask and the sparse block).
        matrix: 4·n·p dense; 8·n·z sparse, and 4·n. solver: 19·n·K' + 80·p·K' (lbfgs, saga); 4·n·p
        more for ridge and elastic net, which copy a dense matrix. runtime: 0.5 MB and 0.25 MB a
        thread. Example: 16,000 x 20 numeric, 2 classes, 2 threads: 2.9 MB of preprocessing, 1.3 MB
        of matrix, 0.3 MB of solver, 1.7 MB of the fold's rows: 7.2 MB. Known error:
        predicted/actual .9 to 1.5.
        """
        n, outputs, wide = shape.train_rows, shape.outputs, _width(shape, parameters)
        matrix = _matrix_bytes(n, wide)
        is_regression = shape.classes == 0
        model_bytes = 8 * wide.columns * outputs + 60 * shape.features + 12 * wide.levels + 12_000
        if text(parameters, "scaling") == "quantile":
            model_bytes += 8000 * wide.numeric
        held = {"runtime": MIB // 2 + cpus * MIB // 4}
        fit = held | {
            "training rows": training_rows_bytes(shape),
            "preprocessing": _preprocessing_bytes(n, shape, wide),
            "matrix": matrix,
            "solver": 19 * n * outputs
            + 80 * wide.columns * outputs
            + (matrix if is_regression else 0),
        }
        m = shape.validation_rows
        predict = held | {
            "validation rows": validation_rows_bytes(shape),
            "preprocessing": _preprocessing_bytes(m, shape, wide),
            "matrix": _matrix_bytes(m, wide),
        }
        peak = peaks(shape, fit, predict, held | {"serialised model": model_bytes})
        return Cost(
            memory_terms=peak.terms,
            cpu_seconds=shape.folds * _fold_seconds(shape, parameters, wide),
            model_bytes=int(model_bytes),
            predict_seconds=1.5e-3 + (2e-3 if wide.levels else 0.0),
            phases=peak.phases,
        )

    def lighter(self, parameters: Parameters) -> Iterator[dict[str, Value]]:
        """Scaling without ranks, then fewer columns for rare categories. The rest is the table."""
        changes: dict[str, Value] = {}
        if text(parameters, "scaling") == "quantile":
            changes["scaling"] = "standard"
            yield dict(changes)
        for rows in (10, 30, 100):
            if rows > whole(parameters, "min_frequency"):
                changes["min_frequency"] = rows
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
        """See `Family.fit`. A solver that ran out of iterations is kept: validation judges it."""
        from sklearn.pipeline import Pipeline
        from threadpoolctl import threadpool_limits

        table = table_transformer(
            X,
            features.categorical,
            text(parameters, "scaling"),
            features.has_missing,
            whole(parameters, "min_frequency"),
            max_levels=None,
            is_sparse_allowed=True,
            seed=seed,
        )
        model = _model(features, parameters, y, seed)
        pipeline = Pipeline([("table", table), ("model", model)])
        with threadpool_limits(limits=features.cpus), expected_warnings_ignored():
            pipeline.fit(X, y, model__sample_weight=sample_weight)
        return Fitted(pipeline, features.classes)

    def scores(self, model: Fitted, X: Any) -> Any:
        """See `EstimatorFamily.scores`."""
        return library_scores(model, X)


def _model(features: FeatureInfo, parameters: Parameters, y: Any, seed: int) -> Any:
    from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge

    strength, is_l2 = number(parameters, "C"), text(parameters, "solver") == "lbfgs"
    if features.classes:
        return LogisticRegression(
            C=strength,
            solver=text(parameters, "solver"),
            l1_ratio=0.0 if is_l2 else number(parameters, "l1_ratio"),
            max_iter=_LBFGS_ITERATIONS if is_l2 else _SAGA_EPOCHS,
            random_state=seed,
        )
    if is_l2:
        return Ridge(alpha=1.0 / strength, solver="lsqr", tol=1e-6)
    # The penalties that a target of unit variance would get, written for the target as it is:
    # the absolute one grows with the target's spread.
    alpha, share, spread = 1.0 / (strength * len(y)), number(parameters, "l1_ratio"), float(y.std())
    weight = share * (spread or 1.0) + 1.0 - share
    l1_ratio = share * (spread or 1.0) / weight
    return ElasticNet(alpha=alpha * weight, l1_ratio=l1_ratio, random_state=seed)


def _width(shape: DataShape, parameters: Parameters) -> Width:
    return width(shape, whole(parameters, "min_frequency"), None)


def _preprocessing_bytes(rows: int, shape: DataShape, wide: Width) -> int:
    return rows * (9 * wide.numeric + 9 * wide.indicators + 21 * shape.categorical_features)


def _matrix_bytes(rows: int, wide: Width) -> int:
    return rows * (8 * wide.filled + 4) if wide.is_sparse else 4 * rows * wide.columns


def _fold_seconds(shape: DataShape, parameters: Parameters, wide: Width) -> float:
    """Preprocessing, then passes over the matrix: about 100 for lbfgs, all epochs for saga."""
    n, cells = shape.train_rows, wide.filled if wide.is_sparse else wide.columns
    prepare = 4e-8 * n * shape.features * (8 if text(parameters, "scaling") == "quantile" else 1)
    if text(parameters, "solver") == "lbfgs":
        passes, per_cell = 100, 1.5e-9
    else:
        passes, per_cell = _SAGA_EPOCHS, 5e-9
    rows_scored = 2e-8 * shape.validation_rows * shape.features
    work = passes * n * shape.outputs * (per_cell * cells + 1e-8)
    return 0.05 + prepare + work + rows_scored + 1e-6 * math.sqrt(n)

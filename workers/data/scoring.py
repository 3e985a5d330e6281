"""Scores predictions: the metrics of a task, with sample weights.

A metric that the rows do not define (roc_auc without both classes, r2 of one value) is NaN, never
a warning or an error; `mean_scores` leaves NaN out. Binary: class 1 is the positive one.

| metric | binary | multiclass |
|---|---|---|
| roc_auc | of the positive class | each class against the rest, mean over classes that have both |
| log_loss | probabilities clipped to float64's epsilon and rescaled | the same |
| accuracy | most probable class | the same |
| balanced_accuracy | mean recall of the classes that occur | the same |
| f1 | of the positive class | mean over classes that occur or are predicted |
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Float64s = npt.NDArray[np.float64]

CLASSIFICATION_METRICS = ("roc_auc", "log_loss", "accuracy", "balanced_accuracy", "f1")
"""Metrics of binary and multiclass tasks."""

REGRESSION_METRICS = ("rmse", "mae", "r2")
"""Metrics of regression."""


class UndefinedScore(ValueError):
    """No fold defines the metric asked for."""

    def __init__(self, metric: str) -> None:
        self.metric = metric
        super().__init__(
            f"metric {metric!r} is undefined: no validation fold holds what it needs, such as rows "
            "of two classes; choose another metric, or a split that spreads the classes"
        )


def score(
    task: str,
    y: npt.NDArray[np.generic],
    prediction: Float64s,
    weights: Float64s | None = None,
) -> dict[str, float]:
    """All metrics of a task by name.

    task: `binary`, `multiclass`, `regression`. y: (n,) class codes or values. prediction: (n,
    classes) probabilities, or (n,) values. weights: (n,), not negative.

    Raises: ValueError for predictions of another shape, or that are not finite.
    """
    expected = 1 if task == "regression" else 2
    if prediction.ndim != expected or len(prediction) != len(y):
        raise ValueError(f"predictions of shape {prediction.shape} for {len(y)} rows of {task}")
    if not np.isfinite(prediction).all():
        raise ValueError("the model predicts values that are not finite")
    if weights is None:
        weights = np.ones(len(y))
    if task == "regression":
        return _regression(y.astype(np.float64), prediction, weights)
    return _classification(task, y.astype(np.int64), prediction, weights)


def mean_scores(folds: Sequence[Mapping[str, float]], metric: str) -> dict[str, float]:
    """Each metric's mean over the folds that define it; one that none defines is left out.

    Raises: UndefinedScore when that is `metric` itself, ValueError when the task has no such one.
    """
    if metric not in folds[0]:
        raise ValueError(f"unknown metric {metric!r}; this task has {', '.join(folds[0])}")
    means = {}
    for name in folds[0]:
        defined = [fold[name] for fold in folds if not math.isnan(fold[name])]
        if defined:
            means[name] = math.fsum(defined) / len(defined)
    if metric not in means:
        raise UndefinedScore(metric)
    return means


def _classification(
    task: str, codes: npt.NDArray[np.int64], probabilities: Float64s, weights: Float64s
) -> dict[str, float]:
    confusion = _confusion(codes, probabilities, weights)
    right, true, said = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    total = true.sum()
    if total <= 0:
        return dict.fromkeys(CLASSIFICATION_METRICS, math.nan)
    f1 = 2 * right / np.maximum(true + said, np.finfo(np.float64).tiny)
    is_binary = task == "binary"
    return {
        "roc_auc": _roc_auc(is_binary, codes, probabilities, weights),
        "log_loss": _log_loss(codes, probabilities, weights),
        "accuracy": float(right.sum() / total),
        "balanced_accuracy": float((right[true > 0] / true[true > 0]).mean()),
        "f1": float(f1[1] if is_binary else f1[true + said > 0].mean()),
    }


def _confusion(
    codes: npt.NDArray[np.int64], probabilities: Float64s, weights: Float64s
) -> Float64s:
    """(classes, classes): weight of rows by true class and most probable class."""
    classes = probabilities.shape[1]
    cells = codes * classes + probabilities.argmax(axis=1)
    counted = np.bincount(cells, weights, minlength=classes * classes)
    return counted.reshape(classes, classes).astype(np.float64)


def _log_loss(codes: npt.NDArray[np.int64], probabilities: Float64s, weights: Float64s) -> float:
    tiny = np.finfo(np.float64).eps
    own = np.clip(probabilities[np.arange(len(codes)), codes], tiny, 1.0)
    total = np.clip(probabilities, tiny, 1.0).sum(axis=1)
    return float(np.average(-np.log(own / total), weights=weights))


def _roc_auc(
    is_binary: bool, codes: npt.NDArray[np.int64], probabilities: Float64s, weights: Float64s
) -> float:
    looked_at = [1] if is_binary else range(probabilities.shape[1])
    areas = [_area(codes == code, probabilities[:, code], weights) for code in looked_at]
    defined = [area for area in areas if not math.isnan(area)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def _area(is_positive: npt.NDArray[np.bool_], scores: Float64s, weights: Float64s) -> float:
    """Weighted share of (positive, negative) pairs in the right order, ties counting one half."""
    positive, negative = weights[is_positive].sum(), weights[~is_positive].sum()
    if positive <= 0 or negative <= 0:
        return math.nan
    _, tie = np.unique(scores, return_inverse=True)
    positive_at = np.bincount(tie, weights * is_positive)
    negative_at = np.bincount(tie, weights * ~is_positive)
    negative_below = np.cumsum(negative_at) - negative_at
    return float(positive_at @ (negative_below + negative_at / 2) / (positive * negative))


def _regression(y: Float64s, prediction: Float64s, weights: Float64s) -> dict[str, float]:
    total = weights.sum()
    if total <= 0:
        return dict.fromkeys(REGRESSION_METRICS, math.nan)
    errors = y - prediction
    squares = float(weights @ errors**2)
    spread = float(weights @ (y - np.average(y, weights=weights)) ** 2)
    return {
        "rmse": math.sqrt(squares / total),
        "mae": float(weights @ np.abs(errors) / total),
        "r2": 1 - squares / spread if spread > 0 else math.nan,
    }

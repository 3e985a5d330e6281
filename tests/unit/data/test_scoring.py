"""Metrics against scikit-learn's, and where they are undefined."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference

from workers.data.scoring import UndefinedScore, mean_scores, score


def classification(classes: int, rows: int = 400) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(classes)
    y = random.integers(0, classes, rows)
    raw = random.random((rows, classes)) + np.eye(classes)[y] * 0.6
    probabilities = np.round(raw / raw.sum(axis=1, keepdims=True), 2)
    probabilities[:, 0] += 1 - probabilities.sum(axis=1)
    return y, probabilities, random.random(rows)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
def test_classification_equals_scikit_learn(classes: int, is_weighted: bool) -> None:
    y, p, w = classification(classes)
    weights = w if is_weighted else None
    said = p.argmax(axis=1)
    found = score("binary" if classes == 2 else "multiclass", y, p, weights)
    average = "binary" if classes == 2 else "macro"
    if classes == 2:
        area = reference.roc_auc_score(y, p[:, 1], sample_weight=weights)
    else:
        columns = [
            reference.roc_auc_score(y == code, p[:, code], sample_weight=weights)
            for code in range(classes)
        ]
        area = np.mean(columns)
    wanted = {
        "roc_auc": area,
        "log_loss": reference.log_loss(y, p, sample_weight=weights),
        "accuracy": reference.accuracy_score(y, said, sample_weight=weights),
        "balanced_accuracy": reference.balanced_accuracy_score(y, said, sample_weight=weights),
        "f1": reference.f1_score(y, said, average=average, sample_weight=weights),
    }
    assert found == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_regression_equals_scikit_learn(is_weighted: bool) -> None:
    random = np.random.default_rng(0)
    y, p, w = random.normal(size=(3, 300))
    weights = np.abs(w) if is_weighted else None
    assert score("regression", y, p, weights) == pytest.approx(
        {
            "rmse": reference.root_mean_squared_error(y, p, sample_weight=weights),
            "mae": reference.mean_absolute_error(y, p, sample_weight=weights),
            "r2": reference.r2_score(y, p, sample_weight=weights),
        }
    )


def test_a_perfect_and_a_worthless_classifier() -> None:
    y = np.array([0, 1, 1, 0])
    perfect = score("binary", y, np.eye(2)[y])
    assert perfect["roc_auc"] == perfect["accuracy"] == perfect["f1"] == 1
    assert perfect["log_loss"] == pytest.approx(0, abs=1e-9)
    wrong = score("binary", y, np.eye(2)[1 - y])
    assert wrong["roc_auc"] == wrong["accuracy"] == wrong["f1"] == 0
    assert math.isfinite(wrong["log_loss"])


def test_the_positive_class_is_the_last() -> None:
    y = np.array([1, 1, 1, 0])
    always_positive = np.tile([0.2, 0.8], (4, 1))
    assert score("binary", y, always_positive)["f1"] == pytest.approx(6 / 7)


def test_a_fold_of_one_class_has_no_area_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score("binary", np.ones(3, dtype=np.int32), np.tile([0.4, 0.6], (3, 1)))
    assert math.isnan(found["roc_auc"])
    assert found["accuracy"] == found["balanced_accuracy"] == found["f1"] == 1
    assert found["log_loss"] == pytest.approx(-math.log(0.6))


def test_a_fold_without_one_of_many_classes_is_scored_on_the_others() -> None:
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.6, 0.3, 0.1], [0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.3, 0.6, 0.1]])
    found = score("multiclass", y, p)
    assert found["roc_auc"] == found["balanced_accuracy"] == found["f1"] == 1


def test_weights_that_silence_a_class() -> None:
    y = np.array([0, 1, 1])
    found = score("binary", y, np.tile([0.3, 0.7], (3, 1)), np.array([0.0, 1, 1]))
    assert math.isnan(found["roc_auc"])
    assert found["accuracy"] == 1


def test_weights_of_nothing_define_nothing() -> None:
    y = np.array([0, 1])
    for task, p in (("binary", np.full((2, 2), 0.5)), ("regression", np.zeros(2))):
        assert all(math.isnan(value) for value in score(task, y, p, np.zeros(2)).values())


def test_r2_of_a_constant_is_undefined() -> None:
    found = score("regression", np.ones(3), np.zeros(3))
    assert math.isnan(found["r2"])
    assert found["rmse"] == 1


@pytest.mark.parametrize(
    ("task", "prediction"),
    [
        ("binary", np.zeros(2)),
        ("binary", np.zeros((3, 2))),
        ("binary", np.array([[0.5, np.nan], [0.5, 0.5]])),
        ("regression", np.array([1.0, np.inf])),
        ("regression", np.zeros((2, 1))),
    ],
)
def test_useless_predictions_are_refused(task: str, prediction: Any) -> None:
    with pytest.raises(ValueError, match=r"shape|not finite"):
        score(task, np.array([0, 1]), prediction)


def test_means_leave_out_folds_that_do_not_define_a_metric() -> None:
    folds = [{"roc_auc": 0.5, "f1": math.nan}, {"roc_auc": math.nan, "f1": math.nan}]
    assert mean_scores(folds, "roc_auc") == {"roc_auc": 0.5}
    with pytest.raises(UndefinedScore, match="metric 'f1' is undefined"):
        mean_scores(folds, "f1")
    with pytest.raises(ValueError, match="unknown metric 'rmse'; this task has roc_auc, f1"):
        mean_scores(folds, "rmse")

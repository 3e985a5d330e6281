"""Scoring a configuration: every family and task, folds, weights, and what cannot be scored."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xgboost

from workers.data.prepared import Prepared
from workers.data.scoring import UndefinedScore
from workers.families.registry import FAMILIES, family
from workers.trial.fit import fit
from workers.trial.job import FitJob, PreparedData

Prepare = Callable[..., PreparedData]
METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "r2"}


def fit_job(data: PreparedData, name: str, metric: str, **parameters: Any) -> FitJob:
    configuration = family(name).portfolio(data.shape)[0] | parameters
    return FitJob("s", 0, 1, name, configuration, 3, metric, 1, data.directory)


@pytest.mark.parametrize("task", list(METRICS))
@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_learns_every_task(prepared: Prepare, name: str, task: str) -> None:
    data = prepared(task)
    few = {"n_estimators": 50} if "n_estimators" in family(name).portfolio(data.shape)[0] else {}
    result = fit(fit_job(data, name, METRICS[task], **few))
    assert len(result.fold_scores) == 3
    assert result.score == pytest.approx(statistics.mean(result.fold_scores))
    assert result.metrics[METRICS[task]] == result.score
    # Better than knowing nothing: log(3), the area of a coin, the mean.
    better = {"binary": 0.6, "multiclass": 1.0986, "regression": 0.1}[task]
    assert (result.score < better) if task == "multiclass" else (result.score > better)
    assert result.model_bytes > 0
    assert result.predict_seconds > 0
    assert result.fit_seconds > 0


@pytest.mark.parametrize(("gpus", "device"), [(0.0, "cpu"), (0.5, "cuda")])
def test_a_fit_with_a_device_tells_the_library(
    prepared: Prepare, monkeypatch: pytest.MonkeyPatch, gpus: float, device: str
) -> None:
    seen: list[Any] = []

    def train(settings: dict[str, Any], *_: Any, **__: Any) -> None:
        seen.append(settings["device"])
        raise MemoryError

    monkeypatch.setattr(xgboost, "train", train)
    job = fit_job(prepared("binary"), "xgboost", "roc_auc")
    with pytest.raises(MemoryError):
        fit(replace(job, gpus=gpus))
    assert seen == [device]


def test_a_fit_is_repeatable(prepared: Prepare) -> None:
    job = fit_job(prepared("binary"), "random_forest", "roc_auc", n_estimators=20)
    assert fit(job).fold_scores == fit(job).fold_scores
    assert fit(job).fold_scores != fit(replace(job, seed=4)).fold_scores


@pytest.mark.parametrize(
    ("extra", "scores"),
    [({"folds": 0}, 1), ({"group_column": "group"}, 3), ({"time_column": "seen"}, 3)],
)
def test_every_kind_of_split_is_scored(prepared: Prepare, extra: Any, scores: int) -> None:
    result = fit(fit_job(prepared("binary", **extra), "linear", "accuracy"))
    assert len(result.fold_scores) == scores
    assert result.score > 0.7


def test_folds_train_on_their_rows_only(prepared: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = prepared("regression", weight_column="weight").directory
    data = Prepared.open(directory)
    seen: list[tuple[Any, Any, Any]] = []
    linear = family("linear")

    def spy(_: Any, parameters: Any, X: Any, y: Any, weights: Any, seed: int) -> Any:
        seen.append((np.array(X), np.array(y), np.array(weights)))
        return (linear, parameters, seed)

    monkeypatch.setattr(type(linear), "fit", lambda self, *args: spy(*args))
    monkeypatch.setattr(type(linear), "predict", lambda self, model, X: np.zeros(len(X)))
    monkeypatch.setattr(type(linear), "save", lambda self, model, directory: None)
    fit(FitJob("s", 0, 1, "linear", {}, 3, "rmse", 1, directory))
    assert len(seen) == 3
    for fold, (X, y, weights) in enumerate(seen):
        is_training = data.folds != fold
        np.testing.assert_array_equal(X, data.X[is_training])
        np.testing.assert_array_equal(y, data.y[is_training])
        assert data.weights is not None
        np.testing.assert_array_equal(weights, data.weights[is_training])


def test_weights_reach_the_scores(prepared: Prepare) -> None:
    plain = fit(fit_job(prepared("regression"), "linear", "rmse"))
    weighted = fit(fit_job(prepared("regression", weight_column="weight"), "linear", "rmse"))
    assert plain.score != weighted.score


def test_an_undefined_metric_is_an_error_with_a_remedy(prepared: Prepare) -> None:
    # In time order the last fifth of a sorted target holds one class.
    data = prepared("binary", time_column="value", folds=0)
    with pytest.raises(UndefinedScore, match="choose another metric"):
        fit(fit_job(data, "linear", "roc_auc"))
    accuracy = fit(fit_job(data, "linear", "accuracy"))
    assert "roc_auc" not in accuracy.metrics


def test_an_unknown_family_or_metric_is_named(prepared: Prepare) -> None:
    data = prepared("binary")
    job = fit_job(data, "linear", "rmse")
    with pytest.raises(ValueError, match="unknown metric 'rmse'; this task has roc_auc"):
        fit(job)
    with pytest.raises(ValueError, match="unknown model family 'lineer'"):
        fit(replace(job, family="lineer"))


def test_predictions_that_are_not_finite_are_refused(
    prepared: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    linear = family("linear")
    monkeypatch.setattr(type(linear), "predict", lambda self, model, X: np.full(len(X), np.nan))
    with pytest.raises(ValueError, match="not finite"):
        fit(fit_job(prepared("regression"), "linear", "rmse"))

"""Weights and seeds reach every fit and every score, shown with a family that fits nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error

from workers.bundle.load import load_bundle
from workers.data.prepared import Prepared
from workers.families.registry import family
from workers.trial.fit import fit
from workers.trial.job import FitJob, PreparedData, RefitJob
from workers.trial.refit import refit

Prepare = Callable[..., PreparedData]


class Fits:
    """What a family was given, fit by fit."""

    def __init__(self) -> None:
        self.weights: list[Any] = []
        self.seeds: list[int] = []
        self.targets: list[Any] = []


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Fits:
    """`linear` learns nothing, and predicts the first column, missing as 0."""
    seen, linear = Fits(), type(family("linear"))

    def spy(_: Any, features: Any, parameters: Any, X: Any, y: Any, w: Any, seed: int) -> str:
        seen.weights.append(None if w is None else np.array(w))
        seen.targets.append(np.array(y))
        seen.seeds.append(seed)
        return "a model"

    monkeypatch.setattr(linear, "fit", spy)
    monkeypatch.setattr(linear, "predict", lambda self, model, X: np.nan_to_num(X[:, 0]))
    monkeypatch.setattr(linear, "save", lambda self, model, place: (place / "m").write_text(model))
    monkeypatch.setattr(linear, "load", lambda self, place: (place / "m").read_text())
    return seen


def job(data: PreparedData, seed: int = 3) -> FitJob:
    return FitJob("s", 0, 1, "linear", {}, seed, "rmse", 1, data.directory)


def test_scores_are_weighted(prepared: Prepare, fits: Fits) -> None:
    data = prepared("regression", weight_column="weight")
    opened = Prepared.open(data.directory)
    assert opened.weights is not None
    result = fit(job(data))
    predicted = np.nan_to_num(opened.X[:, 0])
    expected, plain, absolute = [], [], []
    for fold in range(3):
        held = opened.folds == fold
        truth, guess, weight = opened.y[held], predicted[held], opened.weights[held]
        expected.append(mean_squared_error(truth, guess, sample_weight=weight) ** 0.5)
        plain.append(mean_squared_error(truth, guess) ** 0.5)
        absolute.append(mean_absolute_error(truth, guess, sample_weight=weight))
    np.testing.assert_allclose(result.fold_scores, expected, rtol=1e-6)
    assert not np.allclose(result.fold_scores, plain)
    assert result.metrics["mae"] == pytest.approx(np.mean(absolute))


def test_without_weights_nothing_is_weighted(prepared: Prepare, fits: Fits) -> None:
    fit(job(prepared("regression")))
    assert fits.weights == [None] * 3


def test_the_seed_of_the_job_is_that_of_every_fit(prepared: Prepare, fits: Fits) -> None:
    fit(job(prepared("regression"), seed=41))
    assert fits.seeds == [41] * 3


@pytest.mark.parametrize("column", ["weight", ""])
def test_a_refit_learns_all_rows_with_their_weights_and_its_seed(
    prepared: Prepare, fits: Fits, tmp_path: Path, column: str
) -> None:
    data = prepared("regression", weight_column=column)
    opened = Prepared.open(data.directory)
    uri = (tmp_path / "bundle").as_uri()
    result = refit(RefitJob("s", 4, "linear", {}, 43, 1, data.directory, uri))
    assert fits.seeds == [43]
    np.testing.assert_array_equal(fits.targets[0], opened.y)
    if column:
        np.testing.assert_array_equal(fits.weights[0], opened.weights)
        assert fits.weights[0].std() > 0
    else:
        assert fits.weights == [None]
    assert load_bundle(uri, result.manifest_sha256).content.seed == 43


def folds(data: PreparedData) -> Any:
    """Each table row's fold."""
    opened = Prepared.open(data.directory)
    return opened.folds[np.argsort(np.load(opened.directory / "rows.npy"))]


def test_another_seed_splits_otherwise_and_the_same_one_alike(
    prepared: Prepare, tmp_path: Path
) -> None:
    one = folds(prepared("binary", seed=1, directory=str(tmp_path / "one")))
    again = folds(prepared("binary", seed=1, directory=str(tmp_path / "again")))
    other = folds(prepared("binary", seed=2, directory=str(tmp_path / "other")))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_data_prepared_with_another_seed_is_made_anew(prepared: Prepare) -> None:
    first = folds(prepared("binary", seed=1))
    assert (folds(prepared("binary", seed=2)) != first).any()  # in the same directory

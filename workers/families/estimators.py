"""What the families built on scikit-learn share: a fitted estimator, its scores and its files.

Files: `estimator.joblib`, a pickle without compression that holds classes of scikit-learn and
numpy only, and `model.json` with the number of classes. Both are read only after their checksums
have been verified against the bundle's manifest.
"""

# ruff: noqa: PLC0415  # learning libraries are imported where they are used: see base.py
from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.families.base import Family


@dataclass(frozen=True)
class Fitted:
    """A fitted scikit-learn estimator or pipeline. classes: number of classes, 0 for regression."""

    estimator: Any
    classes: int


class EstimatorFamily(Family):
    """A family whose model is one scikit-learn estimator or pipeline."""

    def predict(self, model: Fitted, X: Any) -> Any:
        """See `Family.predict`. A class that had no training rows has probability 0."""
        import numpy as np

        scores = np.asarray(self.scores(model, X), dtype=np.float64)
        if model.classes == 0:
            return scores.reshape(len(X))
        present = model.estimator.classes_
        if len(present) == model.classes:
            return scores
        probabilities = np.zeros((len(X), model.classes))
        probabilities[:, present] = scores
        return probabilities

    @abstractmethod
    def scores(self, model: Fitted, X: Any) -> Any:
        """(n, classes seen in training) probabilities, or (n,) values."""

    def save(self, model: Fitted, directory: Path) -> None:
        """Writes `estimator.joblib` and `model.json`."""
        import joblib

        joblib.dump(model.estimator, directory / "estimator.joblib", compress=0)
        (directory / "model.json").write_text(json.dumps({"classes": model.classes}))

    def load(self, directory: Path) -> Fitted:
        """Reads what `save` wrote."""
        import joblib

        description = json.loads((directory / "model.json").read_text())
        return Fitted(joblib.load(directory / "estimator.joblib"), int(description["classes"]))


def library_scores(model: Fitted, X: Any) -> Any:
    """What the estimator's own `predict_proba` or `predict` says."""
    return model.estimator.predict_proba(X) if model.classes else model.estimator.predict(X)

"""Extra trees of scikit-learn: trees on all rows, random thresholds for a few features."""

# ruff: noqa: PLC0415  # learning libraries are imported where they are used: see base.py
from __future__ import annotations

from typing import Any

from workers.families.forests import Forest


class ExtraTrees(Forest):
    """`ExtraTreesClassifier` and `ExtraTreesRegressor`, without bootstrap samples."""

    name = "extra_trees"
    description = "Extremely randomised trees of scikit-learn: smoother than a random forest."
    sampled_share = 1.0
    class_fill = (0.45, 0.7)
    split_seconds = 8e-9

    def build(self, is_classification: bool, settings: dict[str, Any]) -> Any:
        """The library's estimator."""
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        build = ExtraTreesClassifier if is_classification else ExtraTreesRegressor
        return build(bootstrap=False, **settings)

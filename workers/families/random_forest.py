"""Random forest of scikit-learn: trees on bootstrap samples, best split of a few features."""

# ruff: noqa: PLC0415  # learning libraries are imported where they are used: see base.py
from __future__ import annotations

from typing import Any

from workers.families.forests import Forest


class RandomForest(Forest):
    """`RandomForestClassifier` and `RandomForestRegressor`.

    A bootstrap sample holds 63.2 % of the rows.
    """

    name = "random_forest"
    description = "Random forest of scikit-learn: hard to get wrong, large models."
    sampled_share = 0.632
    class_fill = (0.3, 0.55)
    split_seconds = 2.4e-8

    def build(self, is_classification: bool, settings: dict[str, Any]) -> Any:
        """The library's estimator."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        build = RandomForestClassifier if is_classification else RandomForestRegressor
        return build(bootstrap=True, **settings)

"""From encoded rows to what linear models and neighbours need: scaled, filled, one-hot columns.

Scaling comes before filling, since both scalers ignore missing values: 0 then is the mean
(standard) or the median (quantile), and no copy is needed to compute either.
"""

# ruff: noqa: PLC0415  # learning libraries are imported where they are used: see base.py
from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from workers.families.base import DataShape

SCALINGS = ("standard", "quantile")
"""Zero mean and unit variance, or ranks mapped to a normal distribution."""

SPARSE_BELOW = 0.3
"""The matrix is sparse when a smaller share of its cells is filled: scikit-learn's default."""


@dataclass(frozen=True)
class Width:
    """Columns after preprocessing, as far as a shape tells. coded: features that are one-hot
    encoded, into `levels` columns. filled: cells of a row that are set.
    """

    numeric: int
    indicators: int
    coded: int
    levels: int

    @property
    def filled(self) -> int:
        """One cell a feature that is encoded, and all others."""
        return self.numeric + self.indicators + self.coded

    @property
    def columns(self) -> int:
        """All columns."""
        return self.numeric + self.indicators + self.levels

    @property
    def is_sparse(self) -> bool:
        """Whether the matrix is stored sparse."""
        return self.levels > 0 and self.filled < SPARSE_BELOW * self.columns


def width(shape: DataShape, min_frequency: int, max_levels: int | None) -> Width:
    """Columns at most: every feature has missing cells if one has.

    min_frequency: rows of a level that has a column of its own, so n rows fill n/min_frequency + 1
    of a feature. max_levels: features with more levels are dropped; None keeps all.
    """
    numeric = shape.features - shape.categorical_features
    indicators = numeric if shape.cells_missing else 0
    sizes = category_sizes(shape)
    kept = [size for size in sizes if max_levels is None or size <= max_levels]
    if not kept and not numeric:
        kept = list(sizes)  # as `table_transformer` does: nothing else would be left
    most = shape.train_rows // min_frequency + 1
    missing = 1 if shape.cells_missing else 0
    levels = sum(min(size + missing, most) for size in kept)
    return Width(numeric, indicators, len(kept), levels)


def category_sizes(shape: DataShape) -> tuple[int, ...]:
    """Levels of each categorical feature; their mean where only the sum is known."""
    count = shape.categorical_features
    if shape.category_sizes or not count:
        return shape.category_sizes
    return (-(-shape.category_levels // count),) * count


def empty_features(X: Any) -> list[int]:
    """Features without a single value in `X: (n, features)`, as a fold may have some."""
    import numpy as np

    candidates = np.flatnonzero(np.isnan(X[0]))
    return [int(column) for column in candidates if np.isnan(X[:, column]).all()]


def table_transformer(
    X: Any,
    categorical: Sequence[int],
    scaling: str,
    has_missing: bool,
    min_frequency: int,
    max_levels: int | None,
    is_sparse_allowed: bool,
    seed: int,
) -> Any:
    """An unfitted `ColumnTransformer` for the training rows `X: (rows, features) float32`.

    Category codes become one column a code; codes of fewer than `min_frequency` rows share one,
    as do codes never seen; missing is a code of its own. Features with more than `max_levels` codes
    are dropped, unless nothing else would be left. Features without any value are dropped.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    empty = set(empty_features(X))
    filled = [column for column in range(len(categorical)) if column not in empty]
    numeric = [column for column in filled if not categorical[column]]
    coded = [column for column in filled if categorical[column]]
    kept = [c for c in coded if max_levels is None or categorical[c] <= max_levels]
    if not numeric and not kept:
        kept = coded or list(empty)
    fill = SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=has_missing)
    encode = OneHotEncoder(
        dtype="float32",
        handle_unknown="infrequent_if_exist",
        min_frequency=min_frequency if min_frequency > 1 else None,
        sparse_output=is_sparse_allowed,
    )
    parts = [
        ("numeric", make_pipeline(_scaler(scaling, len(X), seed), fill), numeric),
        ("coded", encode, kept),
    ]
    return ColumnTransformer(
        [part for part in parts if part[2]],
        sparse_threshold=SPARSE_BELOW if is_sparse_allowed else 0.0,
    )


@contextmanager
def expected_warnings_ignored() -> Iterator[None]:
    """Silences what is no fault: a solver out of iterations (validation judges the model), and a
    quantile sample in which a feature is always missing (it is filled with 0).
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        yield


def _scaler(scaling: str, rows: int, seed: int) -> Any:
    from sklearn.preprocessing import QuantileTransformer, StandardScaler

    if scaling == "standard":
        return StandardScaler()
    return QuantileTransformer(
        n_quantiles=min(1000, rows), output_distribution="normal", random_state=seed
    )

"""The shape of the encoded table of a search, known before any data is read.

It follows `workers.data.layout`, which the encoder follows too.
"""

from __future__ import annotations

from controller.domain.records import Dataset, Plan
from workers.data.layout import ColumnInfo, layout
from workers.families.base import DataShape

_HOLDOUT_SHARE = 0.2


def column_infos(dataset: Dataset, plan: Plan) -> tuple[ColumnInfo, ...]:
    """The feature columns of a search, in order, as the encoder wants them."""
    wanted = set(plan.feature_columns)
    return tuple(
        ColumnInfo(column.name, column.kind.value, column.distinct_count, column.missing_count > 0)
        for column in dataset.columns
        if column.name in wanted
    )


def data_shape(dataset: Dataset, plan: Plan, is_in_time_order: bool = False) -> DataShape:
    """The figures that cost formulas need. is_in_time_order: folds follow a time column."""
    columns = column_infos(dataset, plan)
    features = layout(columns)
    coded = [feature for feature in features if feature.levels]
    # The largest part of k folds in time order trains on k/(k+1) of the rows, more than the
    # (k-1)/k of shuffled folds: the larger figure is safe for both.
    in_order_share = 1 / (plan.folds + 1) if plan.folds else _HOLDOUT_SHARE
    largest_validation = 1 / plan.folds if plan.folds else _HOLDOUT_SHARE
    share = in_order_share if is_in_time_order else largest_validation
    return DataShape(
        rows=plan.rows,
        train_rows=max(1, round(plan.rows * (1 - share))),
        validation_rows=max(1, round(plan.rows * largest_validation)),
        features=len(features),
        categorical_features=len(coded),
        category_levels=sum(feature.levels for feature in coded),
        classes=len(plan.classes),
        folds=max(1, plan.folds),
        cells_missing=any(column.has_missing for column in columns),
        category_sizes=tuple(feature.levels for feature in coded),
    )

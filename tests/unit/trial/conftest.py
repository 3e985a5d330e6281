"""A small prepared dataset for fits: mixed columns, missing cells, three tasks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workers.data.layout import ColumnInfo
from workers.data.prepare import prepare
from workers.trial.job import PreparedData, PrepareJob

ROWS = 240
COLUMNS = (
    ColumnInfo("size", "NUMBER", ROWS, has_missing=True),
    ColumnInfo("colour", "CATEGORY", 3, has_missing=True),
    ColumnInfo("seen", "DATE", ROWS, has_missing=False),
)
TASKS: dict[str, dict[str, Any]] = {
    "binary": {"target_column": "label", "classes": ("no", "yes")},
    "multiclass": {"target_column": "grade", "classes": ("0", "1", "2")},
    "regression": {"target_column": "value", "classes": ()},
}

Prepare = Callable[..., PreparedData]


def learnable_table() -> pa.Table:
    random = np.random.default_rng(7)
    size = random.normal(size=ROWS)
    colour = random.integers(0, 3, ROWS)
    value = size + colour
    moments = np.datetime64("2024-01-01") + np.arange(ROWS).astype("timedelta64[D]")
    return pa.table(
        {
            "size": pa.array([None if n % 11 == 0 else x for n, x in enumerate(size.tolist())]),
            "colour": [("red", "green", "blue")[code] for code in colour.tolist()],
            "seen": pa.array(moments.astype("datetime64[us]")),
            "label": ["yes" if x > 1 else "no" for x in value.tolist()],
            "grade": pa.array(np.digitize(value, [0.5, 1.5])),
            "value": value,
            "weight": random.random(ROWS),
            "group": [f"g{n % 24}" for n in range(ROWS)],
        }
    )


@pytest.fixture
def prepared(tmp_path: Path) -> Prepare:
    """Prepares the table for a task, with fields of the job replaced."""

    def build(task: str, **job: Any) -> PreparedData:
        path = tmp_path / "table.parquet"
        pq.write_table(learnable_table(), path)
        defaults: dict[str, Any] = {
            "search": "namespaces/default/searches/s",
            "dataset_uri": str(path),
            "columns": COLUMNS,
            "task": task,
            "folds": 3,
            "seed": 0,
            "directory": str(tmp_path / "data"),
        }
        return prepare(PrepareJob(**(defaults | TASKS[task] | job)))

    return build

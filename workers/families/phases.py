"""Memory that every family's trial holds, and the peak over its phases. All figures are bytes.

A trial reads the encoded matrix through a memory map. With several folds it joins the rows of one
fold's training part (anonymous memory), fits, lets go of them, and predicts the validation rows in
place. The peak is the larger of the two phases of one fold: folds run one after the other and free
what they held.
"""

from __future__ import annotations

from collections.abc import Mapping

from workers.data.layout import fold_copy_bytes
from workers.families.base import DataShape

MIB = 1024 * 1024
"""Bytes of a mebibyte."""


def training_rows_bytes(shape: DataShape) -> int:
    """The fold's joined rows (`fold_copy_bytes`) and what libraries keep of targets: 8·n.

    Example: 16,000 rows of 20 features in 5 folds: 1.7 MB.
    """
    return fold_copy_bytes(shape) + 8 * shape.train_rows


def validation_rows_bytes(shape: DataShape) -> int:
    """Predictions of the validation rows, which metrics copy once: float64.

    8·m + 16·m·K. Example: 4,000 rows, 2 classes: 0.2 MB. Exact but for what a metric allocates.
    """
    return shape.validation_rows * (8 + 16 * max(1, shape.classes))


def largest(*phases: Mapping[str, float]) -> dict[str, int]:
    """The phase with the largest sum, in whole bytes: phases do not overlap."""
    peak = max(phases, key=lambda terms: sum(terms.values()))
    return {name: int(value) for name, value in peak.items()}

"""Memory that every family's trial holds, and the peak over its phases. All figures are bytes.

A trial reads the encoded matrix through a memory map, copies the rows of one fold at a time
(anonymous memory), fits, lets go of them, and predicts the validation rows. The peak is the larger
of the two phases of one fold: folds run one after the other and free what they held.
"""

from __future__ import annotations

from collections.abc import Mapping

from workers.families.base import DataShape

MIB = 1024 * 1024
"""Bytes of a mebibyte."""


def training_rows_bytes(shape: DataShape) -> int:
    """Rows of one fold as float32, with targets and weights as float64 and the row numbers.

    4·n·d + 24·n. Example: 16,000 rows of 20 features: 1.7 MB. Exact.
    """
    return 4 * shape.train_rows * shape.features + 24 * shape.train_rows


def validation_rows_bytes(shape: DataShape) -> int:
    """Rows to be scored as float32 and their predictions, which metrics copy once: float64.

    4·m·d + 8·m + 16·m·K. Example: 4,000 rows of 20 features, 2 classes: 0.5 MB. Exact but for
    what a metric allocates.
    """
    m = shape.validation_rows
    return 4 * m * shape.features + 8 * m + 16 * m * max(1, shape.classes)


def largest(*phases: Mapping[str, float]) -> dict[str, int]:
    """The phase with the largest sum, in whole bytes: phases do not overlap."""
    peak = max(phases, key=lambda terms: sum(terms.values()))
    return {name: int(value) for name, value in peak.items()}

"""Memory that every family's trial holds, and the peak over its phases. All figures are bytes.

A trial reads the encoded matrix through a memory map. With several folds it joins the rows of one
fold's training part (anonymous memory), fits, lets go of them, and predicts the validation rows in
place. The first fold's model is saved, too, for its size. The peak is the largest of the phases of
one fold: folds run one after the other and free what they held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


def written_bytes(array_bytes: float) -> float:
    """What writing a model of arrays holds beside it: joblib copies an array in pieces of 16 MiB.

    array_bytes: the largest array. `joblib.numpy_pickle.NumpyArrayWrapper.write_array`; exact.
    """
    return min(16 * MIB, array_bytes)


@dataclass(frozen=True)
class Peaks:
    """phases: bytes of each. terms: the parts of the largest."""

    phases: dict[str, int]
    terms: dict[str, int]


def peaks(
    shape: DataShape,
    fit: Mapping[str, float],
    predict: Mapping[str, float],
    save: Mapping[str, float],
) -> Peaks:
    """Of the phases of a fold, in whole bytes; they do not overlap."""
    prepare = {"training rows": float(training_rows_bytes(shape))}
    phases = {"prepare": prepare, "fit": fit, "predict": predict, "save": save}
    whole = {
        name: {term: int(size) for term, size in terms.items()} for name, terms in phases.items()
    }
    sizes = {name: sum(terms.values()) for name, terms in whole.items()}
    return Peaks(sizes, whole[max(sizes, key=lambda name: sizes[name])])

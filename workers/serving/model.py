"""What the gateway wants of a loaded model; `workers.bundle` provides it.

Nothing is imported beyond the standard library, so the protocol is tested without a bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Cell = bool | int | float | str | None
"""One value of a column; None is missing."""


@dataclass(frozen=True)
class InputColumn:
    """A column that a model wants. kind: NUMBER, CATEGORY, BOOLEAN, DATE or TEXT. datatype: the
    Open Inference Protocol's name of what is best sent.
    """

    name: str
    kind: str
    datatype: str


@dataclass(frozen=True)
class Answer:
    """Predictions for n rows.

    predictions: n texts for a classifier, else n numbers. probabilities: row by row, n times the
    number of classes, in the order of the model's classes; None for a regression model.
    """

    predictions: Sequence[str] | Sequence[float]
    probabilities: Sequence[Sequence[float]] | None = None


class Servable(Protocol):
    """A loaded model. `predict` may be called from several threads at once."""

    @property
    def inputs(self) -> Sequence[InputColumn]:
        """The columns it wants, in order."""
        ...

    @property
    def classes(self) -> Sequence[str]:
        """Class names in the order of probabilities; empty for a regression model."""
        ...

    @property
    def description(self) -> Mapping[str, Any]:
        """What the bundle says of itself (family, task, metric ...), shown in the metadata."""
        ...

    def predict(self, columns: Mapping[str, Sequence[Cell]]) -> Answer:
        """Predicts rows given as columns of equal length, one for each of `inputs`.

        Raises: ValueError when a value cannot be used; its text names the column and the remedy.
        """
        ...

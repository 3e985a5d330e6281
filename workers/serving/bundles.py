"""Bundles as the gateway serves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.bundle.load import LoadedBundle, load_bundle
from workers.data.cells import CellError
from workers.serving.model import Answer, Cell, InputColumn


class BundleModel:
    """A loaded bundle as a `Servable`. Immutable."""

    def __init__(self, bundle: LoadedBundle) -> None:
        content = bundle.content
        self._bundle = bundle
        self.inputs: Sequence[InputColumn] = tuple(
            InputColumn(entry.name, entry.kind, entry.datatype) for entry in content.inputs
        )
        self.classes: Sequence[str] = content.classes
        self.description: Mapping[str, Any] = {
            "task": content.task,
            "target_column": content.target_column,
            "family": content.family,
        }

    def predict(self, columns: Mapping[str, Sequence[Cell]]) -> Answer:
        """See `workers.serving.model.Servable`."""
        try:
            predictions = self._bundle.predict_columns(columns)
        except CellError as error:
            raise ValueError(
                f"input {error.column!r} holds {error.value} in row {error.row}; send "
                f"{error.expected}, or null where the value is missing"
            ) from error
        if predictions.values is not None:
            return Answer(predictions.values.tolist())
        if predictions.labels is None or predictions.probabilities is None:
            raise RuntimeError("the bundle answered with neither values nor labels")
        return Answer(predictions.labels, predictions.probabilities.tolist())


def load_servable(uri: str, manifest_sha256: str) -> BundleModel:
    """Loads the bundle whose manifest has exactly this hash. Blocks.

    Raises: what `workers.bundle.load.load_bundle` raises.
    """
    return BundleModel(load_bundle(uri, manifest_sha256))

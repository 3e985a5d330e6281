"""What a model family declares: its parameters, its cost formulas, how it is built and stored.

Only the standard library is imported here and at the top of every family's module, so the
controller can read spaces and costs without loading a machine-learning library. Building, saving
and loading import what they need inside the function.

Units: `*_bytes` bytes, `*_seconds` seconds. Shapes: `rows` and `features` describe the encoded
matrix `X: (rows, features) float32` that all families start from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Value = bool | int | float | str | None
"""A parameter's value: what JSON can hold, lists and objects left out."""

Parameters = Mapping[str, Value]
"""A configuration: a value for each parameter of a family whose condition holds."""


@dataclass(frozen=True)
class Integers:
    """Whole numbers from `low` to `high`, both included; `log` draws on a logarithmic scale."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True)
class Numbers:
    """Numbers from `low` to `high`, both included; `log` draws them on a logarithmic scale."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choices:
    """One of a list of values."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Fixed:
    """Always the same value."""

    value: Value


ValueSet = Integers | Numbers | Choices | Fixed
"""The values that a parameter may take."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a family, in the vocabulary of the library behind it.

    `condition` names another parameter of the same family and the values of it under which this
    one exists; None means always.
    """

    name: str
    values: ValueSet
    default: Value
    description: str
    condition: tuple[str, tuple[Value, ...]] | None = None


@dataclass(frozen=True)
class Growth:
    """Trees that grew. leaf: smallest leaf in rows. share: of the features a split looks at.
    nodes_per_row: nodes of a tree, for each training row.
    """

    family: str
    leaf: int
    share: float
    nodes_per_row: float


@dataclass(frozen=True)
class DataShape:
    """The figures of an encoded table that cost formulas need.

    rows: all rows with a target. train_rows: rows of the largest single fit of a trial (a fold's
    training part or the holdout's). validation_rows: rows of the largest validation part.
    features: columns of the encoded matrix, of which categorical_features hold category codes with
    category_levels levels together. classes: number of classes, 0 for regression. folds: fits a
    trial does. cells_missing: some cell is missing. category_sizes: levels of each categorical
    feature; empty when only their sum is known. growths: trees that
    grew on these very data.
    """

    rows: int
    train_rows: int
    validation_rows: int
    features: int
    categorical_features: int
    category_levels: int
    classes: int
    folds: int
    cells_missing: bool
    category_sizes: tuple[int, ...] = ()
    growths: tuple[Growth, ...] = ()

    @property
    def outputs(self) -> int:
        """Score columns a boosted or linear model learns: 1 up to two classes, else one a class."""
        return 1 if self.classes <= 2 else self.classes


@dataclass(frozen=True)
class Cost:
    """What one trial is predicted to need, without any safety factor.

    memory_terms: named parts, in bytes, of the peak anonymous memory above an idle sandbox child
    (memory-mapped data are not in it). cpu_seconds: all folds together. model_bytes: serialised
    model. predict_seconds: one row.
    phases: peak of each phase of a fold, in bytes: `prepare` (its rows are joined), `fit`,
    `predict`, `save`; the terms are those of the largest. gpu_memory_bytes: on the device, 0 for a
    fit that uses none. most_bytes: what can be proved to be the most, None when nothing can.
    """

    memory_terms: Mapping[str, int]
    cpu_seconds: float
    model_bytes: int
    predict_seconds: float
    phases: Mapping[str, int] = field(default_factory=dict)
    gpu_memory_bytes: int = 0
    most_bytes: int | None = None

    @property
    def peak_memory_bytes(self) -> int:
        """The sum of the terms."""
        return sum(self.memory_terms.values())


@dataclass(frozen=True)
class FeatureInfo:
    """What a family may know about the columns of X when it builds a model.

    categorical: for each feature, the number of category codes (codes run from 0, missing is NaN),
    or 0 for a numeric feature. task: `binary`, `multiclass` or `regression`. classes: number of
    classes, 0 for regression. cpus: threads the fit may use. gpus: share of a device, or devices,
    that the fit may use; 0 for none, and families that cannot use one take no notice.
    """

    categorical: Sequence[int]
    task: str
    classes: int
    cpus: int
    has_missing: bool = field(default=True)
    gpus: float = 0.0


class Family(ABC):
    """A model family. Stateless; one instance is registered in `workers.families.registry`."""

    name: str
    """The name used in searches, for example `xgboost`."""
    description: str
    """One sentence for people."""
    parameters: tuple[Parameter, ...]
    """All parameters, in the order they are sampled: a condition's parameter comes before."""
    tolerates_failed_malloc: bool = True
    """The library raises when memory is refused. False for libraries that crash (liblinear,
    libsvm): their sandbox has no RLIMIT backstop, only the watchdog."""

    grows_trees: bool = False
    """Its memory is nearly all trees, whose size only the data tell: see `workers.families.growth`.
    """

    keeps_result: frozenset[str] = frozenset()
    """Parameters whose change changes no prediction of the fitted model, only what it costs."""

    @abstractmethod
    def portfolio(self, shape: DataShape) -> tuple[dict[str, Value], ...]:
        """Strong configurations to try before sampling, cheapest first; first the default."""

    @abstractmethod
    def cost(self, shape: DataShape, parameters: Parameters, cpus: int, gpus: float = 0.0) -> Cost:
        """Predicts what a trial needs. Pure, microseconds. gpus: as in `FeatureInfo`."""

    def grown(
        self,
        shape: DataShape,  # noqa: ARG002
        parameters: Parameters,  # noqa: ARG002
        model_bytes: int,  # noqa: ARG002
    ) -> Growth | None:
        """What the size of a fitted model tells of these data; None when it tells nothing."""
        return None

    @abstractmethod
    def lighter(self, parameters: Parameters) -> Iterator[dict[str, Value]]:
        """Yields changes that need less memory, nearest first: only the parameters that change."""

    @abstractmethod
    def fit(
        self,
        features: FeatureInfo,
        parameters: Parameters,
        X: Any,
        y: Any,
        sample_weight: Any | None,
        seed: int,
    ) -> Any:
        """Fits and returns a model.

        X: (n, features) float32, NaN for missing, possibly a read-only memory map. y: (n,) int32
        class codes, or float64 for regression. sample_weight: (n,) float64 or None.

        Raises: ValueError for a configuration that the library refuses, MemoryError.
        """

    @abstractmethod
    def predict(self, model: Any, X: Any) -> Any:
        """(n, classes) float64 probabilities, or (n,) float64 for regression."""

    @abstractmethod
    def save(self, model: Any, directory: Path) -> None:
        """Writes the model's files into an existing, empty directory."""

    @abstractmethod
    def load(self, directory: Path) -> Any:
        """Reads what `save` wrote. The caller has checked the files' checksums."""

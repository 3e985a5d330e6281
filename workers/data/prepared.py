"""An encoded dataset on disk: how its directory is laid out, opened, and cut into folds.

| file | holds |
|---|---|
| `X.npy` | (rows, features) float32, NaN for missing |
| `y.npy` | (rows,) int32 class codes, or float64 |
| `weight.npy` | (rows,) float64; absent without a weight column |
| `folds.npy` | (rows,) int8 as in `workers.data.splits`, ascending |
| `rows.npy` | (rows,) int64, the row's position in the stored table |
| `encoder.json` | see `workers.data.encode` |
| `meta.json` | `Meta` |

Rows are sorted by fold number, within a fold as in the table. So a validation part is always one
contiguous piece, and the training part is one too for a holdout, in time order, and for the first
and last fold: `take` gives those as views of the memory map, without a copy. `meta.json` is written
last and the directory renamed into place: it is there whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.data.encode import Encoder
from workers.data.splits import ALWAYS_TRAINING
from workers.families.base import DataShape, FeatureInfo

FORMAT_VERSION = 1
"""Of the directory. Another version's directory is made anew by `workers.data.prepare`."""


@dataclass(frozen=True)
class Meta:
    """What `meta.json` says. fingerprint: hash of the job that made it. categorical: see
    `FeatureInfo`. shape: what was found, not what was predicted.
    """

    format_version: int
    fingerprint: str
    task: str
    classes: tuple[str, ...]
    target_column: str
    is_time_ordered: bool
    categorical: tuple[int, ...]
    shape: DataShape
    notes: tuple[str, ...]

    def dumps(self) -> str:
        """As JSON text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def loads(cls, text: str) -> Meta:
        """Raises: ValueError for text of another version."""
        data = json.loads(text)
        if data.get("format_version") != FORMAT_VERSION:
            raise ValueError(f"prepared data of version {data.get('format_version')!r}")
        for name in ("classes", "categorical", "notes"):
            data[name] = tuple(data[name])
        # What grew is learned in a search, and not a property of the directory.
        sizes = tuple(data["shape"].get("category_sizes", ()))
        shape = DataShape(**{**data["shape"], "category_sizes": sizes, "growths": ()})
        return cls(**{**data, "shape": shape})


@dataclass(frozen=True)
class Prepared:
    """The open arrays. X is a memory map shared by all processes of the node.

    Never write to X: its pages are read-only, whatever numpy's flags say, and the process ends.
    """

    directory: Path
    meta: Meta
    X: npt.NDArray[np.float32]
    y: npt.NDArray[np.generic]
    weights: npt.NDArray[np.float64] | None
    folds: npt.NDArray[np.int8]

    @classmethod
    def open(cls, directory: str | Path) -> Prepared:
        """Raises: FileNotFoundError when nothing was prepared there."""
        path = Path(directory)
        meta = Meta.loads((path / "meta.json").read_text())
        weights = path / "weight.npy"
        return cls(
            directory=path,
            meta=meta,
            X=np.asarray(_SharedPages(np.load(path / "X.npy", mmap_mode="r"))),
            y=np.load(path / "y.npy"),
            weights=np.load(weights) if weights.exists() else None,
            folds=np.load(path / "folds.npy"),
        )

    def encoder(self) -> Encoder:
        """The encoder that made X."""
        return Encoder.from_json(json.loads((self.directory / "encoder.json").read_text()))

    def features(self, cpus: int, gpus: float = 0.0) -> FeatureInfo:
        """What families are told about X."""
        shape = self.meta.shape
        return FeatureInfo(
            categorical=self.meta.categorical,
            task=self.meta.task,
            classes=shape.classes,
            cpus=cpus,
            has_missing=shape.cells_missing,
            gpus=gpus,
        )

    def training(self, fold: int) -> tuple[slice, ...]:
        """The pieces of rows that fold's fit learns from."""
        return training_pieces(self.folds, fold, self.meta.is_time_ordered)

    def validation(self, fold: int) -> tuple[slice, ...]:
        """The piece of rows that fold is scored on."""
        return (_piece(self.folds, fold),)


class _SharedPages:
    """A read-only memory map that numpy takes for writable.

    scikit-learn looks for missing cells through a Cython view that asks for a writable buffer
    although it only reads, and refuses a read-only array with NaN in it. A private writable map
    would count against RLIMIT_DATA. So only numpy's flag is lifted: the pages stay protected by the
    kernel, and code that did write to them would end its own process, and change nothing.
    """

    def __init__(self, mapped: npt.NDArray[Any]) -> None:
        self._mapped = mapped  # keeps the pages mapped as long as an array refers to this object
        interface = mapped.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


def training_pieces(
    folds: npt.NDArray[np.int8], fold: int, is_time_ordered: bool
) -> tuple[slice, ...]:
    """Non-empty pieces of ascending fold numbers that train `fold`."""
    validation = _piece(folds, fold)
    before = slice(0, validation.start)
    after = slice(validation.stop, validation.stop if is_time_ordered else len(folds))
    return tuple(piece for piece in (before, after) if piece.start < piece.stop)


def take(array: npt.NDArray[Any], pieces: Sequence[slice]) -> npt.NDArray[Any]:
    """The rows of the pieces: a view for one piece, a copy for several."""
    if len(pieces) == 1:
        return array[pieces[0]]
    return np.concatenate([array[piece] for piece in pieces])


def part_sizes(numbers: npt.NDArray[np.int8], is_time_ordered: bool) -> tuple[int, int]:
    """Rows of the largest training part and of the largest validation part."""
    counts = np.bincount(numbers.astype(np.int64) - ALWAYS_TRAINING).tolist()
    always, parts = counts[0], counts[1:]
    if is_time_ordered:
        return always + sum(parts[:-1]), max(parts)
    return always + sum(parts) - min(parts), max(parts)


def _piece(folds: npt.NDArray[np.int8], fold: int) -> slice:
    start, stop = np.searchsorted(folds, [fold, fold + 1]).tolist()
    return slice(start, stop)

"""Measures a column of the stored type, batch by batch: moments of numbers, lengths of text."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class Measure:
    """What is summed up over one column. min, max, mean: of finite numbers; NaN without any.

    Mean and variance are merged batch by batch (Chan, Golub, LeVeque 1979), which stays exact where
    the sum of squares would cancel.
    """

    def __init__(self, kind: pa.DataType) -> None:
        self._is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        self._is_text = pa.types.is_string(kind)
        self.is_integer = pa.types.is_integer(kind)
        self._only_whole = True
        self.rows = 0
        self.missing = 0
        self.infinite = 0
        self.min = math.inf
        self.max = -math.inf
        self.mean = 0.0
        self._numbers = 0
        self._squares = 0.0
        self._characters = 0
        self._words = 0

    def observe(self, cells: pa.Array) -> None:
        """Takes in a batch of the column."""
        self.rows += len(cells)
        self.missing += cells.null_count
        if cells.null_count == len(cells):
            return
        if self._is_number:
            self._observe_numbers(cells.drop_null().to_numpy())
        elif self._is_text:
            self._characters += pc.sum(pc.utf8_length(cells)).as_py()
            spaces = pc.sum(pc.count_substring(pc.utf8_trim_whitespace(cells), " ")).as_py()
            self._words += spaces + len(cells) - cells.null_count

    @property
    def present(self) -> int:
        """Cells with a value."""
        return self.rows - self.missing

    @property
    def has_numbers(self) -> bool:
        """There is a number to take the mean of."""
        return self._numbers > 0

    @property
    def is_whole(self) -> bool:
        """All values of a number column are whole; False without any."""
        return self._is_number and self.has_numbers and self._only_whole

    @property
    def standard_deviation(self) -> float:
        """Of the population, not of a sample."""
        return math.sqrt(self._squares / self._numbers) if self._numbers else 0.0

    @property
    def mean_length(self) -> float:
        """Characters of a text cell with a value."""
        return self._characters / self.present if self.present else 0.0

    @property
    def mean_words(self) -> float:
        """Words of a text cell with a value, counted by single spaces."""
        return self._words / self.present if self.present else 0.0

    def _observe_numbers(self, raw: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        values = raw.astype(np.float64, copy=False)
        is_finite = np.isfinite(values)
        self.infinite += len(values) - int(is_finite.sum())
        values = values[is_finite]
        if not len(values):
            return
        self.min = min(self.min, float(values.min()))
        self.max = max(self.max, float(values.max()))
        if self._only_whole and not self.is_integer:
            self._only_whole = bool((values == np.floor(values)).all())
        with np.errstate(over="ignore"):  # squares of numbers beyond 1e154 are infinite: so be it
            self._merge(len(values), float(values.mean()), float(values.var()) * len(values))

    def _merge(self, count: int, mean: float, squares: float) -> None:
        total = self._numbers + count
        step = mean - self.mean
        self._squares += squares + step * step * self._numbers * count / total
        self.mean += step * count / total
        self._numbers = total

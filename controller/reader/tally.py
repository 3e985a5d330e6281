"""Counts the distinct values of a column in bounded memory, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COMPLETE_LIST = 1000
"""Columns with at most so many distinct values are listed completely."""

KEPT_WHEN_CAPPED = 100
"""Values whose rows are still counted after the counting of distinct ones has stopped."""

_MERGE_AT = 8192  # pending distinct values before a merge: a merge costs about a millisecond


@dataclass(frozen=True)
class TallyLimits:
    """When counting stops: at so many distinct values, or so many bytes of them."""

    distinct: int
    bytes: int


@dataclass(frozen=True)
class Counted:
    """Distinct values in the order they were first seen, and the rows that hold each."""

    values: pa.Array
    counts: np.ndarray[Any, np.dtype[np.int64]]


def count_values(cells: pa.Array) -> Counted:
    """The distinct values of one batch, missing left out."""
    pairs = cells.drop_null().value_counts()
    return Counted(pairs.field(0), pairs.field(1).to_numpy())


class Tally:
    """The distinct values of a column of one Arrow type.

    Exact until a limit is hit; from then on `is_capped`, distinct values are no longer looked for,
    and only the values that were most frequent so far are counted on, exactly.
    """

    def __init__(self, kind: pa.DataType, limits: TallyLimits) -> None:
        self._limits = limits
        self._known = Counted(pa.array([], kind), np.zeros(0, np.int64))
        self._pending: list[Counted] = []
        self._pending_values = 0
        self._distinct_at_cap = 0
        self._cells = 0
        self.is_capped = False

    def add(self, counted: Counted) -> None:
        """Takes in the distinct values of a batch; only while not capped."""
        self._pending.append(counted)
        self._pending_values += len(counted.values)
        self._cells += int(counted.counts.sum())
        known = len(self._known.values)
        may_be_over = known + self._pending_values > self._limits.distinct
        if may_be_over or self._pending_values > max(_MERGE_AT, known):
            self._merge()
            self._check_limits()

    def add_capped(self, cells: pa.Array) -> None:
        """Takes in a whole batch; only when capped."""
        found = pc.index_in(cells, value_set=self._known.values).drop_null().to_numpy()
        self._known.counts[:] += np.bincount(found, minlength=len(self._known.counts))

    def counted(self) -> Counted:
        """All distinct values, or the ones kept when capped."""
        self._merge()
        return self._known

    def distinct(self) -> int:
        """Number of distinct values; a lower bound when capped."""
        return self._distinct_at_cap if self.is_capped else len(self.counted().values)

    def distinct_share(self) -> float:
        """Distinct values over cells, as far as they were counted; 0 without cells."""
        return self.distinct() / self._cells if self._cells else 0.0

    def _merge(self) -> None:
        if not self._pending:
            return
        parts = [self._known, *self._pending]
        table = pa.table(
            {
                "value": pa.chunked_array([part.values for part in parts]),
                "count": np.concatenate([part.counts for part in parts]),
            }
        )
        merged = table.group_by("value", use_threads=False).aggregate([("count", "sum")])
        self._known = Counted(
            merged["value"].combine_chunks(), merged["count_sum"].to_numpy().copy()
        )
        self._pending, self._pending_values = [], 0

    def _check_limits(self) -> None:
        values = self._known.values
        if len(values) <= COMPLETE_LIST:
            return
        if len(values) > self._limits.distinct or values.nbytes > self._limits.bytes:
            self._distinct_at_cap = len(values)
            self.is_capped = True
            kept = np.sort(by_frequency(self._known.counts)[:KEPT_WHEN_CAPPED])
            self._known = Counted(values.take(pa.array(kept)), self._known.counts[kept])


def by_frequency(
    counts: np.ndarray[Any, np.dtype[np.int64]],
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Positions by falling count; equal counts stay in order."""
    return np.argsort(-counts, kind="stable")

"""Counts the levels of a category column and gives each a code: its rank by frequency."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

KEPT_LEVELS = 100_000
"""Levels kept of one column, the most frequent first. The rest count as never seen: they hold at
most a few rows each, and an encoder of unbounded size could not be served."""

_DICTIONARY_ROWS = 256
"""Up to this many values a Python dictionary is faster than building Arrow's hash table anew."""


class Levels:
    """The levels of one column, most frequent first, ties in the order of their UTF-8 bytes.

    texts: a string array without nulls. counts: (levels,) int64, rows that hold each.
    """

    def __init__(self, texts: pa.StringArray, counts: npt.NDArray[np.int64]) -> None:
        if len(texts) != len(counts):
            raise ValueError(f"{len(texts)} levels with {len(counts)} counts")
        self.texts = texts
        self.counts = counts

    @classmethod
    def count(cls, batches: Iterable[pa.StringArray]) -> Levels:
        """Counts levels batch by batch: memory for the distinct texts and one batch."""
        total: pa.Table | None = None
        for batch in batches:
            counted = pc.value_counts(batch.drop_null())
            part = pa.table({"text": counted.field(0), "count": counted.field(1)})
            if total is not None:
                part = pa.concat_tables([total, part])
            summed = part.group_by("text", use_threads=False).aggregate([("count", "sum")])
            total = summed.rename_columns({"text": "text", "count_sum": "count"})
        if total is None or total.num_rows == 0:
            return cls(pa.array([], pa.string()), np.empty(0, dtype=np.int64))
        order = pc.sort_indices(total, sort_keys=[("count", "descending"), ("text", "ascending")])
        kept = total.take(order[:KEPT_LEVELS]).combine_chunks()
        return cls(kept["text"].chunk(0), kept["count"].chunk(0).to_numpy())

    def __len__(self) -> int:
        return len(self.texts)

    def ranks(self, values: pa.StringArray) -> npt.NDArray[np.int64]:
        """(n,) rank of each value, -1 for a missing or unknown one."""
        if len(values) <= _DICTIONARY_ROWS:
            known = self._rank_of
            return np.array([known.get(text, -1) for text in values.to_pylist()], dtype=np.int64)
        found = pc.index_in(values, value_set=self.texts)
        return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False)).astype(np.int64)

    @cached_property
    def _rank_of(self) -> dict[str | None, int]:
        return {text: rank for rank, text in enumerate(self.texts.to_pylist())}

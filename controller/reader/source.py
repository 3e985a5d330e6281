"""A table as a stream of record batches, and the checks that all formats share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from controller.reader.request import TableError, TableReason


class TextSource(Protocol):
    """A table whose cells are all text, so that their meaning has to be found out."""

    @property
    def names(self) -> Sequence[str]:
        """Column names, in order."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What was noticed, for people."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, from the first one, at each call. All columns are strings without null."""
        ...


class TypedSource(Protocol):
    """A table whose columns have types of their own."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, from the first one, at each call."""
        ...


@dataclass(frozen=True)
class Header:
    """Column names fit for use, and what was done to make them so."""

    names: tuple[str, ...]
    notes: tuple[str, ...]


def make_header(raw: Sequence[str]) -> Header:
    """Trims names and gives nameless columns one.

    Raises: TableError when there is no column or two have the same name.
    """
    if not raw:
        raise TableError(TableReason.EMPTY_TABLE, "the table has no columns", "give one with rows")
    names = tuple(name.strip() or f"column_{at}" for at, name in enumerate(raw, 1))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise TableError(
            TableReason.DUPLICATE_COLUMNS,
            f"the column name {twice[0]!r} occurs {names.count(twice[0])} times",
            "give each column a name of its own",
        )
    notes = tuple(
        f"column {at} has no name and is called {name!r}"
        for at, (name, given) in enumerate(zip(names, raw, strict=True), 1)
        if not given.strip()
    )
    return Header(names, notes)

"""Decides what a column of text means from every one of its cells, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from controller.domain.records import ColumnKind
from controller.reader.spelling import (
    DATE_FORMATS,
    DateFormat,
    blanked,
    is_boolean,
    present,
    to_booleans,
    to_dates,
    to_numbers,
    to_text,
)
from controller.reader.tally import Tally, TallyLimits, count_values

Convert = Callable[[pa.Array], pa.Array]
"""Turns a batch of a column into the stored type."""


@dataclass(frozen=True)
class Reading:
    """How a column is stored. kind: CATEGORY where it may still turn out to be TEXT."""

    kind: ColumnKind
    stored_type: pa.DataType
    convert: Convert


class Survey:
    """One column of text. `observe` every batch, then `decide`."""

    def __init__(self, limits: TallyLimits) -> None:
        self.tally = Tally(pa.string(), limits)
        self._is_number = True
        self._is_integer = True
        self._dates: tuple[DateFormat, ...] = DATE_FORMATS
        self._has_values = False

    def observe(self, cells: pa.Array) -> None:
        """Takes in a batch of the column."""
        if self.tally.is_capped:
            self.tally.add_capped(cells)
            self._narrow(cells)
        else:
            counted = count_values(cells)
            self.tally.add(counted)
            self._narrow(counted.values)

    def decide(self) -> Reading:
        """What all cells allow: number, else boolean, else date, else category."""
        if self._is_number:
            return _number_reading(self._is_integer and self._has_values)
        if not self.tally.is_capped and is_boolean(present(self.tally.counted().values)):
            return Reading(
                ColumnKind.BOOLEAN, pa.bool_(), lambda cells: to_booleans(blanked(cells))
            )
        if len(self._dates) == 1:
            return _date_reading(self._dates[0])
        return Reading(ColumnKind.CATEGORY, pa.string(), to_text)

    def _narrow(self, cells: pa.Array) -> None:
        """Strikes what the cells are not."""
        if self._is_number and self._has_values and not self._dates:
            kind = pa.int64() if self._is_integer else pa.float64()
            if to_numbers(cells, kind) is not None:
                return  # the usual case: nothing new, and nothing to trim
        elif not self._is_number and not self._dates:
            return
        given = present(cells)
        if not len(given):
            return
        self._has_values = True
        if self._is_number:
            self._is_number = to_numbers(given, pa.float64()) is not None
        if self._is_number and self._is_integer:
            self._is_integer = to_numbers(given, pa.int64()) is not None
        self._dates = tuple(form for form in self._dates if to_dates(given, form) is not None)


def _number_reading(is_integer: bool) -> Reading:
    kind = pa.int64() if is_integer else pa.float64()

    def convert(cells: pa.Array) -> pa.Array:
        numbers = to_numbers(cells, kind)
        if numbers is None:
            numbers = to_numbers(blanked(cells), kind)
        assert numbers is not None, "the survey has seen every cell"
        return numbers

    return Reading(ColumnKind.NUMBER, kind, convert)


def _date_reading(form: DateFormat) -> Reading:
    def convert(cells: pa.Array) -> pa.Array:
        dates = to_dates(blanked(cells), form)
        assert dates is not None, "the survey has seen every cell"
        return dates

    return Reading(ColumnKind.DATE, pa.timestamp("us"), convert)

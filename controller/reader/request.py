"""What a reader is asked and what it answers: plain data that travels as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from controller.domain.records import Column


class TableFormat(StrEnum):
    """File formats that can be read; `headgate.v1.TableFormat` documents each."""

    UNSPECIFIED = ""
    CSV = "CSV"
    PARQUET = "PARQUET"
    ARROW = "ARROW"
    JSON_LINES = "JSON_LINES"
    SKLEARN = "SKLEARN"


class TableReason(StrEnum):
    """Why a table was refused; stable, the `reason` of the error that the caller gets."""

    UNREADABLE_TABLE = "UNREADABLE_TABLE"
    EMPTY_TABLE = "EMPTY_TABLE"
    DUPLICATE_COLUMNS = "DUPLICATE_COLUMNS"
    RAGGED_ROWS = "RAGGED_ROWS"
    WRONG_ENCODING = "WRONG_ENCODING"
    INFINITE_VALUES = "INFINITE_VALUES"
    NESTED_TYPE = "NESTED_TYPE"
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    UNKNOWN_FORMAT = "UNKNOWN_FORMAT"
    UNKNOWN_SKLEARN_DATASET = "UNKNOWN_SKLEARN_DATASET"
    UNREADABLE_URI = "UNREADABLE_URI"
    TABLE_TOO_LARGE = "TABLE_TOO_LARGE"


class TableError(Exception):
    """A table cannot be used. description: what is wrong; remedy: what to change."""

    def __init__(self, reason: TableReason, description: str, remedy: str) -> None:
        super().__init__(f"{description}; {remedy}")
        self.reason = reason
        self.description = description
        self.remedy = remedy


@dataclass(frozen=True)
class ReadRequest:
    """A table to read.

    location: a local path, or a URI. name: the file's name as the caller knows it, for its suffix.
    output: local path of the Parquet file to write. scratch: directory for temporary files.
    max_bytes: most bytes to fetch from a URI.
    """

    location: str
    name: str
    format: TableFormat
    output: str
    scratch: str
    max_bytes: int


@dataclass(frozen=True)
class ReadResult:
    """What was found. format: how the table was read. notes: for people."""

    rows: int
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    format: TableFormat


@dataclass(frozen=True)
class ReadRefusal:
    """Why a table was refused: the fields of `TableError`; or that memory was refused."""

    reason: str
    description: str
    remedy: str
    is_out_of_memory: bool = False


@dataclass(frozen=True)
class ReadAnswer:
    """Exactly one of the two is there."""

    result: ReadResult | None = None
    refusal: ReadRefusal | None = None

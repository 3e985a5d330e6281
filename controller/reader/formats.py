"""Finds out how a file must be read: by its name's suffix, then by its first bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from controller.reader.request import TableError, TableFormat, TableReason

_SUFFIXES: Mapping[str, TableFormat] = {
    ".csv": TableFormat.CSV,
    ".tsv": TableFormat.CSV,
    ".txt": TableFormat.CSV,
    ".data": TableFormat.CSV,
    ".parquet": TableFormat.PARQUET,
    ".pq": TableFormat.PARQUET,
    ".arrow": TableFormat.ARROW,
    ".arrows": TableFormat.ARROW,
    ".feather": TableFormat.ARROW,
    ".ipc": TableFormat.ARROW,
    ".jsonl": TableFormat.JSON_LINES,
    ".ndjson": TableFormat.JSON_LINES,
    ".json": TableFormat.JSON_LINES,
}

_MAGIC: Mapping[bytes, TableFormat] = {
    b"PAR1": TableFormat.PARQUET,
    b"ARROW1": TableFormat.ARROW,
    b"FEA1": TableFormat.ARROW,
    b"\xff\xff\xff\xff": TableFormat.ARROW,
}

_GZIP = b"\x1f\x8b"

_TEXT_FORMATS = frozenset({TableFormat.CSV, TableFormat.JSON_LINES})

_REMEDY = "save the table as CSV, Parquet, Arrow or JSON lines"


def find_format(path: Path, name: str, asked: TableFormat) -> TableFormat:
    """The format of the file at `path`, called `name` by the caller.

    Raises: TableError when it is none of ours, is empty, or is not what its name says.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise TableError(TableReason.EMPTY_TABLE, "the file is empty", "give one with rows")
    by_bytes = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    chosen = asked or _by_suffix(name)
    if chosen is None:
        return by_bytes or _guess_text(head, name)
    if chosen in _TEXT_FORMATS:
        if by_bytes is not None:
            raise TableError(
                TableReason.UNKNOWN_FORMAT,
                f"{name} should be {chosen} and holds {by_bytes}",
                "name the right format or correct the file's suffix",
            )
        _check_text(head, name)
    return chosen


def is_gzip(path: Path) -> bool:
    """True when the file begins like a gzip file."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def _by_suffix(name: str) -> TableFormat | None:
    path = Path(name.lower())
    if path.suffix == ".gz":
        path = path.with_suffix("")
    return _SUFFIXES.get(path.suffix)


def _guess_text(head: bytes, name: str) -> TableFormat:
    _check_text(head, name)
    is_json = head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    return TableFormat.JSON_LINES if is_json else TableFormat.CSV


def _check_text(head: bytes, name: str) -> None:
    """Raises: TableError when the bytes are no text in UTF-8, not gzipped either."""
    if head.startswith(_GZIP):
        return
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableError(TableReason.WRONG_ENCODING, f"{name} is UTF-16", "save the file as UTF-8")
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise TableError(
            TableReason.UNKNOWN_FORMAT, f"{name} is a zip archive or a spreadsheet", _REMEDY
        )
    if b"\0" in head:
        raise TableError(TableReason.UNKNOWN_FORMAT, f"{name} is a binary file", _REMEDY)

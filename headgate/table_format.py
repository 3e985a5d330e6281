"""How a file on the client's side must be read: by its name's suffix, then by its first bytes.

The rules are the server's, so that the file a model was learned from can be predicted as well; a
test reads the same files with both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from headgate.errors import InputError


class TableFormat(StrEnum):
    """File formats that can be read."""

    CSV = "CSV"
    PARQUET = "Parquet"
    ARROW = "Arrow"
    JSON_LINES = "JSON lines"


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
_BOM = b"\xef\xbb\xbf"
_TEXT_FORMATS = frozenset({TableFormat.CSV, TableFormat.JSON_LINES})
_HEAD_BYTES = 4096


def find_format(path: Path) -> TableFormat:
    """The format of a file. Raises: InputError when it is empty or none of ours, OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise InputError(f"{path} is empty; a table with a header and rows is needed")
    by_bytes = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    by_name = _by_suffix(path.name)
    if by_name is None:
        return by_bytes or _guess_text(head, path)
    if by_name in _TEXT_FORMATS:
        if by_bytes is not None:
            raise InputError(f"{path} should be {by_name} and holds {by_bytes}; rename it")
        _check_text(head, path)
    return by_name


def is_gzip(path: Path) -> bool:
    """True when the file begins like a gzip file. Raises: OSError."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def column_names(raw: Sequence[str], path: Path) -> list[str]:
    """Names trimmed, nameless columns called `column_N`. Raises: InputError for a name twice."""
    names = [name.strip() or f"column_{at}" for at, name in enumerate(raw, 1)]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}: the column {twice!r} occurs twice; rename one of them")
    return names


def _by_suffix(name: str) -> TableFormat | None:
    path = Path(name.lower())
    if path.suffix == ".gz":
        path = path.with_suffix("")
    return _SUFFIXES.get(path.suffix)


def _guess_text(head: bytes, path: Path) -> TableFormat:
    _check_text(head, path)
    is_json = head.removeprefix(_BOM).lstrip().startswith(b"{")
    return TableFormat.JSON_LINES if is_json else TableFormat.CSV


def _check_text(head: bytes, path: Path) -> None:
    if head.startswith(_GZIP):
        return
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path} is UTF-16; save it as UTF-8")
    if b"\0" in head or head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise InputError(f"{path} is no text; save it as CSV, JSON lines, Parquet or Arrow")

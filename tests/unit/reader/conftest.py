"""Reads files of the test in process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from controller.reader.read import read_table
from controller.reader.request import ReadRequest, ReadResult, TableFormat

Read = Callable[..., ReadResult]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.parquet"


@pytest.fixture
def read(tmp_path: Path, output: Path) -> Read:
    """`read(content, name)` writes and reads a file; `read(path_or_uri)` reads what is there."""

    def run(
        content: bytes | str | None,
        name: str = "table.csv",
        form: TableFormat = TableFormat.UNSPECIFIED,
        location: str = "",
    ) -> ReadResult:
        if not location:
            assert content is not None
            path = tmp_path / name
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            location = str(path)
        request = ReadRequest(location, name, form, str(output), str(tmp_path), 1 << 30)
        return read_table(request)

    return run

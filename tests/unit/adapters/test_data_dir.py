"""A data directory has one owner at a time and remembers the API's port."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.data_dir import DataDir
from controller.domain.errors import FailedPrecondition


def test_a_second_owner_is_refused_until_the_first_leaves(tmp_path: Path) -> None:
    with DataDir(tmp_path / "d"), pytest.raises(FailedPrecondition, match="another controller"):
        DataDir(tmp_path / "d").__enter__()
    with DataDir(tmp_path / "d"):
        pass


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FailedPrecondition, match="--data-dir"):
        DataDir(tmp_path / "file" / "d").__enter__()


@pytest.mark.parametrize("garbage", [None, "", "{", "[]", '{"grpc": "x"}', "3"])
def test_the_port_is_remembered_and_garbage_is_none(tmp_path: Path, garbage: str | None) -> None:
    with DataDir(tmp_path) as data_dir:
        assert data_dir.last_grpc_port() == 0
        data_dir.remember_grpc_port(5000)
        assert data_dir.last_grpc_port() == 5000
        if garbage is not None:
            (tmp_path / "ports.json").write_text(garbage)
            assert data_dir.last_grpc_port() == 0

"""The contract of the artifact store: `controller.ports.artifacts`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import fs

from controller.adapters.artifacts import PART_SUFFIX, FsArtifacts
from controller.domain.errors import DataLoss, InvalidField, Unavailable
from controller.ports.artifacts import Artifacts


def _local(directory: Path) -> Artifacts:
    return FsArtifacts((directory / "a root").as_uri())


def _remote(directory: Path) -> Artifacts:
    """Goes the way of object stores, on a file system that is at hand everywhere."""
    root = directory / "remote"
    (root / "files").mkdir(parents=True)
    artifacts = FsArtifacts(root.as_uri())
    artifacts._is_local = False
    return artifacts


@pytest.fixture(params=[_local, _remote], ids=["local", "remote"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    make: Callable[[Path], Artifacts] = request.param
    return make(tmp_path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"0123456789")
    return path


def test_what_is_put_is_read(artifacts: Artifacts, source: Path) -> None:
    uri = artifacts.uri("files", "ä b%#?.bin")
    assert artifacts.put_file(source, uri) == 10
    assert artifacts.read(uri) == b"0123456789"
    assert list(artifacts.chunks(uri, 4)) == [b"0123", b"4567", b"89"]


def test_a_second_put_replaces(artifacts: Artifacts, source: Path) -> None:
    uri = artifacts.uri("files", "a")
    artifacts.put_file(source, uri)
    source.write_bytes(b"x")
    assert artifacts.put_file(source, uri) == 1
    assert artifacts.read(uri) == b"x"
    assert artifacts.list_files(artifacts.uri("files")) == ["a"]


def test_a_failed_put_leaves_nothing(artifacts: Artifacts, tmp_path: Path) -> None:
    with pytest.raises((DataLoss, Unavailable)):
        artifacts.put_file(tmp_path / "none", artifacts.uri("files", "a"))
    assert artifacts.list_files(artifacts.uri("files")) == []
    assert [path for path in tmp_path.rglob("*.part*") if path.is_file()] == []


def test_listing(artifacts: Artifacts, source: Path, tmp_path: Path) -> None:
    assert artifacts.list_files(artifacts.uri("none")) == []
    for name in ("b", "a", "c.part"):
        artifacts.put_file(source, artifacts.uri("files", name))
    assert artifacts.list_files(artifacts.uri("files")) == ["a", "b"]


def test_deleting_files_and_directories_is_idempotent(artifacts: Artifacts, source: Path) -> None:
    uri = artifacts.uri("files", "a")
    artifacts.put_file(source, uri)
    for _ in range(2):
        artifacts.delete(uri)
        assert artifacts.list_files(artifacts.uri("files")) == []
    artifacts.put_file(source, uri)
    for _ in range(2):
        artifacts.delete(artifacts.uri("files"))
        assert artifacts.list_files(artifacts.uri("files")) == []


def test_a_missing_file_is_lost_data(artifacts: Artifacts) -> None:
    with pytest.raises(DataLoss, match="restore"):
        artifacts.read(artifacts.uri("none"))
    with pytest.raises(DataLoss, match="restore"):
        list(artifacts.chunks(artifacts.uri("none"), 5))


def test_storage_that_is_away_is_unavailable(
    artifacts: Artifacts, source: Path, tmp_path: Path
) -> None:
    uri = artifacts.uri("files", "a")
    artifacts.put_file(source, uri)
    with pytest.raises(Unavailable, match="check its disk"):  # a file stands where a directory must
        artifacts.put_file(source, f"{uri}/below")


@pytest.mark.parametrize("segment", ["", ".", "..", "a/b", "a\0b"])
def test_unsafe_segments_are_refused(artifacts: Artifacts, segment: str) -> None:
    with pytest.raises(ValueError, match="no file name"):
        artifacts.uri("files", segment)


def test_nothing_outside_the_root_is_touched(artifacts: Artifacts, source: Path) -> None:
    root = artifacts.uri()
    for uri in (source.as_uri(), root, f"{root}/../source", f"{root}/%2e%2e/source", f"{root}x/a"):
        with pytest.raises(ValueError, match="not below"):
            artifacts.delete(uri)
    assert source.exists()


def test_a_plain_path_is_a_root_too(tmp_path: Path, source: Path) -> None:
    artifacts = FsArtifacts(str(tmp_path / "p q"))
    artifacts.put_file(source, artifacts.uri("a"))
    assert (tmp_path / "p q" / "a").read_bytes() == b"0123456789"
    assert fs.FileSystem.from_uri(artifacts.uri("a"))[1] == str(tmp_path / "p q" / "a")


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(InvalidField, match="file:, s3:"):
        FsArtifacts("ftp://host/directory")


def test_what_was_cut_off_is_swept_and_nothing_else(tmp_path: Path, source: Path) -> None:
    artifacts = FsArtifacts((tmp_path / "root").as_uri())
    kept = artifacts.uri("datasets", "ns", "whole.parquet")
    artifacts.put_file(source, kept)
    cut_off = tmp_path / "root" / "datasets" / "ns" / f"other.parquet.0123{PART_SUFFIX}"
    cut_off.write_bytes(b"half")
    assert artifacts.sweep_unfinished(artifacts.uri("datasets")) == 1
    assert not cut_off.exists()
    assert artifacts.read(kept) == b"0123456789"
    assert artifacts.sweep_unfinished(artifacts.uri("datasets")) == 0

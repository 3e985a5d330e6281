"""Bundles are unpacked whole, into new directories only, and never outside."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.archive import unpack
from headgate.errors import InputError, ServerError


def archive(members: dict[str, bytes]) -> Iterator[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    content = buffer.getvalue()
    return (content[i : i + 700] for i in range(0, len(content), 700))


def test_files_arrive_in_a_new_or_empty_directory(tmp_path: Path) -> None:
    members = {"manifest.json": b"{}", "model/model.ubj": b"x" * 5000}
    target = unpack(archive(members), tmp_path / "deep" / "bundle")
    found = {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert found == members
    empty = tmp_path / "empty"
    empty.mkdir()
    assert (unpack(archive(members), empty) / "manifest.json").is_file()


def test_a_directory_with_content_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        unpack(archive({"a": b""}), tmp_path)
    assert (tmp_path / "mine").read_text() == "keep"


def test_members_outside_the_directory_are_refused_and_nothing_stays(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    with pytest.raises(ServerError, match="cannot be unpacked"):
        unpack(archive({"../evil": b"x"}), target)
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    chunks = list(archive({"a": b"x" * 20_000}))[:3]
    with pytest.raises(ServerError, match="export it again"):
        unpack(chunks, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written: "):
        unpack(archive({"a": b"x"}), tmp_path / "file" / "bundle")

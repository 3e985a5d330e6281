"""The embedded Ray's token: private, kept, and made anew when a crash left it empty."""

from __future__ import annotations

from pathlib import Path

from controller.adapters.local_ray import LocalRay, RaySize

SIZE = RaySize(cpus=1, memory_bytes=1 << 30, object_store_bytes=80 << 20)


def test_a_token_is_private_and_kept(tmp_path: Path) -> None:
    first = LocalRay(tmp_path / "ray", SIZE)
    assert len(first.token) == 64
    assert first.token_path.stat().st_mode & 0o077 == 0
    assert LocalRay(tmp_path / "ray", SIZE).token == first.token


def test_an_empty_token_is_replaced(tmp_path: Path) -> None:
    directory = tmp_path / "ray"
    directory.mkdir()
    (directory / "auth_token").write_text("")
    (directory / "auth_token.tmp").write_text("half")
    assert len(LocalRay(directory, SIZE).token) == 64

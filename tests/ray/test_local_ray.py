"""The embedded Ray: started, adopted after its owner was killed, ended without a trace."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.adapters.local_ray import LocalRay, RaySize
from controller.adapters.processes import ProcessIdentity, session_members
from controller.adapters.ray_rest import RayRest
from controller.domain.errors import Unavailable

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

SIZE = RaySize(cpus=2, memory_bytes=1 << 30, object_store_bytes=80 << 20)

# An owner that dies as by kill -9 once its Ray answers.
_KILLED_OWNER = """
import asyncio, os, signal, sys
from pathlib import Path
from typing import Any
from controller.adapters.local_ray import LocalRay, RaySize
ray = LocalRay(Path(sys.argv[1]), RaySize(2, 1 << 30, 80 << 20))
ray.start()
asyncio.run(ray.wait_until_ready())
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "ray"
    LocalRay(tmp_path / "ray", SIZE).start_over()


def run_record(directory: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((directory / "run.json").read_text())
    return record


def test_start_adopt_resize_and_stop(directory: Path) -> None:
    owner = subprocess.run([sys.executable, "-c", _KILLED_OWNER, str(directory)], check=False)
    assert owner.returncode == -9
    left = run_record(directory)
    assert ProcessIdentity(left["pid"], left["start_ticks"]).is_alive

    adopted = LocalRay(directory, SIZE)
    adopted.start()
    assert adopted.is_adopted
    asyncio.run(adopted.wait_until_ready())
    asyncio.run(look_at_nodes(adopted))
    adopted.stop()
    assert session_members(left["pid"], left["start_ticks"]) == []
    assert not (directory / "run.json").exists()
    # The path below pytest's directories is too long for Ray's sockets, so a link was made.
    assert left["link"]
    assert not Path(left["link"]).parent.exists()


async def look_at_nodes(ray: LocalRay) -> None:
    client = RayRest(ray.dashboard_address, ray.token)
    stranger = RayRest(ray.dashboard_address, "wrong")
    try:
        (node,) = await client.nodes()
        assert (node.cpus, node.memory_bytes) == (2, 1 << 30)
        with pytest.raises(Unavailable, match="RAY_AUTH_TOKEN"):
            await stranger.nodes()
    finally:
        await client.close()
        await stranger.close()


def test_what_was_left_in_another_size_is_ended_first(directory: Path) -> None:
    subprocess.run([sys.executable, "-c", _KILLED_OWNER, str(directory)], check=False)
    left = run_record(directory)
    other = LocalRay(directory, RaySize(1, 1 << 30, 80 << 20))
    other.start()
    try:
        assert not other.is_adopted
        assert session_members(left["pid"], left["start_ticks"]) == []
        assert run_record(directory)["pid"] != left["pid"]
    finally:
        other.stop()


def test_a_record_of_a_stranger_with_the_same_pid_harms_nobody(directory: Path) -> None:
    directory.mkdir(parents=True)
    own = ProcessIdentity.of(os.getpid())
    assert own is not None
    record = {
        "version": 1,
        "pid": own.pid,
        "start_ticks": own.start_ticks - 1,
        "first_port": 20_100,
        "cpus": 2,
        "memory_bytes": 1 << 30,
        "object_store_bytes": 80 << 20,
        "python": sys.executable,
    }
    (directory / "run.json").write_text(json.dumps(record))
    LocalRay(directory, SIZE).start_over()
    assert own.is_alive
    assert not (directory / "run.json").exists()

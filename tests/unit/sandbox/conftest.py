"""One sandbox with the libraries loaded for all tests, and the means to wait for processes."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workers.sandbox.sandbox import Sandbox
from workers.trial.job import SandboxLimits

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def _targets_importable() -> Iterator[None]:
    """Children import `sandbox_targets` by name: they get our import path."""
    sys.path.insert(0, str(HERE))
    yield
    sys.path.remove(str(HERE))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    scratch = tmp_path_factory.mktemp("sandbox")
    with Sandbox(("numpy", "sklearn.ensemble", "xgboost"), scratch, node="here") as sandbox:
        yield sandbox
    assert list(scratch.iterdir()) == []


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox of the test's own, without libraries."""
    with Sandbox((), tmp_path / "bare") as sandbox:
        yield sandbox


@pytest.fixture
def limits() -> SandboxLimits:
    return SandboxLimits(memory_bytes=256 << 20, wall_seconds=60.0, cpus=2)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


class Watch:
    """Pidfds of processes: they stay with the process, whatever becomes of its number."""

    def __init__(self) -> None:
        self._opened: dict[int, int] = {}

    def take(self, *pids: int) -> None:
        for pid in pids:
            self._opened[pid] = os.pidfd_open(pid)

    def wait_gone(self, seconds: float = 20.0) -> None:
        """Block until every process taken has ended."""
        for pid, descriptor in self._opened.items():
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            assert poll.poll(seconds * 1000), f"process {pid} is still there"

    def close(self) -> None:
        for descriptor in self._opened.values():
            os.close(descriptor)


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.close()


@pytest.fixture
def reported_pids(fifo: Path) -> Callable[[], list[int]]:
    """Blocks until the job has written its pids into the fifo."""
    return lambda: [int(line) for line in fifo.read_text().split()]

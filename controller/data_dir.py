"""The data directory: what lies where, and the lock that gives it one owner."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from types import TracebackType
from typing import IO

from controller.domain.errors import FailedPrecondition


class DataDir:
    """A data directory, held by an exclusive lock inside a `with` block.

    Entering raises FailedPrecondition when another process holds it or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    @property
    def database(self) -> Path:
        """The SQLite store."""
        return self.path / "headgate.db"

    @property
    def artifacts(self) -> Path:
        """Datasets and models, unless an artifact URI is set."""
        return self.path / "artifacts"

    @property
    def work(self) -> Path:
        """Working files of searches, unless a work directory is set."""
        return self.path / "work"

    @property
    def scratch(self) -> Path:
        """Uploads that are not complete; emptied at every start."""
        return self.path / "scratch"

    @property
    def ray(self) -> Path:
        """Everything of the embedded Ray."""
        return self.path / "ray"

    @property
    def _ports(self) -> Path:
        return self.path / "ports.json"

    def last_grpc_port(self) -> int:
        """The gRPC port of the last run, 0 when there was none: drivers that still run know it."""
        try:
            return int(json.loads(self._ports.read_text())["grpc"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def remember_grpc_port(self, port: int) -> None:
        """Keeps the port for the next run."""
        temporary = self._ports.with_suffix(".tmp")
        temporary.write_text(json.dumps({"grpc": port}))
        temporary.replace(self._ports)

    def __enter__(self) -> DataDir:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "lock").open("a")
        except OSError as error:
            raise FailedPrecondition(
                f"the data directory {self.path} cannot be used: {error.strerror}; "
                "set --data-dir to one that can be written"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise FailedPrecondition(
                f"another controller uses the data directory {self.path}; stop it or set --data-dir"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

"""Runs `headgate up` as a user would, for the demo, benchmarks and end-to-end tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from controller.adapters.processes import ProcessIdentity, session_members

_START_SECONDS = 240.0
_STOP_SECONDS = 60.0


class LocalService:
    """A `headgate up` on free ports with a data directory of its own.

    Use in a `with` block: entering starts it and waits until it is ready, leaving sends SIGINT, as
    Ctrl-C does, and raises RuntimeError when a process of it is still there afterwards.
    """

    def __init__(self, *options: str, data_dir: Path | None = None) -> None:
        self._options = options
        self._owns_directory = data_dir is None
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix="headgate-"))
        self.addresses: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        """Everything that `up` printed."""
        return self.data_dir / "up.log"

    @property
    def pid(self) -> int:
        """The process id of `headgate up`."""
        if self._process is None:
            raise RuntimeError("it was not started")
        return self._process.pid

    @property
    def grpc(self) -> str:
        """`HOST:PORT` of the API."""
        return self.addresses["grpc"]

    def start(self) -> None:
        """Starts it and waits until the ready file is there. Raises: RuntimeError."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        ready_file = self.data_dir / "ready.json"
        ready_file.unlink(missing_ok=True)
        command = [
            str(Path(sys.executable).parent / "headgate"),
            "up",
            "--grpc=127.0.0.1:0",
            "--http=127.0.0.1:0",
            f"--data-dir={self.data_dir}",
            f"--ready-file={ready_file}",
            *self._options,
        ]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(os.environ)
            )
        deadline = time.monotonic() + _START_SECONDS
        while not ready_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"headgate up did not become ready:\n{self.tail()}")
            time.sleep(0.1)
        self.addresses = json.loads(ready_file.read_text())

    def tail(self, count: int = 40) -> str:
        """The last lines that `up` printed."""
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-count:])

    def ray_session(self) -> ProcessIdentity:
        """The head process of its Ray."""
        record = json.loads((self.data_dir / "ray" / "run.json").read_text())
        return ProcessIdentity(record["pid"], record["start_ticks"])

    def kill(self) -> None:
        """Kill -9 of `headgate up` alone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ctrl-C, then checks that nothing is left. Raises: RuntimeError."""
        if self._process is None:
            return
        has_ray = (self.data_dir / "ray" / "run.json").exists()
        head = self.ray_session() if has_ray else None
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise RuntimeError(f"headgate up did not end:\n{self.tail()}") from None
        finally:
            self._process = None
        left = [] if head is None else session_members(head.pid, head.start_ticks)
        if left:
            raise RuntimeError(f"processes were left behind: {[member.pid for member in left]}")
        if code != 0:
            raise RuntimeError(f"headgate up ended with {code}:\n{self.tail()}")

    def __enter__(self) -> LocalService:
        try:
            self.start()
        except BaseException:
            self._abandon()
            raise
        return self

    def _abandon(self) -> None:
        """Ends what could be started, whatever state it is in."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self._owns_directory and error is None:
            shutil.rmtree(self.data_dir, ignore_errors=True)

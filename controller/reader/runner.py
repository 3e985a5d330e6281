"""Runs readers: children with a memory limit and a time limit that die with the controller."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from controller.domain.codec import from_json, to_json
from controller.domain.errors import HeadgateError, ResourceExhausted
from controller.reader.job import ReadJob
from controller.reader.request import (
    ReadAnswer,
    ReadRequest,
    ReadResult,
    TableError,
    TableReason,
)

_log = logging.getLogger(__name__)

POLL_MS = 20
"""Time between looks at the child's memory: it overshoots by what it can touch in that time."""

_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "mimalloc",  # the system's kept 1.2 GB where this kept 0.4 GB
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class ReaderProcess:
    """Reads tables in children of their own.

    memory_bytes: anonymous memory a child may hold, that of Python and Arrow included (60 MB).
    timeout_seconds: wall time of one reading. max_at_once: more callers wait for their turn.
    """

    def __init__(self, memory_bytes: int, timeout_seconds: float, max_at_once: int = 2) -> None:
        self._memory_bytes = memory_bytes
        self._timeout_seconds = timeout_seconds
        self._turns = threading.BoundedSemaphore(max_at_once)

    def read(self, request: ReadRequest) -> ReadResult:
        """Reads one table and writes `request.output`. Blocks, seconds to minutes.

        Raises: TableError when the table cannot be used, ResourceExhausted when a limit was hit.
        """
        with self._turns, TemporaryDirectory(dir=request.scratch, prefix="read-") as directory:
            answer_path = Path(directory) / "answer.json"
            job = ReadJob(request, self._memory_bytes, os.getpid(), str(answer_path))
            with (Path(directory) / "stderr").open("w+b") as stderr:
                code = self._run(json.dumps(to_json(job)), stderr)
                if code != 0:
                    stderr.seek(0)
                    _refuse_crash(code, stderr.read().decode(errors="replace"))
            return self._open(from_json(ReadAnswer, json.loads(answer_path.read_text())))

    def _run(self, job: str, stderr: IO[bytes]) -> int:
        """Runs a child to its end; returns its exit code, negative for a signal."""
        with subprocess.Popen(
            [sys.executable, "-m", "controller.reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, **_ENVIRONMENT},
            text=True,
        ) as child:
            assert child.stdin is not None
            try:
                child.stdin.write(job)
                child.stdin.close()
            except BrokenPipeError:
                _log.debug("the reader ended before it had read its job")
            self._watch(child)
            return child.wait()

    def _watch(self, child: subprocess.Popen[str]) -> None:
        """Waits for the child's end. Kills it and raises ResourceExhausted at a limit."""
        deadline = time.monotonic() + self._timeout_seconds
        handle = os.pidfd_open(child.pid)
        try:
            poller = select.poll()
            poller.register(handle, select.POLLIN)
            while not poller.poll(POLL_MS):
                self._check(child.pid, deadline)
        except BaseException:
            child.kill()
            raise
        finally:
            os.close(handle)

    def _check(self, pid: int, deadline: float) -> None:
        """Raises: ResourceExhausted when a limit is hit."""
        if _anonymous_bytes(pid) > self._memory_bytes:
            raise self._out_of_memory()
        if time.monotonic() > deadline:
            raise ResourceExhausted(
                f"reading the table took more than {self._timeout_seconds:g} seconds; "
                "give a smaller table or Parquet, or raise the reader's time limit"
            )

    def _open(self, answer: ReadAnswer) -> ReadResult:
        if answer.refusal is not None:
            refusal = answer.refusal
            if refusal.is_out_of_memory:
                raise self._out_of_memory()
            raise TableError(TableReason(refusal.reason), refusal.description, refusal.remedy)
        assert answer.result is not None
        return answer.result

    def _out_of_memory(self) -> ResourceExhausted:
        return ResourceExhausted(
            f"reading the table needs more than the {self._memory_bytes >> 20} MiB that a reader "
            "may use; give fewer columns or shorter cells, or raise the reader's memory limit"
        )


def _anonymous_bytes(pid: int) -> int:
    """Anonymous memory of a process; 0 when it is over."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    line = next((line for line in status.splitlines() if line.startswith("RssAnon:")), None)
    return int(line.split()[1]) * 1024 if line else 0


def _refuse_crash(code: int, stderr: str) -> None:
    """Raises the error for a child that ended without an answer."""
    _log.error("a reader ended with exit code %s: %s", code, stderr[-4000:])
    if code == -signal.SIGKILL:
        raise ResourceExhausted(
            "the reader was killed from outside, most likely because the machine ran out of "
            "memory; try again when it is less busy"
        )
    if code < 0:
        raise TableError(
            TableReason.UNREADABLE_TABLE,
            f"the file makes the reader crash (signal {-code})",
            "write it again with another program, or as CSV",
        )
    last_line = stderr.strip().rpartition("\n")[2]
    raise HeadgateError(f"the reader failed: {last_line}; this is a fault of Headgate, report it")

"""The sandbox: one call runs one job in a confined child and says how it ended and what it used."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from workers.sandbox import selftest
from workers.sandbox.classify import Evidence, classify
from workers.sandbox.forkserver import ForkServer, ForkServerLost
from workers.sandbox.messages import Exited, Hello, Raised, Request, Returned, receive, send
from workers.sandbox.output import output_tail
from workers.sandbox.watchdog import Watchdog, Watched
from workers.trial.job import Outcome, SandboxLimits

HELLO_SECONDS = 30.0
"""A child says hello after 10-25 ms; a node so loaded that it takes this long is lost."""

EXIT_SECONDS = 60.0
"""From a closed connection to the forkserver's word: the kernel frees ~10 GB/s."""


class SandboxClosed(RuntimeError):
    """The sandbox was closed; it takes no more jobs."""


@dataclass
class _Job:
    """A call of `run`: its key, and the child once there is one. Fields change under the lock."""

    key: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_cancelled: bool = False
    child: Watched | None = None

    def cancel(self) -> None:
        with self.lock:
            self.is_cancelled = True
            if self.child is not None:
                self.child.end("CANCELLED")

    def attach(self, child: Watched) -> None:
        with self.lock:
            self.child = child
            if self.is_cancelled:
                child.end("CANCELLED")


@dataclass(frozen=True)
class _End:
    """What is left of a child."""

    answer: Returned | Raised | None
    exited: Exited
    hello: Hello
    child: Watched
    wall_seconds: float


class Sandbox:
    """Children of one forkserver, watched by one thread. Thread-safe; use it as a context.

    preload: modules the forkserver imports; targets in them start at once. scratch: a directory
    for output files (made when missing; files in it have no name and vanish by themselves).
    node: stamped on outcomes. Making one blocks until the modules are loaded (seconds) and the
    self-test passed. Raises: SandboxUnusable.
    """

    def __init__(self, preload: Sequence[str], scratch: Path, *, node: str = "") -> None:
        self._preload = tuple(preload)
        self._scratch = scratch
        self._node = node
        self._changed = threading.Condition()
        self._starting = threading.Lock()
        self._jobs: list[_Job] = []
        self._is_closed = False
        scratch.mkdir(parents=True, exist_ok=True)
        self._server = ForkServer(self._preload)
        self._watchdog = Watchdog()
        self.enforcement = "watchdog"
        try:
            self.enforcement = selftest.prove(
                lambda target, argument, limits: self.run(target, argument, limits, "selftest")
            )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def forkserver_pid(self) -> int:
        """Process id of the present forkserver."""
        return self._server.pid

    @property
    def idle_bytes(self) -> int:
        """Anonymous memory of the idle forkserver: paid once, its children share it."""
        return self._server.ready.anonymous_bytes

    @property
    def running_count(self) -> int:
        """Jobs now inside `run`."""
        return len(self._jobs)

    def run(self, target: str, argument: object, limits: SandboxLimits, key: str) -> Outcome:
        """Call `target` (`module:function`) with `argument` in a child; block until it ended.

        The result must pickle to at most 64 MiB. key: names the job for `cancel`; it need not be
        unique. Whatever the job does, this returns an Outcome. Raises: SandboxClosed,
        SandboxUnusable (the forkserver died and cannot be started again), and what pickling
        `argument` raises.
        """
        with self._registered(key) as job, self._output() as output:
            if job.is_cancelled:
                return self._early("CANCELLED", "cancelled before it started", limits)
            try:
                end = self._execute(Request(target, argument, limits), job, output.fileno())
            except (ForkServerLost, OSError) as error:
                return self._early("LOST", f"the sandbox was lost: {error}", limits)
            return self._outcome(end, limits, output_tail(output.fileno()))

    def cancel(self, key_prefix: str) -> int:
        """End every job whose key starts so, started or not. Does not wait. Gives how many.

        A job that `run` is called for later is not affected.
        """
        with self._changed:
            jobs = [job for job in self._jobs if job.key.startswith(key_prefix)]
        for job in jobs:
            job.cancel()
        return len(jobs)

    def drain(self, key_prefix: str) -> int:
        """Cancel as `cancel` does, then block until those jobs are over, a minute at most."""
        count = self.cancel(key_prefix)
        with self._changed:
            self._changed.wait_for(
                lambda: not any(job.key.startswith(key_prefix) for job in self._jobs), EXIT_SECONDS
            )
        return count

    def close(self) -> None:
        """Cancel everything, wait for it, end the forkserver. Idempotent."""
        with self._changed:
            self._is_closed = True
        self.drain("")
        self._server.close()
        self._watchdog.close()

    @contextlib.contextmanager
    def _registered(self, key: str) -> Iterator[_Job]:
        job = _Job(key)
        with self._changed:
            if self._is_closed:
                raise SandboxClosed("the sandbox is closed")
            self._jobs.append(job)
        try:
            yield job
        finally:
            with self._changed:
                self._jobs = [other for other in self._jobs if other is not job]
                self._changed.notify_all()

    @contextlib.contextmanager
    def _output(self) -> Iterator[IO[bytes]]:
        with tempfile.TemporaryFile(dir=self._scratch, buffering=0) as file:
            # Appending: cut back to nothing, the file has no hole before the next write.
            fcntl.fcntl(file.fileno(), fcntl.F_SETFL, os.O_APPEND)
            yield file

    def _execute(self, request: Request, job: _Job, output: int) -> _End:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                exited = self._live_server().fork(theirs, output)
            ours.settimeout(HELLO_SECONDS)
            try:
                hello: Hello = receive(ours)
            except EOFError as error:
                raise ForkServerLost("the child ended before it could start") from error
            ours.settimeout(None)
            child = Watched(hello.pid, hello.anonymous_bytes, request.limits, output)
            try:
                return self._attend(ours, request, job, child, hello, exited)
            finally:
                self._watchdog.forget(child)
                child.close()

    def _attend(
        self,
        connection: socket.socket,
        request: Request,
        job: _Job,
        child: Watched,
        hello: Hello,
        exited: Future[Exited],
    ) -> _End:
        started = time.monotonic()
        job.attach(child)
        self._watchdog.watch(child)
        try:
            send(connection, request)
        except OSError:
            pass  # it was ended before it read its request; the evidence will say so
        except BaseException:
            child.end("CANCELLED")  # the argument does not pickle
            raise
        try:
            answer: Returned | Raised | None = receive(connection)
        except (EOFError, OSError):
            answer = None  # it died before, or in the middle of, its result
        try:
            end = exited.result(EXIT_SECONDS)
        except ForkServerLost:
            # Nobody else is left to do it. Linux gives numbers round robin: it is not reused yet.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(hello.pid, signal.SIGKILL)
            raise
        return _End(answer, end, hello, child, time.monotonic() - started)

    def _live_server(self) -> ForkServer:
        with self._starting:
            if self._server.is_lost and not self._is_closed:
                self._server.close()
                self._server = ForkServer(self._preload)
            return self._server

    def _outcome(self, end: _End, limits: SandboxLimits, tail: str) -> Outcome:
        peak = _peak_bytes(end)
        raised = end.answer if isinstance(end.answer, Raised) else None
        kind, message = classify(
            Evidence(
                verdict=end.child.verdict,
                is_returned=isinstance(end.answer, Returned),
                raised=raised,
                exit_code=end.exited.code,
                stderr_tail=tail,
                peak_bytes=peak,
                limits=limits,
            )
        )
        value = None
        if kind == "OK" and isinstance(end.answer, Returned):
            value = pickle.loads(end.answer.payload)  # noqa: S301 - our own child wrote it
        return Outcome(
            kind=kind,
            value=value,
            message=message,
            traceback=raised.traceback if raised is not None else "",
            stderr_tail=tail,
            exit_code=end.exited.code,
            peak_memory_bytes=peak,
            cpu_seconds=end.exited.cpu_seconds,
            wall_seconds=end.wall_seconds,
            enforcement=self._enforced(limits),
            node=self._node,
        )

    def _early(self, kind: str, message: str, limits: SandboxLimits) -> Outcome:
        enforcement = self._enforced(limits)
        return Outcome(kind=kind, message=message, enforcement=enforcement, node=self._node)

    def _enforced(self, limits: SandboxLimits) -> str:
        return self.enforcement if limits.has_backstop else "watchdog"


def _peak_bytes(end: _End) -> int:
    """Most anonymous memory above the idle child.

    Samples miss short peaks, and the exact resident peak counts file pages too. File pages only
    grow, so resident peak less most file pages is a lower bound of the anonymous peak, off by the
    file pages that came after it; the larger of the two is taken.
    """
    seen = end.child.peaks
    file_bytes = max(seen.file_bytes, end.answer.file_bytes if end.answer is not None else 0)
    exact = end.exited.peak_resident_bytes - file_bytes
    return max(0, max(seen.anonymous_bytes, exact) - end.hello.anonymous_bytes)

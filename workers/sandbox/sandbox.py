"""The sandbox: one call runs one job in a confined child and says how it ended and what it used."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from workers.node.machine import NodeMemory
from workers.sandbox import selftest
from workers.sandbox.cgroup import open_groups
from workers.sandbox.classify import Evidence, classify
from workers.sandbox.forkserver import ForkServer, ForkServerLost
from workers.sandbox.guard import NodeGuard
from workers.sandbox.messages import Exited, Raised, Request, Returned, receive, send
from workers.sandbox.output import output_tail
from workers.sandbox.waiting import Child, Waiting
from workers.sandbox.watchdog import Watchdog, Watched
from workers.trial.job import Outcome, SandboxLimits

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
    """What is left of a child whose job is over."""

    answer: Returned | Raised | None
    exited: Exited
    child: Child
    limits: SandboxLimits
    wall_seconds: float


class Sandbox:
    """Children of one forkserver, watched by one thread. Thread-safe; use it as a context.

    preload: modules the forkserver imports; targets in them start at once. scratch: a directory
    for output files (made when missing; files in it have no name and vanish by themselves).
    node: stamped on outcomes. memory: what the node has; by default, this machine's. Making one
    blocks until the modules are loaded (seconds) and the self-test passed. Raises: SandboxUnusable.
    """

    def __init__(
        self,
        preload: Sequence[str],
        scratch: Path,
        *,
        node: str = "",
        memory: NodeMemory | None = None,
    ) -> None:
        self._preload = tuple(preload)
        self._scratch = scratch
        self._node = node
        self._changed = threading.Condition()
        self._starting = threading.Lock()
        self._jobs: list[_Job] = []
        self._is_closed = False
        scratch.mkdir(parents=True, exist_ok=True)
        self._server = ForkServer(self._preload)
        self._groups = open_groups()
        self.memory = memory or NodeMemory()
        self._guard = NodeGuard(self.memory)
        self._watchdog = Watchdog(self._guard)
        self._waiting = Waiting(self._fork)
        self._has_backstop = False
        try:
            self._prove()
        except BaseException:
            self.close()
            raise

    def _prove(self) -> None:
        self._has_backstop = selftest.prove(self._run_selftest)
        if self._groups is not None and not selftest.is_killed_by_group(self._run_selftest):
            groups, self._groups = self._groups, None
            self._waiting.drop()
            groups.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def enforcement(self) -> str:
        """What holds a job to its memory here: `watchdog`, with what was proved beside it."""
        return _level(is_grouped=self._groups is not None, has_backstop=self._has_backstop)

    @property
    def forkserver_pid(self) -> int:
        """Process id of the present forkserver."""
        return self._server.pid

    @property
    def idle_bytes(self) -> int:
        """Anonymous memory of the idle forkserver: paid once, its children share it."""
        return self._server.ready.anonymous_bytes

    @property
    def used_bytes(self) -> int:
        """What running jobs use now, as last sampled, at most 50 ms ago."""
        return self._watchdog.used_bytes

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
        return self._run(Request(target, argument, limits), key)

    def _run(self, request: Request, key: str, group_bytes: int | None = None) -> Outcome:
        limits = request.limits
        with self._registered(key) as job:
            if job.is_cancelled:
                return self._early("CANCELLED", "cancelled before it started", limits)
            try:
                with contextlib.closing(self._waiting.take()) as child:
                    return self._outcome(self._attend(child, request, job, group_bytes))
            except (ForkServerLost, OSError) as error:
                return self._early("LOST", f"the sandbox was lost: {error}", limits)

    def _run_selftest(
        self,
        target: str,
        argument: object,
        limits: SandboxLimits,
        group_bytes: int | None = None,
    ) -> Outcome:
        return self._run(Request(target, argument, limits), "selftest", group_bytes)

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
        self._waiting.close()
        self._server.close()
        self._watchdog.close()
        if self._groups is not None:
            self._groups.close()

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

    def _fork(self) -> Child:
        return Child(self._live_server(), self._groups, self._scratch)

    def _attend(self, child: Child, request: Request, job: _Job, group_bytes: int | None) -> _End:
        started = time.monotonic()
        child.begin(request.limits, group_bytes)
        job.attach(child.watched)
        self._watchdog.watch(child.watched)
        try:
            # One that was ended before it read its request cannot be sent to: the evidence says so.
            with contextlib.suppress(OSError):
                send(child.connection, request)
            answer = _answer(child)
            return _End(answer, _exited(child), child, request.limits, time.monotonic() - started)
        finally:
            self._watchdog.forget(child.watched)

    def _live_server(self) -> ForkServer:
        with self._starting:
            if self._server.is_lost and not self._is_closed:
                self._server.close()
                self._server = ForkServer(self._preload)
            return self._server

    def _outcome(self, end: _End) -> Outcome:
        evidence = self._evidence(end)
        finding = classify(evidence)
        value = None
        if finding.kind == "OK" and isinstance(end.answer, Returned):
            value = pickle.loads(end.answer.payload)  # noqa: S301 - our own child wrote it
        return Outcome(
            kind=finding.kind,
            value=value,
            message=finding.message,
            evidence=finding.evidence,
            traceback=evidence.raised.traceback if evidence.raised is not None else "",
            stderr_tail=evidence.stderr_tail,
            exit_code=evidence.exit_code,
            peak_memory_bytes=evidence.peak_bytes,
            limit_bytes=end.limits.memory_bytes,
            cpu_seconds=end.exited.cpu_seconds,
            wall_seconds=end.wall_seconds,
            enforcement=self._enforced(end.limits, is_grouped=end.child.is_grouped),
            node=self._node,
        )

    def _evidence(self, end: _End) -> Evidence:
        child, limits = end.child, end.limits
        return Evidence(
            verdict=child.watched.verdict,
            note=child.watched.note,
            is_returned=isinstance(end.answer, Returned),
            raised=end.answer if isinstance(end.answer, Raised) else None,
            exit_code=end.exited.code,
            stderr_tail=output_tail(child.output.fileno()),
            peak_bytes=_peak_bytes(end),
            limits=limits,
            room_bytes=child.watched.room_bytes,
            was_killed_by_group=child.was_killed_by_group,
            was_node_low=child.was_killed_for_node or self._guard.was_low,
            has_backstop=self._has_backstop and limits.has_backstop,
        )

    def _early(self, kind: str, message: str, limits: SandboxLimits) -> Outcome:
        return Outcome(
            kind=kind,
            message=message,
            limit_bytes=limits.memory_bytes,
            enforcement=self._enforced(limits, is_grouped=self._groups is not None),
            node=self._node,
        )

    def _enforced(self, limits: SandboxLimits, *, is_grouped: bool) -> str:
        return _level(
            is_grouped=is_grouped, has_backstop=self._has_backstop and limits.has_backstop
        )


def _level(*, is_grouped: bool, has_backstop: bool) -> str:
    """As `Outcome.enforcement` says it, outermost first."""
    parts = ("cgroup" if is_grouped else "", "watchdog", "rlimit" if has_backstop else "")
    return "+".join(part for part in parts if part)


def _answer(child: Child) -> Returned | Raised | None:
    """What the job said; None when it died before, or in the middle of, its result."""
    try:
        answer: Returned | Raised = receive(child.connection)
    except (EOFError, OSError):
        return None
    return answer


def _exited(child: Child) -> Exited:
    """How the child ended. Raises: ForkServerLost."""
    try:
        return child.exited.result(EXIT_SECONDS)
    except ForkServerLost:
        # Nobody else is left to do it. Linux gives numbers round robin: it is not reused yet.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.hello.pid, signal.SIGKILL)
        raise


def _peak_bytes(end: _End) -> int:
    """Most anonymous memory above the idle child.

    Samples miss short peaks, and the exact resident peak counts file pages too. File pages only
    grow, so resident peak less most file pages is a lower bound of the anonymous peak, off by the
    file pages that came after it; the larger of the two is taken.
    """
    seen = end.child.watched.peaks
    file_bytes = max(seen.file_bytes, end.answer.file_bytes if end.answer is not None else 0)
    exact = end.exited.peak_resident_bytes - file_bytes
    return max(0, max(seen.anonymous_bytes, exact) - end.child.hello.anonymous_bytes)

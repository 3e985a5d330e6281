"""Watches the memory, time and output of running children, and ends those that go over.

One thread looks after all children of a sandbox, and has the node guard look after the node. It
looks again before the fastest memory writer measured could get from here to the limit, between 10
and 50 ms later.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass

from workers.sandbox.guard import TOUCH_BYTES_PER_SECOND, NodeGuard
from workers.sandbox.output import bound_output
from workers.sandbox.procfs import Memory, MemoryGauge, refusal_room_bytes
from workers.trial.job import SandboxLimits

SHORTEST_SECONDS = 0.010
LONGEST_SECONDS = 0.050


@dataclass(frozen=True)
class Peaks:
    """Most seen so far, in bytes: anonymous memory in all, file pages in all."""

    anonymous_bytes: int
    file_bytes: int


class Watched:
    """One child: what it may do and what it was seen to do. Thread-safe.

    It must be made while the child certainly runs. idle_bytes: its anonymous memory before the
    job. output: descriptor of its output file, open for append. `verdict` is empty, or what it was
    ended for: MEMORY_EXCEEDED, TIMED_OUT, CANCELLED or NODE; the first one stays, with its `note`.
    `room_bytes`: what RLIMIT_DATA would still have allowed when it was ended, None without one.
    """

    def __init__(self, pid: int, idle_bytes: int, output: int) -> None:
        self.pid = pid
        self.verdict = ""
        self.note = ""
        self.room_bytes: int | None = None
        self._lock = threading.Lock()
        self._idle_bytes = idle_bytes
        self._output = output
        self._limits = SandboxLimits(memory_bytes=0, wall_seconds=0.0)
        self._deadline = float("inf")
        self._used_bytes = 0
        self._peaks = Peaks(idle_bytes, 0)
        self._gauge = MemoryGauge(pid)
        self._process = os.pidfd_open(pid)
        self._is_open = True

    def begin(self, limits: SandboxLimits) -> None:
        """Its job starts now. Call once, before it is watched."""
        self._limits = limits
        self._deadline = time.monotonic() + limits.wall_seconds

    @property
    def peaks(self) -> Peaks:
        """Seen so far; sampled, so a short peak may be missed."""
        return self._peaks

    @property
    def used_bytes(self) -> int:
        """Anonymous memory above the idle child, when last looked at."""
        return self._used_bytes

    @property
    def reserved_bytes(self) -> int:
        """What is held for its job."""
        return self._limits.memory_bytes

    @property
    def is_ending(self) -> bool:
        """It was killed. Its memory is back when its sandbox has let it go."""
        return bool(self.verdict)

    def check(self, now: float) -> float:
        """Look once; end the child when it is over a limit. Gives the seconds until the next look.

        now: of the monotonic clock.
        """
        with self._lock:
            if not self._is_open or self.verdict:
                return LONGEST_SECONDS
            self._sample()
            if self._used_bytes > self._limits.memory_bytes:
                self._end("MEMORY_EXCEEDED")
            elif now >= self._deadline:
                self._end("TIMED_OUT")
            bound_output(self._output)
            headroom = (self._limits.memory_bytes - self._used_bytes) / TOUCH_BYTES_PER_SECOND
        wait = min(LONGEST_SECONDS, max(SHORTEST_SECONDS, headroom))
        return max(0.001, min(wait, self._deadline - now))

    def end(self, verdict: str, note: str = "") -> None:
        """Kill the child for a reason. Does nothing when it ended or has a verdict already."""
        with self._lock:
            if self._is_open and not self.verdict:
                self._sample()
                self._end(verdict, note)

    def close(self) -> None:
        """Stop watching. Idempotent."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._gauge.close()
                os.close(self._process)

    def _sample(self) -> None:
        memory: Memory = self._gauge.read()
        self._used_bytes = max(0, memory.anonymous_bytes - self._idle_bytes)
        self._peaks = Peaks(
            max(self._peaks.anonymous_bytes, memory.anonymous_bytes),
            max(self._peaks.file_bytes, memory.file_bytes),
        )

    def _end(self, verdict: str, note: str = "") -> None:
        # The forkserver kills the rest of the group, and the kernel tells it the exact peak.
        self.verdict, self.note = verdict, note
        if verdict == "TIMED_OUT":
            self.room_bytes = refusal_room_bytes(self.pid)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)


class Watchdog:
    """The thread that checks every `Watched` in its care, and the node for them."""

    def __init__(self, guard: NodeGuard) -> None:
        self._guard = guard
        self._changed = threading.Condition()
        self._children: tuple[Watched, ...] = ()
        self._is_news = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    @property
    def used_bytes(self) -> int:
        """Anonymous memory of all children, when last looked at, above their idle memory."""
        return sum(child.used_bytes for child in self._children)

    def watch(self, child: Watched) -> None:
        """Take a child into care, at once."""
        with self._changed:
            self._children = (*self._children, child)
            self._tell()

    def forget(self, child: Watched) -> None:
        """Let a child go. Idempotent."""
        with self._changed:
            self._children = tuple(other for other in self._children if other is not child)

    def close(self) -> None:
        """End the thread. Idempotent."""
        with self._changed:
            self._is_closed = True
            self._tell()
        self._thread.join()

    def _tell(self) -> None:
        self._is_news = True
        self._changed.notify()

    def _run(self) -> None:
        wait: float | None = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_news, wait)
                self._is_news = False
                if self._is_closed:
                    return
                children = self._children
            if not children:
                wait = None
                continue
            now = time.monotonic()
            wait = min(child.check(now) for child in children)
            wait = min(wait, self._guard.look(children, now))

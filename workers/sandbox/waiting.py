"""Children that are forked before they are wanted, so that a job starts at once.

Forking the loaded forkserver takes 10-15 ms, and putting a process into a control group as long
again, far longer on a busy node. One child does both ahead of its job and waits for it; it costs
1-5 MiB of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import IO

from workers.sandbox.cgroup import TrialGroup, TrialGroups, limit_bytes
from workers.sandbox.forkserver import ForkServer, ForkServerLost, SandboxUnusable
from workers.sandbox.messages import Exited, Hello, receive
from workers.sandbox.watchdog import Watched
from workers.trial.job import SandboxLimits

HELLO_SECONDS = 30.0
"""A child says hello after 10-25 ms; a node so loaded that it takes this long is lost."""

END_SECONDS = 2.0
"""For a child that nobody wants to be gone; the forkserver's end takes it along otherwise."""


class Child:
    """A confined child, its connection and output, and its control group where there is one.

    scratch: where its output file is, which has no name. Blocks until the child is ready. Raises:
    ForkServerLost, OSError.
    """

    def __init__(self, server: ForkServer, groups: TrialGroups | None, scratch: Path) -> None:
        self._groups = groups
        self._group: TrialGroup | None = None
        self.output: IO[bytes] = tempfile.TemporaryFile(dir=scratch, buffering=0)  # noqa: SIM115
        # Appending: cut back to nothing, the file has no hole before the next write.
        fcntl.fcntl(self.output.fileno(), fcntl.F_SETFL, os.O_APPEND)
        self.connection, theirs = socket.socketpair()
        try:
            with theirs:
                self.exited: Future[Exited] = server.fork(theirs, self.output.fileno())
            self.hello = self._await_hello()
            self.watched = Watched(self.hello.pid, self.hello.anonymous_bytes, self.output.fileno())
        except BaseException:
            self.connection.close()
            self.output.close()
            raise
        self._join_group()

    @property
    def is_waiting(self) -> bool:
        """Whether it can still take a job: nobody has killed it."""
        return not self.exited.done()

    @property
    def is_grouped(self) -> bool:
        """Whether a control group bounds it."""
        return self._group is not None

    @property
    def was_killed_by_group(self) -> bool:
        """Whether the kernel killed a process of its group because of the group's limit."""
        return self._group is not None and self._group.has_killed

    @property
    def was_killed_for_node(self) -> bool:
        """Whether the kernel killed a process of its group because of another limit."""
        return self._group is not None and self._group.was_hit and not self._group.has_killed

    def begin(self, limits: SandboxLimits, group_bytes: int | None = None) -> None:
        """Its job's limits hold from now on. group_bytes: another limit for its group."""
        self.watched.begin(limits)
        if self._group is None:
            return
        wanted = limit_bytes(limits.memory_bytes, self.hello.anonymous_bytes)
        try:
            self._group.bound(group_bytes or wanted)
        except OSError:  # the group was taken away under us: the watchdog is still there
            self._leave_group()

    def close(self) -> None:
        """Kill it if it is still there, and free what it held. Blocks for its end. Idempotent."""
        self.watched.end("CANCELLED")
        with contextlib.suppress(ForkServerLost, TimeoutError):
            self.exited.result(END_SECONDS)
        self.watched.close()
        self.connection.close()
        self.output.close()
        self._leave_group()

    def _await_hello(self) -> Hello:
        self.connection.settimeout(HELLO_SECONDS)
        try:
            hello: Hello = receive(self.connection)
        except EOFError as error:
            raise ForkServerLost("the child ended before it could start") from error
        self.connection.settimeout(None)
        return hello

    def _join_group(self) -> None:
        if self._groups is None:
            return
        self._group = self._groups.make()
        if self._group is not None:
            try:
                self._group.take(self.hello.pid)
            except OSError:
                self._leave_group()

    def _leave_group(self) -> None:
        group, self._group = self._group, None
        if group is not None and self._groups is not None:
            self._groups.end(group)


class Waiting:
    """Keeps one child in waiting. Thread-safe.

    make: forks a child, see `Child`; it is called in a thread of this one's, too.
    """

    def __init__(self, make: Callable[[], Child]) -> None:
        self._make = make
        self._changed = threading.Condition()
        self._spare: Child | None = None
        self._is_wanted = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="next-child", daemon=True)
        self._thread.start()

    def take(self) -> Child:
        """A child for the caller alone, and have another one made. Raises: as `Child`."""
        spare = self._pop()
        if spare is not None and not spare.is_waiting:
            spare.close()
            spare = None
        try:
            return spare or self._make()
        finally:
            with self._changed:
                self._is_wanted = not self._is_closed
                self._changed.notify_all()

    def drop(self) -> None:
        """Let the waiting child go, one that is just being made included: what it was made with is
        no longer right. Blocks for that.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._is_wanted)
        spare = self._pop()
        if spare is not None:
            spare.close()

    def close(self) -> None:
        """End the thread and the waiting child. Blocks for both. Idempotent."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()
        self.drop()

    def _pop(self) -> Child | None:
        with self._changed:
            spare, self._spare = self._spare, None
        return spare

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_wanted or self._is_closed)
                if self._is_closed or self._spare is not None:
                    self._is_wanted = False
                    self._changed.notify_all()
                    if self._is_closed:
                        return
                    continue
            made = self._try_make()
            with self._changed:
                self._spare, self._is_wanted = made, False
                self._changed.notify_all()

    def _try_make(self) -> Child | None:
        """None without a forkserver: whoever takes a child next hears of it."""
        try:
            return self._make()
        except (ForkServerLost, SandboxUnusable, OSError):
            return None

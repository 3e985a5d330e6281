"""The forkserver: a process with one thread that has the libraries loaded and forks children.

It is a program of its own (`python -m workers.sandbox.forkserver_main CONTROL LIFELINE MODULE...`)
and not `multiprocessing`'s: that one is a single global per process, imports the host's `__main__`
into every child (330-740 ms inside a Ray worker) and does not tell a child's processor time or
peak. Laws: never open an OpenMP parallel region here (libgomp hangs in every child), never start a
thread, never wait for anything but `poll`.

It is the parent and subreaper of everything its children start, so nothing they leave behind
outlives them. CONTROL is a SOCK_SEQPACKET socket: a job's number comes in with its connection and
output as descriptors, `Exited` goes out. It ends with all its children when CONTROL loses its other
end. LIFELINE is a pipe that nobody writes to: the kernel kills a child, or a server that still
loads modules, when the other end goes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import select
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

from workers.sandbox import child, confine, procfs
from workers.sandbox.messages import Exited, NotReady, Ready

OOM_SCORE = 500
"""Less willing to die than its children (1000), more than what is not Ray's (0)."""

MAX_REQUEST_BYTES = 64


class _ForkServer:
    def __init__(self, control: socket.socket, lifeline: int, threadpools: Any) -> None:
        self._control = control
        self._lifeline = lifeline
        self._threadpools = threadpools
        self._jobs: dict[int, int] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def serve(self) -> None:
        poll = select.poll()
        for descriptor in (self._control.fileno(), self._wake_read):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
                self._reap()
            if self._control.fileno() in ready and not self._take():
                return

    def _take(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, MAX_REQUEST_BYTES, 2)
        if not data:
            return False
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        with socket.socket(fileno=descriptors[0]) as connection:
            self._fork(int(data), connection, descriptors[1])
        os.close(descriptors[1])
        return True

    def _fork(self, job: int, connection: socket.socket, output: int) -> None:
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # no memory or no process left: the others go on
            sys.stderr.write(f"headgate forkserver: fork: {error}\n")
            self._tell(Exited(job=job, code=1, cpu_seconds=0.0, peak_resident_bytes=0))
            return
        if pid == 0:
            try:
                self._forget()
                child.serve(connection, output, self._lifeline, server, self._threadpools)
            finally:
                os._exit(1)
        self._jobs[pid] = job

    def _forget(self) -> None:
        """In the child: let go of what is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._control.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _reap(self) -> None:
        while (pid := _ended_child()) is not None:
            job = self._jobs.pop(pid, None)
            if job is not None:
                # Its leader is a zombie still, so the group's number is certainly its own.
                _kill_group(pid)
            _, status, usage = os.wait4(pid, 0)
            if job is not None:
                self._tell(
                    Exited(
                        job=job,
                        code=os.waitstatus_to_exitcode(status),
                        cpu_seconds=usage.ru_utime + usage.ru_stime,
                        peak_resident_bytes=usage.ru_maxrss * 1024,
                    )
                )
        self._kill_orphans()

    def _kill_orphans(self) -> None:
        for pid in procfs.own_children():
            if pid not in self._jobs:
                _kill(pid)

    def _tell(self, message: Exited) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `serve` will see it
            self._control.send(pickle.dumps(message))

    def end(self) -> None:
        """Kill everything and wait for it, offspring that comes up meanwhile included."""
        for pid in self._jobs:
            _kill(pid)
        while True:
            try:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                return
            if info is not None:
                if self._jobs.pop(info.si_pid, None) is not None:
                    _kill_group(info.si_pid)
                os.waitpid(info.si_pid, 0)
            self._kill_orphans()


def _ended_child() -> int | None:
    try:
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if info is None else info.si_pid


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _preload(modules: Sequence[str]) -> Any:
    for module in modules:
        importlib.import_module(module)
    try:
        from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - comes with scikit-learn
    except ModuleNotFoundError:
        return None
    return ThreadpoolController()


def main(arguments: Sequence[str]) -> int:
    """Load the modules, say so, serve. Exit code 0 after an orderly end."""
    control = socket.socket(fileno=int(arguments[0]))
    lifeline = int(arguments[1])
    confine.take_default_signals()
    guard = confine.end_with(lifeline, group=False)
    confine.adopt_orphans()
    confine.prefer_for_oom(OOM_SCORE)
    try:
        threadpools = _preload(arguments[2:])
    except Exception as error:  # noqa: BLE001 - any import may fail in any way; the agent is told
        control.send(pickle.dumps(NotReady(f"{type(error).__name__}: {error}")))
        return 1
    gc.collect()
    gc.freeze()  # children do not copy pages only because their collector touched them
    server = _ForkServer(control, lifeline, threadpools)
    control.send(
        pickle.dumps(Ready(procfs.own_memory().anonymous_bytes, procfs.own_thread_count()))
    )
    os.close(guard)  # from here on the loop sees the end itself and takes the children along
    try:
        server.serve()
    finally:
        server.end()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

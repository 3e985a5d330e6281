"""What a process does to itself to be a good prisoner. Standard library only; Linux."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import math
import os
import resource
import select
import signal
from pathlib import Path

from workers.trial.job import SandboxLimits

BACKSTOP_FACTOR = 1.10
BACKSTOP_BYTES = 160 << 20
"""RLIMIT_DATA counts virtual memory, 29-70 MB above resident in every library measured; below
+70 MB OpenBLAS hangs at the limit. So the backstop only meets one giant allocation, and leaves the
rest to the watchdog."""

CPU_SLACK_SECONDS = 5
"""Above cpus x wall time: the watchdog's deadline comes first."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def end_with(lifeline: int, *, group: bool) -> int:
    """Have the kernel SIGKILL this process (or its whole group) when the pipe `lifeline` loses its
    last writer. It needs no thread and no interpreter lock.

    The owner of such a signal belongs to the open file, which forked processes share, so the pipe
    is opened anew. Returns the new descriptor: it must stay open.
    """
    guard = os.open(f"/proc/self/fd/{lifeline}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.fcntl(guard, fcntl.F_SETOWN, -os.getpgrp() if group else os.getpid())
    fcntl.fcntl(guard, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(guard, fcntl.F_SETFL, fcntl.fcntl(guard, fcntl.F_GETFL) | os.O_ASYNC)
    if is_hung_up(guard):  # the writer went before the signal was armed
        os._exit(1)
    return guard


def is_hung_up(lifeline: int) -> bool:
    """Whether the pipe has no writer left."""
    poll = select.poll()
    poll.register(lifeline, 0)
    return bool(poll.poll(0))


def end_with_parent(parent: int) -> None:
    """Have the kernel SIGKILL this process when the thread that forked it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none escapes."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def prefer_for_oom(score: int) -> None:
    """Set how readily the kernel's out-of-memory killer takes this process (1000: first).

    Lowering needs a privilege; without it the score stays as inherited.
    """
    with contextlib.suppress(PermissionError):
        Path("/proc/self/oom_score_adj").write_text(str(score), encoding="ascii")


def take_default_signals() -> None:
    """Undo ignored and blocked signals inherited through exec: Ray's workers set both."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # Python's own
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def redirect(output: int) -> None:
    """Standard input from nowhere, standard output and error to the descriptor `output`."""
    null = os.open(os.devnull, os.O_RDONLY)
    for source, standard in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, standard, inheritable=True)
    os.close(null)


def limit(limits: SandboxLimits, idle_data_bytes: int) -> None:
    """Set the resource limits that stand behind the watchdog.

    Soft limits only: `lift` needs the room. idle_data_bytes: see `procfs.own_data_bytes`.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if limits.has_backstop:
        allowed = int(limits.memory_bytes * BACKSTOP_FACTOR) + BACKSTOP_BYTES
        _set_soft(resource.RLIMIT_DATA, idle_data_bytes + allowed)
    if math.isfinite(limits.wall_seconds):
        seconds = math.ceil(limits.wall_seconds * max(1, limits.cpus))
        _set_soft(resource.RLIMIT_CPU, seconds + CPU_SLACK_SECONDS)


def lift() -> None:
    """Take the memory limit off again, so that a failed job can say what happened."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _set_soft(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (soft, hard))


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")

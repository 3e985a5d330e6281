"""What a reader does to itself before it touches foreign bytes. Linux only."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1

# The watchdog of the parent is the limit. This one only turns a single giant allocation into a
# MemoryError: it counts what is reserved, not what is used, hence the room above.
_ROOM_BYTES = 160 << 20


def die_with_parent(parent_pid: int) -> None:
    """Makes the kernel kill this process when the thread that started it ends.

    Raises: ProcessLookupError when the parent is gone already.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        raise ProcessLookupError(f"the parent {parent_pid} is gone")


def limit_memory(memory_bytes: int) -> None:
    """Refuses allocations far above `memory_bytes`, and offers this process to the OOM killer."""
    data = _reserved_bytes() + memory_bytes + memory_bytes // 10 + _ROOM_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        data = min(data, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (data, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Path("/proc/self/oom_score_adj").write_text("1000")


def _reserved_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmData:"))
    return int(line.split()[1]) * 1024

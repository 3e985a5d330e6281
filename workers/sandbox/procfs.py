"""Memory of a process as Linux counts it. Reading is not free: ~60 us each."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Memory:
    """Resident bytes. anonymous: its own (heap, stacks). file: mapped files and shared memory."""

    anonymous_bytes: int
    file_bytes: int


class MemoryGauge:
    """Reads one process's memory over and over through one descriptor.

    The descriptor stays with the process: after its end reads give zero, never another process
    that got the same pid. Raises: FileNotFoundError when the process is gone already.
    """

    def __init__(self, pid: int) -> None:
        self._descriptor = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> Memory:
        """Now; zeros after the end."""
        try:
            text = os.pread(self._descriptor, 256, 0)
        except ProcessLookupError:
            return Memory(0, 0)
        fields = text.split()
        resident, shared = int(fields[1]), int(fields[2])
        return Memory((resident - shared) * PAGE_BYTES, shared * PAGE_BYTES)

    def close(self) -> None:
        """Give the descriptor back. Call once."""
        os.close(self._descriptor)


def own_memory() -> Memory:
    """Of the calling process."""
    gauge = MemoryGauge(os.getpid())
    try:
        return gauge.read()
    finally:
        gauge.close()


def own_data_bytes() -> int:
    """What RLIMIT_DATA is compared with: private writable *virtual* memory (VmData)."""
    return _data_bytes("self")


def own_thread_count() -> int:
    """Threads of the calling process, those of C libraries included."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def own_children() -> tuple[int, ...]:
    """Pids of the calling thread's children; empty where the kernel does not list them."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    try:
        return tuple(int(pid) for pid in path.read_text(encoding="ascii").split())
    except FileNotFoundError:
        return ()


def refusal_room_bytes(pid: int) -> int | None:
    """What RLIMIT_DATA still allows a process; None when it has no such limit, or is gone."""
    try:
        soft, _ = resource.prlimit(pid, resource.RLIMIT_DATA)
        return None if soft == resource.RLIM_INFINITY else soft - _data_bytes(str(pid))
    except (ProcessLookupError, FileNotFoundError, PermissionError):
        return None


def _data_bytes(process: str) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    line = next((line for line in status.splitlines() if line.startswith("VmData:")), "VmData: 0")
    return int(line.split()[1]) * 1024

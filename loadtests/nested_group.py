"""A memory group below our own, to run a program in as if in a small container."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

from workers.node.cgroups import hierarchy


@contextlib.contextmanager
def nested_group(limit_bytes: int) -> Iterator[Callable[[], None] | None]:
    """Gives what a child process calls before its program starts (`preexec_fn`), or None where no
    version 1 group can be made. The group is removed at the end, once it is empty.
    """
    found = hierarchy("memory")
    if found is None:
        yield None
        return
    path = found.own / f"nested-{os.getpid()}-{time.monotonic_ns()}"
    try:
        path.mkdir()
    except OSError:
        yield None
        return
    try:
        (path / "memory.limit_in_bytes").write_text(str(limit_bytes), encoding="ascii")
        yield lambda: _write(str(path / "cgroup.procs"))
    finally:
        deadline = time.monotonic() + 10.0  # the program's own children may still be dying
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                path.rmdir()
                break
            time.sleep(0.05)


def _write(procs: str) -> None:
    """Put the calling process in."""
    descriptor = os.open(procs, os.O_WRONLY)
    os.write(descriptor, b"0")
    os.close(descriptor)

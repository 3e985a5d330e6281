"""Jobs for the sandbox's tests: they run in its children, so they live in a module of their own."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def echo(value: Any) -> Any:
    return value


def touch(size_bytes: int) -> int:
    return len(bytearray(size_bytes))


def spike_then_fault(size_bytes: int) -> None:
    """Touch memory for a moment, give it back, die of SIGSEGV."""
    bytearray(size_bytes)
    segfault(None)


def segfault(_: None) -> None:
    ctypes.string_at(0)


def abort(_: None) -> None:
    os.abort()


def print_and_exit(code: int) -> None:
    print("on standard output")
    sys.stderr.write("OpenBLAS error: Memory allocation still failed after 10 retries\n")
    os._exit(code)


def print_much(size_bytes: int) -> None:
    line = "x" * 1023 + "\n"
    for _ in range(size_bytes // len(line)):
        sys.stderr.write(line)
    sys.stderr.write("the last line\n")


def raise_key_error(_: None) -> None:
    raise KeyError("missing")


def raise_value_error(_: None) -> None:
    raise ValueError("wrong")


def unpicklable(_: None) -> Any:
    return lambda: None


def kill_oneself(_: None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def burn_and_kill_oneself(_: None) -> None:
    """Long enough for the guard to have looked."""
    burn(None)
    burn(None)
    kill_oneself(None)


def burn(_: None) -> None:
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass


def conditions(_: None) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "session": os.getsid(0),
        "oom_score": Path("/proc/self/oom_score_adj").read_text().strip(),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "data": resource.getrlimit(resource.RLIMIT_DATA)[0],
        "stdin": sys.stdin.read(),
        "omp": os.environ["OMP_NUM_THREADS"],
        "waiting": os.environ["OMP_WAIT_POLICY"],
        "gpus": os.environ["CUDA_VISIBLE_DEVICES"],
        "secrets": [name for name in os.environ if name.startswith("HEADGATE_")],
    }


def report_and_wait(fifo: str) -> None:
    """Say the pid through `fifo`, then wait for ever."""
    Path(fifo).write_text(f"{os.getpid()}\n")
    signal.pause()


def spawn_and_wait(fifo: str) -> None:
    """Have children in the group and outside it, say all pids through `fifo`, wait for ever."""
    _spawn_and_wait(fifo, far_count=2)


def spawn_near_and_wait(fifo: str) -> None:
    """Have children in the group, say all pids through `fifo`, wait for ever."""
    _spawn_and_wait(fifo, far_count=0)


def _spawn_and_wait(fifo: str, far_count: int) -> None:
    command = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
    near = [subprocess.Popen(command) for _ in range(3)]
    far = [subprocess.Popen(command, start_new_session=True) for _ in range(far_count)]
    pids = [os.getpid(), *(process.pid for process in near + far)]
    Path(fifo).write_text("".join(f"{pid}\n" for pid in pids))
    signal.pause()


def spawn_and_return(_: None) -> int:
    """Leave a child behind in a session of its own."""
    command = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
    return subprocess.Popen(command, start_new_session=True).pid


def sleep(seconds: float) -> None:
    time.sleep(seconds)

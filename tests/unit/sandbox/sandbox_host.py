"""A program that holds a sandbox with one job running, for the tests to kill.

Arguments: scratch directory, fifo that the job reports its pids through. Prints the forkserver's
pid.
"""

from __future__ import annotations

import sys
from pathlib import Path

from workers.sandbox.sandbox import Sandbox
from workers.trial.job import SandboxLimits


def main(scratch: str, fifo: str) -> None:
    with Sandbox((), Path(scratch)) as sandbox:
        print(sandbox.forkserver_pid, flush=True)
        limits = SandboxLimits(memory_bytes=64 << 20, wall_seconds=100.0)
        sandbox.run("sandbox_targets:spawn_and_wait", fifo, limits, "host")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Which GPUs a node has and how much memory each: from `nvidia-smi`, or none.

`HEADGATE_SIMULATED_GPUS=24GiB,24GiB` stands for devices that are not there, for tests of a cluster
without any: the same records come out, numbered from 0. It is read before `nvidia-smi` is asked.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

SIMULATED = "HEADGATE_SIMULATED_GPUS"

QUERY = (
    "nvidia-smi",
    "--query-gpu=index,uuid,name,memory.total,memory.used",
    "--format=csv,noheader,nounits",
)
QUERY_SECONDS = 20.0
"""Without its persistence daemon the driver initialises every device first: seconds each."""

_UNITS = {"MiB": 1 << 20, "GiB": 1 << 30}


@dataclass(frozen=True)
class Gpu:
    """index: what CUDA_VISIBLE_DEVICES calls it. memory_bytes: in all; used_bytes: when asked."""

    index: int
    uuid: str
    name: str
    memory_bytes: int
    used_bytes: int = 0


class BadInventory(ValueError):
    """The text of HEADGATE_SIMULATED_GPUS is not a list of sizes; the message says what is."""


def inventory(
    environment: Mapping[str, str], ask: Callable[[], str | None] | None = None
) -> tuple[Gpu, ...]:
    """The node's GPUs in order; empty when there is none or the driver does not answer. Blocks for
    the driver, up to `QUERY_SECONDS`.

    ask: gives the answer to `QUERY`, or None. Raises: BadInventory.
    """
    described = environment.get(SIMULATED)
    answer = _simulated(described) if described is not None else (ask or _ask_driver)()
    return tuple(_gpu(line) for line in (answer or "").splitlines() if _is_device(line))


def _simulated(text: str) -> str:
    """The answer that `nvidia-smi` would give."""
    lines = []
    for index, size in enumerate(part.strip() for part in text.split(",") if part.strip()):
        match = re.fullmatch(r"(\d+)\s*(MiB|GiB)", size)
        if match is None:
            raise BadInventory(
                f"{SIMULATED}: {size!r} is no size; write sizes like 24GiB, separated by commas"
            )
        mebibytes = int(match[1]) * _UNITS[match[2]] >> 20
        lines.append(f"{index}, GPU-simulated-{index}, simulated, {mebibytes}, 0")
    return "\n".join(lines)


def _ask_driver() -> str | None:
    if shutil.which(QUERY[0]) is None:
        return None
    try:
        done = subprocess.run(
            QUERY, check=False, capture_output=True, text=True, timeout=QUERY_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _is_device(line: str) -> bool:
    """A device that shares its host's memory, or has an error, says `[N/A]` for its memory."""
    fields = [field.strip() for field in line.split(",")]
    return len(fields) == 5 and fields[0].isdecimal() and fields[3].isdecimal()


def _gpu(line: str) -> Gpu:
    index, uuid, name, total, used = (field.strip() for field in line.split(","))
    return Gpu(
        index=int(index),
        uuid=uuid,
        name=name,
        memory_bytes=int(total) << 20,
        used_bytes=int(used) << 20 if used.isdecimal() else 0,
    )

"""How `headgate up` shares the memory it finds: Ray, itself, searches, their trials. Pure.

What Ray is told (`ray start --memory`) is what it may hand out: trials, search drivers, and the
serving gateway. Everything else is left out of it. A small container runs fewer searches at once,
and has no room set apart for serving: a deployment there takes it from trials.

| part | bytes | measured anonymous memory |
|---|---|---|
| Ray's head with dashboard | 656 MiB | 628 MiB, Ray 2.60, idle |
| agent, forkserver, a child that waits | 224 MiB | 181 MiB |
| a trial actor, one a core | 128 MiB | 114 MiB |
| a search's driver | 256 MiB | 250 MiB |
| Serve with one gateway replica | 512 MiB | 0.5 GiB |
| the controller's growth, object store in use | 96 MiB | tables are files, results are small |
| what is never promised | `workers.node.budget.guard_threshold_bytes` | |
"""

from __future__ import annotations

from dataclasses import dataclass

from workers.node.budget import ACTOR_BYTES, MIB, SANDBOX_BYTES, guard_threshold_bytes

HEAD_BYTES = 656 * MIB
DRIVER_BYTES = 256 * MIB
GATEWAY_BYTES = 512 * MIB
OWN_BYTES = 96 * MIB
LEAST_TRIAL_BYTES = 256 * MIB
"""No family fits below."""
_PLENTY_BYTES = 1024 * MIB
"""With less than this for trials, searches run one at a time and serving has no room of its own."""
_STEP_BYTES = 64 * MIB


class TooLittleMemory(ValueError):
    """Not even one small trial would have room; the message says how much is missing."""


@dataclass(frozen=True)
class Sizing:
    """trial_bytes: for trials. searches: drivers at once. spare_bytes: set apart for serving."""

    trial_bytes: int
    searches: int
    spare_bytes: int

    @property
    def ray_bytes(self) -> int:
        """Ray's `memory` resource."""
        return self.trial_bytes + self.searches * DRIVER_BYTES + self.spare_bytes


def sized(available_bytes: int, total_bytes: int, cores: int, searches: int) -> Sizing:
    """Of what is available now. Raises: TooLittleMemory."""
    platform = HEAD_BYTES + SANDBOX_BYTES + cores * ACTOR_BYTES + OWN_BYTES
    left = available_bytes - platform - guard_threshold_bytes(total_bytes)
    ample = _rounded(left - searches * DRIVER_BYTES - GATEWAY_BYTES)
    if ample >= _PLENTY_BYTES:
        return Sizing(ample, searches, GATEWAY_BYTES)
    scarce = _rounded(left - DRIVER_BYTES)
    if scarce < LEAST_TRIAL_BYTES:
        needed = available_bytes + LEAST_TRIAL_BYTES - (left - DRIVER_BYTES)
        raise TooLittleMemory(
            f"{available_bytes // MIB} MiB of memory are free and {needed // MIB} MiB are needed "
            f"for Ray, a search and a trial of {LEAST_TRIAL_BYTES // MIB} MiB; free some, lower "
            "--cpus, or set --memory"
        )
    return Sizing(scarce, 1, 0)


def sized_for(trial_bytes: int, searches: int) -> Sizing:
    """What was asked for, with everything else on top of it."""
    return Sizing(trial_bytes, searches, GATEWAY_BYTES)


def _rounded(count: int) -> int:
    return max(0, count // _STEP_BYTES * _STEP_BYTES)

"""What of a node's memory trials may use, and what is held back. Pure: figures in, figures out.

Three lines are drawn above no memory at all, the lowest first:

| line | available memory | what happens below it |
|---|---|---|
| Ray's | 5 % of the total, Ray's default | its memory monitor kills workers by age |
| the guard's | 2 % more, 64 MiB to 1 GiB | the trial furthest over its reservation ends |
| trials' | Ray's and one overshoot, or the guard's | nothing more is reserved |

2 GiB: 102, 166 and 222 MiB. 24 GiB: 1.2, 1.7 and 1.7 GiB. 256 GiB: 12.8, 13.8 and 13.8 GiB.
"""

from __future__ import annotations

MIB = 1 << 20
GIB = 1 << 30

RAY_MONITOR_SHARE = 0.05
"""Of the total; below it Ray's memory monitor kills workers."""

GUARD_LEAD_SHARE = 0.02
GUARD_LEAD_LEAST_BYTES = 64 * MIB
GUARD_LEAD_MOST_BYTES = GIB
"""How far above Ray's line the guard acts. A trial touches at most 6 GB/s and the guard looks every
10-50 ms while Ray looks every 250 ms, so a fixed lead serves a large node as well."""

OVERSHOOT_BYTES = 120 * MIB
"""What a child may have touched above its limit when the watchdog ends it: 6 GB/s x 20 ms. One at a
time: the guard counts it as used."""

ROUNDING_BYTES = 64 * MIB
"""Memory for trials is a multiple of it, so that a figure does not change with every page."""

RAY_NODE_BYTES = 320 * MIB
RAY_HEAD_BYTES = 720 * MIB
"""Ray's own processes on an idle node (raylet, agents, `ray start` itself), and on a head with GCS
and dashboard: 284 and 628 MiB of anonymous memory measured with Ray 2.60, and some for their logs
and growth."""

SANDBOX_BYTES = 224 * MIB
"""The node agent (60 MiB), its forkserver with the libraries (121 MiB), a child that waits."""

ACTOR_BYTES = 128 * MIB
"""A Ray worker that runs trials: 114 MiB with Tune imported, one a core at most."""


def guard_threshold_bytes(total_bytes: int) -> int:
    """Available memory below which the node guard ends a trial."""
    lead = int(GUARD_LEAD_SHARE * total_bytes)
    return _ray_line_bytes(total_bytes) + min(
        GUARD_LEAD_MOST_BYTES, max(GUARD_LEAD_LEAST_BYTES, lead)
    )


def margin_bytes(total_bytes: int) -> int:
    """What is never promised to trials."""
    overshot = _ray_line_bytes(total_bytes) + OVERSHOOT_BYTES
    return max(guard_threshold_bytes(total_bytes), overshot)


def trial_memory_bytes(total_bytes: int, available_bytes: int, used_by_trials_bytes: int) -> int:
    """Memory for trials on a node as it is now: what is left, and what they have already, less the
    margin; rounded down, never below 0.
    """
    left = available_bytes + used_by_trials_bytes - margin_bytes(total_bytes)
    return _rounded(left)


def ray_memory_bytes(
    total_bytes: int, object_store_bytes: int, cores: int, *, is_head: bool
) -> int:
    """What `ray start --memory` of a node should be given: the total less Ray itself, its object
    store, the workers and the sandbox of trials, and the margin. Drivers and replicas are not in
    it: they are reserved in Ray, as trials are.
    """
    ray = (RAY_HEAD_BYTES if is_head else RAY_NODE_BYTES) + object_store_bytes
    platform = ray + SANDBOX_BYTES + cores * ACTOR_BYTES
    return _rounded(total_bytes - platform - margin_bytes(total_bytes))


def _ray_line_bytes(total_bytes: int) -> int:
    return int(RAY_MONITOR_SHARE * total_bytes)


def _rounded(count: int) -> int:
    return max(0, count // ROUNDING_BYTES * ROUNDING_BYTES)

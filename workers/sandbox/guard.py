"""Ends a trial before the node runs out of memory, whoever used it.

When available memory, the container's counted, falls below `guard_threshold_bytes`, the child
furthest over its reservation ends (see `workers.node.budget` for the lines). One at a time: as long
as a child is ending, and its memory is still to come back, no second one is chosen. A victim within
its reservation is innocent: its outcome is LOST and costs its trial nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from workers.node.budget import guard_threshold_bytes

TOUCH_BYTES_PER_SECOND = 6 << 30
"""Measured: one thread writing huge pages touches 5.8 GB/s."""

SHORTEST_SECONDS = 0.010
LONGEST_SECONDS = 0.250

LEAST_VICTIM_BYTES = 16 << 20
"""Ending a child that holds less wins nothing."""

LOW_SECONDS = 2.0
"""A child that the kernel killed so soon after a low reading died of the node."""


class Memory(Protocol):
    """A node's memory: `workers.node.machine.NodeMemory`."""

    def total_bytes(self) -> int:
        """In all."""
        ...

    def available_bytes(self) -> int:
        """Left."""
        ...


class Guarded(Protocol):
    """A running child. used_bytes: above its idle memory, when last looked at. is_ending: it was
    killed, but is not gone.
    """

    @property
    def used_bytes(self) -> int: ...  # noqa: D102 - see the class
    @property
    def reserved_bytes(self) -> int: ...  # noqa: D102
    @property
    def is_ending(self) -> bool: ...  # noqa: D102

    def end(self, verdict: str, note: str = "") -> None:
        """Kill it for a reason."""
        ...


class NodeGuard:
    """Looks at the node's memory and at the children of one sandbox. For one thread."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._threshold_bytes = guard_threshold_bytes(memory.total_bytes())
        self._next_look = 0.0
        self._last_low = float("-inf")

    def look(self, children: Sequence[Guarded], now: float) -> float:
        """End a child if it must be. Gives the seconds until the next look.

        now: of the monotonic clock.
        """
        if now < self._next_look:
            return self._next_look - now
        left = self._memory.available_bytes()
        wait = SHORTEST_SECONDS
        if left < self._threshold_bytes:
            self._last_low = now
            self._save_node(children, left)
        else:
            headroom = (left - self._threshold_bytes) / TOUCH_BYTES_PER_SECOND
            wait = min(LONGEST_SECONDS, max(SHORTEST_SECONDS, headroom))
        self._next_look = now + wait
        return wait

    @property
    def was_low(self) -> bool:
        """Whether memory was low a moment ago."""
        return time.monotonic() - self._last_low < LOW_SECONDS

    def _save_node(self, children: Sequence[Guarded], left: int) -> None:
        if any(child.is_ending for child in children):
            return
        victim = furthest_over(children)
        if victim is not None:
            victim.end("NODE", f"{left >> 20} MiB were left on the node")


def furthest_over(children: Sequence[Guarded]) -> Guarded | None:
    """The child with the largest use less reservation; None when none holds enough to matter."""
    worth = [child for child in children if child.used_bytes >= LEAST_VICTIM_BYTES]
    return max(worth, key=lambda child: child.used_bytes - child.reserved_bytes, default=None)

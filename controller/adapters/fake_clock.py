"""A clock that stands still until it is told to go on: for tests and simulations."""

from __future__ import annotations


class FakeClock:
    """`controller.ports.clock.Clock` that only `advance` moves. start: seconds since the epoch."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self._now += seconds

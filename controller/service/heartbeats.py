"""When each driver was last heard. In memory: after a restart, silence counts from there."""

from __future__ import annotations

from threading import Lock

from controller.ports.clock import Clock


class Heartbeats:
    """Instants (seconds since the Unix epoch) by search name. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._heard: dict[str, float] = {}
        self.began_at = clock.now()

    def heard(self, search: str) -> None:
        """Its driver has just called."""
        with self._lock:
            self._heard[search] = self._clock.now()

    def last(self, search: str) -> float | None:
        """When its driver last called; None when not since `began_at`."""
        with self._lock:
            return self._heard.get(search)

    def forget(self, search: str) -> None:
        """It has no driver any more."""
        with self._lock:
            self._heard.pop(search, None)

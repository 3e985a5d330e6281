"""Counts the seconds in which the controller could not be reached, to be told to it afterwards.

Thread-safe. A call that carries the figure takes it before it is sent and gives it back when it
fails, so two threads never tell the same seconds twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

NOTEWORTHY_SECONDS = 0.5
"""Less than this is not worth a call of its own."""


class Outage:
    """clock: monotonic seconds. has_work: False while time is not charged anyway (paused)."""

    def __init__(self, clock: Callable[[], float], has_work: Callable[[], bool]) -> None:
        self._clock = clock
        self._has_work = has_work
        self._lock = threading.Lock()
        self._began: float | None = None
        self._owed = 0.0
        self._last_success = float("-inf")

    def failed(self, started: float) -> None:
        """A call that was sent at `started` did not get through."""
        with self._lock:
            if self._began is None and self._has_work():
                self._began = max(started, self._last_success)

    def succeeded(self) -> None:
        """A call got through."""
        with self._lock:
            now = self._clock()
            if self._began is not None:
                self._owed += max(0.0, now - self._began)
            self._began, self._last_success = None, now

    def take(self) -> float:
        """Seconds not told yet, the current outage up to now included; they count as told."""
        with self._lock:
            now, taken = self._clock(), self._owed
            if self._began is not None:
                taken += max(0.0, now - self._began)
                self._began = now
            self._owed = 0.0
            return taken

    def give_back(self, seconds: float) -> None:
        """The call that carried them failed."""
        with self._lock:
            self._owed += seconds

    @property
    def is_noteworthy(self) -> bool:
        """There is something that the controller should hear before it judges the time budget."""
        with self._lock:
            return self._began is not None or self._owed >= NOTEWORTHY_SECONDS

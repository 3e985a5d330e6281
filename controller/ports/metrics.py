"""What the control plane counts; `controller.adapters.prometheus` exports it."""

from __future__ import annotations

from typing import Protocol

from controller.domain.calibration import Factor
from controller.domain.records import Trial, Verdict


class Metrics(Protocol):
    """Told of events; never raises, never blocks."""

    def admission_decided(self, family: str, verdict: Verdict) -> None:
        """The gate decided about a candidate."""
        ...

    def trial_ended(self, trial: Trial) -> None:
        """A trial that had started reached a final state."""
        ...

    def trial_retried(self, trial: Trial) -> None:
        """A trial that ran out of memory gets another attempt."""
        ...

    def trial_waited(self, seconds: float) -> None:
        """A trial that was deferred may start, after `seconds`."""
        ...

    def calibrated(self, family: str, factor: Factor) -> None:
        """A family's memory bounds are made with this factor from now on."""
        ...

    def search_ended(self, state: str, seconds: float) -> None:
        """A search reached a final state, `seconds` after its creation."""
        ...

    def reconcile_failed(self, what: str) -> None:
        """A reconcile step failed: `search`, `deployment`, `cluster` or `retention`."""
        ...

    def reconciled(self, what: str, seconds: float) -> None:
        """A round of one of these in which nothing failed took `seconds`."""
        ...

    def request_replayed(self, method: str) -> None:
        """A call with a known `request_id` was answered from memory."""
        ...

    def driver_submitted(self, is_restart: bool) -> None:
        """A search's driver was handed to Ray."""
        ...


class NoMetrics:
    """Counts nothing."""

    def admission_decided(self, family: str, verdict: Verdict) -> None: ...
    def trial_ended(self, trial: Trial) -> None: ...
    def trial_retried(self, trial: Trial) -> None: ...
    def trial_waited(self, seconds: float) -> None: ...
    def calibrated(self, family: str, factor: Factor) -> None: ...
    def search_ended(self, state: str, seconds: float) -> None: ...
    def reconcile_failed(self, what: str) -> None: ...
    def reconciled(self, what: str, seconds: float) -> None: ...
    def request_replayed(self, method: str) -> None: ...
    def driver_submitted(self, is_restart: bool) -> None: ...

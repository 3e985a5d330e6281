"""The end of a search: the best trial fitted on all rows, or why there is no model."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from headgate.v1 import model_pb2
from workers.driver.assignment import Assignment, refit_seconds
from workers.driver.cluster import Cluster
from workers.driver.control import Control, Directive
from workers.driver.jobs import wait_for_outcome
from workers.driver.leaderboard import Leaderboard, Scored
from workers.driver.task import Reservation
from workers.trial.job import Outcome, RefitResult

log = logging.getLogger("headgate.driver")

MOST_TRIALS = 5
"""So many of the best trials are fitted again until one succeeds."""
LOST_RETRIES = 3
"""A refit whose worker is lost is started so often."""
LEAST_SECONDS = 1.0
"""With less time left no refit is begun."""


@dataclass(frozen=True)
class Ending:
    """Exactly one is set."""

    model: model_pb2.Model | None = None
    error: str | None = None
    is_cancelled: bool = False


class Finisher:
    """Chooses the winner. Blocks for as long as the refit takes; a cancellation ends it.

    clock: monotonic seconds.
    """

    def __init__(
        self,
        assignment: Assignment,
        leaderboard: Leaderboard,
        cluster: Cluster,
        control: Control,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._assignment = assignment
        self._leaderboard = leaderboard
        self._cluster = cluster
        self._control = control
        self._clock = clock
        self._deadline: float | None = None

    def end(self) -> Ending:
        """Raises what a thread of the driver failed with."""
        ranked = self._leaderboard.ranked(self._control.spec.limits)
        if not ranked:
            return Ending(error=self._why_none())
        longest = refit_seconds(self._control.spec.budget, self._control.remaining_seconds)
        self._deadline = None if longest is None else self._clock() + longest
        failures: list[str] = []
        for best in ranked[:MOST_TRIALS]:
            for held in self._reservations(best):
                if failures and self._is_late:
                    break
                outcome = self._refit(best, held)
                if self._is_cancelled:
                    return Ending(is_cancelled=True)
                if outcome.kind == "OK" and isinstance(outcome.value, RefitResult):
                    return Ending(model=self._assignment.model(best, outcome.value))
                failures.append(f"trial {best.number}: {outcome.kind}: {outcome.message}")
                log.warning("the refit of trial %d failed: %s", best.number, failures[-1])
                if outcome.kind != "MEMORY_EXCEEDED":
                    break
        why = " in the time that was left, give it more" if self._is_late else ""
        return Ending(error=f"no winner could be fitted on all rows{why}; {failures[0]}")

    @property
    def _is_cancelled(self) -> bool:
        return self._control.mode == Directive.CANCEL

    @property
    def _left_seconds(self) -> float | None:
        return None if self._deadline is None else self._deadline - self._clock()

    @property
    def _is_late(self) -> bool:
        left = self._left_seconds
        return left is not None and left < LEAST_SECONDS

    def _why_none(self) -> str:
        if any(True for _ in self._leaderboard):
            return "every trial with a score breaks the limits on model size or latency; raise them"
        return self._leaderboard.trouble()

    def _reservations(self, best: Scored) -> list[Reservation]:
        """The trial's own, then the largest: all rows need more than the rows of a fold."""
        own, largest = best.reservation, self._assignment.largest.memory_bytes
        return [own] if own.memory_bytes >= largest else [own, replace(own, memory_bytes=largest)]

    def _refit(self, best: Scored, held: Reservation) -> Outcome:
        job = self._assignment.refit_job(best)
        prepare = self._assignment.prepare_job()
        outcome = Outcome(kind="LOST", message="not started")
        for _ in range(LOST_RETRIES):
            limits = self._assignment.refit_limits(best, held, self._left_seconds)
            outcome = wait_for_outcome(
                self._cluster.refit(job, prepare, limits, held), self._control, self._cancel
            )
            if outcome.kind not in ("LOST", "CANCELLED") or self._is_cancelled:
                break
        return outcome

    def _cancel(self) -> None:
        self._cluster.cancel(self._assignment.name)

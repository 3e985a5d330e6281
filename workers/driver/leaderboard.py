"""The ended trials of a search: which is the best, and why the others have no score."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from headgate.v1 import search_pb2, trial_pb2, worker_service_pb2
from workers.driver.space import Configuration
from workers.driver.task import Reservation, Task

Trial = trial_pb2.Trial


@dataclass(frozen=True)
class Scored:
    """A trial with a score, and what is needed to fit it again."""

    number: int
    configuration: Configuration
    seed: int
    reservation: Reservation
    score: float
    usage: trial_pb2.Usage


class Leaderboard:
    """Thread-safe."""

    def __init__(self, is_maximized: bool) -> None:
        self._is_maximized = is_maximized
        self._lock = threading.Lock()
        self._scored: dict[int, Scored] = {}
        self._troubles: Counter[str] = Counter()
        self._last_message: dict[str, str] = {}

    def add_event(self, event: worker_service_pb2.TrialEvent, task: Task) -> None:
        """The end of one of this driver's trials."""
        if event.HasField("score"):
            self._add(
                Scored(
                    task.number,
                    task.configuration,
                    task.seed,
                    task.reservation,
                    event.score,
                    event.usage,
                )
            )
        elif event.state != Trial.CANCELLED:
            kind = trial_pb2.TrialFailure.Kind.Name(event.failure.kind)
            self._add_trouble(kind, event.failure.message)

    def add_trial(self, trial: Trial, task: Task) -> None:
        """A final trial of the log, or one that the gate just rejected."""
        if trial.state == Trial.REJECTED:
            reason = trial_pb2.Verdict.Reason.Name(trial.verdict.reason)
            self._add_trouble(reason, trial.verdict.message)
        elif trial.HasField("score"):
            self._add(
                Scored(
                    task.number,
                    task.configuration,
                    task.seed,
                    task.reservation,
                    trial.score,
                    trial.usage,
                )
            )
        elif trial.state != Trial.CANCELLED:
            kind = trial_pb2.TrialFailure.Kind.Name(trial.failure.kind)
            self._add_trouble(kind, trial.failure.message)

    def ranked(self, limits: search_pb2.Limits) -> list[Scored]:
        """Best first, the earlier among equals; without those that break the model's limits."""
        with self._lock:
            found = [each for each in self._scored.values() if _is_eligible(each, limits)]
        sign = -1.0 if self._is_maximized else 1.0
        return sorted(found, key=lambda each: (sign * each.score, each.number))

    def trouble(self) -> str:
        """Why there is no score, in one sentence: the most common reason and its latest message."""
        with self._lock:
            if not self._troubles:
                return "no trial ended before the search did; give it more time or trials"
            name, count = self._troubles.most_common(1)[0]
            total = sum(self._troubles.values())
            return (
                f"no trial got a score: {count} of {total} ended with {name}, "
                f"the last: {self._last_message[name]}"
            )

    def __iter__(self) -> Iterator[Scored]:
        with self._lock:
            return iter(list(self._scored.values()))

    def _add(self, scored: Scored) -> None:
        with self._lock:
            self._scored[scored.number] = scored

    def _add_trouble(self, name: str, message: str) -> None:
        with self._lock:
            self._troubles[name] += 1
            self._last_message[name] = message


def _is_eligible(each: Scored, limits: search_pb2.Limits) -> bool:
    """As `controller.domain.ranking.is_eligible`."""
    if not math.isfinite(each.score):
        return False
    if limits.max_model_bytes and each.usage.model_bytes > limits.max_model_bytes:
        return False
    if not limits.HasField("max_predict_latency"):
        return True
    return each.usage.predict_latency.ToNanoseconds() <= limits.max_predict_latency.ToNanoseconds()

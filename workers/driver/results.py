"""What happens when an attempt of a trial starts or ends: run it again, or report it for good."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from headgate.v1 import trial_pb2, worker_service_pb2
from workers.driver import events
from workers.driver.board import Board, Ended
from workers.driver.control import Control
from workers.driver.leaderboard import Leaderboard
from workers.driver.reporter import Reporter
from workers.driver.task import MAX_ATTEMPTS, MAX_INNOCENT_ATTEMPTS, Task
from workers.trial.job import Outcome

log = logging.getLogger("headgate.driver")


class Results:
    """Called in Tune's thread; blocks for the disk only. metric: for the log."""

    def __init__(
        self,
        board: Board,
        reporter: Reporter,
        leaderboard: Leaderboard,
        control: Control,
        metric: str,
    ) -> None:
        self._board = board
        self._reporter = reporter
        self._leaderboard = leaderboard
        self._control = control
        self._metric = metric
        self._unjudged: dict[int, tuple[Task, worker_service_pb2.TrialEvent]] = {}
        reporter.listen(self.judged)

    def started(self, task: Task) -> None:
        """Its fit begins."""
        self._reporter.put(events.running_event(task))

    def ended(self, task: Task, outcome: Outcome) -> None:
        """An attempt ended. One that was lost, or ended by an order that nobody gave for this
        search, costs the trial nothing: it runs again with the same reservation.
        """
        is_lost = outcome.kind in (events.LOST, events.CANCELLED)
        if is_lost and self._control.is_ending:
            outcome = Outcome(kind=events.CANCELLED, message="the search ended first")
        elif is_lost and task.attempt < _most_attempts(outcome):
            log.info("%s is run again: %s", task, outcome.message)
            self._board.put_back(task.again())
            return
        self._settle(task, outcome)

    def judged(
        self, told: Iterable[worker_service_pb2.TrialEvent], trials: Iterable[trial_pb2.Trial]
    ) -> None:
        """The controller has these events, and the trials are now so: one that ran out of memory
        may get another attempt. Called in the reporter's thread.
        """
        stored = {trial.number: trial for trial in trials}
        for event in told:
            with self._control.changed:
                task, known = self._unjudged.get(event.number, (None, None))
                if known is not event:
                    continue
                del self._unjudged[event.number]
            trial = stored.get(event.number)
            if task is None or known is None:
                continue
            if trial is not None and trial.state in events.OPEN_STATES:
                log.info("%s gets another attempt: %s", task, trial.verdict.message)
                self._board.defer([task.as_stored(trial)], is_known=True)
            else:
                self._end(task, known)

    def cancelled(self, task: Task) -> None:
        """It is not going to be run, or was ended by order."""
        self._settle(task, Outcome(kind=events.CANCELLED, message="the search ended first"))

    def _settle(self, task: Task, outcome: Outcome) -> None:
        event = events.ended_event(task, outcome)
        if event.failure.kind == trial_pb2.TrialFailure.MEMORY_EXCEEDED:
            with self._control.changed:
                self._unjudged[task.number] = (task, event)
            self._reporter.put(event)
            return
        self._reporter.put(event)
        self._end(task, event)

    def _end(self, task: Task, event: worker_service_pb2.TrialEvent) -> None:
        self._leaderboard.add_event(event, task)
        self._tell(event, task)
        self._board.end(Ended(task, events.known_of_event(event, task)))

    def _tell(self, event: worker_service_pb2.TrialEvent, task: Task) -> None:
        log.info("%s", events.describe(event, task, self._metric))


def _most_attempts(outcome: Outcome) -> int:
    return MAX_INNOCENT_ATTEMPTS if outcome.evidence == events.NODE else MAX_ATTEMPTS

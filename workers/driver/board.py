"""The trials of this driver: deferred, admitted and waiting, handed to Tune, ended and not yet
learned from.

Thread-safe, under the control's condition; nothing here blocks. Tune's thread takes and ends tasks,
the candidate thread offers them and learns from those that ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from headgate.v1 import trial_pb2
from workers.driver.control import Control
from workers.driver.known import Known
from workers.driver.task import Task


@dataclass(frozen=True)
class Ended:
    """A task that is over, and what the sampler learns from it."""

    task: Task
    known: Known


@dataclass(frozen=True)
class Statistics:
    """waiting: may start, not handed out. handed: given to Tune, of which `unstarted` wait for a
    worker. deferred: must wait for the controller's word. admitted: ever, by the log too.
    """

    waiting: int
    handed: int
    unstarted: int
    deferred: int
    admitted: int


@dataclass
class _Handed:
    task: Task
    is_started: bool = False


class Board:
    """slots: trials that the cluster runs at once at the smallest reservation."""

    def __init__(self, control: Control, slots: int) -> None:
        self._control = control
        self._slots = max(1, slots)
        self._waiting: deque[Task] = deque()
        self._handed: dict[str, _Handed] = {}
        self._leaving: set[int] = set()
        self._deferred: dict[int, Task] = {}
        self._ended: deque[Ended] = deque()
        self._admitted = 0
        self._is_exhausted = False

    def offer(self, tasks: Iterable[Task]) -> None:
        """Admitted trials, to be run in order."""
        with self._control.changed:
            before = len(self._waiting)
            self._waiting.extend(tasks)
            self._admitted += len(self._waiting) - before
            self._tell()

    def defer(self, tasks: Iterable[Task], *, is_known: bool = False) -> None:
        """Trials that must wait for room. is_known: they were offered or deferred before."""
        with self._control.changed:
            for task in tasks:
                self._leaving.discard(task.number)
                self._deferred[task.number] = task
                self._admitted += not is_known
            self._tell()

    def promote(self, trials: Iterable[trial_pb2.Trial]) -> None:
        """The controller's word: these may start. Those that are not deferred are passed over."""
        with self._control.changed:
            for trial in trials:
                task = self._deferred.pop(trial.number, None)
                if task is not None:
                    self._waiting.append(task.as_stored(trial))
            self._tell()

    def count(self, trials: int) -> None:
        """Trials of the log that were admitted and have ended."""
        with self._control.changed:
            self._admitted += trials

    def take(self, tune_id: str) -> Task | None:
        """The next task, or None when there is none or enough run."""
        with self._control.changed:
            most = self._most_handed()
            if not self._control.is_running or not self._can_take:
                return None
            if most is not None and len(self._handed) >= most:
                return None
            task = self._waiting.popleft()
            self._handed[tune_id] = _Handed(task)
            self._tell()
            return task

    def start(self, tune_id: str) -> Task | None:
        """Tune begins it. None for an id that was not handed out."""
        with self._control.changed:
            handed = self._handed.get(tune_id)
            if handed is None:
                return None
            handed.is_started = True
            return handed.task

    def leave(self, tune_id: str) -> tuple[Task, bool] | None:
        """Tune is done with it: the task and whether it was started; None for an unknown id.

        It keeps its place until `end` or `put_back`: the next candidate must not be proposed in
        between, without its result.
        """
        with self._control.changed:
            handed = self._handed.pop(tune_id, None)
            if handed is None:
                return None
            self._leaving.add(handed.task.number)
            self._tell()
            return handed.task, handed.is_started

    def put_back(self, task: Task) -> None:
        """It is to be run next: it was withdrawn, or lost."""
        with self._control.changed:
            self._leaving.discard(task.number)
            self._waiting.appendleft(task)
            self._tell()

    def end(self, ended: Ended) -> None:
        """It is over, to be learned from."""
        with self._control.changed:
            self._leaving.discard(ended.task.number)
            self._ended.append(ended)
            self._tell()

    def drain_waiting(self) -> list[Task]:
        """Takes all that wait, deferred ones included: they will not be run."""
        with self._control.changed:
            tasks = [*self._waiting, *self._deferred.values()]
            self._waiting.clear()
            self._deferred.clear()
            return tasks

    def drain_ended(self) -> list[Ended]:
        """Takes what is to be learned from, in the order it ended."""
        with self._control.changed:
            ended = list(self._ended)
            self._ended.clear()
            return ended

    def room(self) -> int:
        """How many more trials should be admitted now."""
        with self._control.changed:
            handed = len(self._handed) + len(self._leaving)
            taken = len(self._waiting) + len(self._deferred) + handed
            room = self._depth() - taken
            budget = self._control.spec.budget.max_trials
            if budget > 0:
                room = min(room, budget - self._admitted)
            return max(0, room)

    @property
    def width(self) -> int:
        """Trials that run at once."""
        with self._control.changed:
            most = self._most_handed()
            return self._slots if most is None else max(1, min(self._slots, most))

    @property
    def is_exhausted(self) -> bool:
        """No more candidates will come unless the space changes."""
        with self._control.changed:
            return self._is_exhausted

    @is_exhausted.setter
    def is_exhausted(self, value: bool) -> None:
        with self._control.changed:
            self._is_exhausted = value
            self._tell()

    @property
    def has_ended(self) -> bool:
        """Something is to be learned."""
        with self._control.changed:
            return bool(self._ended)

    @property
    def is_idle(self) -> bool:
        """Nothing is in Tune's hands, or has just left them."""
        with self._control.changed:
            return not self._handed and not self._leaving

    @property
    def is_done(self) -> bool:
        """Nothing waits, runs, or will come: the space or the trial budget is used up."""
        with self._control.changed:
            budget = self._control.spec.budget.max_trials
            is_used_up = 0 < budget <= self._admitted
            is_open = self._waiting or self._deferred
            return (self._is_exhausted or is_used_up) and not is_open and self.is_idle

    @property
    def is_starved(self) -> bool:
        """Nothing runs, and what is there may not start without the controller's word."""
        with self._control.changed:
            has_work = bool(self._deferred or self._waiting)
            return has_work and not self._can_take and self.is_idle

    @property
    def must_yield(self) -> bool:
        """Nothing may start that would take over a worker which has come free: it is to be given
        back, for what this or another search waits for.
        """
        with self._control.changed:
            is_asked = bool(self._deferred or self._waiting)
            is_asked = is_asked or self._control.most_running is not None
            all_started = all(each.is_started for each in self._handed.values())
            return is_asked and all_started and not self._can_take

    @property
    def _can_take(self) -> bool:
        """A trial waits and may run beside those that do."""
        most = self._control.most_running
        return bool(self._waiting) and (most is None or len(self._handed) < most)

    def statistics(self) -> Statistics:
        """Counts, all of the same moment."""
        with self._control.changed:
            return Statistics(
                waiting=len(self._waiting),
                handed=len(self._handed),
                unstarted=sum(not each.is_started for each in self._handed.values()),
                deferred=len(self._deferred),
                admitted=self._admitted,
            )

    def _tell(self) -> None:
        """Wakes who waits; a starved driver asks for the controller's word more often."""
        self._control.is_hungry = self.is_starved
        self._control.changed.notify_all()

    def _most_handed(self) -> int | None:
        return self._control.spec.limits.max_concurrent_trials or None

    def _depth(self) -> int:
        """Running and ready together. One at a time: the running one and the next. Else as many
        ready as run, and one, so that Tune has one of the size that comes free.
        """
        return 2 if self.width == 1 else 2 * self.width + 1

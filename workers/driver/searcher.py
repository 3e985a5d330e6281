"""The driver's side of Ray Tune: hands out admitted trials, takes in what became of them.

Tune's loop must not wait (a slow `suggest` holds up every result) and must not see an exception
(one kills the run). When nothing runs and `suggest` gives None, Tune polls it once a second, for up
to 600 s, and does nothing else (`TuneController._update_trial_queue`); so in that case alone, when
there is no result to hold up, `suggest` waits a moment itself, and wakes at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ray.tune.experiment import Trial as TuneTrial
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from workers.driver.board import Board
from workers.driver.control import Control
from workers.driver.events import CANCELLED, LOST
from workers.driver.results import Results
from workers.driver.task import FitTask, Task
from workers.trial.job import Outcome

log = logging.getLogger("headgate.driver")

IDLE_SECONDS = 5.0
"""Longest wait of `suggest`, and only while nothing runs."""
STARVED_SECONDS = 0.5
"""So long nothing may run and start: then this run of Tune ends and gives back what it holds."""
STUBBORN_SECONDS = 15.0
"""A trial that was told to end is taken out of Tune after so long."""


class AdmittedSearcher(Searcher):
    """Gives Tune what the gate has admitted. pack: makes what the actor needs of a task."""

    def __init__(
        self, board: Board, results: Results, control: Control, pack: Callable[[Task], FitTask]
    ) -> None:
        super().__init__()
        self._board = board
        self._results = results
        self._control = control
        self._pack = pack

    def suggest(self, trial_id: str) -> Any:
        """A trial, None when there is none yet, FINISHED when this run is to end."""
        task = self._board.take(trial_id)
        if task is None and self._board.is_idle:
            is_starved = self._board.is_starved
            longest = STARVED_SECONDS if is_starved else IDLE_SECONDS
            self._control.wait_for(self._is_awaited_over, longest)
            task = self._board.take(trial_id)
            if task is None and (self._is_over() or (is_starved and self._board.is_starved)):
                return Searcher.FINISHED
        return None if task is None else {"task": self._pack(task)}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Called once for every trial, however it ended."""
        left = self._board.leave(trial_id)
        if left is None:
            return
        task, is_started = left
        outcome = (result or {}).get("outcome")
        if isinstance(outcome, Outcome):
            self._results.ended(task, outcome)
        elif error:
            self._results.ended(task, Outcome(kind=LOST, message="its worker was lost"))
        elif is_started:
            self._results.ended(task, Outcome(kind=CANCELLED, message="it was withdrawn"))
        else:
            self._board.put_back(task)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to keep: the truth is the controller's trial log."""

    def restore(self, checkpoint_path: str) -> None:
        """Never called: a driver that starts again replays the trial log."""

    def _is_over(self) -> bool:
        """Paused, ending, or nothing left; nothing runs when this is asked."""
        return not self._control.is_running or self._board.is_done

    def _is_awaited_over(self) -> bool:
        may_start = self._board.statistics().waiting > 0 and not self._board.is_starved
        return self._is_over() or may_start


class WithdrawingScheduler(FIFOScheduler):
    """First come, first served; takes waiting trials back when no new one may start, and gives back
    workers that came free when what is next has to wait for room.
    """

    def __init__(self, control: Control, board: Board) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._control = control
        self._board = board

    def choose_trial_to_run(self, tune_controller: Any) -> TuneTrial | None:
        """Called in every step of Tune's loop. None leaves the choice to Tune's own queue."""
        if self._board.must_yield:
            # Tune keeps one idle worker with its reservation (`_ObjectCache.may_keep_one`), which
            # another trial may be waiting for. There is no public way to have it let go.
            tune_controller._cleanup_cached_actors(force_all=True)  # noqa: SLF001
        if not self._control.is_running:
            is_stubborn = self._control.is_ending and self._control.mode_seconds > STUBBORN_SECONDS
            for trial in list(tune_controller.get_live_trials()):
                if trial.status == TuneTrial.PENDING or (
                    is_stubborn and trial.status == TuneTrial.RUNNING
                ):
                    tune_controller.stop_trial(trial)
        return None


class StartCallback(TrialProgressCallback):
    """Reports that a trial's fit begins. It takes the place of Tune's console output, which Tune
    leaves out when it is given a callback of this class.
    """

    def __init__(self, board: Board, results: Results) -> None:
        super().__init__()
        self._board = board
        self._results = results

    def on_trial_start(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """Called when its actor is there and about to be told."""
        del iteration, trials, info
        task = self._board.start(trial.trial_id)
        if task is not None:
            self._results.started(task)

    def on_trial_result(self, *args: Any, **info: Any) -> None:
        """Prints nothing."""

    def on_trial_error(self, *args: Any, **info: Any) -> None:
        """Prints nothing."""

    def on_trial_complete(self, *args: Any, **info: Any) -> None:
        """Prints nothing."""

"""The work of a driver on an opened session: prepare, probe, search, pause, end.

Ray's agents and workers warm up and Tune is imported while the data is prepared: the first fit
should not wait for any of it.
"""

from __future__ import annotations

import importlib
import logging
import threading
import time
from typing import Any

from workers.driver.assignment import Assignment
from workers.driver.board import Board
from workers.driver.cluster import Cluster
from workers.driver.control import Control, Directive
from workers.driver.controller_client import ControllerClient
from workers.driver.ending import Ending, Finisher
from workers.driver.jobs import wait_for_outcome
from workers.driver.leaderboard import Leaderboard
from workers.driver.packer import TaskPacker
from workers.driver.probing import Probe
from workers.driver.reporter import Reporter
from workers.driver.results import Results
from workers.driver.task import AgentFinder, Workplace
from workers.trial.job import Outcome, PreparedData

log = logging.getLogger("headgate.driver")

CANCEL_AGAIN_SECONDS = 0.5
"""Running fits are told to end so often: one may have begun just after the last time."""
MEASURE_SECONDS = 10.0
"""How often agents are asked what their nodes have."""
PREPARE_ATTEMPTS = 3
"""Encoding is started so often when its worker is lost."""


class Session:
    """One use: `run`."""

    def __init__(
        self,
        assignment: Assignment,
        client: ControllerClient,
        control: Control,
        cluster: Cluster,
        reporter: Reporter,
        get_agent: AgentFinder,
    ) -> None:
        self._assignment = assignment
        self._client = client
        self._control = control
        self._cluster = cluster
        self._reporter = reporter
        self._place = Workplace(
            work_dir=str(assignment.work_dir),
            prepare=assignment.prepare_job(),
            prepare_limits=assignment.prepare_limits(),
            get_agent=get_agent,
        )
        search = assignment.search
        self._leaderboard = Leaderboard(search.is_metric_maximized)
        self._board = Board(control, assignment.slots)
        control.promote_with(self._board.promote)
        self._results = Results(self._board, reporter, self._leaderboard, control, search.metric)

    def run(self) -> None:
        """Blocks until the search has ended. Raises what a thread of the driver failed with."""
        outcome = self._prepare()
        if outcome.kind != "OK" or not isinstance(outcome.value, PreparedData):
            self._finish(self._unprepared(outcome))
            return
        shape = outcome.value.shape
        log.info("data ready: %d rows, %d features", shape.rows, shape.features)
        Probe(self._assignment, self._place, self._cluster, self._client, self._control).run()
        candidates = self._candidates(outcome.value)
        feeding = self._control.spawn("candidates", candidates.run)
        self._control.spawn("canceller", self._cancel_when_ending)
        self._control.spawn("measuring", self._measure_nodes)
        self._search()
        feeding.join()
        self._finish(self._end())

    def _prepare(self) -> Outcome:
        self._control.phase = "preparing the data"
        self._cluster.warm_agents()
        self._cluster.warm(self._assignment.slots)
        loading = threading.Thread(target=_import_search_modules, name="imports", daemon=True)
        outcome = Outcome(kind="LOST", message="not started")
        for attempt in range(PREPARE_ATTEMPTS):
            job = self._cluster.prepare(
                self._place.prepare, self._place.prepare_limits, self._assignment.largest
            )
            if attempt == 0:
                loading.start()
            outcome = wait_for_outcome(job, self._control, self._cancel)
            is_cancelled = self._control.mode == Directive.CANCEL
            if outcome.kind not in ("LOST", "CANCELLED") or is_cancelled:
                break
        return outcome

    def _unprepared(self, outcome: Outcome) -> Ending:
        if self._control.mode == Directive.CANCEL:
            return Ending(is_cancelled=True)
        log.error("preparing the data failed: %s", outcome.traceback or outcome.message)
        message = f"preparing the data failed with {outcome.kind}: {outcome.message}"
        if outcome.kind == "MEMORY_EXCEEDED":
            message += "; allow a trial more memory"
        return Ending(error=message)

    def _candidates(self, prepared: PreparedData) -> Any:
        """The candidate thread's work, with the log replayed."""
        wiring = importlib.import_module("workers.driver.wiring")
        return wiring.make_candidates(
            self._assignment,
            prepared.shape,
            self._board,
            self._leaderboard,
            self._client,
            self._control,
        )

    def _search(self) -> None:
        """Until the mode is FINISH or CANCEL. A pause ends a run of Tune and frees its actors."""
        tune_run = importlib.import_module("workers.driver.tune_run")
        pack = TaskPacker(
            self._assignment.name, self._assignment.search.metric, self._place, self._control
        )
        storage = self._assignment.directory / "tune"
        while not self._control.is_ending:
            if self._control.mode == Directive.PAUSE:
                self._wait("paused", lambda: self._control.mode != Directive.PAUSE)
            elif self._board.is_done:
                log.info("nothing is left to try")
                self._control.finish()
            else:
                self._wait("searching", self._can_start)
                if self._control.is_running and not self._board.is_done:
                    name = f"run-{time.time_ns()}"
                    tune_run.run_tune(
                        name, storage, self._board, self._results, self._control, pack
                    )
            self._control.check()

    def _can_start(self) -> bool:
        is_ready = self._board.statistics().waiting > 0 and not self._board.is_starved
        return is_ready or not self._control.is_running or self._board.is_done

    def _end(self) -> Ending:
        for task in self._board.drain_waiting():
            self._results.cancelled(task)
        self._reporter.flush()
        if self._control.mode == Directive.CANCEL:
            return Ending(is_cancelled=True)
        self._control.phase = "fitting the winner on all rows"
        finisher = Finisher(self._assignment, self._leaderboard, self._cluster, self._control)
        return finisher.end()

    def _finish(self, ending: Ending) -> None:
        self._reporter.flush()
        self._client.finish(ending.model, ending.error, ending.is_cancelled)
        if ending.model is not None:
            number = ending.model.trial.rsplit("/", 1)[-1]
            log.info("the winner is trial %s, %s", number, ending.model.family)
        else:
            log.info("ended without a model: %s", ending.error or "cancelled")

    def _wait(self, phase: str, predicate: Any) -> None:
        if self._control.phase != phase:
            log.info("%s", phase)
        self._control.phase = phase
        self._control.wait_for(predicate)
        self._control.check()

    def _cancel(self) -> None:
        self._cluster.cancel(self._assignment.name)

    def _measure_nodes(self) -> None:
        """A thread's work: has the agents say what their nodes have, until the search ends."""
        while not self._control.is_ending:
            self._control.measured(self._cluster.measure())
            self._control.wait_for(lambda: self._control.is_ending, MEASURE_SECONDS)

    def _cancel_when_ending(self) -> None:
        """A thread's work: ends running fits from when the search ends until none is left."""
        self._control.wait_for(lambda: self._control.is_ending)
        while not self._board.is_idle:
            self._cancel()
            self._control.wait_for(lambda: self._board.is_idle, CANCEL_AGAIN_SECONDS)


def _import_search_modules() -> None:
    """Tune, Optuna and what needs them, while the data is prepared."""
    for name in ("tune_run", "wiring"):
        importlib.import_module(f"workers.driver.{name}")

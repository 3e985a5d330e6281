"""The candidate thread: asks the study, then the gate, and keeps a few admitted trials ready.

It is the only one that touches the study, and the only one that waits for the gate: Tune's loop
takes what lies ready and never waits (a slow `suggest` would hold up every result).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from headgate.v1 import trial_pb2, worker_service_pb2
from workers.driver import events
from workers.driver.board import Board
from workers.driver.control import Control
from workers.driver.controller_client import ControllerClient
from workers.driver.leaderboard import Leaderboard
from workers.driver.portfolio import Proposal
from workers.driver.space import Configuration, SearchSpace
from workers.driver.study import Study
from workers.driver.task import Reservation, Task
from workers.driver.values import from_struct, to_struct

log = logging.getLogger("headgate.driver")

Trial = trial_pb2.Trial

BATCH_CANDIDATES = 64
"""Most candidates in one Admit, as the API says."""
HELD_SECONDS = 1.0
"""Pause after the gate let nothing through without saying why, unless something happens first."""


class Candidates:
    """`replay` once, then `run` in a thread of its own.

    seed: of the search; all fits use it, so that configurations are compared on equal terms.
    """

    def __init__(
        self,
        study: Study,
        space: SearchSpace,
        board: Board,
        leaderboard: Leaderboard,
        client: ControllerClient,
        control: Control,
        seed: int,
    ) -> None:
        self._study = study
        self._space = space
        self._board = board
        self._leaderboard = leaderboard
        self._client = client
        self._control = control
        self._fit_seed = seed % 2**31
        self._left_over: list[Proposal] = []
        self._last_admitted: int | None = None
        self._spec_revision = -1

    def replay(self, log_entries: Iterable[worker_service_pb2.ReplayTrialsResponse]) -> None:
        """Rebuilds the sampler's memory. Trials that had not ended are to be run again."""
        unfinished: list[Task] = []
        deferred: list[Task] = []
        ended = 0
        for entry in log_entries:
            trial = entry.trial
            task = self._task(trial)
            self._take_in(trial, task)
            if trial.state in events.RUNNING_STATES:
                unfinished.append(task)
            elif trial.state == Trial.DEFERRED:
                deferred.append(task)
            elif trial.state != Trial.REJECTED:
                ended += 1
        self._board.count(ended)
        self._board.offer(unfinished)
        self._board.defer(deferred)

    def prefer(self, proposals: Iterable[Proposal]) -> None:
        """What to propose before sampling; those in the log are passed over."""
        self._study.prefer(proposals)

    def run(self) -> None:
        """Returns when the search ends. Raises: SearchOver, ControllerRefused."""
        while not self._control.is_ending:
            self._control.wait_for(self._has_work)
            self._learn()
            if self._control.is_running and not self._fill():
                self._control.wait_for(lambda: self._board.has_ended, HELD_SECONDS)

    def _has_work(self) -> bool:
        if self._control.is_ending or self._board.has_ended:
            return True
        if not self._control.is_running:
            return False
        is_changed = self._control.spec_revision != self._spec_revision
        return is_changed or (self._board.room() > 0 and not self._board.is_exhausted)

    def _learn(self) -> None:
        for ended in self._board.drain_ended():
            self._study.record(ended.task.number, ended.task.configuration, ended.known)
        if self._control.spec_revision != self._spec_revision:
            self._spec_revision = self._control.spec_revision
            self._take_up_spec()

    def _take_up_spec(self) -> None:
        families = self._control.spec.families
        self._study.allow(families)
        self._left_over = [
            each
            for each in self._left_over
            if not families or each.configuration.family in families
        ]
        self._board.is_exhausted = False

    def _fill(self) -> bool:
        """Proposes and admits as many as there is room for; False when the gate let nothing in."""
        room = min(self._board.room(), BATCH_CANDIDATES)
        if self._board.has_ended:
            return True  # the room may be that trial's: learn from it first
        batch = self._batch(room)
        if not batch:
            return True
        first = self._study.position
        candidates = [self._candidate(first + i, each) for i, each in enumerate(batch)]
        response = self._client.admit(candidates, self._spec_revision)
        self._left_over = batch[len(response.trials) :]
        tasks = [
            self._judged(proposal, trial)
            for proposal, trial in zip(batch, response.trials, strict=False)
        ]
        self._board.offer(task for task in tasks if task is not None)
        self._board.defer(
            self._task(trial) for trial in response.trials if trial.state == Trial.DEFERRED
        )
        self._control.apply(response.directive)
        return bool(response.trials)

    def _batch(self, room: int) -> list[Proposal]:
        """One at a time when trials run one at a time, and without the last trial's result, whether
        it is there yet or not: then the sequence depends on nothing but the results.
        """
        is_single = self._board.width == 1
        last = self._last_admitted
        hidden = frozenset({last}) if is_single and last is not None else frozenset()
        batch = self._left_over[:room]
        while len(batch) < (min(room, 1) if is_single else room):
            proposal = self._study.propose([each.configuration for each in batch], hidden)
            if proposal is None:
                self._board.is_exhausted = not batch
                break
            batch.append(proposal)
        return batch

    def _candidate(self, position: int, proposal: Proposal) -> worker_service_pb2.Candidate:
        return worker_service_pb2.Candidate(
            candidate_id=f"c{position}",
            family=proposal.configuration.family,
            parameters=to_struct(proposal.configuration.parameters),
            seed=self._fit_seed,
            origin=proposal.origin,
        )

    def _judged(self, proposal: Proposal, trial: Trial) -> Task | None:
        """The task to run, if it may be run."""
        task = self._task(trial)
        self._take_in(trial, task)
        if trial.state == Trial.REJECTED:
            family = proposal.configuration.family
            log.info("%s %s rejected: %s", task, family, trial.verdict.message)
        return task if trial.state in events.RUNNING_STATES else None

    def _take_in(self, trial: Trial, task: Task) -> None:
        self._study.record(trial.number, task.configuration, events.known_of_trial(trial))
        if trial.verdict.HasField("replaced"):
            given = {**from_struct(trial.parameters), **from_struct(trial.verdict.replaced)}
            self._study.pass_over(self._space.complete(trial.family, given))
        if trial.state != Trial.REJECTED:
            self._last_admitted = trial.number
        if trial.state not in events.OPEN_STATES:
            self._leaderboard.add_trial(trial, task)
        if trial.state == Trial.REJECTED and trial.origin == trial_pb2.CANDIDATE_ORIGIN_DEFAULT:
            self._prefer_what_fits(trial, task.configuration)

    def _prefer_what_fits(self, trial: Trial, rejected: Configuration) -> None:
        """A family whose default does not fit begins with what the gate said would."""
        changes = from_struct(trial.verdict.fits_with)
        if changes and trial.family in self._space.families:
            fitting = self._space.fit_into(trial.family, {**rejected.parameters, **changes})
            origin = trial_pb2.CANDIDATE_ORIGIN_DEFAULT
            self._study.prefer_next(Proposal(fitting, origin))

    def _task(self, trial: Trial) -> Task:
        given = from_struct(trial.parameters)
        return Task(
            number=trial.number,
            attempt=trial.attempts + 1,
            configuration=self._space.complete(trial.family, given),
            seed=trial.seed,
            reservation=Reservation.of(trial.verdict.reservation),
        ).as_stored(trial)

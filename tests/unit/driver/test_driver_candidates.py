"""The candidate thread against a scripted gate: how many, in which order, after which results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from headgate.v1 import trial_pb2, worker_service_pb2
from tests.unit.driver.fake_controller import (
    SEARCH,
    TOKEN,
    FakeController,
    Trial,
    admitted,
    rejected,
    serving,
)
from workers.driver.board import Board, Ended
from workers.driver.candidates import Candidates
from workers.driver.control import Control, Directive
from workers.driver.controller_client import ControllerClient
from workers.driver.known import Known
from workers.driver.leaderboard import Leaderboard
from workers.driver.portfolio import Proposal
from workers.driver.space import Configuration, SearchSpace
from workers.driver.study import Study
from workers.driver.task import Task
from workers.families.base import Integers, Numbers, Parameter

Candidate = worker_service_pb2.Candidate
SPACE = SearchSpace(
    {
        "line": (Parameter("c", Numbers(0.0, 1.0), 0.5, ""),),
        "tree": (Parameter("depth", Integers(1, 1000), 900, ""),),
    }
)
DEFAULT = trial_pb2.CANDIDATE_ORIGIN_DEFAULT


@dataclass
class Rig:
    fake: FakeController
    control: Control
    board: Board
    candidates: Candidates

    def wait(self, predicate: Callable[[], bool]) -> None:
        assert self.control.wait_for(predicate, 20), self.board.statistics()
        self.control.check()

    def run_one(self, known: Known) -> Task:
        """Plays Tune: takes the next trial and ends it."""
        self.wait(lambda: self.board.statistics().waiting > 0)
        task = self.board.take("t")
        assert task is not None
        self.board.leave("t")
        self.board.end(Ended(task, known))
        return task


@contextmanager
def rig(fake: FakeController, space: SearchSpace = SPACE, is_started: bool = True) -> Iterator[Rig]:
    with serving(fake) as address:
        client, control = ControllerClient(address, TOKEN), Control()
        opened = client.open_session(SEARCH, "d1")
        control.start(opened.search.spec, opened.directive)
        board = Board(control, opened.slots)
        study = Study(space, opened.search.spec.seed, True)
        candidates = Candidates(study, space, board, Leaderboard(True), client, control, 1)
        rigged = Rig(fake, control, board, candidates)
        thread = control.spawn("candidates", candidates.run) if is_started else None
        try:
            yield rigged
        finally:
            control.apply(Directive(mode=Directive.CANCEL))
            if thread is not None:
                thread.join(timeout=20)
            client.close()


def proposed(fake: FakeController) -> list[tuple[str, str]]:
    return [(trial.family, str(trial.parameters)) for trial in fake.trials]


def test_one_slot_gets_two_ahead_and_several_slots_more() -> None:
    for slots, ahead in ((1, 2), (3, 7)):
        fake = FakeController()
        fake.opened.slots = slots
        with rig(fake) as rigged:
            rigged.wait(lambda rigged=rigged, n=ahead: rigged.board.statistics().waiting == n)  # type: ignore[misc]
            assert len(fake.trials) == ahead


def test_never_more_than_the_trial_budget() -> None:
    fake = FakeController()
    fake.opened.slots = 4
    fake.spec.budget.max_trials = 3
    with rig(fake) as rigged:
        for _ in range(3):
            rigged.run_one(Known(score=0.5))
        rigged.wait(lambda: rigged.board.is_done)
        assert len(fake.trials) == 3


@pytest.mark.parametrize("seed", [3, 11])
def test_with_one_slot_the_sequence_does_not_depend_on_timing(seed: int) -> None:
    """Whether the last result is there when the driver proposes again must not matter."""

    def play(ahead: int) -> list[tuple[str, str]]:
        fake = FakeController()
        fake.spec.seed = seed
        with rig(fake, is_started=False) as rigged:
            for number in range(24):
                while rigged.board.statistics().waiting < ahead:
                    rigged.candidates._learn()
                    assert rigged.candidates._fill()
                rigged.run_one(Known(score=float(number * 7 % 5)))
        return proposed(fake)[:24]

    assert play(ahead=1) == play(ahead=2)


def test_a_trial_keeps_its_place_until_its_result_can_be_learned() -> None:
    with rig(FakeController(), is_started=False) as rigged:
        for _ in range(2):
            assert rigged.candidates._fill()
        task = rigged.board.take("t")
        assert task is not None
        rigged.board.leave("t")
        assert rigged.board.room() == 0
        assert not rigged.board.is_idle
        rigged.board.end(Ended(task, Known(score=0.5)))
        assert rigged.board.room() == 1
        assert rigged.candidates._fill()  # not before it has learned
        assert len(rigged.fake.trials) == 2
        rigged.candidates._learn()
        assert rigged.candidates._fill()
        assert len(rigged.fake.trials) == 3


def test_rejected_candidates_are_replaced_and_a_fitting_default_follows() -> None:
    def gate(candidate: Candidate) -> trial_pb2.Verdict:
        if candidate.parameters.fields["depth"].number_value > 500:
            return rejected(demand=4e9, limit=1e9, depth=100)
        return admitted()

    fake = FakeController(gate)
    with rig(fake, is_started=False) as rigged:
        rigged.candidates.prefer([Proposal(Configuration("tree", {"depth": 900}), DEFAULT)])
        thread = rigged.control.spawn("candidates", rigged.candidates.run)
        rigged.wait(lambda: rigged.board.statistics().waiting == 2)
        first, second = fake.trials[:2]
        assert first.state == Trial.REJECTED
        assert second.parameters.fields["depth"].number_value == 100
        assert second.origin == DEFAULT
        rigged.control.apply(Directive(mode=Directive.CANCEL))
        thread.join()


def test_a_pause_holds_candidates_back_and_a_resume_lets_them_on() -> None:
    fake = FakeController()
    fake.order(Directive.PAUSE)
    with rig(fake) as rigged:
        assert not rigged.control.wait_for(lambda: len(fake.trials) > 0, 0.3)
        fake.order(Directive.RUN)
        rigged.control.apply(Directive(mode=Directive.RUN))
        rigged.wait(lambda: rigged.board.statistics().waiting == 2)


def test_a_gate_that_lets_nothing_through_is_asked_again_with_the_same() -> None:
    fake = FakeController()
    with rig(fake, is_started=False) as rigged:
        fake.order(Directive.PAUSE)  # the driver does not know yet
        thread = rigged.control.spawn("candidates", rigged.candidates.run)
        rigged.wait(lambda: rigged.control.mode == Directive.PAUSE)
        assert fake.trials == []
        fake.order(Directive.RUN)
        rigged.control.apply(Directive(mode=Directive.RUN))
        rigged.wait(lambda: rigged.board.statistics().waiting == 2)
        assert fake.candidate_ids == ["c0", "c1"]
        rigged.control.apply(Directive(mode=Directive.CANCEL))
        thread.join()


def test_families_are_taken_up_while_it_runs() -> None:
    fake = FakeController()
    with rig(fake) as rigged:
        rigged.run_one(Known(score=0.1))
        fake.spec.families.append("tree")
        fake.respec()
        rigged.control.apply(fake.directive)
        for _ in range(10):
            rigged.run_one(Known(score=0.1))
        rigged.wait(lambda: rigged.board.statistics().waiting == 2)
    assert {trial.family for trial in fake.trials[-6:]} == {"tree"}


def test_a_replay_runs_what_had_not_ended_and_goes_on_after_it() -> None:
    fake = FakeController()
    with rig(fake) as rigged:
        for _ in range(5):
            rigged.run_one(Known(score=0.5))
        rigged.wait(lambda: rigged.board.statistics().waiting == 2)
    for trial in fake.trials[:5]:
        trial.state, trial.score, trial.attempts = Trial.SUCCEEDED, 0.5, 1
    fake.trials[5].state, fake.trials[5].attempts = Trial.RUNNING, 1
    with rig(fake, is_started=False) as rigged:
        log = [
            worker_service_pb2.ReplayTrialsResponse(trial=trial, candidate_id=each)
            for trial, each in zip(fake.trials, fake.candidate_ids, strict=True)
        ]
        rigged.candidates.replay(log)
        assert rigged.board.statistics().admitted == 7
        thread = rigged.control.spawn("candidates", rigged.candidates.run)
        again, fresh = rigged.run_one(Known(score=0.5)), rigged.run_one(Known(score=0.5))
        assert (again.number, again.attempt) == (5, 2)
        assert (fresh.number, fresh.attempt) == (6, 1)
        rigged.wait(lambda: rigged.board.statistics().waiting == 2)
        assert len(set(fake.candidate_ids)) == len(fake.candidate_ids)
        rigged.control.apply(Directive(mode=Directive.CANCEL))
        thread.join()


def test_an_exhausted_space_ends_the_search() -> None:
    space = SearchSpace({"tree": (Parameter("depth", Integers(1, 3), 1, ""),)})
    fake = FakeController()
    with rig(fake, space) as rigged:
        depths = {
            rigged.run_one(Known(score=0.0)).configuration.parameters["depth"] for _ in range(3)
        }
        rigged.wait(lambda: rigged.board.is_done)
    assert depths == {1, 2, 3}

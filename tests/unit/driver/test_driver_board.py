"""The board: deferral, promotion, giving workers back to other searches."""

from __future__ import annotations

import pytest

from headgate.v1 import search_pb2, trial_pb2, worker_service_pb2
from workers.driver.board import Board
from workers.driver.control import Control
from workers.driver.space import Configuration
from workers.driver.task import Reservation, Task

Directive = worker_service_pb2.Directive
Trial = trial_pb2.Trial
MIB = 1 << 20


def task(number: int) -> Task:
    return Task(number, 1, Configuration("knn", {}), 0, Reservation(1, 0.0, 100 * MIB))


def stored(number: int, *, attempts: int = 0, mib: int = 100, evidence: str = "") -> Trial:
    held = trial_pb2.Reservation(cpus=1, memory_bytes=mib * MIB)
    trial = Trial(number=number, attempts=attempts, state=Trial.ADMITTED)
    trial.verdict.reservation.CopyFrom(held)
    if evidence:
        trial.history.add(number=attempts).failure.evidence = evidence
    return trial


@pytest.fixture
def control() -> Control:
    made = Control()
    made.start(search_pb2.SearchSpec(), Directive(mode=Directive.RUN))
    return made


@pytest.fixture
def board(control: Control) -> Board:
    made = Board(control, slots=2)
    control.promote_with(made.promote)
    return made


def tell(control: Control, *startable: Trial, most_running: int | None = None) -> None:
    control.apply(Directive(mode=Directive.RUN, startable=startable, most_running=most_running))


def test_a_deferred_trial_waits_for_the_controllers_word(control: Control, board: Board) -> None:
    board.defer([task(0)])
    assert board.take("a") is None
    assert not board.is_done
    assert (board.statistics().deferred, board.statistics().admitted) == (1, 1)
    tell(control, stored(0))
    assert board.take("a") == task(0)


def test_a_word_told_again_starts_nothing_twice(control: Control, board: Board) -> None:
    board.defer([task(0)])
    tell(control, stored(0))
    tell(control, stored(0))
    assert board.take("a") is not None
    assert board.take("b") is None


def test_a_retry_comes_with_its_own_size_and_attempt(control: Control, board: Board) -> None:
    board.defer([task(0)])
    tell(control, stored(0, attempts=1, mib=160))
    taken = board.take("a")
    assert taken is not None
    assert (taken.attempt, taken.reservation.memory_bytes) == (2, 160 * MIB)
    assert taken.has_backstop


def test_a_suspect_is_retried_without_backstop(control: Control, board: Board) -> None:
    board.defer([task(0)])
    tell(control, stored(0, attempts=1, evidence="suspect"))
    taken = board.take("a")
    assert taken is not None
    assert not taken.has_backstop


def test_deferred_trials_take_room(board: Board) -> None:
    before = board.room()
    board.defer([task(0), task(1)])
    assert board.room() == before - 2
    board.defer([task(0)], is_known=True)
    assert board.statistics().admitted == 2


def test_a_driver_with_nothing_but_deferred_trials_is_hungry(
    control: Control, board: Board
) -> None:
    board.defer([task(0)])
    assert (board.is_starved, control.is_hungry) == (True, True)
    tell(control, stored(0))
    board.take("a")
    assert (board.is_starved, control.is_hungry) == (False, False)


def test_no_more_run_than_another_search_leaves(control: Control, board: Board) -> None:
    board.offer([task(0), task(1), task(2)])
    tell(control, most_running=1)
    assert board.take("a") is not None
    assert board.take("b") is None
    tell(control)
    assert board.take("b") is not None


def test_a_free_worker_is_given_back_when_nothing_may_take_it_over(
    control: Control, board: Board
) -> None:
    seen = []
    board.offer([task(0), task(1)])
    board.take("a")
    seen.append(("it waits for a worker itself", board.must_yield))
    board.start("a")
    seen.append(("the next may start", board.must_yield))
    tell(control, most_running=1)
    seen.append(("the next may not, for another search", board.must_yield))
    tell(control)
    board.take("b")
    board.start("b")
    seen.append(("nobody waits", board.must_yield))
    board.defer([task(2)])
    seen.append(("the next waits for room", board.must_yield))
    assert [must_yield for _, must_yield in seen] == [False, False, True, False, True], seen


def test_what_waits_is_drained_with_what_is_deferred(board: Board) -> None:
    board.offer([task(0)])
    board.defer([task(1)])
    assert {each.number for each in board.drain_waiting()} == {0, 1}
    assert board.statistics().deferred == 0

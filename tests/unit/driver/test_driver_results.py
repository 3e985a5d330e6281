"""Tune's side: what suggest gives, and what becomes of a trial however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ray.tune.search import Searcher

from headgate.v1 import search_pb2, trial_pb2, worker_service_pb2
from tests.unit.driver.fake_controller import (
    SEARCH,
    TOKEN,
    FakeController,
    Trial,
    rejected,
    serving,
)
from workers.driver.board import Board
from workers.driver.control import Control, Directive
from workers.driver.controller_client import ControllerClient
from workers.driver.events import known_of_trial
from workers.driver.leaderboard import Leaderboard
from workers.driver.packer import GRACE_SECONDS, TaskPacker
from workers.driver.reporter import Reporter
from workers.driver.results import Results
from workers.driver.searcher import AdmittedSearcher
from workers.driver.space import Configuration
from workers.driver.spool import Spool
from workers.driver.task import FitTask, Reservation, Task, Workplace
from workers.sandbox.agent import get_agent
from workers.trial.job import FitResult, Outcome, PrepareJob, SandboxLimits

MIB = 1 << 20
PREPARE = PrepareJob(SEARCH, "file:///t", (), "y", "binary", ("a", "b"), 5, 0, "/data")
PLACE = Workplace("/work", PREPARE, SandboxLimits(MIB, 1.0), get_agent)


def ok(score: float) -> Outcome:
    result = FitResult(score, (score,), {"roc_auc": score}, 10, 0.001, 0.1)
    return Outcome(kind="OK", value=result, peak_memory_bytes=5 * MIB, wall_seconds=2.0)


def task(number: int) -> Task:
    held = Reservation(cpus=1, gpus=0.0, memory_bytes=100 * MIB)
    return Task(number, 1, Configuration("knn", {"n_neighbors": number + 1}), 0, held)


@dataclass
class Rig:
    control: Control
    board: Board
    spool: Spool
    leaderboard: Leaderboard
    results: Results
    searcher: AdmittedSearcher
    client: ControllerClient

    def begin(self, tune_id: str) -> Task:
        """Tune takes the next trial and starts it."""
        suggested = self.searcher.suggest(tune_id)
        assert isinstance(suggested["task"], FitTask)
        started = self.board.start(tune_id)
        assert started is not None
        return started

    def states(self) -> list[str]:
        return [Trial.State.Name(event.state) for event in self.spool.peek(100)]

    def judge(self, *trials: Trial) -> None:
        """The controller has taken all events, and says how these trials are now."""
        self.results.judged(self.spool.peek(100), trials)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    control = Control()
    control.start(search_pb2.SearchSpec(), Directive(mode=Directive.RUN))
    board, spool = Board(control, slots=2), Spool(tmp_path / "events.jsonl")
    client = ControllerClient("127.0.0.1:1", TOKEN)
    leaderboard = Leaderboard(is_maximized=True)
    reporter = Reporter(spool, client, control)
    results = Results(board, reporter, leaderboard, control, "roc_auc")
    pack = TaskPacker(SEARCH, "roc_auc", PLACE, control)
    searcher = AdmittedSearcher(board, results, control, pack)
    yield Rig(control, board, spool, leaderboard, results, searcher, client)
    client.close()
    spool.close()


def test_suggest_gives_what_is_admitted_in_order_and_never_waits_while_something_runs(
    rig: Rig,
) -> None:
    rig.board.offer([task(0), task(1)])
    assert rig.begin("a").number == 0
    assert rig.begin("b").number == 1
    assert rig.searcher.suggest("c") is None  # returns at once: results may be waiting


def test_suggest_finishes_when_paused_or_ended_but_only_when_nothing_runs(rig: Rig) -> None:
    rig.board.offer([task(0), task(1)])
    rig.begin("a")
    rig.control.apply(Directive(mode=Directive.PAUSE))
    assert rig.searcher.suggest("b") is None
    rig.searcher.on_trial_complete("a", {"outcome": ok(0.5)})
    assert rig.searcher.suggest("b") == Searcher.FINISHED
    rig.control.apply(Directive(mode=Directive.RUN))
    assert rig.begin("b").number == 1


def test_an_idle_suggest_wakes_for_a_candidate_and_for_the_end(rig: Rig) -> None:
    offering = rig.control.spawn("offer", lambda: rig.board.offer([task(0)]))
    suggested = rig.searcher.suggest("a")
    offering.join()
    assert suggested["task"].job.number == 0
    rig.searcher.on_trial_complete("a", {"outcome": ok(0.5)})
    finishing = rig.control.spawn("finish", rig.control.finish)
    assert rig.searcher.suggest("b") == Searcher.FINISHED
    finishing.join()


def test_no_more_at_once_than_the_search_allows(rig: Rig) -> None:
    rig.control.spec.limits.max_concurrent_trials = 1
    rig.board.offer([task(0), task(1)])
    rig.begin("a")
    assert rig.searcher.suggest("b") is None


def test_a_score_is_on_disk_and_on_the_leaderboard(rig: Rig) -> None:
    rig.board.offer([task(0)])
    started = rig.begin("a")
    rig.results.started(started)
    rig.searcher.on_trial_complete("a", {"outcome": ok(0.75)})
    assert rig.states() == ["RUNNING", "SUCCEEDED"]
    assert rig.spool.peek(2)[1].usage.model_bytes == 10
    (ended,) = rig.board.drain_ended()
    assert ended.known.score == 0.75
    assert [each.number for each in rig.leaderboard.ranked(search_pb2.Limits())] == [0]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome(kind="MEMORY_EXCEEDED", peak_memory_bytes=120 * MIB), "INFEASIBLE"),
        (Outcome(kind="TIMED_OUT"), "TIMED_OUT"),
        (Outcome(kind="CRASHED", traceback="t" * 100_000), "FAILED"),
        (Outcome(kind="BAD_CONFIG"), "FAILED"),
        (ok(float("nan")), "FAILED"),
    ],
)
def test_what_has_no_score_is_a_violation_for_the_sampler(
    rig: Rig, outcome: Outcome, state: str
) -> None:
    rig.board.offer([task(0)])
    rig.begin("a")
    rig.searcher.on_trial_complete("a", {"outcome": outcome})
    assert rig.states() == [state]
    (event,) = rig.spool.peek(1)
    assert event.ByteSize() < 40_000
    assert not event.HasField("score")
    rig.judge(Trial(number=0, state=event.state))
    (ended,) = rig.board.drain_ended()
    assert ended.known.violation is not None
    assert ended.known.violation > 0
    # The log says the same to a driver that starts again.
    verdict = trial_pb2.Verdict(reservation=trial_pb2.Reservation(memory_bytes=100 * MIB))
    replayed = Trial(state=event.state, verdict=verdict, usage=event.usage)
    assert known_of_trial(replayed) == ended.known


def test_a_lost_trial_runs_again_three_times_at_most(rig: Rig) -> None:
    rig.board.offer([task(0), task(1)])
    for attempt in (1, 2, 3):
        assert rig.begin(f"t{attempt}").attempt == attempt
        rig.searcher.on_trial_complete(f"t{attempt}", error=True)
    assert rig.states() == ["FAILED"]
    assert rig.spool.peek(1)[0].failure.kind == trial_pb2.TrialFailure.LOST
    assert rig.begin("next").number == 1


def test_a_lost_agent_is_no_fault_of_the_trial(rig: Rig) -> None:
    rig.board.offer([task(0)])
    rig.begin("a")
    rig.searcher.on_trial_complete("a", {"outcome": Outcome(kind="LOST", message="gone")})
    assert rig.states() == []
    assert rig.begin("b").attempt == 2


def test_a_trial_that_never_started_goes_back_to_the_front(rig: Rig) -> None:
    rig.board.offer([task(0), task(1)])
    rig.searcher.suggest("a")
    rig.searcher.on_trial_complete("a")
    rig.searcher.on_trial_complete("a")  # Tune may say it twice
    rig.searcher.on_trial_complete("unheard-of")
    again = rig.begin("b")
    assert (again.number, again.attempt) == (0, 1)


def test_what_is_ended_by_order_is_cancelled_and_not_run_again(rig: Rig) -> None:
    rig.board.offer([task(0), task(1)])
    rig.begin("a")
    rig.control.apply(Directive(mode=Directive.FINISH))
    rig.searcher.on_trial_complete("a", {"outcome": Outcome(kind="CANCELLED")})
    for left in rig.board.drain_waiting():
        rig.results.cancelled(left)
    assert rig.states() == ["CANCELLED", "CANCELLED"]


def test_a_trial_gets_the_time_that_is_left(rig: Rig) -> None:
    pack = TaskPacker(SEARCH, "roc_auc", PLACE, rig.control)
    directive = Directive(mode=Directive.RUN)
    directive.remaining_time.FromSeconds(100)
    rig.control.apply(directive)
    assert pack(task(0)).limits.wall_seconds == pytest.approx(100 + GRACE_SECONDS, abs=5)
    rig.control.spec.limits.time_per_trial.FromSeconds(7)
    packed = pack(task(0))
    assert packed.limits.wall_seconds == 7
    assert packed.limits.memory_bytes == packed.reservation.memory_bytes == 100 * MIB


def test_the_best_come_first_and_limits_of_the_model_hold() -> None:
    for is_maximized, expected in ((True, [2, 0, 1]), (False, [0, 1, 2])):
        board = Leaderboard(is_maximized)
        for number, score in enumerate((0.5, 0.5, 0.9)):
            event = worker_service_pb2.TrialEvent(number=number, score=score)
            event.usage.model_bytes = 100 * (number + 1)
            board.add_event(event, task(number))
        assert [each.number for each in board.ranked(search_pb2.Limits())] == expected
        small = board.ranked(search_pb2.Limits(max_model_bytes=200))
        assert sorted(each.number for each in small) == [0, 1]


def test_the_commonest_trouble_is_named() -> None:
    board = Leaderboard(is_maximized=True)
    assert "more time" in board.trouble()
    for number in range(3):
        trial = Trial(number=number, state=Trial.REJECTED, verdict=rejected())
        board.add_trial(trial, task(number))
    event = worker_service_pb2.TrialEvent(number=3, state=Trial.FAILED)
    event.failure.kind = trial_pb2.TrialFailure.CRASHED
    board.add_event(event, task(3))
    assert "3 of 4 ended with EXCEEDS_TRIAL_LIMIT" in board.trouble()
    assert "more than a trial may have" in board.trouble()


def test_a_driver_on_the_same_node_sends_what_was_left(tmp_path: Path) -> None:
    fake = FakeController()
    spool = Spool(tmp_path / "events.jsonl")
    fake._decide(worker_service_pb2.Candidate(candidate_id="c0"))
    spool.append(worker_service_pb2.TrialEvent(number=0, attempt=1, state=Trial.FAILED))
    spool.close()
    with serving(fake) as address:
        client, control = ControllerClient(address, TOKEN), Control()
        client.open_session(SEARCH, "d2")
        left = Spool(tmp_path / "events.jsonl")
        fake.directive.mode = Directive.PAUSE
        Reporter(left, client, control).send_all()
        assert fake.states() == ["FAILED"]
        assert control.mode == Directive.PAUSE
        assert len(left) == 0
        left.close()
        client.close()


def test_out_of_memory_waits_for_the_controllers_judgement(rig: Rig) -> None:
    rig.control.promote_with(rig.board.promote)
    rig.board.offer([task(0)])
    rig.begin("a")
    killed = Outcome(kind="MEMORY_EXCEEDED", evidence="watchdog", peak_memory_bytes=120 * MIB)
    rig.searcher.on_trial_complete("a", {"outcome": killed})
    (event,) = rig.spool.peek(1)
    assert (event.state, event.failure.evidence) == (Trial.INFEASIBLE, "watchdog")
    assert rig.board.drain_ended() == []
    assert not rig.board.is_done
    again = Trial(number=0, attempts=1, state=Trial.DEFERRED)
    again.verdict.reservation.memory_bytes = 160 * MIB
    rig.judge(again)
    assert rig.board.statistics().deferred == 1
    rig.control.apply(Directive(mode=Directive.RUN, startable=[again]))
    second = rig.begin("b")
    assert (second.attempt, second.reservation.memory_bytes) == (2, 160 * MIB)
    rig.searcher.on_trial_complete("b", {"outcome": ok(0.5)})
    (ended,) = rig.board.drain_ended()
    assert ended.known.score == 0.5


def test_an_innocent_is_run_again_for_nothing_and_more_often(rig: Rig) -> None:
    lost = Outcome(kind="LOST", evidence="node", message="the node ran out of memory")
    rig.board.offer([task(0)])
    for attempt in range(1, 6):
        assert rig.begin(f"t{attempt}").attempt == attempt
        rig.searcher.on_trial_complete(f"t{attempt}", {"outcome": lost})
    assert rig.states() == []
    assert rig.board.statistics().waiting == 1

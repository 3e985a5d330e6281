"""The end of a search: which trials are fitted on all rows, how long, and what is told."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from google.protobuf import duration_pb2

from headgate.v1 import search_pb2, trial_pb2, worker_service_pb2
from workers.driver.assignment import Assignment
from workers.driver.control import Control, Directive
from workers.driver.ending import LOST_RETRIES, MOST_TRIALS, Ending, Finisher
from workers.driver.leaderboard import Leaderboard
from workers.driver.space import Configuration
from workers.driver.task import Reservation, Task
from workers.trial.job import Outcome, PrepareJob, RefitJob, RefitResult, SandboxLimits

MIB = 1 << 20
SEARCH = "namespaces/default/searches/s"
OK = Outcome(kind="OK", value=RefitResult("ab", 10, 100, ()))
TOO_SMALL = Outcome(kind="MEMORY_EXCEEDED", message="it used 200 MiB")
BROKEN = Outcome(kind="CRASHED", message="it broke")
LATE = Outcome(kind="TIMED_OUT", message="it took too long")


@dataclass
class ScriptedCluster:
    """Refits as told, in order; the last outcome for ever. Time passes as told."""

    outcomes: list[Outcome]
    takes_seconds: float = 0.0
    now: float = 0.0
    began: list[tuple[int, int, float]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    on_refit: Callable[[], None] = lambda: None

    def refit(
        self, job: RefitJob, prepare: PrepareJob, limits: SandboxLimits, held: Reservation
    ) -> concurrent.futures.Future[Outcome]:
        assert limits.memory_bytes == held.memory_bytes
        self.began.append((job.number, held.memory_bytes // MIB, limits.wall_seconds))
        self.now += self.takes_seconds
        self.on_refit()
        done: concurrent.futures.Future[Outcome] = concurrent.futures.Future()
        done.set_result(self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0])
        return done

    def cancel(self, search: str) -> None:
        self.cancelled.append(search)

    @property
    def numbers(self) -> list[int]:
        return [number for number, _, _ in self.began]


class House:
    """Seven trials with scores 0.0 to 0.6 and models of 0 to 6 KiB; sizes of 100 and 400 MiB."""

    def __init__(self) -> None:
        self.control = Control(clock=lambda: 0.0)
        self.spec = search_pb2.SearchSpec()
        opened = worker_service_pb2.OpenSessionResponse(
            search=search_pb2.Search(name=SEARCH, spec=self.spec),
            reservation_sizes_bytes=[100 * MIB, 400 * MIB],
        )
        self.assignment = Assignment(opened, Path("/work"))
        self.leaderboard = Leaderboard(is_maximized=True)
        for number in range(7):
            self.add(number, number / 10)

    def add(self, number: int, score: float) -> None:
        held = Reservation(1, 0.0, 100 * MIB)
        task = Task(number, 1, Configuration("linear", {}), 0, held)
        usage = trial_pb2.Usage(model_bytes=number << 10)
        event = worker_service_pb2.TrialEvent(number=number, score=score, usage=usage)
        event.state = trial_pb2.Trial.SUCCEEDED
        self.leaderboard.add_event(event, task)

    def end(self, cluster: ScriptedCluster, remaining: float | None = None) -> Ending:
        directive = Directive(mode=Directive.RUN)
        if remaining is not None:
            directive.remaining_time.FromNanoseconds(int(remaining * 1e9))
        self.control.start(self.spec, directive)
        finisher = Finisher(
            self.assignment,
            self.leaderboard,
            cluster,  # type: ignore[arg-type]
            self.control,
            clock=lambda: cluster.now,
        )
        return finisher.end()


@pytest.fixture
def house() -> House:
    return House()


def test_the_best_trial_is_the_winner(house: House) -> None:
    cluster = ScriptedCluster([OK])
    ending = house.end(cluster)
    assert ending.model is not None
    assert ending.model.trial == f"{SEARCH}/trials/6"
    assert cluster.numbers == [6]


def test_the_limits_of_the_spec_as_it_is_now_hold(house: House) -> None:
    house.spec.limits.max_model_bytes = 4 << 10
    cluster = ScriptedCluster([OK])
    assert house.end(cluster).model is not None
    assert cluster.numbers == [4]
    house.spec.limits.max_model_bytes = 4 << 10
    house.leaderboard = Leaderboard(is_maximized=True)
    house.add(6, 0.6)
    ending = house.end(ScriptedCluster([OK]))
    assert ending.error is not None
    assert "breaks the limits on model size" in ending.error


def test_the_next_best_is_fitted_when_the_best_cannot_be(house: House) -> None:
    cluster = ScriptedCluster([BROKEN, BROKEN, OK])
    ending = house.end(cluster)
    assert cluster.numbers == [6, 5, 4]
    assert ending.model is not None
    assert ending.model.trial == f"{SEARCH}/trials/4"


def test_after_some_it_gives_up_and_says_why(house: House) -> None:
    cluster = ScriptedCluster([BROKEN])
    ending = house.end(cluster)
    assert cluster.numbers == [6, 5, 4, 3, 2][:MOST_TRIALS]
    assert ending.error == "no winner could be fitted on all rows; trial 6: CRASHED: it broke"


def test_all_rows_may_need_the_largest_reservation(house: House) -> None:
    cluster = ScriptedCluster([TOO_SMALL, OK])
    assert house.end(cluster).model is not None
    assert [(number, size) for number, size, _ in cluster.began] == [(6, 100), (6, 400)]


def test_a_lost_worker_is_no_failure_of_the_trial(house: House) -> None:
    lost = Outcome(kind="LOST", message="its node is gone")
    cluster = ScriptedCluster([lost, lost, OK])
    assert house.end(cluster).model is not None
    assert cluster.numbers == [6, 6, 6]
    cluster = ScriptedCluster([*[lost] * LOST_RETRIES, OK])
    house.end(cluster)
    assert cluster.numbers == [6] * LOST_RETRIES + [5]


def test_a_cancelled_search_keeps_no_model(house: House) -> None:
    cluster = ScriptedCluster([OK])
    cluster.on_refit = lambda: house.control.apply(Directive(mode=Directive.CANCEL))
    assert house.end(cluster) == Ending(is_cancelled=True)


def test_without_a_time_budget_only_a_hang_is_ended(house: House) -> None:
    cluster = ScriptedCluster([OK])
    house.end(cluster)
    assert cluster.began[0][2] == 600.0


def test_all_refits_together_are_held_to_the_budget(house: House) -> None:
    house.spec.budget.time.CopyFrom(duration_pb2.Duration(seconds=60))
    cluster = ScriptedCluster([BROKEN, OK], takes_seconds=4.0)
    assert house.end(cluster, remaining=8.0).model is not None
    assert [longest for _, _, longest in cluster.began] == [18.0, 14.0]


def test_no_refit_is_begun_when_the_time_is_over(house: House) -> None:
    house.spec.budget.time.CopyFrom(duration_pb2.Duration(seconds=60))
    cluster = ScriptedCluster([LATE, OK], takes_seconds=18.0)
    ending = house.end(cluster, remaining=8.0)
    assert cluster.numbers == [6]
    assert ending.error == (
        "no winner could be fitted on all rows in the time that was left, give it more; "
        "trial 6: TIMED_OUT: it took too long"
    )

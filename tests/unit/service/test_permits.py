"""Deferral and retries through the worker service: what waits, what may start, what is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from controller.adapters.fake_clock import FakeClock
from controller.adapters.prometheus_ledger import LedgerCollector
from controller.domain.names import SearchName
from controller.domain.records import (
    Candidate,
    Decision,
    FailureKind,
    NodeReport,
    Quota,
    Trial,
    TrialEvent,
    TrialFailure,
    Usage,
)
from controller.domain.states import TrialState
from controller.ports.cluster import Node
from controller.ports.store import Store
from controller.service.cluster_view import ClusterView
from controller.service.permits import Permits
from controller.service.searches import SearchService
from controller.service.views import Assignment
from controller.service.worker import WorkerService

Create = Callable[..., SearchName]
Drive = Callable[..., tuple[str, Assignment]]
Candidates = Callable[..., list[Candidate]]
GIB = 1 << 30


@pytest.fixture
def cluster_view() -> ClusterView:
    view = ClusterView()
    view.saw((Node("n1", 2.0, 0.0, 4 * GIB),))
    return view


def states(trials: list[Trial]) -> list[str]:
    return [trial.state.value for trial in trials]


def running(number: int, attempt: int = 1) -> TrialEvent:
    return TrialEvent(number, attempt, TrialState.RUNNING)


def ended(number: int, attempt: int = 1) -> TrialEvent:
    return TrialEvent(number, attempt, TrialState.SUCCEEDED, score=0.5)


def killed(number: int, attempt: int = 1, evidence: str = "watchdog") -> TrialEvent:
    failure = TrialFailure(FailureKind.MEMORY_EXCEEDED, "too much", evidence=evidence)
    usage = Usage(300 << 20, 1.0, 1.0)
    return TrialEvent(number, attempt, TrialState.INFEASIBLE, usage=usage, failure=failure)


def test_two_run_two_follow_them_the_fifth_is_deferred(
    worker: WorkerService, create: Create, drive: Drive, candidates: Candidates
) -> None:
    secret, opened = drive(create())
    trials, directive = worker.admit(secret, opened.session, candidates(5))
    assert states(trials) == ["ADMITTED"] * 4 + ["DEFERRED"]
    worker.report(secret, opened.session, [running(0), running(1)])
    directive = worker.heartbeat(secret, opened.session)
    assert [trial.number for trial in directive.startable] == [2, 3]
    assert trials[4].verdict.decision is Decision.DEFERRED
    assert "room" in trials[4].verdict.waits_for
    told, directive = worker.report(secret, opened.session, [ended(0), running(2)])
    assert [trial.number for trial in directive.startable] == [3, 4]
    assert states(told) == ["SUCCEEDED", "RUNNING"]
    promoted = directive.startable[1]
    assert promoted.verdict.decision is Decision.ADMITTED
    assert promoted.verdict.waits_for == ""


def test_a_second_search_gets_the_next_place_that_comes_free(
    worker: WorkerService, create: Create, drive: Drive, candidates: Candidates
) -> None:
    first, second = create("first"), create("second")
    one, at_first = drive(first, "d1")
    worker.admit(one, at_first.session, candidates(2))
    worker.report(one, at_first.session, [running(0), running(1)])
    two, at_second = drive(second, "d2")
    waiting, _ = worker.admit(two, at_second.session, candidates(1))
    assert states(waiting) == ["DEFERRED"]
    more, _ = worker.admit(one, at_first.session, candidates(2, "more"))
    assert states(more) == ["DEFERRED"] * 2  # the first search gives way
    worker.report(one, at_first.session, [ended(0)])
    assert [t.number for t in worker.heartbeat(two, at_second.session).startable] == [0]


def test_a_search_gives_way_to_one_that_encodes_its_table(
    worker: WorkerService, create: Create, drive: Drive, candidates: Candidates
) -> None:
    """Ray starts the encoding when a place comes free, so none may be handed on until then."""
    first, second = create("first"), create("second")
    one, at_first = drive(first, "d1")
    worker.admit(one, at_first.session, candidates(2))
    worker.report(one, at_first.session, [running(0), running(1)])
    two, at_second = drive(second, "d2")
    assert states(worker.admit(one, at_first.session, candidates(1, "x"))[0]) == ["DEFERRED"]
    assert worker.heartbeat(one, at_first.session).most_running == 2
    worker.report(one, at_first.session, [ended(0)])
    # its next trial may follow the one that still runs, the other place is to be given back
    assert worker.heartbeat(one, at_first.session).most_running == 1
    worker.admit(two, at_second.session, candidates(1))
    worker.report(one, at_first.session, [ended(1)])
    assert [t.number for t in worker.heartbeat(two, at_second.session).startable] == [0]


def test_a_paused_search_starts_nothing_and_gives_its_room_away(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    first, second = create("first"), create("second")
    one, at_first = drive(first, "d1")
    worker.admit(one, at_first.session, candidates(4))
    searches.pause(first)
    assert worker.heartbeat(one, at_first.session).startable == ()
    two, at_second = drive(second, "d2")
    assert states(worker.admit(two, at_second.session, candidates(2))[0]) == ["ADMITTED"] * 2


def test_a_search_that_is_cancelled_frees_what_it_held(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    first, second = create("first"), create("second")
    one, at_first = drive(first, "d1")
    worker.admit(one, at_first.session, candidates(2))
    worker.report(one, at_first.session, [running(0), running(1)])
    two, at_second = drive(second, "d2")
    assert states(worker.admit(two, at_second.session, candidates(1))[0]) == ["DEFERRED"]
    searches.cancel(first)
    worker.report(one, at_first.session, [
        TrialEvent(n, 1, TrialState.CANCELLED) for n in (0, 1)
    ])  # fmt: skip
    assert [t.number for t in worker.heartbeat(two, at_second.session).startable] == [0]


def test_a_controller_that_starts_again_decides_as_before(
    store: Store,
    cluster_view: ClusterView,
    clock: FakeClock,
    worker: WorkerService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(5))
    worker.report(secret, opened.session, [running(0), running(1)])
    before = worker.heartbeat(secret, opened.session).startable
    again = Permits(store, cluster_view, clock)
    with store.transaction() as tx:
        again.settle(tx, str(name))
    assert again.startable(str(name)) == before
    assert again.statistics().running == 2


def test_a_quota_defers_across_the_searches_of_a_namespace(
    store: Store,
    cluster_view: ClusterView,
    clock: FakeClock,
    create: Create,
    drive: Drive,
    candidates: Candidates,
    worker: WorkerService,
) -> None:
    worker._permits = Permits(store, cluster_view, clock, {"default": Quota(cpus=1.0)})
    secret, opened = drive(create())
    trials, _ = worker.admit(secret, opened.session, candidates(3))
    # one has the place, one follows it there
    assert states(trials) == ["ADMITTED", "ADMITTED", "DEFERRED"]
    assert "quota of namespace 'default'" in trials[2].verdict.waits_for


def test_out_of_memory_means_another_attempt_with_more(
    worker: WorkerService, create: Create, drive: Drive, candidates: Candidates
) -> None:
    secret, opened = drive(create())
    (trial,), _ = worker.admit(secret, opened.session, candidates(1))
    held = trial.verdict.reservation
    assert held is not None
    worker.report(secret, opened.session, [running(0)])
    (again,), directive = worker.report(secret, opened.session, [killed(0)])
    assert (again.state, again.attempts) == (TrialState.ADMITTED, 1)
    more = again.verdict.reservation
    assert more is not None
    assert more.memory_bytes > held.memory_bytes
    assert directive.startable == (again,)
    # told again, it is no second kill
    (same,), _ = worker.report(secret, opened.session, [killed(0)])
    assert same.history == again.history


def test_the_third_kill_ends_it_with_all_evidence(
    worker: WorkerService, create: Create, drive: Drive, candidates: Candidates
) -> None:
    secret, opened = drive(create())
    worker.admit(secret, opened.session, candidates(1))
    for attempt in (1, 2, 3):
        told, _ = worker.report(secret, opened.session, [running(0, attempt), killed(0, attempt)])
    (final,) = told
    assert final.state is TrialState.INFEASIBLE
    assert [each.number for each in final.history] == [1, 2]
    sizes = [each.reservation.memory_bytes for each in final.history if each.reservation]
    assert sizes == sorted(set(sizes))


def test_nothing_is_retried_once_the_search_is_ending(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(2))
    worker.report(secret, opened.session, [running(0), running(1), ended(0)])
    searches.stop(name)
    (final,), _ = worker.report(secret, opened.session, [killed(1)])
    assert final.state is TrialState.INFEASIBLE


def test_before_the_first_look_at_the_cluster_everything_waits(
    worker: WorkerService,
    cluster_view: ClusterView,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    secret, opened = drive(create())
    cluster_view.saw(())
    trials, _ = worker.admit(secret, opened.session, candidates(1))
    assert trials[0].state is TrialState.DEFERRED
    assert "nodes" in trials[0].verdict.waits_for
    cluster_view.saw((Node("n1", 2.0, 0.0, 4 * GIB),))
    assert len(worker.heartbeat(secret, opened.session).startable) == 1


def test_a_node_that_leaves_is_seen(
    worker: WorkerService,
    cluster_view: ClusterView,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    secret, opened = drive(create())
    cluster_view.saw((Node("n1", 1.0, 0.0, 4 * GIB), Node("n2", 1.0, 0.0, 4 * GIB)))
    worker.admit(secret, opened.session, candidates(2))
    worker.report(secret, opened.session, [running(0), running(1)])
    cluster_view.saw((Node("n1", 1.0, 0.0, 4 * GIB),))
    worker.report(secret, opened.session, [replace(ended(0))])
    (trial,), _ = worker.admit(secret, opened.session, candidates(1, "late"))
    # behind the one that still runs, not beside it
    assert trial.state is TrialState.ADMITTED
    second, _ = worker.admit(secret, opened.session, candidates(1, "later"))
    assert states(second) == ["DEFERRED"]


def test_what_agents_measure_bounds_what_may_start_for_a_while(
    worker: WorkerService,
    cluster_view: ClusterView,
    clock: FakeClock,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    """Something else eats the node's memory: Ray's figure is not what is there."""
    secret, opened = drive(create())
    report = NodeReport("n1", 100 << 20, 8 << 30)
    worker.heartbeat(secret, opened.session, nodes=[report])
    trials, _ = worker.admit(secret, opened.session, candidates(4))
    assert states(trials) == ["ADMITTED"] * 2 + ["DEFERRED"] * 2  # one at a time fits
    capacity = cluster_view.capacity()
    assert capacity is not None
    assert capacity.nodes[0].gpu_memory_bytes == 8 << 30
    assert capacity.nodes[0].memory_bytes == 4 << 30  # what can ever fit is not decided by it
    clock.advance(61.0)
    assert len(worker.heartbeat(secret, opened.session).startable) == 4


def test_the_ledger_says_what_is_held(
    store: Store,
    cluster_view: ClusterView,
    clock: FakeClock,
    worker: WorkerService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    secret, opened = drive(create())
    worker.admit(secret, opened.session, candidates(5))
    worker.report(secret, opened.session, [running(0)])
    registry = CollectorRegistry()
    LedgerCollector(registry, worker._permits.statistics)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"headgate_ledger_{name}", labels)

    assert value("trials", standing="running") == 1
    assert value("trials", standing="granted") == 3
    assert value("trials", standing="waiting") == 1
    assert value("cpus", kind="held") == 2
    capacity, free = value("memory_bytes", kind="capacity"), value("memory_bytes", kind="free")
    assert capacity is not None
    assert free is not None
    assert value("memory_bytes", kind="held") == capacity - free > 0

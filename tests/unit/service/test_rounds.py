"""A reconcile loop says when it last succeeded, and only then."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from controller.adapters.fake_clock import FakeClock
from controller.adapters.fake_cluster import FakeCluster
from controller.adapters.fake_gateway import FakeGateway
from controller.domain.errors import FailedPrecondition, NotFound, Unavailable
from controller.domain.names import SearchName
from controller.domain.records import Deployment, SearchSpec
from controller.domain.states import DeploymentState
from controller.loop import Loop
from controller.ports.metrics import NoMetrics
from controller.ports.store import Store
from controller.service.cluster_view import ClusterView
from controller.service.heartbeats import Heartbeats
from controller.service.reconcile_deployments import HOLD_SECONDS, DeploymentReconciler
from controller.service.reconcile_searches import SearchReconciler
from controller.service.requests import RequestMemory
from controller.service.retention import Retention
from controller.service.searches import SearchService
from controller.service.settings import ServiceSettings

Create = Callable[..., SearchName]


class Counting(NoMetrics):
    def __init__(self) -> None:
        self.successes: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()

    def reconciled(self, what: str, seconds: float) -> None:
        assert seconds >= 0
        self.successes[what] += 1

    def reconcile_failed(self, what: str) -> None:
        self.failures[what] += 1


@pytest.fixture
def metrics() -> Counting:
    return Counting()


@pytest.mark.parametrize(
    ("outcome", "successes", "failures"),
    [
        (True, 1, 0),
        (False, 0, 0),  # it has counted itself
        (Unavailable("away"), 0, 1),
        (RuntimeError("a mistake"), 0, 1),
    ],
)
async def test_only_a_round_in_which_nothing_failed_is_a_success(
    metrics: Counting, outcome: bool | Exception, successes: int, failures: int
) -> None:
    async def step() -> bool:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    await Loop("search", step, metrics, 1.0).round()
    assert (metrics.successes["search"], metrics.failures["search"]) == (successes, failures)


async def test_a_change_wakes_a_loop_and_a_failure_does_not_end_it(metrics: Counting) -> None:
    rounds: asyncio.Queue[None] = asyncio.Queue()
    changed = asyncio.Event()

    async def step() -> bool:
        rounds.put_nowait(None)
        raise Unavailable("away")

    running = asyncio.create_task(Loop("search", step, metrics, 3600.0, changed).run())
    for _ in range(3):
        await asyncio.wait_for(rounds.get(), 10)
        changed.set()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert metrics.failures["search"] >= 2


@pytest.fixture
def searching(
    store: Store,
    cluster: FakeCluster,
    cluster_view: ClusterView,
    heartbeats: Heartbeats,
    clock: FakeClock,
    metrics: Counting,
    settings: ServiceSettings,
) -> SearchReconciler:
    return SearchReconciler(store, cluster, cluster_view, heartbeats, clock, metrics, settings)


async def test_a_look_at_the_cluster_that_fails_is_counted(
    searching: SearchReconciler, cluster: FakeCluster, metrics: Counting
) -> None:
    assert await searching.step()
    assert metrics.successes == {"cluster": 1}
    cluster.is_away = True
    assert not await searching.step()
    assert not await searching.step()
    assert (metrics.successes["cluster"], metrics.failures["cluster"]) == (1, 2)
    cluster.is_away = False
    assert await searching.step()
    assert metrics.successes["cluster"] == 2


async def test_a_search_that_cannot_be_seen_to_is_no_success(
    searching: SearchReconciler,
    cluster: FakeCluster,
    metrics: Counting,
    create: Create,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create()
    assert await searching.step()

    errors = [Unavailable("away"), FailedPrecondition("no")]

    async def fail(_: Any) -> Any:
        raise errors.pop(0)

    monkeypatch.setattr(cluster, "job", fail)
    while errors:
        assert not await searching.step()
    assert metrics.failures["search"] == 1  # Ray's being away is told by the search


async def test_deployments_that_wait_are_no_success(
    store: Store, clock: FakeClock, metrics: Counting
) -> None:
    gateway = FakeGateway()
    reconciler = DeploymentReconciler(store, gateway, clock, metrics)
    assert await reconciler.step()  # there is nothing to do
    with store.transaction() as tx:
        name = "namespaces/default/deployments/live"
        tx.put(
            Deployment(name, "namespaces/default/models/m", DeploymentState.PENDING, 1, 0.0, 0.0)
        )
    gateway.is_away = True
    assert not await reconciler.step()
    gateway.is_away = False
    assert not await reconciler.step()  # it waits before it looks again
    clock.advance(HOLD_SECONDS)
    assert await reconciler.step()
    assert metrics.failures == {"deployment": 1}


@pytest.fixture
def retention(
    searches: SearchService,
    store: Store,
    clock: FakeClock,
    metrics: Counting,
    settings: ServiceSettings,
) -> Retention:
    return Retention(store, searches, clock, metrics, settings)


def test_a_search_that_cannot_be_deleted_is_tried_again(
    retention: Retention,
    searches: SearchService,
    metrics: Counting,
    create: Create,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    settings: ServiceSettings,
) -> None:
    name = create()
    searches.cancel(name)
    clock.advance(settings.retention_seconds + 1.0 if settings.retention_seconds else 0.0)

    def refuse(*_: object) -> None:
        raise Unavailable("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(searches, "delete", refuse)
        assert retention.sweep() == 0
        assert not retention.is_well
        assert metrics.failures == {"retention": 1}
    assert retention.sweep() == 1
    assert retention.is_well


def test_request_ids_are_forgotten_after_their_time(
    retention: Retention, store: Store, clock: FakeClock, settings: ServiceSettings
) -> None:
    memory, request_id = RequestMemory(clock, NoMetrics()), str(uuid.uuid4())
    with store.transaction() as tx:
        memory.remember(tx, request_id, "CreateSearch", "payload", "the answer")

    def recalled() -> str | None:
        with store.transaction() as tx:
            return memory.recall(tx, request_id, "CreateSearch", "payload")

    clock.advance(settings.request_memory_seconds)
    retention.sweep()
    assert recalled() == "the answer"
    clock.advance(1.0)
    retention.sweep()
    assert recalled() is None


def test_a_deleted_search_leaves_nothing_to_one_of_its_name(
    searches: SearchService, store: Store, create: Create, spec: SearchSpec
) -> None:
    name = create()
    with store.transaction() as tx:
        tx.put_log(str(name), "secrets of the first")
    searches.cancel(name)
    searches.delete(name)
    with store.transaction() as tx:
        assert tx.get_log(str(name)) is None
    with pytest.raises(NotFound):
        searches.get(name)
    assert str(create()) == str(name)
    with store.transaction() as tx:
        assert tx.get_log(str(name)) is None

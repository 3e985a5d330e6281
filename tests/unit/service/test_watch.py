"""Following a search: snapshot, changes, resume, end, heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from controller.adapters.fake_clock import FakeClock
from controller.domain.errors import InvalidField, NotFound
from controller.domain.names import SearchName
from controller.domain.records import Budget, Candidate, TrialEvent
from controller.domain.states import SearchState, TrialState
from controller.ports.store import Store
from controller.service.paging import Seal
from controller.service.searches import SearchService
from controller.service.views import Assignment, FinishedWithError, WatchStep
from controller.service.watch import WatchService
from controller.service.worker import WorkerService

Create = Callable[..., SearchName]
Drive = Callable[..., tuple[str, Assignment]]
Candidates = Callable[..., list[Candidate]]


@pytest.fixture
def watching(store: Store, clock: FakeClock) -> WatchService:
    return WatchService(store, clock, Seal(b"0123456789abcdef"))


def state(step: WatchStep) -> SearchState:
    assert step.search_view is not None
    return step.search_view.search.state


async def test_a_snapshot_then_changes_then_the_end(
    watching: WatchService,
    searches: SearchService,
    worker: WorkerService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(2))
    steps = watching.watch(name)
    first = await anext(steps)
    assert state(first) is SearchState.RUNNING
    assert [trial.number for trial in first.trials] == [0, 1]
    coming = asyncio.ensure_future(anext(steps))
    event = TrialEvent(1, 1, TrialState.SUCCEEDED, 0.5)
    await asyncio.to_thread(worker.report, secret, opened.session, [event])
    second = await coming
    assert [(t.number, t.state) for t in second.trials] == [(1, TrialState.SUCCEEDED)]
    await asyncio.to_thread(searches.cancel, name)
    assert state(await anext(steps)) is SearchState.CANCELLING


async def test_the_stream_ends_with_the_search(
    watching: WatchService, searches: SearchService, create: Create
) -> None:
    name = create()
    searches.cancel(name)
    steps = [step async for step in watching.watch(name)]
    assert [state(step) for step in steps] == [SearchState.CANCELLED]


async def test_a_slow_reader_gets_the_latest_state(
    watching: WatchService, searches: SearchService, create: Create
) -> None:
    name = create()
    steps = watching.watch(name)
    await anext(steps)
    searches.pause(name)
    searches.resume(name)
    searches.pause(name)
    assert state(await anext(steps)) is SearchState.PAUSED
    searches.cancel(name)
    assert state(await anext(steps)) is SearchState.CANCELLING


async def test_resume_sends_only_what_changed(
    watching: WatchService,
    worker: WorkerService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(3))
    first = await anext(watching.watch(name))
    worker.report(secret, opened.session, [TrialEvent(2, 1, TrialState.RUNNING)])
    resumed = await anext(watching.watch(name, first.resume_token))
    assert [trial.number for trial in resumed.trials] == [2]


async def test_many_trials_come_in_pieces(
    watching: WatchService,
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    name = create(budget=Budget(600.0, 1000))
    secret, opened = drive(name)
    for batch in range(5):
        worker.admit(secret, opened.session, candidates(50, f"b{batch}-"))
    worker.finish(secret, opened.session, FinishedWithError("x"))
    steps = [step async for step in watching.watch(name)]
    assert [len(step.trials) for step in steps] == [100, 100, 50]
    assert sorted(t.number for step in steps for t in step.trials) == list(range(250))


async def test_bad_calls(watching: WatchService, create: Create) -> None:
    with pytest.raises(NotFound):
        await anext(watching.watch(SearchName("default", "zzz")))
    mine, other = create("mine"), create("other")
    token = (await anext(watching.watch(other))).resume_token
    for bad in ("nonsense", token):
        with pytest.raises(InvalidField, match="resume_token"):
            await anext(watching.watch(mine, bad))


async def test_a_heartbeat_when_nothing_happens(
    store: Store, clock: FakeClock, create: Create
) -> None:
    quick = WatchService(store, clock, Seal(b"0123456789abcdef"), heartbeat_seconds=0.01)
    steps = quick.watch(create())
    first = await anext(steps)
    beat = await anext(steps)
    assert (beat.is_heartbeat, beat.search_view, beat.trials) == (True, None, ())
    assert beat.resume_token == first.resume_token


async def test_a_deleted_search_ends_its_watch(
    watching: WatchService, searches: SearchService, create: Create
) -> None:
    name = create()
    steps = watching.watch(name)
    await anext(steps)
    searches.cancel(name)
    searches.delete(name)
    assert [step async for step in steps] == []

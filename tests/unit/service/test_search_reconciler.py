"""The reconciler against a fake cluster: start, wait, restart, cancel, clean up, whatever dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.adapters.fake_clock import FakeClock
from controller.adapters.fake_cluster import FakeCluster
from controller.domain.errors import FailedPrecondition
from controller.domain.names import SearchName
from controller.domain.records import Candidate, Search, TrialEvent
from controller.domain.states import SearchState, TrialState
from controller.ports.cluster import JobState
from controller.ports.metrics import NoMetrics
from controller.ports.store import Store
from controller.service.cluster_view import ClusterView
from controller.service.heartbeats import Heartbeats
from controller.service.reconcile_searches import SearchReconciler
from controller.service.searches import SearchService
from controller.service.settings import ServiceSettings
from controller.service.views import Assignment, FinishedCancelled, FinishedWithError
from controller.service.worker import WorkerService

Create = Callable[..., SearchName]
Drive = Callable[..., tuple[str, Assignment]]
Candidates = Callable[..., list[Candidate]]


async def begun(
    reconciler: SearchReconciler, create: Create, drive: Drive, search_id: str = "s"
) -> tuple[SearchName, str, Assignment]:
    """A search whose driver runs."""
    name = create(search_id)
    await reconciler.step()
    secret, opened = drive(name, f"driver of {search_id}")
    return name, secret, opened


def only_job(cluster: FakeCluster) -> str:
    (job,) = cluster.jobs
    return job


def kept_log(store: Store, name: SearchName) -> str:
    with store.transaction() as tx:
        return tx.get_log(str(name)) or ""


async def test_a_driver_is_handed_in(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    create: Create,
    token: Callable[[SearchName], str],
    clock: FakeClock,
    settings: ServiceSettings,
) -> None:
    name = create()
    await reconciler.step()
    await reconciler.step()
    job = cluster.jobs[only_job(cluster)]
    assert job.entrypoint == "python -m workers.driver"
    assert job.env == {
        "HEADGATE_CONTROLLER": "127.0.0.1:1",
        "HEADGATE_SEARCH": str(name),
        "HEADGATE_SEARCH_TOKEN": token(name),
        "HEADGATE_WORK_DIR": settings.work_dir,
    }
    search = searches.get(name).search
    assert (search.state, search.driver_attempts) == (SearchState.PENDING, 1)
    assert search.pending_reason == "its driver is starting"
    assert search.started_at == clock.now()


async def test_ray_is_away(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    create: Create,
    cluster_view: ClusterView,
) -> None:
    name = create()
    cluster.is_away = True
    await reconciler.step()
    search = searches.get(name).search
    assert search.state is SearchState.PENDING
    assert search.pending_reason.startswith("Ray does not answer")
    assert search.started_at is None
    assert cluster_view.status().problem
    assert cluster_view.capacity() is not None
    revision = search.revision
    await reconciler.step()
    assert searches.get(name).search.revision == revision
    cluster.is_away = False
    await reconciler.step()
    assert len(cluster.jobs) == 1
    assert not cluster_view.status().problem


async def test_only_so_many_at_once_and_the_oldest_first(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    create: Create,
    drive: Drive,
    clock: FakeClock,
) -> None:
    names = []
    for index in range(3):
        names.append(create(f"s{index}"))
        clock.advance(1.0)
    await reconciler.step()
    assert len(cluster.jobs) == 2
    assert searches.get(names[2]).search.pending_reason == "waiting for 2 running searches"
    drive(names[0], "d0")
    searches.pause(names[0])
    await reconciler.step()
    assert len(cluster.jobs) == 3


async def test_a_crash_between_claim_and_submit(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    create: Create,
) -> None:
    name = create()
    await reconciler.step()
    job = only_job(cluster)
    cluster.jobs.clear()
    await reconciler.step()
    assert only_job(cluster) == job
    assert searches.get(name).search.driver_attempts == 1


async def test_a_refused_submission_counts_as_a_dead_driver(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    create: Create,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(*_: object) -> None:
        raise FailedPrecondition("no such entrypoint")

    monkeypatch.setattr(cluster, "submit", refuse)
    name = create()
    for _ in range(4):
        await reconciler.step()
    error = searches.get(name).search.error
    assert error is not None
    assert error.reason == "DRIVER_DIED"
    assert "no such entrypoint" in error.message


async def test_a_dead_driver_is_replaced_and_nothing_is_lost(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    worker: WorkerService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
    store: Store,
) -> None:
    name, secret, opened = await begun(reconciler, create, drive)
    worker.admit(secret, opened.session, candidates(2))
    worker.report(secret, opened.session, [TrialEvent(0, 1, TrialState.RUNNING)])
    first = only_job(cluster)
    cluster.end_job(first, JobState.FAILED, "exit code 1", "hello\nout of luck\n")
    await reconciler.step()
    (second,) = cluster.jobs
    assert second != first
    assert cluster.deleted == [first]
    search = searches.get(name).search
    assert (search.state, search.driver_attempts) == (SearchState.RUNNING, 2)
    assert "out of luck" in search.phase
    assert kept_log(store, name) == "--- driver 1 ---\nhello\nout of luck\n"
    _, again = drive(name, "second")
    assert again.session != opened.session
    assert [t.state for t in worker.replay(secret, again.session)] == [TrialState.ADMITTED] * 2
    cluster.write_log(second, "world\n")
    await reconciler.step()
    assert kept_log(store, name).endswith("out of luck\n--- driver 2 ---\nworld\n")


async def test_three_dead_drivers_without_progress_end_it(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    create: Create,
) -> None:
    name = create()
    for _ in range(3):
        await reconciler.step()
        assert searches.get(name).search.state is SearchState.PENDING
        cluster.end_job(only_job(cluster), JobState.FAILED, "exit code 1", "Traceback\nBoom\n")
    await reconciler.step()
    search = searches.get(name).search
    assert (search.state, search.driver_attempts, search.driver_job) == (SearchState.FAILED, 3, "")
    assert search.error is not None
    assert search.error.message == "3 drivers in a row died; the last one: exit code 1; Boom"
    assert not cluster.jobs


async def test_progress_forgives_dead_drivers(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    worker: WorkerService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    name, secret, opened = await begun(reconciler, create, drive)
    worker.admit(secret, opened.session, candidates(5))
    for attempt in range(5):
        _, opened = drive(name, f"d{attempt}")
        event = TrialEvent(attempt, 1, TrialState.SUCCEEDED, 0.5)
        worker.report(secret, opened.session, [event])
        cluster.end_job(only_job(cluster), JobState.FAILED, "exit code 1")
        await reconciler.step()
    search = searches.get(name).search
    assert (search.state, search.driver_attempts) == (SearchState.RUNNING, 6)


async def test_a_lost_job_of_a_known_driver_is_a_dead_driver(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    create: Create,
    drive: Drive,
) -> None:
    name, _, _ = await begun(reconciler, create, drive)
    cluster.jobs.clear()  # Ray's head was replaced
    await reconciler.step()
    assert searches.get(name).search.driver_attempts == 2
    assert len(cluster.jobs) == 1


async def test_a_silent_driver_is_replaced(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    worker: WorkerService,
    create: Create,
    drive: Drive,
    clock: FakeClock,
) -> None:
    _, secret, opened = await begun(reconciler, create, drive)
    first = only_job(cluster)
    for _ in range(5):
        await reconciler.step()
        clock.advance(60.0)
        worker.heartbeat(secret, opened.session)
    await reconciler.step()
    assert only_job(cluster) == first
    clock.advance(121.0)
    await reconciler.step()
    await reconciler.step()
    assert only_job(cluster) != first


async def test_after_a_restart_of_the_controller_silence_counts_anew(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    store: Store,
    cluster_view: ClusterView,
    create: Create,
    drive: Drive,
    clock: FakeClock,
    settings: ServiceSettings,
) -> None:
    await begun(reconciler, create, drive)
    first = only_job(cluster)
    clock.advance(1000.0)
    fresh = SearchReconciler(
        store, cluster, cluster_view, Heartbeats(clock), clock, NoMetrics(), settings
    )
    await fresh.step()
    await fresh.step()
    assert only_job(cluster) == first


async def test_cancel_while_running(
    store: Store,
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    worker: WorkerService,
    create: Create,
    drive: Drive,
) -> None:
    name, secret, opened = await begun(reconciler, create, drive)
    searches.cancel(name)
    await reconciler.step()
    assert searches.get(name).search.state is SearchState.CANCELLING
    worker.finish(secret, opened.session, FinishedCancelled())
    assert searches.get(name).search.state is SearchState.CANCELLED
    cluster.end_job(only_job(cluster), JobState.SUCCEEDED, log="bye\n")
    await reconciler.step()
    assert not cluster.jobs
    assert searches.get(name).search.driver_job == ""
    assert "bye" in kept_log(store, name)


async def test_a_driver_that_ignores_a_cancel(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    create: Create,
    drive: Drive,
    clock: FakeClock,
) -> None:
    name, _, _ = await begun(reconciler, create, drive)
    job = only_job(cluster)
    searches.cancel(name)
    await reconciler.step()
    clock.advance(20.0)
    await reconciler.step()
    assert not cluster.jobs[job].is_stop_asked
    clock.advance(1.0)
    cluster.is_stubborn = True
    await reconciler.step()
    assert cluster.jobs[job].is_stop_asked
    assert searches.get(name).search.state is SearchState.CANCELLING
    cluster.end_job(job, JobState.STOPPED)
    await reconciler.step()
    assert searches.get(name).search.state is SearchState.CANCELLED
    assert not cluster.jobs


async def test_cancel_before_the_driver_is_up(
    reconciler: SearchReconciler, cluster: FakeCluster, searches: SearchService, create: Create
) -> None:
    name = create()
    await reconciler.step()
    searches.cancel(name)
    assert searches.get(name).search.state is SearchState.CANCELLED
    await reconciler.step()
    await reconciler.step()
    assert not cluster.jobs


async def test_cancel_while_no_driver_lives(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    create: Create,
    drive: Drive,
) -> None:
    name, _, _ = await begun(reconciler, create, drive)
    searches.pause(name)
    cluster.end_job(only_job(cluster), JobState.FAILED, "gone")
    await reconciler.step()
    paused = searches.get(name).search
    assert (paused.state, paused.driver_failures) == (SearchState.PAUSED, 0)
    assert not cluster.jobs
    searches.cancel(name)
    await reconciler.step()
    assert searches.get(name).search.state is SearchState.CANCELLED


async def test_resume_after_the_driver_died_in_a_pause(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    create: Create,
    drive: Drive,
) -> None:
    name, _, _ = await begun(reconciler, create, drive)
    searches.pause(name)
    cluster.end_job(only_job(cluster), JobState.FAILED, "gone")
    await reconciler.step()
    assert searches.resume(name).search.state is SearchState.PENDING
    await reconciler.step()
    drive(name, "second")
    search = searches.get(name).search
    assert (search.state, search.driver_attempts) == (SearchState.RUNNING, 2)


async def test_stop_with_a_best_and_a_dead_driver_still_finishes(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    worker: WorkerService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    name, secret, opened = await begun(reconciler, create, drive)
    worker.admit(secret, opened.session, candidates(1))
    worker.report(secret, opened.session, [TrialEvent(0, 1, TrialState.SUCCEEDED, 0.5)])
    searches.stop(name)
    cluster.end_job(only_job(cluster), JobState.FAILED, "gone")
    await reconciler.step()
    _, again = drive(name, "second")
    assert again.directive.mode.value == "FINISH"
    assert searches.get(name).search.driver_attempts == 2


async def test_stop_without_a_best_and_a_dead_driver_fails(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    searches: SearchService,
    create: Create,
    drive: Drive,
) -> None:
    name, _, _ = await begun(reconciler, create, drive)
    searches.stop(name)
    cluster.end_job(only_job(cluster), JobState.FAILED, "gone")
    await reconciler.step()
    await reconciler.step()
    error = searches.get(name).search.error
    assert error is not None
    assert error.reason == "NO_MODEL"


async def test_the_job_of_an_ended_search_gets_its_grace(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    worker: WorkerService,
    create: Create,
    drive: Drive,
    clock: FakeClock,
) -> None:
    _, secret, opened = await begun(reconciler, create, drive)
    job = only_job(cluster)
    worker.finish(secret, opened.session, FinishedWithError("x"))
    await reconciler.step()
    assert not cluster.jobs[job].is_stop_asked
    clock.advance(20.0)
    await reconciler.step()
    await reconciler.step()
    assert not cluster.jobs


async def test_one_broken_search_does_not_hold_up_the_others(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    create: Create,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create("a")
    await reconciler.step()
    broken = only_job(cluster)
    asked = cluster.job

    async def job(submission_id: str) -> object:
        if submission_id == broken:
            raise FailedPrecondition("odd")
        return await asked(submission_id)

    monkeypatch.setattr(cluster, "job", job)
    create("b")
    await reconciler.step()
    assert len(cluster.jobs) == 2


async def test_a_deleted_search_of_the_same_name_shares_no_job(
    reconciler: SearchReconciler, cluster: FakeCluster, searches: SearchService, create: Create
) -> None:
    name = create()
    await reconciler.step()
    first = only_job(cluster)
    searches.cancel(name)
    searches.delete(name)
    create()
    await reconciler.step()
    assert set(cluster.jobs) - {first}


async def test_a_long_log_keeps_its_end(
    store: Store,
    cluster: FakeCluster,
    cluster_view: ClusterView,
    clock: FakeClock,
    searches: SearchService,
    create: Create,
    settings: ServiceSettings,
) -> None:
    short = replace(settings, log_bytes=100)
    reconciler = SearchReconciler(
        store, cluster, cluster_view, Heartbeats(clock), clock, NoMetrics(), short
    )
    name = create()
    await reconciler.step()
    cluster.write_log(only_job(cluster), "ä" * 500 + "end\n")
    await reconciler.step()
    text = kept_log(store, name)
    assert len(text.encode()) <= 100
    assert text.endswith("ääend\n")


def test_a_search_remembers_nothing_of_ray(store: Store, create: Create) -> None:
    name = create()
    with store.transaction() as tx:
        search = tx.get(Search, str(name))
    assert search is not None
    assert search.driver_job == ""


async def test_the_job_of_a_deleted_search_is_ended_and_forgotten(
    reconciler: SearchReconciler,
    cluster: FakeCluster,
    create: Create,
    drive: Drive,
    worker: WorkerService,
    searches: SearchService,
) -> None:
    name, secret, opened = await begun(reconciler, create, drive)
    searches.cancel(name)
    worker.finish(secret, opened.session, FinishedCancelled())
    job = only_job(cluster)
    searches.delete(name)
    cluster.is_away = True
    await reconciler.step()
    cluster.is_away = False
    await reconciler.step()
    await reconciler.step()
    assert cluster.deleted == [job]
    assert not cluster.jobs
    await reconciler.step()
    assert cluster.deleted == [job]

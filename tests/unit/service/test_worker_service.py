"""Drivers and the controller: fencing, idempotency, budgets, replay, ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.adapters.fake_clock import FakeClock
from controller.domain.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidField,
    InvalidTransition,
    NotFound,
    PermissionDenied,
    SessionSuperseded,
    Unauthenticated,
)
from controller.domain.names import NamespaceName, SearchName
from controller.domain.records import (
    Budget,
    Candidate,
    Decision,
    Deployment,
    DirectiveMode,
    FailureKind,
    Limits,
    Model,
    Origin,
    SearchSpec,
    Task,
    TrialEvent,
    Usage,
)
from controller.domain.states import DeploymentState, SearchState, TrialState
from controller.ports.store import Store
from controller.service.searches import SearchService
from controller.service.views import (
    Assignment,
    FinishedCancelled,
    FinishedWithError,
    FinishedWithModel,
)
from controller.service.worker import WorkerService

Create = Callable[..., SearchName]
Drive = Callable[..., tuple[str, Assignment]]
Candidates = Callable[..., list[Candidate]]
USAGE = Usage(1 << 20, 1.0, 10.0)
MODEL = Model(
    "", "", "namespaces/default/searches/s/trials/0", "linear", {}, Task.BINARY, "label",
    ("no", "yes"), "yes", (), "roc_auc", 0.9, 1000, "", "ab" * 32, 10, 0.0,
)  # fmt: skip


def ended(number: int, score: float = 0.5, attempt: int = 1) -> TrialEvent:
    return TrialEvent(number, attempt, TrialState.SUCCEEDED, score, (score,), {}, USAGE)


def running(number: int, attempt: int = 1) -> TrialEvent:
    return TrialEvent(number, attempt, TrialState.RUNNING)


def test_tokens(worker: WorkerService, create: Create, token: Callable[[SearchName], str]) -> None:
    mine, other = create("mine"), create("other")
    for bad in ("", "guess"):
        with pytest.raises(Unauthenticated):
            worker.open_session(bad, str(mine), "d")
    with pytest.raises(PermissionDenied):
        worker.open_session(token(other), str(mine), "d")
    with pytest.raises(Unauthenticated):
        worker.open_session("guess", "namespaces/default/searches/zzz", "d")
    secret = token(mine)
    session = worker.open_session(secret, str(mine), "d").session
    with pytest.raises(PermissionDenied):
        worker.heartbeat(token(other), session)
    with pytest.raises(InvalidField):
        worker.heartbeat(secret, "nonsense")


def test_open_session(
    searches: SearchService, create: Create, drive: Drive, clock: FakeClock
) -> None:
    name = create()
    _, opened = drive(name)
    assert searches.get(name).search.state is SearchState.RUNNING
    assert opened.session.startswith(f"{name}#")
    assert opened.dataset_uri == "file:///d"
    assert "default" in opened.bundle_uri
    assert opened.directive.mode is DirectiveMode.RUN
    assert opened.directive.spec is not None
    assert opened.directive.remaining_trials == 10
    assert set(opened.space.families) >= {"xgboost", "linear"}
    assert opened.slots >= 1
    assert opened.search_view.search.started_at == clock.now()


def test_the_same_driver_gets_the_same_session(create: Create, drive: Drive) -> None:
    name = create()
    assert drive(name)[1].session == drive(name)[1].session


def test_a_newer_driver_fences_the_older(
    worker: WorkerService, create: Create, drive: Drive, candidates: Candidates
) -> None:
    name = create()
    secret, old = drive(name, "old")
    worker.admit(secret, old.session, candidates(2))
    _, new = drive(name, "new")
    assert new.session != old.session
    assert new.bundle_uri != old.bundle_uri
    calls: list[Callable[[], object]] = [
        lambda: worker.admit(secret, old.session, candidates(1, "x")),
        lambda: worker.report(secret, old.session, [ended(0)]),
        lambda: worker.heartbeat(secret, old.session),
        lambda: worker.replay(secret, old.session),
        lambda: worker.finish(secret, old.session, FinishedWithModel(MODEL)),
    ]
    for call in calls:
        with pytest.raises(SessionSuperseded):
            call()
    trials = worker.replay(secret, new.session)
    assert [(t.state, t.candidate_id) for t in trials] == [
        (TrialState.ADMITTED, "c0"),
        (TrialState.ADMITTED, "c1"),
    ]


def test_admit_is_idempotent_by_candidate(
    worker: WorkerService, create: Create, drive: Drive, candidates: Candidates
) -> None:
    secret, opened = drive(create())
    first, directive = worker.admit(secret, opened.session, candidates(3))
    assert [t.number for t in first] == [0, 1, 2]
    assert all(t.verdict.decision is Decision.ADMITTED for t in first)
    assert directive.remaining_trials == 7
    again, directive = worker.admit(secret, opened.session, candidates(4))
    assert again[:3] == first
    assert again[3].number == 3
    assert directive.remaining_trials == 6


def test_a_verdict_once_given_stays(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
    spec: SearchSpec,
) -> None:
    name = create()
    secret, opened = drive(name)
    first, _ = worker.admit(secret, opened.session, candidates(1))
    tight = replace(spec, limits=Limits(max_model_bytes=1))
    searches.update(name, tight, ("spec.limits.max_model_bytes",))
    again, directive = worker.admit(secret, opened.session, candidates(2), 1)
    assert again[0] == first[0]
    assert again[1].state is TrialState.REJECTED
    assert again[1].ended_at is not None
    assert directive.spec is not None
    assert directive.spec.limits.max_model_bytes == 1
    assert directive.spec_revision == 2
    _, directive = worker.admit(secret, opened.session, [], 2)
    assert directive.spec is None


def test_numbers_arrive_as_floats_and_are_stored_as_declared(
    worker: WorkerService, create: Create, drive: Drive, candidates: Candidates
) -> None:
    secret, opened = drive(create())
    (knn,) = candidates(1, family="knn")
    floats = {k: float(v) if isinstance(v, int) else v for k, v in knn.parameters.items()}
    trials, _ = worker.admit(secret, opened.session, [replace(knn, parameters=floats)])
    for name, value in knn.parameters.items():
        assert type(trials[0].parameters[name]) is type(value)


@pytest.mark.parametrize(
    ("candidate", "field"),
    [
        (Candidate("c", "xgbost", {}, 0, Origin.SAMPLED), "candidates[0].family"),
        (Candidate("c", "knn", {"zzz": 1}, 0, Origin.SAMPLED), "candidates[0].parameters"),
        (Candidate("c", "random_forest", {}, 0, Origin.SAMPLED), "candidates[0].parameters"),
        (Candidate("", "knn", {}, 0, Origin.SAMPLED), "candidates[0].candidate_id"),
    ],
)
def test_wrong_candidates(
    worker: WorkerService, create: Create, drive: Drive, candidate: Candidate, field: str
) -> None:
    secret, opened = drive(create())
    with pytest.raises(InvalidField) as caught:
        worker.admit(secret, opened.session, [candidate])
    assert caught.value.violations[0].field == field
    assert worker.replay(secret, opened.session) == []


def test_too_many_candidates(
    worker: WorkerService, create: Create, drive: Drive, candidates: Candidates
) -> None:
    secret, opened = drive(create())
    with pytest.raises(InvalidField, match="64"):
        worker.admit(secret, opened.session, candidates(65))


def test_the_trial_budget_is_never_exceeded(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    name = create(budget=Budget(max_trials=3))
    secret, opened = drive(name)
    trials, directive = worker.admit(secret, opened.session, candidates(10))
    assert len(trials) == 3
    assert (directive.mode, directive.remaining_trials) == (DirectiveMode.RUN, 0)
    more, directive = worker.admit(secret, opened.session, candidates(2, "more"))
    assert (more, directive.mode) == ([], DirectiveMode.RUN)
    assert worker.report(secret, opened.session, [ended(0), ended(1)])[1].mode is DirectiveMode.RUN
    _, directive = worker.report(secret, opened.session, [ended(2, 0.7)])
    assert directive.mode is DirectiveMode.FINISH
    view = searches.get(name)
    assert view.search.state is SearchState.FINISHING
    assert view.progress.counted_trials == 3
    assert (view.search.best_trial, view.search.best_score) == (f"{name}/trials/2", 0.7)


def test_a_larger_trial_budget_goes_on(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
    spec: SearchSpec,
) -> None:
    name = create(budget=Budget(max_trials=1))
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(1))
    searches.update(name, replace(spec, budget=Budget(max_trials=2)), ("spec.budget",))
    _, directive = worker.report(secret, opened.session, [ended(0)])
    assert (directive.mode, directive.remaining_trials) == (DirectiveMode.RUN, 1)


def test_the_time_budget_keeps_a_reserve_for_the_refit(
    worker: WorkerService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
    clock: FakeClock,
) -> None:
    secret, opened = drive(create(budget=Budget(time_seconds=100.0)))
    worker.admit(secret, opened.session, candidates(1))
    worker.report(secret, opened.session, [ended(0)])
    clock.advance(93.0)  # 10 s over 5 folds * 1.5 + 3 = 6 s
    directive = worker.heartbeat(secret, opened.session)
    assert (directive.mode, directive.remaining_seconds) == (DirectiveMode.RUN, 7.0)
    clock.advance(1.5)
    assert worker.heartbeat(secret, opened.session).mode is DirectiveMode.FINISH


def test_unreachable_time_is_not_charged_twice(
    worker: WorkerService, searches: SearchService, create: Create, drive: Drive, clock: FakeClock
) -> None:
    name = create()
    secret, opened = drive(name)
    clock.advance(30.0)
    worker.report(secret, opened.session, [], unreachable_seconds=25.0)
    worker.report(secret, opened.session, [], unreachable_seconds=25.0)
    progress = searches.get(name).progress
    assert (progress.unreachable_seconds, progress.elapsed_seconds) == (25.0, 5.0)


def test_reports_are_idempotent(
    worker: WorkerService,
    store: Store,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(2))
    events = [running(0), ended(0, 0.6), running(1)]
    worker.report(secret, opened.session, events)
    before = worker.replay(secret, opened.session)
    worker.report(secret, opened.session, events)
    worker.report(secret, opened.session, [ended(0, 0.99)])
    assert worker.replay(secret, opened.session) == before
    assert searches.get(name).search.best_score == 0.6
    with pytest.raises(NotFound):
        worker.report(secret, opened.session, [running(17)])


def test_a_failed_report_stores_none_of_its_events(
    worker: WorkerService, create: Create, drive: Drive, candidates: Candidates
) -> None:
    secret, opened = drive(create())
    worker.admit(secret, opened.session, candidates(1))
    with pytest.raises(NotFound):
        worker.report(secret, opened.session, [ended(0), running(17)])
    assert worker.replay(secret, opened.session)[0].state is TrialState.ADMITTED


def test_replay_after_a_dead_driver(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    name = create()
    secret, opened = drive(name, "first")
    worker.admit(secret, opened.session, candidates(3))
    worker.report(secret, opened.session, [running(0), ended(0, 0.8), running(1)])
    _, second = drive(name, "second")
    found = [(t.number, t.state, t.attempts) for t in worker.replay(secret, second.session)]
    assert found == [
        (0, TrialState.SUCCEEDED, 1),
        (1, TrialState.ADMITTED, 1),
        (2, TrialState.ADMITTED, 0),
    ]
    assert second.directive.remaining_trials == 7
    # what the dead driver had left on its disk, and what runs again
    worker.report(secret, second.session, [ended(1, 0.9, attempt=1), running(2)])
    view = searches.get(name)
    assert view.search.best_score == 0.9
    assert view.progress.trials_by_state == {"SUCCEEDED": 2, "RUNNING": 1}


def test_paused(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(1))
    searches.pause(name)
    trials, directive = worker.admit(secret, opened.session, candidates(2, "x"))
    assert (trials, directive.mode) == ([], DirectiveMode.PAUSE)
    # what runs may end, and even be the best
    assert worker.report(secret, opened.session, [ended(0)])[1].mode is DirectiveMode.PAUSE
    searches.resume(name)
    assert worker.heartbeat(secret, opened.session).mode is DirectiveMode.RUN
    assert searches.get(name).search.best_score == 0.5


def test_a_driver_that_comes_up_while_paused_waits(
    searches: SearchService, create: Create, drive: Drive, clock: FakeClock
) -> None:
    name = create()
    searches.pause(name)
    _, opened = drive(name)
    assert opened.directive.mode is DirectiveMode.PAUSE
    clock.advance(50.0)
    assert searches.get(name).progress.elapsed_seconds == 0.0


def test_stop_then_finish_with_a_model(
    worker: WorkerService,
    searches: SearchService,
    store: Store,
    create: Create,
    drive: Drive,
    candidates: Candidates,
    clock: FakeClock,
) -> None:
    name = create(deploy="live")
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(2))
    worker.report(secret, opened.session, [running(0), ended(0), running(1)])
    searches.stop(name)
    assert worker.heartbeat(secret, opened.session).mode is DirectiveMode.FINISH
    clock.advance(9.0)
    worker.finish(secret, opened.session, FinishedWithModel(MODEL))
    worker.finish(secret, opened.session, FinishedWithModel(MODEL))
    view = searches.get(name)
    assert view.search.state is SearchState.SUCCEEDED
    assert view.search.model == "namespaces/default/models/s"
    assert view.search.deployment == "namespaces/default/deployments/live"
    assert view.progress.trials_by_state == {"SUCCEEDED": 1, "CANCELLED": 1}
    with store.transaction() as tx:
        model = tx.get(Model, view.search.model)
        deployment = tx.get(Deployment, view.search.deployment)
    assert model is not None
    assert (model.search, model.bundle_uri) == (str(name), opened.bundle_uri)
    assert model.created_at == clock.now()
    assert deployment is not None
    assert (deployment.state, deployment.version) == (DeploymentState.PENDING, 1)
    assert deployment.model == model.name


def test_a_second_winner_updates_the_deployment(
    worker: WorkerService, store: Store, create: Create, drive: Drive
) -> None:
    for search_id in ("one", "two"):
        secret, opened = drive(create(search_id, deploy="live"), search_id)
        worker.finish(secret, opened.session, FinishedWithModel(MODEL))
    with store.transaction() as tx:
        deployment = tx.get(Deployment, "namespaces/default/deployments/live")
    assert deployment is not None
    assert (deployment.version, deployment.model) == (2, "namespaces/default/models/two")


def test_a_model_outlives_its_search_and_keeps_its_name(
    worker: WorkerService, searches: SearchService, create: Create, drive: Drive
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.finish(secret, opened.session, FinishedWithModel(MODEL))
    searches.delete(name)
    with pytest.raises(AlreadyExists, match="models/s"):
        create()


def test_a_cancelled_search_keeps_no_model(
    worker: WorkerService, searches: SearchService, store: Store, create: Create, drive: Drive
) -> None:
    name = create()
    secret, opened = drive(name)
    searches.cancel(name)
    assert worker.heartbeat(secret, opened.session).mode is DirectiveMode.CANCEL
    worker.finish(secret, opened.session, FinishedWithModel(MODEL))
    view = searches.get(name)
    assert (view.search.state, view.search.model) == (SearchState.CANCELLED, "")
    with store.transaction() as tx:
        assert tx.get(Model, "namespaces/default/models/s") is None


def test_finish_with_an_error(
    worker: WorkerService, searches: SearchService, create: Create, drive: Drive
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.finish(secret, opened.session, FinishedWithError("no trial has a score"))
    error = searches.get(name).search.error
    assert error is not None
    assert (error.reason, error.message) == ("NO_MODEL", "no trial has a score")


def test_only_a_person_cancels(
    worker: WorkerService, searches: SearchService, create: Create, drive: Drive
) -> None:
    name = create()
    secret, opened = drive(name)
    with pytest.raises(InvalidTransition):
        worker.finish(secret, opened.session, FinishedCancelled())
    assert searches.get(name).search.state is SearchState.RUNNING


def test_after_the_end_nothing_changes(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
    token: Callable[[SearchName], str],
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(1))
    worker.finish(secret, opened.session, FinishedWithError("x"))
    before = searches.get(name)
    worker.report(secret, opened.session, [ended(0)], unreachable_seconds=5.0)
    trials, directive = worker.admit(secret, opened.session, candidates(1, "x"))
    assert (trials, directive.mode) == ([], DirectiveMode.CANCEL)
    worker.heartbeat(secret, opened.session, phase="ghost")
    worker.finish(secret, opened.session, FinishedWithModel(MODEL))
    assert searches.get(name) == before
    assert not token(name)
    with pytest.raises(FailedPrecondition, match="FAILED"):
        worker.open_session(secret, str(name), "late")


def test_a_closed_trial_says_why(
    worker: WorkerService, create: Create, drive: Drive, candidates: Candidates
) -> None:
    secret, opened = drive(create())
    worker.admit(secret, opened.session, candidates(1))
    worker.finish(secret, opened.session, FinishedWithError("x"))
    failure = worker.replay(secret, opened.session)[0].failure
    assert failure is not None
    assert failure.kind is FailureKind.CANCELLED


def test_a_search_whose_candidates_are_all_rejected_fails(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
    spec: SearchSpec,
) -> None:
    name = create()
    secret, opened = drive(name)
    tight = replace(spec, limits=Limits(max_model_bytes=1))
    searches.update(name, tight, ("spec.limits",))
    for batch in range(3):
        _, directive = worker.admit(secret, opened.session, candidates(64, f"b{batch}-"))
        assert directive.mode is DirectiveMode.RUN
    trials, directive = worker.admit(secret, opened.session, candidates(64, "b3-"))
    assert len(trials) == 9  # 3 * 64 + 9 = 201
    assert directive.mode is DirectiveMode.CANCEL
    view = searches.get(name)
    assert view.search.state is SearchState.FAILED
    assert view.search.error is not None
    assert view.search.error.reason == "ALL_REJECTED"
    assert "EXCEEDS_MODEL_SIZE" in view.search.error.message
    assert view.progress.counted_trials == 0


def test_phase_is_shown(
    worker: WorkerService, searches: SearchService, create: Create, drive: Drive
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.heartbeat(secret, opened.session, phase="encoding")
    assert searches.get(name).search.phase == "encoding"
    revision = searches.get(name).search.revision
    worker.heartbeat(secret, opened.session, phase="encoding")
    assert searches.get(name).search.revision == revision


def test_a_narrower_limit_takes_the_best_away(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
    spec: SearchSpec,
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(2))
    big = replace(ended(0, 0.9), usage=replace(USAGE, model_bytes=10_000_000))
    worker.report(secret, opened.session, [big, ended(1, 0.6)])
    assert searches.get(name).search.best_score == 0.9
    small = replace(spec, limits=Limits(max_model_bytes=1_000_000))
    updated = searches.update(name, small, ("spec.limits.max_model_bytes",)).search
    assert (updated.best_trial, updated.best_score) == (f"{name}/trials/1", 0.6)


def test_namespaces_are_apart(searches: SearchService, create: Create) -> None:
    create()
    assert searches.list(NamespaceName("other")) == ([], "")

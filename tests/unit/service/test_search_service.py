"""Searches as users see them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.adapters.fake_clock import FakeClock
from controller.domain.errors import (
    AlreadyExists,
    EtagMismatch,
    FailedPrecondition,
    InvalidArgument,
    InvalidField,
    InvalidTransition,
    NotFound,
    NothingFits,
)
from controller.domain.names import NamespaceName, SearchName, TrialName
from controller.domain.records import Budget, Candidate, Limits, SearchSpec
from controller.domain.states import SearchState, TrialState
from controller.ports.metrics import NoMetrics
from controller.ports.store import Store
from controller.service.cluster_view import ClusterView
from controller.service.etag import etag
from controller.service.retention import Retention
from controller.service.searches import SearchService
from controller.service.settings import ServiceSettings
from controller.service.views import Assignment, FinishedCancelled
from controller.service.worker import WorkerService

PARENT = NamespaceName("default")
MIB = 1 << 20
Create = Callable[..., SearchName]
Drive = Callable[..., tuple[str, Assignment]]


def test_a_created_search_waits(searches: SearchService, create: Create) -> None:
    view = searches.get(create())
    assert view.search.state is SearchState.PENDING
    assert view.search.pending_reason
    assert view.search.plan.classes == ("no", "yes")
    assert view.progress.remaining_seconds == 600.0
    assert 1 <= len(view.search.reservation_sizes_bytes) <= 3


def test_the_record_holds_only_the_tokens_hash(
    searches: SearchService, create: Create, token: Callable[[SearchName], str]
) -> None:
    name = create()
    secret = token(name)
    assert len(secret) > 40
    assert secret not in repr(searches.get(name).search)


def test_an_id_is_chosen_when_none_is_given(searches: SearchService, spec: SearchSpec) -> None:
    first = searches.create(PARENT, "", spec).search.name
    assert first != searches.create(PARENT, "", spec).search.name
    assert searches.get(SearchName.parse(first)).search.name == first


def test_a_repeated_request_returns_the_first_result(
    searches: SearchService, spec: SearchSpec
) -> None:
    request = str(uuid.uuid4())
    first = searches.create(PARENT, "", spec, request)
    assert searches.create(PARENT, "", spec, request).search == first.search
    with pytest.raises(InvalidField, match="request_id"):
        searches.create(PARENT, "", replace(spec, seed=1), request)
    assert len(searches.list(PARENT)[0]) == 1


def test_validate_only_creates_nothing(searches: SearchService, spec: SearchSpec) -> None:
    view = searches.create(PARENT, "s", spec, validate_only=True)
    assert view.search.plan.metric == "roc_auc"
    with pytest.raises(NotFound):
        searches.get(SearchName("default", "s"))


def test_a_taken_id(searches: SearchService, spec: SearchSpec, create: Create) -> None:
    create("s")
    with pytest.raises(AlreadyExists):
        searches.create(PARENT, "s", spec)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"budget": Budget()}, "search.spec.budget"),
        ({"budget": Budget(-5.0)}, "search.spec.budget.time"),
        ({"families": ("xgbost",)}, "search.spec.families[0]"),
        ({"metric": "roc"}, "search.spec.metric"),
        ({"deploy": "Not An Id"}, "search.spec.deploy"),
        ({"seed": -1}, "search.spec.seed"),
        ({"dataset": "d"}, "search.spec.dataset"),
        ({"dataset": "namespaces/other/datasets/d"}, "search.spec.dataset"),
    ],
)
def test_wrong_fields(
    searches: SearchService, spec: SearchSpec, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        searches.create(PARENT, "s", replace(spec, **changes))  # type: ignore[arg-type]
    assert [v.field for v in caught.value.violations] == [field]


def test_all_wrong_fields_at_once(searches: SearchService, spec: SearchSpec) -> None:
    wrong = replace(spec, budget=Budget(), metric="roc", families=("zzz",), target_column="nope")
    with pytest.raises(InvalidArgument) as caught:
        searches.create(PARENT, "s", wrong)
    assert len(caught.value.violations) == 4


def test_an_unknown_dataset(searches: SearchService, spec: SearchSpec) -> None:
    with pytest.raises(NotFound):
        searches.create(PARENT, "s", replace(spec, dataset="namespaces/default/datasets/zzz"))


def test_nothing_fits(searches: SearchService, spec: SearchSpec) -> None:
    big = replace(spec, limits=Limits(cpus_per_trial=64))
    with pytest.raises(NothingFits, match="NO_SUCH_RESOURCE"):
        searches.create(PARENT, "s", big)
    tiny = replace(spec, limits=Limits(max_model_bytes=1))
    with pytest.raises(NothingFits, match="raise limits") as caught:
        searches.create(PARENT, "s", tiny)
    assert caught.value.metadata["verdict_reason"] == "EXCEEDS_MODEL_SIZE"


def test_pages(searches: SearchService, create: Create) -> None:
    for index in range(5):
        create(f"s{index}")
    first, more = searches.list(PARENT, 3)
    rest, end = searches.list(PARENT, 3, more)
    names = [view.search.name.rpartition("/")[2] for view in (*first, *rest)]
    assert names == ["s4", "s3", "s2", "s1", "s0"]
    assert not end
    with pytest.raises(InvalidField, match="page_token"):
        searches.list(NamespaceName("other"), 3, more)


def test_etags(searches: SearchService, create: Create) -> None:
    name = create()
    read = etag(searches.get(name).search)
    with pytest.raises(EtagMismatch):
        searches.pause(name, "0" * 16)
    searches.pause(name, read)
    with pytest.raises(EtagMismatch):
        searches.resume(name, read)


def test_pause_and_resume_before_the_driver(searches: SearchService, create: Create) -> None:
    name = create()
    paused = searches.pause(name)
    assert paused.search.state is SearchState.PAUSED
    assert searches.pause(name).search == paused.search
    resumed = searches.resume(name)
    assert resumed.search.state is SearchState.PENDING
    assert searches.resume(name).search == resumed.search


def test_the_clock_stands_while_paused(
    searches: SearchService, create: Create, drive: Drive, clock: FakeClock
) -> None:
    name = create()
    drive(name)
    clock.advance(10)
    searches.pause(name)
    clock.advance(100)
    progress = searches.get(name).progress
    assert (progress.elapsed_seconds, progress.paused_seconds) == (10.0, 100.0)
    searches.resume(name)
    clock.advance(5)
    assert searches.get(name).progress.elapsed_seconds == 15.0


def test_cancel_is_idempotent_at_any_moment(
    searches: SearchService, create: Create, drive: Drive
) -> None:
    waiting = create("waiting")
    assert searches.cancel(waiting).search.state is SearchState.CANCELLED
    assert searches.cancel(waiting).search.ended_at is not None
    running = create("running")
    drive(running)
    assert searches.cancel(running).search.state is SearchState.CANCELLING
    assert searches.cancel(running).search.state is SearchState.CANCELLING
    for refused in (searches.pause, searches.resume, searches.stop):
        with pytest.raises(InvalidTransition):
            refused(running)


def test_stop(searches: SearchService, create: Create, drive: Drive) -> None:
    early = searches.stop(create("early")).search
    assert early.state is SearchState.FAILED
    assert early.error is not None
    assert early.error.reason == "STOPPED_EARLY"
    running = create("running")
    drive(running)
    assert searches.stop(running).search.state is SearchState.FINISHING
    assert searches.stop(running).search.state is SearchState.FINISHING
    with pytest.raises(InvalidTransition):
        searches.pause(running)


def test_update(searches: SearchService, create: Create, spec: SearchSpec) -> None:
    name = create()
    wanted = replace(spec, budget=Budget(60.0, 99), families=("knn",), seed=77)
    view = searches.update(name, wanted, ("spec.budget.max_trials", "spec.families"))
    assert view.search.spec == replace(spec, budget=Budget(600.0, 99), families=("knn",))
    assert view.search.spec_revision == 2
    again = searches.update(name, wanted, ("spec.budget.max_trials", "spec.families"))
    assert again.search == view.search


@pytest.mark.parametrize(
    ("paths", "changes", "field"),
    [
        ((), {}, "update_mask"),
        (("spec.seed",), {}, "update_mask"),
        (("spec.limits.cpus_per_trial",), {}, "update_mask"),
        (("spec.budget",), {"budget": Budget()}, "search.spec.budget"),
        (("spec.families",), {"families": ("zzz",)}, "search.spec.families[0]"),
        (
            ("spec.limits",),
            {"limits": Limits(memory_per_trial_bytes=5)},
            "search.spec.limits.memory_per_trial_bytes",
        ),
    ],
)
def test_wrong_updates(
    searches: SearchService,
    create: Create,
    spec: SearchSpec,
    paths: tuple[str, ...],
    changes: dict[str, object],
    field: str,
) -> None:
    name = create()
    before = searches.get(name).search
    with pytest.raises(InvalidArgument) as caught:
        searches.update(name, replace(spec, **changes), paths)  # type: ignore[arg-type]
    assert caught.value.violations[0].field == field
    assert searches.get(name).search == before


def test_an_ended_search_cannot_change(
    searches: SearchService, create: Create, spec: SearchSpec
) -> None:
    name = create()
    searches.cancel(name)
    with pytest.raises(FailedPrecondition, match="CANCELLED"):
        searches.update(name, spec, ("spec.budget",))


def test_delete_takes_everything_along(
    searches: SearchService,
    worker: WorkerService,
    store: Store,
    create: Create,
    drive: Callable[..., tuple[str, Assignment]],
    candidates: Callable[..., list[Candidate]],
    settings: ServiceSettings,
    token: Callable[[SearchName], str],
) -> None:
    name = create()
    secret, opened = drive(name)
    session = opened.session
    worker.admit(secret, session, candidates(2))
    with pytest.raises(FailedPrecondition, match="RUNNING"):
        searches.delete(name)
    files = Path(settings.work_dir) / "searches" / "default.s" / "data"
    files.mkdir(parents=True)
    (files / "X.npy").write_bytes(b"x")
    with store.transaction() as tx:
        tx.put_log(str(name), "text")
    searches.cancel(name)
    worker.finish(secret, session, FinishedCancelled())
    searches.delete(name)
    assert not files.parent.exists()
    assert not token(name)
    with pytest.raises(NotFound):
        searches.get(name)
    with pytest.raises(NotFound):
        searches.get_trial(TrialName(name, 0))
    with pytest.raises(NotFound):
        searches.delete(name)
    assert searches.get(create()).progress.trials_by_state == {}


def test_trials_by_state_and_page(
    searches: SearchService,
    worker: WorkerService,
    create: Create,
    drive: Callable[..., tuple[str, Assignment]],
    candidates: Callable[..., list[Candidate]],
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(5))
    first, more = searches.list_trials(name, 3)
    rest, end = searches.list_trials(name, 3, more)
    assert [trial.number for trial in (*first, *rest)] == [0, 1, 2, 3, 4]
    assert not end
    assert searches.list_trials(name, states=(TrialState.REJECTED,))[0] == []
    with pytest.raises(InvalidField):
        searches.list_trials(name, 3, more, (TrialState.ADMITTED,))
    with pytest.raises(NotFound):
        searches.list_trials(SearchName("default", "zzz"))


def test_the_documented_space(searches: SearchService) -> None:
    documented = searches.space(("xgboost",))
    assert set(documented.space.families) == {"xgboost"}
    assert documented.descriptions["xgboost"]
    for parameter in documented.space.families["xgboost"].values():
        assert parameter["description"]
        assert "default" in parameter
    assert len(searches.space().space.families) == 6
    with pytest.raises(InvalidField, match="did you mean xgboost"):
        searches.space(("xgbost",))


def test_an_unknown_cluster_refuses_nothing(
    searches: SearchService, cluster_view: ClusterView, spec: SearchSpec
) -> None:
    cluster_view.saw(())
    big = replace(spec, limits=Limits(cpus_per_trial=64))
    assert searches.create(PARENT, "s", big).search.state is SearchState.PENDING


def test_retention(
    searches: SearchService, store: Store, create: Create, clock: FakeClock,
    settings: ServiceSettings,
) -> None:  # fmt: skip
    old, kept = create("old"), create("kept")
    searches.cancel(old)
    retention = Retention(store, searches, clock, NoMetrics(), settings)
    clock.advance(3600.0)
    assert retention.sweep() == 0
    clock.advance(1.0)
    assert retention.sweep() == 1
    with pytest.raises(NotFound):
        searches.get(old)
    assert searches.get(kept).search.name == str(kept)

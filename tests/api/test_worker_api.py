"""WorkerService over the wire, as a driver calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from controller.domain.records import Dataset
from controller.in_process import InProcessController
from headgate.v1 import model_pb2, search_pb2, search_service_pb2, trial_pb2
from headgate.v1 import worker_service_pb2 as pb
from tests.api.wire import PARENT, Refuses, Stubs
from workers.families.registry import FAMILIES

Metadata = tuple[tuple[str, str], ...]


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def candidate(candidate_id: str) -> pb.Candidate:
    """The default configuration of a family without conditions."""
    made = pb.Candidate(candidate_id=candidate_id, family="extra_trees", seed=1)
    made.origin = trial_pb2.CANDIDATE_ORIGIN_SAMPLED
    family = FAMILIES[made.family]
    made.parameters.update({each.name: each.default for each in family.parameters})
    return made


def create(stubs: Stubs, dataset: Dataset, search_id: str) -> str:
    spec = search_pb2.SearchSpec(dataset=dataset.name, target_column="churned")
    spec.budget.max_trials = 3
    created = stubs.searches.CreateSearch(
        search_service_pb2.CreateSearchRequest(
            parent=PARENT, search_id=search_id, search=search_pb2.Search(spec=spec)
        )
    )
    name: str = created.name
    return name


@pytest.fixture
def search(stubs: Stubs, people: Dataset) -> str:
    return create(stubs, people, "churn")


@pytest.fixture
def credentials(controller: InProcessController, search: str) -> Metadata:
    return bearer(controller.search_token(search))


@pytest.fixture
def opened(stubs: Stubs, search: str, credentials: Metadata) -> pb.OpenSessionResponse:
    answer: pb.OpenSessionResponse = stubs.worker.OpenSession(
        pb.OpenSessionRequest(search=search, driver_id="driver-1"), metadata=credentials
    )
    return answer


Admit = Callable[..., pb.AdmitResponse]


def test_a_probe_changes_what_is_predicted(
    stubs: Stubs, opened: pb.OpenSessionResponse, credentials: Metadata, admit: Admit
) -> None:
    before = admit("a").trials[0].verdict.prediction
    growth = pb.TreeGrowth(family="extra_trees", leaf=1, share=0.5, nodes_per_row=0.001)
    answer = stubs.worker.ReportProbe(
        pb.ReportProbeRequest(session=opened.session, growths=[growth]), metadata=credentials
    )
    assert len(answer.reservation_sizes_bytes) >= 1
    after = admit("b").trials[0].verdict.prediction
    assert after.memory_terms["trees"] < before.memory_terms["trees"]


@pytest.fixture
def admit(stubs: Stubs, opened: pb.OpenSessionResponse, credentials: Metadata) -> Admit:
    def call(*candidate_ids: str) -> pb.AdmitResponse:
        candidates = [candidate(each) for each in candidate_ids]
        answer: pb.AdmitResponse = stubs.worker.Admit(
            pb.AdmitRequest(session=opened.session, candidates=candidates), metadata=credentials
        )
        return answer

    return call


CALLS: list[tuple[str, Any]] = [
    ("OpenSession", pb.OpenSessionRequest(search=f"{PARENT}/searches/churn", driver_id="d")),
    ("ReplayTrials", pb.ReplayTrialsRequest(session=f"{PARENT}/searches/churn#1#x")),
    ("Admit", pb.AdmitRequest(session=f"{PARENT}/searches/churn#1#x")),
    ("ReportTrials", pb.ReportTrialsRequest(session=f"{PARENT}/searches/churn#1#x")),
    ("ReportProbe", pb.ReportProbeRequest(session=f"{PARENT}/searches/churn#1#x")),
    ("Heartbeat", pb.HeartbeatRequest(session=f"{PARENT}/searches/churn#1#x")),
    (
        "FinishSearch",
        pb.FinishSearchRequest(session=f"{PARENT}/searches/churn#1#x", error="no trial"),
    ),
]


@pytest.mark.parametrize(("method", "asked"), CALLS)
@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Bearer wrong"),),
        (("authorization", "Bearer "),),
        (("authorization", "Basic abc"),),
        (("authorization", "secret"),),
    ],
)
def test_without_a_valid_token_nothing_is_answered(
    stubs: Stubs, search: str, refused: Refuses, method: str, asked: Any, metadata: Metadata
) -> None:
    refusal = refused(getattr(stubs.worker, method), asked, metadata=metadata)
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "UNAUTHENTICATED",
    )


def test_a_token_is_a_bearer_token(
    controller: InProcessController, stubs: Stubs, search: str, refused: Refuses
) -> None:
    token = controller.search_token(search)
    asked = pb.OpenSessionRequest(search=search, driver_id="d")
    for value in (f"Basic {token}", token):
        metadata = (("authorization", value),)
        refusal = refused(stubs.worker.OpenSession, asked, metadata=metadata)
        assert refusal.code is grpc.StatusCode.UNAUTHENTICATED
    assert stubs.worker.OpenSession(asked, metadata=(("authorization", f"bearer {token}"),)).session


@pytest.mark.parametrize(("method", "asked"), CALLS)
def test_the_token_of_another_search_is_refused(
    controller: InProcessController,
    stubs: Stubs,
    people: Dataset,
    search: str,
    refused: Refuses,
    method: str,
    asked: Any,
) -> None:
    other = create(stubs, people, "other")
    metadata = bearer(controller.search_token(other))
    refusal = refused(getattr(stubs.worker, method), asked, metadata=metadata)
    assert refusal.code is grpc.StatusCode.PERMISSION_DENIED


def test_a_session_says_what_to_do(
    opened: pb.OpenSessionResponse, people: Dataset, search: str
) -> None:
    assert opened.session
    assert opened.search.name == search
    assert opened.dataset.name == people.name
    assert opened.dataset_uri == people.uri
    assert opened.directive.mode == pb.Directive.RUN
    assert opened.directive.remaining_trials == 3
    assert "xgboost" in opened.space.families
    assert opened.slots >= 1
    assert 1 <= len(opened.reservation_sizes_bytes) <= 3


def test_a_newer_driver_supersedes_the_session(
    stubs: Stubs,
    search: str,
    opened: pb.OpenSessionResponse,
    credentials: Metadata,
    refused: Refuses,
) -> None:
    stubs.worker.OpenSession(
        pb.OpenSessionRequest(search=search, driver_id="driver-2"), metadata=credentials
    )
    refusal = refused(
        stubs.worker.Heartbeat, pb.HeartbeatRequest(session=opened.session), metadata=credentials
    )
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "SESSION_SUPERSEDED")


def test_trials_are_admitted_reported_replayed(
    stubs: Stubs,
    search: str,
    opened: pb.OpenSessionResponse,
    credentials: Metadata,
    admit: Admit,
    controller: InProcessController,
) -> None:
    answer = admit("c0", "c1")
    assert [trial.number for trial in answer.trials] == [0, 1]
    assert {trial.state for trial in answer.trials} == {trial_pb2.Trial.ADMITTED}
    assert admit("c0").trials[0].number == 0, "a candidate seen before keeps its trial"
    usage = trial_pb2.Usage(peak_memory_bytes=1_000_000)
    usage.wall_time.seconds = 2
    events = [
        pb.TrialEvent(number=0, attempt=1, state=trial_pb2.Trial.RUNNING),
        pb.TrialEvent(
            number=0, attempt=1, state=trial_pb2.Trial.SUCCEEDED, score=0.75, usage=usage
        ),
    ]
    directive = stubs.worker.ReportTrials(
        pb.ReportTrialsRequest(session=opened.session, events=events), metadata=credentials
    ).directive
    assert directive.mode == pb.Directive.RUN
    replayed = list(
        stubs.worker.ReplayTrials(
            pb.ReplayTrialsRequest(session=opened.session), metadata=credentials
        )
    )
    assert [(each.candidate_id, each.trial.state) for each in replayed] == [
        ("c0", trial_pb2.Trial.SUCCEEDED),
        ("c1", trial_pb2.Trial.ADMITTED),
    ]
    shown = stubs.searches.GetSearch(search_service_pb2.GetSearchRequest(name=search))
    assert (shown.best_trial, shown.best_score) == (f"{search}/trials/0", 0.75)
    assert dict(shown.progress.trials_by_state) == {"SUCCEEDED": 1, "ADMITTED": 1}
    value = controller.registry.get_sample_value
    labels = {"family": "extra_trees", "verdict": "ADMITTED", "reason": "none"}
    assert value("headgate_admission_decisions_total", labels) == 2
    assert value("headgate_trials", {"state": "SUCCEEDED"}) == 1


@pytest.mark.parametrize(
    ("candidates", "field"),
    [
        ([candidate("")], "candidates[0].candidate_id"),
        ([candidate("c0"), pb.Candidate(candidate_id="x")], "candidates[1].origin"),
        ([candidate(f"c{number}") for number in range(65)], "candidates"),
    ],
)
def test_bad_candidates_are_refused_by_their_field(
    stubs: Stubs,
    opened: pb.OpenSessionResponse,
    credentials: Metadata,
    refused: Refuses,
    candidates: list[pb.Candidate],
    field: str,
) -> None:
    asked = pb.AdmitRequest(session=opened.session, candidates=candidates)
    refusal = refused(stubs.worker.Admit, asked, metadata=credentials)
    assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, (field,))


def test_a_search_ends_with_its_model(
    stubs: Stubs,
    search: str,
    opened: pb.OpenSessionResponse,
    credentials: Metadata,
    admit: Admit,
    controller: InProcessController,
) -> None:
    admit("c0")
    event = pb.TrialEvent(number=0, attempt=1, state=trial_pb2.Trial.SUCCEEDED, score=0.5)
    stubs.worker.ReportTrials(
        pb.ReportTrialsRequest(session=opened.session, events=[event]), metadata=credentials
    )
    stubs.searches.StopSearch(search_service_pb2.StopSearchRequest(name=search))
    model = model_pb2.Model(
        trial=f"{search}/trials/0",
        family="extra_trees",
        task=search_pb2.TASK_BINARY,
        target_column="churned",
        classes=["no", "yes"],
        metric="roc_auc",
        score=0.5,
        training_rows=100,
        manifest_sha256="ab" * 32,
        bundle_bytes=10,
    )
    for _attempt in range(2):
        stubs.worker.FinishSearch(
            pb.FinishSearchRequest(session=opened.session, model=model), metadata=credentials
        )
    ended = stubs.searches.GetSearch(search_service_pb2.GetSearchRequest(name=search))
    assert ended.state == search_pb2.Search.SUCCEEDED
    assert ended.model == f"{PARENT}/models/churn"
    value = controller.registry.get_sample_value
    assert value("headgate_searches_ended_total", {"state": "SUCCEEDED"}) == 1
    assert value("headgate_searches", {"state": "SUCCEEDED"}) == 1

"""SearchService over the wire."""

from __future__ import annotations

import uuid
from typing import Any

import grpc
import pytest

from controller.domain.records import Dataset
from controller.in_process import InProcessController
from headgate.v1 import search_pb2, trial_pb2
from headgate.v1 import search_service_pb2 as pb
from tests.api.wire import PARENT, Refuses, Stubs


def spec(dataset: str, /, **changes: Any) -> search_pb2.SearchSpec:
    made = search_pb2.SearchSpec(dataset=dataset, target_column="churned")
    made.budget.max_trials = 5
    made.MergeFrom(search_pb2.SearchSpec(**changes))
    return made


def request(dataset: str, /, search_id: str = "churn", **changes: Any) -> pb.CreateSearchRequest:
    return pb.CreateSearchRequest(
        parent=PARENT, search_id=search_id, search=search_pb2.Search(spec=spec(dataset, **changes))
    )


@pytest.fixture
def search(stubs: Stubs, people: Dataset) -> search_pb2.Search:
    made: search_pb2.Search = stubs.searches.CreateSearch(request(people.name))
    return made


def test_a_search_is_created_read_listed(stubs: Stubs, search: search_pb2.Search) -> None:
    assert search.name == f"{PARENT}/searches/churn"
    assert search.state == search_pb2.Search.PENDING
    assert search.task == search_pb2.TASK_BINARY
    assert list(search.classes) == ["no", "yes"]
    assert search.pending_reason
    found = stubs.searches.GetSearch(pb.GetSearchRequest(name=search.name))
    assert (found.name, found.etag) == (search.name, search.etag)
    listed = stubs.searches.ListSearches(pb.ListSearchesRequest(parent=PARENT))
    assert [each.name for each in listed.searches] == [search.name]
    assert listed.next_page_token == ""


def test_pages_follow_their_tokens(stubs: Stubs, people: Dataset, refused: Refuses) -> None:
    for index in range(3):
        stubs.searches.CreateSearch(request(people.name, f"s{index}"))
    seen, token = [], ""
    while True:
        page = stubs.searches.ListSearches(
            pb.ListSearchesRequest(parent=PARENT, page_size=2, page_token=token)
        )
        seen += [each.name.rpartition("/")[2] for each in page.searches]
        token = page.next_page_token
        if not token:
            break
    assert seen == ["s2", "s1", "s0"]
    for bad, field in (({"page_size": -1}, "page_size"), ({"page_token": "x"}, "page_token")):
        refusal = refused(stubs.searches.ListSearches, pb.ListSearchesRequest(parent=PARENT, **bad))
        assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, (field,))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target_column": "chruned"}, "search.spec.target_column"),
        ({"metric": "rmse"}, "search.spec.metric"),
        ({"metric": "auc"}, "search.spec.metric"),
        ({"families": ["xgbost"]}, "search.spec.families[0]"),
        ({"excluded_columns": ["nothing"]}, "search.spec.excluded_columns[0]"),
        ({"budget": search_pb2.Budget(max_trials=-7)}, "search.spec.budget.max_trials"),
        ({"dataset": "people"}, "search.spec.dataset"),
        ({"task": 99}, "search.spec.task"),
        (
            {"limits": search_pb2.Limits(memory_per_trial_bytes=-1)},
            "search.spec.limits.memory_per_trial_bytes",
        ),
        ({"deploy": "NOT AN ID"}, "search.spec.deploy"),
    ],
)
def test_bad_input_names_its_field(
    stubs: Stubs, people: Dataset, refused: Refuses, changes: dict[str, Any], field: str
) -> None:
    refusal = refused(stubs.searches.CreateSearch, request(people.name, **changes))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in refusal.fields
    assert refusal.reason
    assert set(refusal.kinds) == {"ErrorInfo", "BadRequest"}
    assert "\n" not in refusal.message


def test_all_that_is_wrong_is_told_at_once(stubs: Stubs, people: Dataset, refused: Refuses) -> None:
    refusal = refused(
        stubs.searches.CreateSearch,
        request(people.name, target_column="x", families=["nothing"], deploy="NOT AN ID"),
    )
    assert len(refusal.fields) == 3


def test_validation_alone_creates_nothing(stubs: Stubs, people: Dataset) -> None:
    asked = request(people.name)
    asked.validate_only = True
    assert stubs.searches.CreateSearch(asked).name == f"{PARENT}/searches/churn"
    assert not stubs.searches.ListSearches(pb.ListSearchesRequest(parent=PARENT)).searches


def test_the_same_request_id_gives_the_first_search(
    stubs: Stubs, people: Dataset, refused: Refuses, controller: InProcessController
) -> None:
    asked = request(people.name, search_id="")
    asked.request_id = str(uuid.uuid4())
    first = stubs.searches.CreateSearch(asked)
    assert stubs.searches.CreateSearch(asked).name == first.name
    asked.search.spec.seed = 8
    refusal = refused(stubs.searches.CreateSearch, asked)
    assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("request_id",))
    asked.request_id = "not-a-uuid"
    assert refused(stubs.searches.CreateSearch, asked).fields == ("request_id",)
    replays = "headgate_idempotent_replays_total"
    assert controller.registry.get_sample_value(replays, {"method": "CreateSearch"}) == 1


def test_a_dataset_that_is_not_there_is_not_found(stubs: Stubs, refused: Refuses) -> None:
    refusal = refused(stubs.searches.CreateSearch, request(f"{PARENT}/datasets/none"))
    assert refusal.code is grpc.StatusCode.NOT_FOUND
    assert refusal.resource_type == "headgate.v1/Dataset"


UNKNOWN = f"{PARENT}/searches/none"


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("GetSearch", pb.GetSearchRequest(name=UNKNOWN)),
        ("CancelSearch", pb.CancelSearchRequest(name=UNKNOWN)),
        ("PauseSearch", pb.PauseSearchRequest(name=UNKNOWN)),
        ("ResumeSearch", pb.ResumeSearchRequest(name=UNKNOWN)),
        ("StopSearch", pb.StopSearchRequest(name=UNKNOWN)),
        ("DeleteSearch", pb.DeleteSearchRequest(name=UNKNOWN)),
        ("ListTrials", pb.ListTrialsRequest(parent=UNKNOWN)),
        ("GetTrial", pb.GetTrialRequest(name=f"{UNKNOWN}/trials/1")),
        ("GetSearchLog", pb.GetSearchLogRequest(name=UNKNOWN)),
        ("WatchSearch", pb.WatchSearchRequest(name=UNKNOWN)),
    ],
)
def test_unknown_names_are_not_found(
    stubs: Stubs, refused: Refuses, method: str, asked: Any
) -> None:
    refusal = refused(getattr(stubs.searches, method), asked)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert UNKNOWN in refusal.metadata["resource"]


@pytest.mark.parametrize(
    ("method", "asked", "field"),
    [
        ("GetSearch", pb.GetSearchRequest(name="churn"), "name"),
        ("GetSearch", pb.GetSearchRequest(name=f"{PARENT}/searches/UPPER"), "name"),
        ("ListSearches", pb.ListSearchesRequest(parent="namespaces"), "parent"),
        ("ListTrials", pb.ListTrialsRequest(parent=PARENT), "parent"),
        ("GetTrial", pb.GetTrialRequest(name=f"{PARENT}/searches/a/trials/x"), "name"),
        ("WatchSearch", pb.WatchSearchRequest(name=""), "name"),
        ("UpdateSearch", pb.UpdateSearchRequest(), "search.name"),
        ("CreateSearch", pb.CreateSearchRequest(), "parent"),
    ],
)
def test_names_that_are_none_are_refused(
    stubs: Stubs, refused: Refuses, method: str, asked: Any, field: str
) -> None:
    refusal = refused(getattr(stubs.searches, method), asked)
    assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, (field,))


def test_a_search_is_steered_and_deleted(
    stubs: Stubs, search: search_pb2.Search, refused: Refuses
) -> None:
    name = search.name
    paused = stubs.searches.PauseSearch(pb.PauseSearchRequest(name=name, etag=search.etag))
    assert paused.state == search_pb2.Search.PAUSED
    stale = refused(
        stubs.searches.ResumeSearch, pb.ResumeSearchRequest(name=name, etag=search.etag)
    )
    assert (stale.code, stale.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    resumed = stubs.searches.ResumeSearch(pb.ResumeSearchRequest(name=name))
    assert resumed.state == search_pb2.Search.PENDING
    early = refused(stubs.searches.DeleteSearch, pb.DeleteSearchRequest(name=name))
    assert early.code is grpc.StatusCode.FAILED_PRECONDITION
    assert "PreconditionFailure" in early.kinds
    cancelled = stubs.searches.CancelSearch(pb.CancelSearchRequest(name=name))
    assert cancelled.state == search_pb2.Search.CANCELLED
    again = stubs.searches.CancelSearch(pb.CancelSearchRequest(name=name))
    assert again.state == search_pb2.Search.CANCELLED
    late = refused(stubs.searches.PauseSearch, pb.PauseSearchRequest(name=name))
    assert (late.code, late.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "INVALID_TRANSITION",
    )
    stubs.searches.DeleteSearch(pb.DeleteSearchRequest(name=name))
    gone = refused(stubs.searches.GetSearch, pb.GetSearchRequest(name=name))
    assert gone.code is grpc.StatusCode.NOT_FOUND


def test_a_search_is_updated_by_its_mask(
    stubs: Stubs, search: search_pb2.Search, refused: Refuses
) -> None:
    asked = pb.UpdateSearchRequest(search=search_pb2.Search(name=search.name))
    asked.search.spec.budget.max_trials = 50
    asked.search.spec.seed = 99
    asked.update_mask.paths.append("spec.budget.max_trials")
    updated = stubs.searches.UpdateSearch(asked)
    assert (updated.spec.budget.max_trials, updated.spec.seed) == (50, search.spec.seed)
    for paths in ([], ["spec.seed"], ["nothing"]):
        asked.update_mask.paths[:] = paths
        refusal = refused(stubs.searches.UpdateSearch, asked)
        assert (refusal.code, refusal.fields) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            ("update_mask",),
        )


def test_a_filter_of_trials_must_name_states(
    stubs: Stubs, search: search_pb2.Search, refused: Refuses
) -> None:
    asked = pb.ListTrialsRequest(parent=search.name, states=[trial_pb2.Trial.REJECTED])
    assert not stubs.searches.ListTrials(asked).trials
    asked.states[:] = [trial_pb2.Trial.STATE_UNSPECIFIED]
    assert refused(stubs.searches.ListTrials, asked).fields == ("states",)


def test_the_default_space_is_documented(stubs: Stubs, refused: Refuses) -> None:
    space = stubs.searches.GetSearchSpace(pb.GetSearchSpaceRequest(families=["xgboost"]))
    assert set(space.families) == {"xgboost"}
    family = space.families["xgboost"]
    assert family.description
    for parameter in family.parameters.values():
        assert parameter.WhichOneof("kind")
        assert parameter.description
        assert parameter.HasField("default_value")
    unknown = refused(stubs.searches.GetSearchSpace, pb.GetSearchSpaceRequest(families=["xgb"]))
    assert (unknown.code, unknown.fields) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ("families[0]",),
    )


def test_the_log_is_empty_before_there_is_one(stubs: Stubs, search: search_pb2.Search) -> None:
    assert stubs.searches.GetSearchLog(pb.GetSearchLogRequest(name=search.name)).text == ""

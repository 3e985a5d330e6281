"""WatchSearch over the wire: snapshot, changes, resume, end, drain."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest

from controller.domain.records import Dataset
from controller.in_process import InProcessController
from headgate.v1 import search_pb2
from headgate.v1 import search_service_pb2 as pb
from tests.api.wire import PARENT, Refuses, Stubs, read_refusal


@pytest.fixture
def search(stubs: Stubs, people: Dataset) -> str:
    spec = search_pb2.SearchSpec(dataset=people.name, target_column="churned")
    spec.budget.max_trials = 3
    created = stubs.searches.CreateSearch(
        pb.CreateSearchRequest(
            parent=PARENT, search_id="churn", search=search_pb2.Search(spec=spec)
        )
    )
    name: str = created.name
    return name


def watch(stubs: Stubs, name: str, resume_token: str = "") -> Any:
    return stubs.searches.WatchSearch(
        pb.WatchSearchRequest(name=name, resume_token=resume_token), timeout=30
    )


def test_a_watch_shows_the_snapshot_then_changes_then_ends(stubs: Stubs, search: str) -> None:
    steps = watch(stubs, search)
    first = next(steps)
    assert first.search.state == search_pb2.Search.PENDING
    assert first.resume_token
    stubs.searches.PauseSearch(pb.PauseSearchRequest(name=search))
    assert next(steps).search.state == search_pb2.Search.PAUSED
    stubs.searches.ResumeSearch(pb.ResumeSearchRequest(name=search))
    stubs.searches.CancelSearch(pb.CancelSearchRequest(name=search))
    states = [step.search.state for step in steps]
    assert states[-1] == search_pb2.Search.CANCELLED
    assert steps.code() is grpc.StatusCode.OK


def test_a_watch_goes_on_from_its_token(stubs: Stubs, search: str) -> None:
    steps = watch(stubs, search)
    token = next(steps).resume_token
    steps.cancel()
    stubs.searches.PauseSearch(pb.PauseSearchRequest(name=search))
    again = watch(stubs, search, token)
    assert next(again).search.state == search_pb2.Search.PAUSED
    again.cancel()


def test_a_watcher_that_goes_away_is_forgotten(
    controller: InProcessController,
    stubs: Stubs,
    search: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended, codes = threading.Event(), []

    def noting(method: str, code: str, seconds: float) -> None:
        codes.append((method, code))
        ended.set()

    steps = watch(stubs, search)
    next(steps)
    monkeypatch.setattr(controller.metrics, "rpc_ended", noting)
    steps.cancel()
    assert ended.wait(30)
    assert codes == [("SearchService/WatchSearch", "CANCELLED")]


def test_a_search_that_has_ended_is_shown_once(stubs: Stubs, search: str) -> None:
    stubs.searches.CancelSearch(pb.CancelSearchRequest(name=search))
    (only,) = watch(stubs, search)
    assert only.search.state == search_pb2.Search.CANCELLED


def test_a_bad_token_is_refused(stubs: Stubs, search: str, refused: Refuses) -> None:
    refusal = refused(watch, stubs, search, "nonsense")
    assert (refusal.code, refusal.fields) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ("resume_token",),
    )


def test_a_watch_ends_unavailable_when_the_server_drains(
    controller: InProcessController, stubs: Stubs, search: str
) -> None:
    steps = watch(stubs, search)
    next(steps)
    controller.drain()
    with pytest.raises(grpc.RpcError) as caught:
        next(steps)
    refusal = read_refusal(caught.value)
    assert refusal.code is grpc.StatusCode.UNAVAILABLE
    assert "RetryInfo" in refusal.kinds

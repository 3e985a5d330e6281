"""Etags and the memory of requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.adapters.sql_store import SqlStore
from controller.domain.errors import EtagMismatch, InvalidField
from controller.domain.records import Deployment, Plan, Search, SearchSpec, Task
from controller.domain.states import DeploymentState, SearchState
from controller.ports.metrics import NoMetrics
from controller.service.etag import check_etag, etag
from controller.service.requests import RequestMemory, fingerprint

DEPLOYMENT = Deployment(
    "namespaces/default/deployments/d",
    "namespaces/default/models/m",
    DeploymentState.PENDING,
    1,
    1.0,
    1.0,
)
SEARCH = Search(
    "namespaces/default/searches/s",
    SearchSpec("namespaces/default/datasets/d", "y"),
    Plan(Task.BINARY, "roc_auc", True, ("a", "b"), "b", ("x",), 10, 5, "5 folds"),
    SearchState.RUNNING,
    1.0,
    "hash",
)
REQUEST_ID = "123e4567-e89b-12d3-a456-426614174000"


class FixedClock:
    def now(self) -> float:
        return 100.0


class CountingMetrics(NoMetrics):
    def __init__(self) -> None:
        self.replayed: list[str] = []

    def request_replayed(self, method: str) -> None:
        self.replayed.append(method)


@pytest.fixture
def store() -> Iterator[SqlStore]:
    store = SqlStore("sqlite://")
    yield store
    store.close()


def test_an_etag_follows_the_resource() -> None:
    assert etag(DEPLOYMENT) == etag(replace(DEPLOYMENT, revision=9))
    for changed in (
        replace(DEPLOYMENT, version=2),
        replace(DEPLOYMENT, state=DeploymentState.READY),
        replace(DEPLOYMENT, created_at=2.0),
    ):
        assert etag(changed) != etag(DEPLOYMENT)


def test_a_search_s_etag_ignores_its_driver_s_progress() -> None:
    moved = replace(SEARCH, heartbeat_at=5.0, next_trial_number=7, best_score=0.5, revision=3)
    assert etag(moved) == etag(SEARCH)
    assert etag(replace(SEARCH, state=SearchState.PAUSED)) != etag(SEARCH)
    assert etag(replace(SEARCH, spec_revision=2)) != etag(SEARCH)


def test_checking_an_etag() -> None:
    check_etag(DEPLOYMENT, "")
    check_etag(DEPLOYMENT, etag(DEPLOYMENT))
    for wrong in ("x", "é", etag(SEARCH)):
        with pytest.raises(EtagMismatch):
            check_etag(DEPLOYMENT, wrong)


def test_a_repeated_call_is_recalled(store: SqlStore) -> None:
    metrics = CountingMetrics()
    memory = RequestMemory(FixedClock(), metrics)
    payload = fingerprint("parent", DEPLOYMENT)
    with store.transaction() as tx:
        assert memory.recall(tx, REQUEST_ID, "Create", payload) is None
        memory.remember(tx, REQUEST_ID, "Create", payload, DEPLOYMENT.name)
    with store.transaction() as tx:
        assert memory.recall(tx, REQUEST_ID.upper(), "Create", payload) == DEPLOYMENT.name
        assert memory.recall(tx, REQUEST_ID, "Other", payload) is None
    assert metrics.replayed == ["Create"]


def test_without_an_id_nothing_is_remembered(store: SqlStore) -> None:
    memory = RequestMemory(FixedClock(), NoMetrics())
    with store.transaction() as tx:
        memory.remember(tx, "", "Create", "f", "name")
        assert memory.recall(tx, "", "Create", "f") is None
        assert tx.delete_requests_before(1e9) == 0


def test_another_payload_is_refused(store: SqlStore) -> None:
    memory = RequestMemory(FixedClock(), NoMetrics())
    with store.transaction() as tx:
        memory.remember(tx, REQUEST_ID, "Create", fingerprint("a"), "name")
        with pytest.raises(InvalidField) as caught:
            memory.recall(tx, REQUEST_ID, "Create", fingerprint("b"))
    assert caught.value.reason == "REQUEST_ID_REUSED"
    assert caught.value.violations[0].field == "request_id"


@pytest.mark.parametrize("wrong", ["x", "{" + REQUEST_ID + "}", REQUEST_ID.replace("-", ""), "é"])
def test_only_uuids_are_request_ids(store: SqlStore, wrong: str) -> None:
    memory = RequestMemory(FixedClock(), NoMetrics())
    with store.transaction() as tx, pytest.raises(InvalidField, match="UUID"):
        memory.recall(tx, wrong, "Create", "f")


def test_fingerprints_tell_payloads_apart() -> None:
    assert fingerprint("a", {"x": 1, "y": 2}) == fingerprint("a", {"y": 2, "x": 1})
    assert fingerprint("a", "b") != fingerprint("ab")
    assert fingerprint(DEPLOYMENT) != fingerprint(replace(DEPLOYMENT, version=3))

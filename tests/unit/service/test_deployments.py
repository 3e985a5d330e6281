"""The deployment service: wishes are stored, checked, and idempotent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from controller.adapters.fake_gateway import FakeGateway
from controller.adapters.sql_store import SqlStore
from controller.domain.errors import (
    AlreadyExists,
    EtagMismatch,
    InvalidField,
    InvalidTransition,
    NotFound,
)
from controller.domain.names import DeploymentName, ModelName, NamespaceName
from controller.domain.records import Deployment, Model, Task
from controller.domain.states import DeploymentState
from controller.ports.metrics import NoMetrics
from controller.service.deployments import DeploymentService
from controller.service.etag import etag
from controller.service.paging import Pager
from controller.service.requests import RequestMemory

HOME = NamespaceName("default")
FIRST, SECOND = ModelName("default", "first"), ModelName("default", "second")
CHURN = DeploymentName("default", "churn")
REQUEST = "123e4567-e89b-42d3-a456-426614174000"


class Clock:
    time = 100.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> Iterator[SqlStore]:
    store = SqlStore("sqlite://")
    with store.transaction() as tx:
        for name in (FIRST, SECOND):
            tx.put(_model(str(name)))
    yield store
    store.close()


@pytest.fixture
def service(store: SqlStore, clock: Clock) -> DeploymentService:
    requests = RequestMemory(clock, NoMetrics())
    return DeploymentService(store, FakeGateway(), Pager(b"0" * 16), requests, clock)


def _model(name: str) -> Model:
    return Model(
        name=name,
        search="namespaces/default/searches/s",
        trial="namespaces/default/searches/s/trials/1",
        family="linear",
        parameters={},
        task=Task.BINARY,
        target_column="y",
        classes=("no", "yes"),
        positive_class="yes",
        inputs=(),
        metric="roc_auc",
        score=0.9,
        training_rows=10,
        bundle_uri="file:///bundle",
        manifest_sha256="0" * 64,
        bundle_bytes=1,
        created_at=1.0,
    )


def put(store: SqlStore, deployment: Deployment, state: DeploymentState) -> Deployment:
    with store.transaction() as tx:
        return tx.put(replace(deployment, state=state))


def test_create_stores_a_pending_wish(service: DeploymentService) -> None:
    made = service.create(HOME, "churn", FIRST)
    assert (made.name, made.model) == (str(CHURN), str(FIRST))
    assert (made.state, made.version) == (DeploymentState.PENDING, 1)
    assert (made.created_at, made.updated_at) == (100.0, 100.0)
    assert service.get(CHURN) == made


def test_view_adds_addresses_and_the_inference_name(service: DeploymentService) -> None:
    view = service.view(service.create(HOME, "churn", FIRST))
    assert view.inference_name == "churn"
    assert (view.inference_http, view.inference_grpc) == ("http://127.0.0.1:8000", "127.0.0.1:9000")
    other = service.create(NamespaceName("team"), "churn", FIRST)
    assert service.view(other).inference_name == "team.churn"


def test_create_refuses_bad_ids_unknown_models_and_taken_names(
    service: DeploymentService,
) -> None:
    with pytest.raises(InvalidField) as caught:
        service.create(HOME, "Churn!", FIRST)
    assert caught.value.violations[0].field == "deployment_id"
    with pytest.raises(NotFound, match="models/none does not exist"):
        service.create(HOME, "churn", ModelName("default", "none"))
    service.create(HOME, "churn", FIRST)
    with pytest.raises(AlreadyExists):
        service.create(HOME, "churn", FIRST)


def test_a_repeated_request_returns_the_first_result(service: DeploymentService) -> None:
    made = service.create(HOME, "churn", FIRST, REQUEST)
    assert service.create(HOME, "churn", FIRST, REQUEST) == made
    with pytest.raises(InvalidField, match="used for another request"):
        service.create(HOME, "churn", SECOND, REQUEST)


def test_list_pages_newest_first(service: DeploymentService, clock: Clock) -> None:
    for number in range(3):
        clock.time += 1
        service.create(HOME, f"d{number}", FIRST)
    service.create(NamespaceName("other"), "x", FIRST)
    first, token = service.list(HOME, 2, "")
    rest, end = service.list(HOME, 2, token)
    names = [DeploymentName.parse(each.name).resource_id for each in first + rest]
    assert (names, end) == (["d2", "d1", "d0"], "")
    with pytest.raises(InvalidField):
        service.list(NamespaceName("other"), 2, token)


def test_update_wishes_the_next_version(
    service: DeploymentService, store: SqlStore, clock: Clock
) -> None:
    put(store, service.create(HOME, "churn", FIRST), DeploymentState.READY)
    clock.time = 200.0
    updated = service.update(CHURN, SECOND)
    assert (updated.model, updated.version) == (str(SECOND), 2)
    assert (updated.state, updated.updated_at) == (DeploymentState.PENDING, 200.0)


def test_update_to_the_same_model_changes_nothing_unless_it_failed(
    service: DeploymentService, store: SqlStore
) -> None:
    made = put(store, service.create(HOME, "churn", FIRST), DeploymentState.READY)
    assert service.update(CHURN, FIRST) == made
    put(store, made, DeploymentState.FAILED)
    again = service.update(CHURN, FIRST)
    assert (again.state, again.version, again.error) == (DeploymentState.PENDING, 2, None)


def test_a_stale_etag_is_refused(service: DeploymentService) -> None:
    made = service.create(HOME, "churn", FIRST)
    service.update(CHURN, SECOND, etag(made))
    with pytest.raises(EtagMismatch):
        service.update(CHURN, FIRST, etag(made))
    with pytest.raises(EtagMismatch):
        service.delete(CHURN, etag(made))


def test_delete_is_a_wish_and_idempotent(service: DeploymentService) -> None:
    service.create(HOME, "churn", FIRST)
    service.delete(CHURN)
    service.delete(CHURN)
    assert service.get(CHURN).state is DeploymentState.DELETING
    with pytest.raises(InvalidTransition):
        service.update(CHURN, SECOND)
    with pytest.raises(AlreadyExists):
        service.create(HOME, "churn", FIRST)


@pytest.mark.parametrize("state", list(DeploymentState))
def test_delete_from_every_state(
    service: DeploymentService, store: SqlStore, state: DeploymentState
) -> None:
    put(store, service.create(HOME, "churn", FIRST), state)
    service.delete(CHURN)
    assert service.get(CHURN).state is DeploymentState.DELETING


def test_unknown_names_are_not_found(service: DeploymentService) -> None:
    calls = (service.get, service.delete, lambda name: service.update(name, FIRST))
    for call, name in product(calls, [DeploymentName("default", "none")]):
        with pytest.raises(NotFound, match="deployments/none"):
            call(name)
    service.create(HOME, "churn", FIRST)
    with pytest.raises(NotFound, match="models/none"):
        service.update(CHURN, ModelName("default", "none"))

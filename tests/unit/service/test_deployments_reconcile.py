"""The reconciler makes the gateway and the records agree, whatever happens in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.adapters.fake_gateway import FakeGateway
from controller.adapters.sql_store import SqlStore
from controller.domain.records import Deployment, Failure, Model, Task
from controller.domain.states import DeploymentState
from controller.ports.cluster import GatewayStatus
from controller.ports.metrics import NoMetrics
from controller.service.reconcile_deployments import (
    HOLD_SECONDS,
    RECHECK_SECONDS,
    RETRY_SECONDS,
    DeploymentReconciler,
    observe,
)

PENDING, READY = DeploymentState.PENDING, DeploymentState.READY
FAILED, DELETING = DeploymentState.FAILED, DeploymentState.DELETING

EXACT = GatewayStatus("RUNNING", "", {"a": 2}, {})
OLDER = GatewayStatus("RUNNING", "", {"a": 1}, {})
OTHERS = GatewayStatus("RUNNING", "", {"b": 1}, {})
BROKEN = GatewayStatus("RUNNING", "", {"a": 1}, {"a": "altered"})
SILENT = GatewayStatus("RUNNING")
STARTING = GatewayStatus("DEPLOYING")
ABSENT = GatewayStatus("NOT_STARTED")
REFUSED = GatewayStatus("DEPLOY_FAILED", "no module")


def deployment(name: str = "a", state: DeploymentState = PENDING, version: int = 1) -> Deployment:
    full = f"namespaces/default/deployments/{name}"
    return Deployment(full, f"namespaces/default/models/{name}", state, version, 1.0, 1.0)


@pytest.mark.parametrize(
    ("status", "pending", "ready", "failed", "deleting"),
    [
        (EXACT, READY, READY, READY, DELETING),
        (OLDER, PENDING, PENDING, FAILED, DELETING),
        (OTHERS, PENDING, PENDING, FAILED, None),
        (BROKEN, FAILED, FAILED, FAILED, DELETING),
        (SILENT, PENDING, READY, FAILED, DELETING),
        (STARTING, PENDING, PENDING, FAILED, DELETING),
        (ABSENT, PENDING, PENDING, FAILED, None),
        (REFUSED, FAILED, FAILED, FAILED, DELETING),
    ],
)
def test_every_state_under_every_observation(
    status: GatewayStatus,
    pending: DeploymentState,
    ready: DeploymentState,
    failed: DeploymentState,
    deleting: DeploymentState | None,
) -> None:
    expected = {PENDING: pending, READY: ready, FAILED: failed, DELETING: deleting}
    for state, result in expected.items():
        after = observe(deployment(state=state, version=2), status)
        assert (None if after is None else after.state) is result, state


def test_the_load_error_is_told_and_forgotten_when_it_is_over() -> None:
    failed = observe(deployment(version=2), BROKEN)
    assert failed is not None
    assert failed.error == Failure("MODEL_LOAD_FAILED", "altered")
    ready = observe(failed, EXACT)
    assert ready is not None
    assert ready.error is None


class Clock:
    time = 100.0

    def now(self) -> float:
        return self.time


class Counting(NoMetrics):
    def __init__(self) -> None:
        self.failures = 0

    def reconcile_failed(self, what: str) -> None:
        assert what == "deployment"
        self.failures += 1


class House:
    """A store, a gateway and a reconciler, and shortcuts to them."""

    def __init__(self) -> None:
        self.store = SqlStore("sqlite://")
        self.gateway = FakeGateway()
        self.clock = Clock()
        self.metrics = Counting()
        self.restart()

    def restart(self) -> None:
        """A new controller over the same store."""
        self.reconciler = DeploymentReconciler(self.store, self.gateway, self.clock, self.metrics)

    def put(self, *records: Deployment) -> None:
        with self.store.transaction() as tx:
            for record in records:
                tx.put(_model(record.model))
                tx.put(record)

    def get(self, name: str = "a") -> Deployment | None:
        with self.store.transaction() as tx:
            return tx.get(Deployment, f"namespaces/default/deployments/{name}")

    def state(self, name: str = "a") -> DeploymentState | None:
        found = self.get(name)
        return None if found is None else found.state

    async def step(self, after: float = 0.0) -> None:
        self.clock.time += after
        await self.reconciler.step()

    async def serve(self, *names: str) -> None:
        self.put(*(deployment(name) for name in names))
        await self.step()


def _model(name: str) -> Model:
    return Model(
        name=name,
        search="",
        trial="",
        family="linear",
        parameters={},
        task=Task.REGRESSION,
        target_column="y",
        classes=(),
        positive_class="",
        inputs=(),
        metric="rmse",
        score=1.0,
        training_rows=10,
        bundle_uri=f"file:///{name}",
        manifest_sha256="0" * 64,
        bundle_bytes=1,
        created_at=1.0,
    )


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.store.close()


async def test_without_deployments_serve_is_left_alone(house: House) -> None:
    house.gateway.is_away = True
    await house.step()
    assert house.metrics.failures == 0


async def test_two_deployments_become_ready_side_by_side(house: House) -> None:
    await house.serve("b", "a")
    assert (house.state("a"), house.state("b")) == (READY, READY)
    ((first, second),) = house.gateway.applied
    assert (first.inference_name, second.inference_name) == ("a", "b")
    assert first.bundle_uri == "file:///namespaces/default/models/a"


async def test_stays_pending_until_exactly_that_version_is_loaded(house: House) -> None:
    await house.serve("a")
    house.gateway.is_holding = True
    house.put(deployment(state=PENDING, version=2))
    await house.step()
    assert house.state() is PENDING
    house.gateway.release()
    await house.step()
    assert house.state() is READY


async def test_a_load_error_fails_one_and_no_other(house: House) -> None:
    house.gateway.broken["a"] = "the bundle was altered"
    await house.serve("a", "b")
    assert (house.state("a"), house.state("b")) == (FAILED, READY)
    found = house.get()
    assert found is not None
    assert found.error == Failure("MODEL_LOAD_FAILED", "the bundle was altered")


async def test_a_failed_load_is_retried_with_growing_waits_and_then_no_more(house: House) -> None:
    house.gateway.broken["a"] = "storage is away"
    await house.serve("a")
    for attempt, wait in enumerate(RETRY_SECONDS, start=1):
        await house.step(after=wait - 1)
        assert house.gateway.applied[-1][0].attempt == attempt - 1
        await house.step(after=1)
        assert house.gateway.applied[-1][0].attempt == attempt
    await house.step(after=1e6)
    assert len(house.gateway.applied) == 1 + len(RETRY_SECONDS)
    assert house.state() is FAILED


async def test_a_retry_that_works_makes_it_ready(house: House) -> None:
    house.gateway.broken["a"] = "storage is away"
    await house.serve("a")
    house.gateway.broken.clear()
    await house.step(after=RETRY_SECONDS[0])
    found = house.get()
    assert found is not None
    assert (found.state, found.error) == (READY, None)


async def test_an_update_begins_the_retries_anew(house: House) -> None:
    house.gateway.broken["a"] = "altered"
    await house.serve("a")
    await house.step(after=RETRY_SECONDS[0])
    house.put(deployment(version=2))
    await house.step()
    assert house.gateway.applied[-1][0].attempt == 0
    assert house.state() is FAILED


async def test_delete_removes_it_from_the_gateway_and_then_the_record(house: House) -> None:
    await house.serve("a", "b")
    house.put(deployment(state=DELETING))
    await house.step()
    assert house.get() is None
    assert [model.inference_name for model in house.gateway.applied[-1]] == ["b"]


async def test_the_last_delete_takes_the_gateway_down(house: House) -> None:
    await house.serve("a")
    house.put(deployment(state=DELETING))
    await house.step()
    assert house.get() is None
    assert house.gateway.applied[-1] == ()


async def test_a_delete_waits_for_ray(house: House) -> None:
    await house.serve("a")
    house.put(deployment(state=DELETING))
    house.gateway.is_away = True
    await house.step()
    assert house.state() is DELETING
    house.gateway.is_away = False
    await house.step(after=HOLD_SECONDS)
    assert house.get() is None


async def test_a_delete_is_finished_by_the_next_controller(house: House) -> None:
    await house.serve("a")
    house.put(deployment(state=DELETING))
    house.restart()
    await house.step()
    assert (house.get(), house.gateway.applied[-1]) == (None, ())


async def test_ray_away_leaves_it_pending_and_is_retried(house: House) -> None:
    house.gateway.is_away = True
    await house.serve("a")
    assert house.state() is PENDING
    assert house.metrics.failures == 1
    house.gateway.is_away = False
    await house.step(after=HOLD_SECONDS - 1)
    assert house.state() is PENDING
    await house.step(after=1)
    assert house.state() is READY


async def test_a_new_wish_is_tried_at_once_after_ray_was_away(house: House) -> None:
    house.gateway.is_away = True
    await house.serve("a")
    house.gateway.is_away = False
    await house.serve("b")
    assert (house.state("a"), house.state("b")) == (READY, READY)


async def test_ready_stays_ready_while_ray_does_not_answer(house: House) -> None:
    await house.serve("a")
    house.gateway.is_away = True
    await house.step(after=RECHECK_SECONDS)
    assert house.state() is READY


async def test_everything_is_applied_again_after_ray_restarted(house: House) -> None:
    await house.serve("a", "b")
    house.gateway.restart_ray()
    house.gateway.is_holding = True
    await house.step(after=RECHECK_SECONDS)
    assert len(house.gateway.applied) == 2
    assert house.state("a") is PENDING
    house.gateway.release()
    await house.step()
    assert (house.state("a"), house.state("b")) == (READY, READY)


async def test_a_foreign_application_fails_it_with_the_cure_until_it_is_gone(
    house: House,
) -> None:
    house.gateway.foreign = "shop"
    await house.serve("a")
    found = house.get()
    assert found is not None
    assert found.error is not None
    assert (found.state, found.error.reason) == (FAILED, "FOREIGN_ROUTED_APPLICATION")
    assert "route_prefix null" in found.error.message
    house.gateway.foreign = ""
    await house.step(after=HOLD_SECONDS)
    assert house.state() is READY


async def test_a_deployment_whose_model_is_gone_fails_and_harms_no_other(house: House) -> None:
    await house.serve("a", "b")
    with house.store.transaction() as tx:
        tx.delete(Model, "namespaces/default/models/a")
    await house.step(after=RECHECK_SECONDS)
    found = house.get()
    assert found is not None
    assert found.error is not None
    assert (found.state, found.error.reason) == (FAILED, "MODEL_NOT_FOUND")
    assert house.state("b") is READY


async def test_a_change_made_meanwhile_is_not_overwritten(house: House) -> None:
    class UpdatedMeanwhile(FakeGateway):
        async def status(self) -> GatewayStatus:
            house.put(deployment(version=2))
            return await super().status()

    house.gateway = UpdatedMeanwhile()
    house.restart()
    await house.serve("a")
    found = house.get()
    assert found is not None
    assert (found.version, found.state) == (2, PENDING)


async def test_nothing_is_done_when_nothing_changed(house: House) -> None:
    await house.serve("a")
    house.gateway.is_away = True  # a look would be counted as a failure
    for _ in range(3):
        await house.step(after=1.0)
    assert house.metrics.failures == 0
    await house.step(after=RECHECK_SECONDS)
    assert house.metrics.failures == 1


async def test_the_record_says_when_its_state_changed(house: House) -> None:
    await house.serve("a")
    found = house.get()
    assert found is not None
    assert (found.created_at, found.updated_at) == (1.0, 100.0)
    assert replace(found, revision=0) == replace(deployment(state=READY), updated_at=100.0)

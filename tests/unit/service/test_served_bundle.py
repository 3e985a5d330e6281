"""A gateway is told which bundle to load, and by which hash to know it."""

from __future__ import annotations

from controller.adapters.fake_clock import FakeClock
from controller.adapters.fake_gateway import FakeGateway
from controller.domain.records import Deployment, Model, Task
from controller.domain.states import DeploymentState
from controller.ports.cluster import ServedModel
from controller.ports.metrics import NoMetrics
from controller.ports.store import Store
from controller.service.reconcile_deployments import DeploymentReconciler


async def test_the_gateway_gets_uri_version_and_hash(store: Store, clock: FakeClock) -> None:
    model = Model(
        "namespaces/team/models/m", "", "", "linear", {}, Task.REGRESSION, "y", (), "", (), "rmse",
        1.0, 10, "file:///bundles/m", "cd" * 32, 10, 0.0,
    )  # fmt: skip
    name = "namespaces/team/deployments/live"
    with store.transaction() as tx:
        tx.put(model)
        tx.put(Deployment(name, model.name, DeploymentState.PENDING, 7, 0.0, 0.0))
    gateway = FakeGateway()
    await DeploymentReconciler(store, gateway, clock, NoMetrics()).step()
    expected = ServedModel("team.live", 7, "file:///bundles/m", "cd" * 32, 0)
    assert gateway.applied == [(expected,)]

"""What belongs to the server and not to a service: health, reflection, incidents, metrics."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from controller.api.methods import METHODS, SERVICE_NAMES
from controller.api.readiness import Report
from controller.api.server import build_server
from controller.api.settings import ApiSettings
from controller.domain.errors import Unavailable
from controller.in_process import InProcessController
from headgate.v1 import dataset_service_pb2
from tests.api.wire import PARENT, Refuses, Stubs

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def health(channel: grpc.Channel, service: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    status: int = stub.Check(health_pb2.HealthCheckRequest(service=service)).status
    return status


def test_services_serve_and_the_whole_is_as_ready_as_its_components(
    controller: InProcessController, channel: grpc.Channel
) -> None:
    assert health(channel) == SERVING
    controller.publish(Report({"store": "ok", "ray": "Ray does not answer"}))
    assert health(channel) == NOT_SERVING
    assert [health(channel, name) for name in SERVICE_NAMES] == [SERVING] * 5
    controller.publish(Report({"store": "ok", "ray": "ok"}))
    assert health(channel) == SERVING


def test_health_is_watched_through_the_drain(
    controller: InProcessController, channel: grpc.Channel
) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    name = SERVICE_NAMES[0]
    statuses = stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=60)
    assert next(statuses).status == SERVING
    controller.drain()
    assert next(statuses).status == NOT_SERVING


def test_a_server_that_has_drained_takes_no_calls(
    controller: InProcessController, stubs: Stubs
) -> None:
    controller.drain()
    controller.drain()
    with pytest.raises(grpc.RpcError) as caught:
        stubs.datasets.ListDatasets(dataset_service_pb2.ListDatasetsRequest(parent=PARENT))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_reflection_names_every_service(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([asked]))
    names = {service.name for service in answer.list_services_response.service}
    assert set(SERVICE_NAMES) | {"grpc.health.v1.Health"} <= names


def test_reflection_can_be_turned_off(tmp_path: Path) -> None:
    settings = ApiSettings(has_reflection=False, drain_seconds=1.0)
    with (
        InProcessController(tmp_path / "quiet", settings) as controller,
        grpc.insecure_channel(controller.address) as channel,
    ):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.ServerReflectionInfo(iter([asked])))
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_what_nobody_foresaw_is_an_incident(
    controller: InProcessController,
    stubs: Stubs,
    refused: Refuses,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_args: Any) -> None:
        raise RuntimeError("the password is 123")

    monkeypatch.setattr(controller.services.datasets, "get", broken)
    asked = dataset_service_pb2.GetDatasetRequest(name=f"{PARENT}/datasets/people")
    with caplog.at_level(logging.ERROR, "controller.api"):
        refusal = refused(stubs.datasets.GetDataset, asked)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "password" not in refusal.message
    (record,) = caplog.records
    assert refusal.metadata["incident"] in record.getMessage()
    assert record.exc_info is not None
    assert "DatasetService/GetDataset" in record.getMessage()


def test_calls_are_counted_by_method_and_code(
    controller: InProcessController, stubs: Stubs, refused: Refuses
) -> None:
    listing = dataset_service_pb2.ListDatasetsRequest(parent=PARENT)
    stubs.datasets.ListDatasets(listing)
    refused(stubs.datasets.ListDatasets, dataset_service_pb2.ListDatasetsRequest(parent="x"))
    value = controller.registry.get_sample_value
    method = {"method": "DatasetService/ListDatasets"}
    assert method["method"] in METHODS
    # A call is counted when it has ended, which may be just after its answer arrived.
    deadline = time.monotonic() + 10
    while value("headgate_grpc_request_duration_seconds_count", method) != 2:
        assert time.monotonic() < deadline
    for code in ("OK", "INVALID_ARGUMENT"):
        assert value("headgate_grpc_requests_total", {**method, "code": code}) == 1
    assert value("headgate_grpc_request_duration_seconds_count", method) == 2
    assert value("headgate_grpc_requests_active", method) == 0


def test_an_address_that_is_taken_is_refused_with_the_cure(
    controller: InProcessController,
) -> None:
    async def start() -> None:
        server = build_server(controller.services, ApiSettings(address=controller.address))
        try:
            await server.start()
        finally:
            await server.drain()

    with pytest.raises(Unavailable, match="choose another --grpc address"):
        controller.run(start())

"""A real server with real services, and stubs that talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from controller.domain.records import Column, ColumnKind, Dataset, ValueCount
from controller.in_process import InProcessController
from headgate.v1 import (
    dataset_service_pb2_grpc,
    deployment_service_pb2_grpc,
    model_service_pb2_grpc,
    search_service_pb2_grpc,
    worker_service_pb2_grpc,
)
from tests.api.wire import PARENT, Refuses, Stubs


@pytest.fixture
def refused() -> Refuses:
    return Refuses()


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[InProcessController]:
    with InProcessController(tmp_path / "controller") as controller:
        yield controller


@pytest.fixture
def channel(controller: InProcessController) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(controller.address) as channel:
        yield channel


@pytest.fixture
def stubs(channel: grpc.Channel) -> Stubs:
    return Stubs(
        dataset_service_pb2_grpc.DatasetServiceStub(channel),
        search_service_pb2_grpc.SearchServiceStub(channel),
        model_service_pb2_grpc.ModelServiceStub(channel),
        deployment_service_pb2_grpc.DeploymentServiceStub(channel),
        worker_service_pb2_grpc.WorkerServiceStub(channel),
    )


@pytest.fixture
def people(controller: InProcessController) -> Dataset:
    """A stored dataset that searches can be created for."""
    numbers = tuple(
        Column(name, ColumnKind.NUMBER, 0, 90, min=0.0, max=1.0, mean=0.5, standard_deviation=0.1)
        for name in ("age", "income")
    )
    target = Column(
        "churned",
        ColumnKind.CATEGORY,
        0,
        2,
        top_values=(ValueCount("no", 60), ValueCount("yes", 40)),
        mean_length=2.4,
    )
    dataset = Dataset(
        name=f"{PARENT}/datasets/people",
        source="people.csv",
        format="CSV",
        rows=100,
        columns=(*numbers, target),
        notes=(),
        uri=controller.artifacts.uri("datasets", "people.parquet"),
        stored_bytes=1_000,
        created_at=1_700_000_000.0,
    )
    with controller.store.transaction() as tx:
        return tx.put(dataset)

"""Which methods the API has and how its calls may end, for metrics to begin at zero."""

from __future__ import annotations

from grpc import StatusCode

from controller.api.errors import STATUS
from headgate.v1 import (
    dataset_service_pb2,
    deployment_service_pb2,
    model_service_pb2,
    search_service_pb2,
    worker_service_pb2,
)

_FILES = (
    dataset_service_pb2,
    search_service_pb2,
    model_service_pb2,
    deployment_service_pb2,
    worker_service_pb2,
)

SERVICES = tuple(
    service for file in _FILES for service in file.DESCRIPTOR.services_by_name.values()
)
"""Descriptors of the services."""

SERVICE_NAMES: tuple[str, ...] = tuple(service.full_name for service in SERVICES)
"""For example `headgate.v1.SearchService`."""

METHODS: tuple[str, ...] = tuple(
    f"{service.name}/{method.name}" for service in SERVICES for method in service.methods
)
"""For example `SearchService/GetSearch`."""

CODES: tuple[str, ...] = tuple(
    code.name
    for code in (StatusCode.OK, StatusCode.CANCELLED, StatusCode.INTERNAL, *STATUS.values())
)
"""How a call may end, as the server sees it."""

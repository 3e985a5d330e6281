"""Builds the gRPC server: services, interceptors, health, reflection, limits.

Health (`grpc.health.v1`): each service is SERVING from start to drain; the overall status `""` is
SERVING only while the controller is ready, which `publish` tells. On drain all become NOT_SERVING
first, watches end with UNAVAILABLE, and other calls get `drain_seconds` to end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as aio_health  # type: ignore[attr-defined]
from grpc_reflection.v1alpha import reflection

from controller.api.calls import Drain, Threads
from controller.api.dataset_servicer import DatasetServicer
from controller.api.deployment_servicer import DeploymentServicer
from controller.api.interceptors import (
    AroundInterceptor,
    NoRpcMetrics,
    RpcMetrics,
    counted,
    errors_to_statuses,
)
from controller.api.methods import SERVICE_NAMES
from controller.api.model_servicer import ModelServicer
from controller.api.readiness import Report
from controller.api.search_servicer import SearchServicer
from controller.api.services import Services
from controller.api.settings import ApiSettings
from controller.api.sizes import GRPC_FACTOR, SizeInterceptor
from controller.api.worker_servicer import WorkerServicer
from controller.domain.errors import Unavailable
from headgate.v1 import (
    dataset_service_pb2_grpc,
    deployment_service_pb2_grpc,
    model_service_pb2_grpc,
    search_service_pb2_grpc,
    worker_service_pb2_grpc,
)

_Register: TypeAlias = Callable[..., None]

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class ApiServer:
    """The running API. Use: `await start()`, `publish(report)` whenever readiness may have
    changed, `await drain()`.
    """

    def __init__(
        self, services: Services, settings: ApiSettings, metrics: RpcMetrics | None = None
    ) -> None:
        self._settings = settings
        self._drain = Drain()
        self._threads = Threads(settings)
        self._health = aio_health.HealthServicer()
        self._server = aio.server(
            interceptors=(
                AroundInterceptor(counted(metrics or NoRpcMetrics())),
                AroundInterceptor(errors_to_statuses),
                SizeInterceptor(settings.max_message_bytes),
            ),
            options=_options(settings),
        )
        self._register(services)
        self.port = 0

    async def start(self) -> int:
        """Listens; returns the port. Raises: Unavailable when the address cannot be had."""
        try:
            self.port = self._server.add_insecure_port(self._settings.address)
        except RuntimeError as error:
            raise Unavailable(
                f"cannot listen on {self._settings.address}: {error}; choose another --grpc address"
            ) from error
        await self._health.set("", _NOT_SERVING)
        for name in SERVICE_NAMES:
            await self._health.set(name, _SERVING)
        await self._server.start()
        return self.port

    async def publish(self, report: Report) -> None:
        """Sets the overall health."""
        await self._health.set("", _SERVING if report.is_ready else _NOT_SERVING)

    async def drain(self) -> None:
        """Stops: no new calls, watches end, other calls may end in time. Idempotent."""
        await self._health.enter_graceful_shutdown()
        self._drain.begin()
        await self._server.stop(self._settings.drain_seconds)
        self._threads.close()

    async def wait(self) -> None:
        """Returns when the server has stopped."""
        await self._server.wait_for_termination()

    def _register(self, services: Services) -> None:
        threads, settings = self._threads, self._settings
        registrations: tuple[tuple[_Register, object], ...] = (
            (
                dataset_service_pb2_grpc.add_DatasetServiceServicer_to_server,
                DatasetServicer(services.datasets, threads, settings.max_upload_bytes),
            ),
            (
                search_service_pb2_grpc.add_SearchServiceServicer_to_server,
                SearchServicer(
                    services.searches, services.watch, services.logs, threads, self._drain
                ),
            ),
            (
                model_service_pb2_grpc.add_ModelServiceServicer_to_server,
                ModelServicer(services.models, threads),
            ),
            (
                deployment_service_pb2_grpc.add_DeploymentServiceServicer_to_server,
                DeploymentServicer(services.deployments, threads),
            ),
            (
                worker_service_pb2_grpc.add_WorkerServiceServicer_to_server,
                WorkerServicer(services.worker, threads),
            ),
            (health_pb2_grpc.add_HealthServicer_to_server, self._health),
        )
        for add, servicer in registrations:
            add(servicer, self._server)
        if settings.has_reflection:
            names = (*SERVICE_NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)


def build_server(
    services: Services, settings: ApiSettings, metrics: RpcMetrics | None = None
) -> ApiServer:
    """The API, not listening yet. To be called in the event loop that runs it."""
    return ApiServer(services, settings, metrics)


def _options(settings: ApiSettings) -> tuple[tuple[str, int], ...]:
    """Milliseconds are gRPC's own unit here."""
    return (
        ("grpc.max_receive_message_length", GRPC_FACTOR * settings.max_message_bytes),
        # Answers may be larger than requests: a wide table's profile, a page of tracebacks.
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Below the 15 s at which polite clients ping; without it they are told too_many_pings.
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        # No max_connection_age: it would cut long uploads and watches, and one controller has
        # no other replica to spread clients to.
        # A second server on the same port must fail, not share the connections.
        ("grpc.so_reuseport", 0),
    )

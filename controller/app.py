"""The composition root: builds the controller from its settings, starts it, and drains it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import sys
from dataclasses import dataclass, replace
from importlib.metadata import version

from aiohttp import web
from prometheus_client import CollectorRegistry, disable_created_metrics

from controller.adapters.artifacts import FsArtifacts
from controller.adapters.local_ray import LocalRay
from controller.adapters.prometheus import PrometheusMetrics
from controller.adapters.prometheus_ledger import LedgerCollector
from controller.adapters.prometheus_store import StoreCollector
from controller.adapters.ray_rest import RayRest
from controller.adapters.serve_rest import ServeGateway
from controller.adapters.sql_store import SqlStore
from controller.api.http import build_http_app
from controller.api.methods import CODES, METHODS
from controller.api.readiness import OK, Readiness
from controller.api.server import build_server
from controller.api.services import Services
from controller.api.settings import ApiSettings
from controller.data_dir import DataDir
from controller.domain.errors import Unavailable
from controller.loop import Loop
from controller.ports.clock import SystemClock
from controller.ports.store import Store
from controller.reader.runner import ReaderProcess
from controller.service.calibrator import Calibrator
from controller.service.catalog import FamilyCatalog
from controller.service.cluster_view import ClusterView
from controller.service.datasets import DatasetService
from controller.service.deployments import DeploymentService
from controller.service.driver_logs import DriverLogs
from controller.service.gate import Gate
from controller.service.heartbeats import Heartbeats
from controller.service.models import ModelService
from controller.service.paging import Pager, Seal
from controller.service.permits import Permits
from controller.service.reconcile_deployments import DeploymentReconciler
from controller.service.reconcile_searches import SearchReconciler
from controller.service.requests import RequestMemory
from controller.service.retention import Retention
from controller.service.searches import SearchService
from controller.service.settings import ServiceSettings
from controller.service.watch import WatchService
from controller.service.worker import WorkerService
from controller.settings import ControllerSettings
from workers.families.registry import FAMILIES

log = logging.getLogger("headgate")

# When a series began is of no use to anybody here, and doubles the scrape.
disable_created_metrics()  # type: ignore[no-untyped-call]

_STEP_SECONDS = 1.0
_HOUSEKEEPING_SECONDS = 60.0


@dataclass(frozen=True)
class RayAccess:
    """How Ray and its Serve are reached."""

    dashboard: str
    token: str
    serve_bind_host: str
    serve_public_host: str
    serve_http_port: int
    serve_grpc_port: int
    python: str


def _ray_access(settings: ControllerSettings, local_ray: LocalRay | None) -> RayAccess:
    if local_ray is None:
        return RayAccess(
            settings.ray_address,
            settings.ray_token,
            "0.0.0.0",  # noqa: S104 - the cluster's nodes are not this machine
            settings.serve_host,
            settings.serve_http_port,
            settings.serve_grpc_port,
            settings.ray_python or "python",
        )
    return RayAccess(
        local_ray.dashboard_address,
        local_ray.token,
        "127.0.0.1",
        "127.0.0.1",
        local_ray.serve_http_port,
        local_ray.serve_grpc_port,
        settings.ray_python or sys.executable,
    )


def _secret(store: Store) -> bytes:
    """The key that signs page tokens; made once for each store."""
    with store.transaction() as tx:
        text = tx.get_setting("page-secret")
        if text is None:
            text = secrets.token_hex(32)
            tx.put_setting("page-secret", text)
    return bytes.fromhex(text)


class Controller:
    """Everything that runs in a controller process. `start`, then `run_until`, then `stop`."""

    def __init__(
        self, settings: ControllerSettings, data_dir: DataDir, local_ray: LocalRay | None
    ) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._local_ray = local_ray
        self._access = _ray_access(settings, local_ray)
        self._clock = SystemClock()
        self._store = SqlStore(f"sqlite:///{data_dir.database}")
        self._registry = CollectorRegistry()
        self._metrics = PrometheusMetrics(
            self._registry,
            tuple(FAMILIES),
            METHODS,
            CODES,
            version("headgate-server"),
            self._clock,
        )
        self._cluster = RayRest(self._access.dashboard, self._access.token)
        self._gateway = ServeGateway(
            self._access.dashboard,
            self._access.token,
            self._access.serve_bind_host,
            self._access.serve_http_port,
            self._access.serve_grpc_port,
            public_host=self._access.serve_public_host,
            replica_memory_bytes=settings.gateway_memory_bytes,
        )
        self._service_settings = ServiceSettings(
            coverage=settings.coverage,
            max_running_searches=settings.max_running_searches,
            driver_memory_bytes=settings.driver_memory_bytes,
            python=self._access.python,
            work_dir=settings.work_dir or str(data_dir.work),
            retention_seconds=settings.retention_seconds,
        )
        self._heartbeats = Heartbeats(self._clock)
        StoreCollector(self._registry, self._store, self._clock, self._heartbeats.last)
        self._cluster_view = ClusterView(
            settings.driver_memory_bytes * settings.max_running_searches,
            settings.gateway_memory_bytes,
            settings.gateway_spare_bytes,
        )
        self._artifacts = FsArtifacts(settings.artifacts_uri or str(data_dir.artifacts))
        self._permits = Permits(
            self._store,
            self._cluster_view,
            self._clock,
            settings.quotas,
            self._metrics.trial_waited,
        )
        LedgerCollector(self._registry, self._permits.statistics)
        self._services = self._build_services()
        self._api = build_server(
            self._services,
            ApiSettings(address=self._grpc_address(), max_upload_bytes=settings.max_upload_bytes),
            self._metrics,
        )
        self._readiness = Readiness({"store": self._check_store, "ray": self._check_ray})
        self._http: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.grpc = ""
        self.http = ""

    def _build_services(self) -> Services:
        settings, store, clock = self._settings, self._store, self._clock
        secret = _secret(store)
        pager = Pager(secret)
        requests = RequestMemory(clock, self._metrics)
        catalog = FamilyCatalog(FAMILIES)
        calibrator = Calibrator(store, FAMILIES, settings.coverage, self._metrics.calibrated)
        gate = Gate(catalog, self._cluster_view, calibrator, settings.quotas)
        shutil.rmtree(self._data_dir.scratch, ignore_errors=True)
        self._data_dir.scratch.mkdir(parents=True)
        reader = ReaderProcess(settings.reader_memory_bytes, settings.reader_timeout_seconds)
        return Services(
            datasets=DatasetService(
                store,
                self._artifacts,
                reader,
                pager,
                requests,
                clock,
                self._data_dir.scratch,
                settings.max_upload_bytes,
            ),
            searches=SearchService(
                store,
                catalog,
                gate,
                pager,
                requests,
                clock,
                self._metrics,
                self._service_settings,
                self._artifacts,
            ),
            watch=WatchService(store, clock, Seal(secret)),
            logs=DriverLogs(store, self._cluster, self._service_settings),
            models=ModelService(store, self._artifacts, pager),
            deployments=DeploymentService(store, self._gateway, pager, requests, clock),
            worker=WorkerService(
                store,
                self._artifacts,
                catalog,
                gate,
                self._heartbeats,
                clock,
                self._metrics,
                self._permits,
                calibrator,
            ),
        )

    def _grpc_address(self) -> str:
        """The address to listen on; port 0 becomes the last one used, which drivers still know."""
        host, _, port = self._settings.grpc_address.rpartition(":")
        if port != "0":
            return self._settings.grpc_address
        return f"{host}:{self._data_dir.last_grpc_port()}"

    def _check_store(self) -> str:
        with self._store.transaction() as tx:
            tx.get_setting("page-secret")
        return ""

    def _check_ray(self) -> str:
        return self._cluster_view.status().problem

    def _sweep(self) -> int:
        """Deletes what a controller that was killed left of datasets; returns how many things."""
        unfinished = self._artifacts.sweep_unfinished(self._artifacts.uri("datasets"))
        return unfinished + self._services.datasets.sweep()

    async def start(self) -> None:
        """Listens on both addresses and begins to reconcile. Raises: Unavailable."""
        swept = await asyncio.to_thread(self._sweep)
        if swept:
            log.info("removed %d unfinished datasets of an earlier run", swept)
        host = self._settings.grpc_address.rpartition(":")[0]
        try:
            port = await self._api.start()
        except Unavailable:
            if self._settings.grpc_address.rpartition(":")[2] != "0":
                raise
            # Somebody took the port of the last run; drivers that know it will be replaced.
            self._api = build_server(
                self._services,
                ApiSettings(address=f"{host}:0", max_upload_bytes=self._settings.max_upload_bytes),
                self._metrics,
            )
            port = await self._api.start()
        self.grpc = f"{host}:{port}"
        self._data_dir.remember_grpc_port(port)
        await self._start_http()
        loop_settings = replace(
            self._service_settings, advertise=self._settings.advertise or self.grpc
        )
        searches = SearchReconciler(
            self._store,
            self._cluster,
            self._cluster_view,
            self._heartbeats,
            self._clock,
            self._metrics,
            loop_settings,
        )
        deployments = DeploymentReconciler(
            self._store, self._gateway, self._clock, self._metrics, self._cluster_view.serves
        )
        retention = Retention(
            self._store, self._services.searches, self._clock, self._metrics, loop_settings
        )

        async def sweep() -> bool:
            await asyncio.to_thread(retention.sweep)
            return retention.is_well

        changed = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake(_name: str) -> None:
            for event in changed:
                loop.call_soon_threadsafe(event.set)

        self._store.on_change(wake)
        metrics = self._metrics
        loops = (
            Loop("search", searches.step, metrics, _STEP_SECONDS, changed[0]),
            Loop("deployment", deployments.step, metrics, _STEP_SECONDS, changed[1]),
            Loop("retention", sweep, metrics, _HOUSEKEEPING_SECONDS),
        )
        self._tasks = [asyncio.create_task(each.run()) for each in loops]
        self._tasks.append(asyncio.create_task(self._publish_readiness()))

    async def _start_http(self) -> None:
        host, _, port = self._settings.http_address.rpartition(":")
        self._http = web.AppRunner(build_http_app(self._registry, self._readiness), access_log=None)
        await self._http.setup()
        site = web.TCPSite(self._http, host, int(port))
        try:
            await site.start()
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {self._settings.http_address}: {error.strerror}; "
                "choose another --http address"
            ) from error
        self.http = f"{host}:{self._http.addresses[0][1]}"

    async def _publish_readiness(self) -> None:
        """Keeps the health service's overall status true."""
        while True:
            await self._api.publish(await self._readiness.report())
            await asyncio.sleep(_STEP_SECONDS)

    async def wait_until_ready(self) -> None:
        """Returns when the store and Ray answer; says every new reason why not."""
        last = ""
        while True:
            report = await self._readiness.report()
            if report.is_ready:
                return
            why = "; ".join(f"{k}: {v}" for k, v in report.components.items() if v != OK)
            if why != last:
                log.info("not ready: %s", why)
                last = why
            await asyncio.sleep(0.2)

    def addresses(self) -> dict[str, str]:
        """What the ready file holds."""
        return {
            "grpc": self.grpc,
            "http": self.http,
            "inference_http": self._gateway.inference_http,
            "inference_grpc": self._gateway.inference_grpc,
            "ray_dashboard": self._access.dashboard,
        }

    async def stop(self) -> None:
        """Drains the API, ends the loops, closes everything. Searches stay as stored."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._api.drain()
        if self._http is not None:
            await self._http.cleanup()
        await self._gateway.close()
        await self._cluster.close()
        self._store.close()

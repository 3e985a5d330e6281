"""A controller without Ray in the process that wants to try it: for tests of clients and drivers.

The API is the real one, on a free port of 127.0.0.1, with the real services over a store in memory.
Only the cluster is pretended: one node that searches are planned for. Nobody reconciles, so a
search stays PENDING until a driver opens a session with `search_token`, and a deployment until
somebody writes its state into `store`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from prometheus_client import CollectorRegistry

from controller.adapters.artifacts import FsArtifacts
from controller.adapters.fake_cluster import FakeCluster
from controller.adapters.fake_gateway import FakeGateway
from controller.adapters.prometheus import PrometheusMetrics
from controller.adapters.prometheus_ledger import LedgerCollector
from controller.adapters.prometheus_store import StoreCollector
from controller.adapters.sql_store import SqlStore
from controller.api.methods import CODES, METHODS
from controller.api.readiness import Report
from controller.api.server import ApiServer, build_server
from controller.api.services import Services
from controller.api.settings import ApiSettings
from controller.ports.clock import Clock, SystemClock
from controller.ports.cluster import Node
from controller.reader.runner import ReaderProcess
from controller.service import tokens
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
from controller.service.requests import RequestMemory
from controller.service.searches import SearchService
from controller.service.settings import ServiceSettings
from controller.service.watch import WatchService
from controller.service.worker import WorkerService
from workers.families.registry import FAMILIES

T = TypeVar("T")

NODE = Node(node_id="node-1", cpus=4.0, gpus=0.0, memory_bytes=4 * 1024**3)
"""The pretended cluster."""

_SECRET = b"of this process, and for tests only"
_READER_MEMORY_BYTES = 1024**3
_READER_SECONDS = 60.0


class InProcessController:
    """Use as a context manager; `address` is where it listens.

    directory: an empty directory for artifacts and uploads. nodes: the pretended cluster, empty for
    one that was never seen. database: URL of the store, by default in memory.
    """

    def __init__(
        self,
        directory: Path,
        settings: ApiSettings | None = None,
        clock: Clock | None = None,
        nodes: tuple[Node, ...] = (NODE,),
        database: str = "sqlite://",
    ) -> None:
        self.settings = settings or ApiSettings(drain_seconds=1.0)
        self.clock = clock or SystemClock()
        self.store = SqlStore(database)
        self.registry = CollectorRegistry()
        self.metrics = PrometheusMetrics(self.registry, tuple(FAMILIES), METHODS, CODES)
        self.heartbeats = Heartbeats(self.clock)
        StoreCollector(self.registry, self.store, self.clock, self.heartbeats.last)
        self.cluster_view = ClusterView()
        if nodes:
            self.cluster_view.saw(nodes)
        self.scratch = directory / "scratch"
        self.scratch.mkdir(parents=True)
        self.artifacts = FsArtifacts(str(directory / "artifacts"))
        self.services = self._build_services()
        self.address = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="in-process")
        self._api: ApiServer | None = None

    def _build_services(self) -> Services:
        store, clock, artifacts = self.store, self.clock, self.artifacts
        pager, requests = Pager(_SECRET), RequestMemory(clock, self.metrics)
        catalog, view = FamilyCatalog(FAMILIES), self.cluster_view
        settings = ServiceSettings()
        calibrator = Calibrator(store, FAMILIES, settings.coverage, self.metrics.calibrated)
        gate = self.gate = Gate(catalog, view, calibrator)
        permits = Permits(store, view, clock, waited=self.metrics.trial_waited)
        LedgerCollector(self.registry, permits.statistics)
        reader = ReaderProcess(_READER_MEMORY_BYTES, _READER_SECONDS)
        max_bytes = self.settings.max_upload_bytes
        return Services(
            datasets=DatasetService(
                store, artifacts, reader, pager, requests, clock, self.scratch, max_bytes
            ),
            searches=SearchService(
                store, catalog, gate, pager, requests, clock, self.metrics, settings, artifacts
            ),
            watch=WatchService(store, clock, Seal(_SECRET)),
            logs=DriverLogs(store, FakeCluster(), settings),
            models=ModelService(store, artifacts, pager),
            deployments=DeploymentService(store, FakeGateway(), pager, requests, clock),
            worker=WorkerService(
                store,
                artifacts,
                catalog,
                gate,
                self.heartbeats,
                clock,
                self.metrics,
                permits,
                calibrator,
            ),
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self.address = f"127.0.0.1:{self.run(self._start())}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.drain()
        self.run(self._loop.shutdown_asyncgens())
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.store.close()

    def drain(self) -> None:
        """Stops the API as a controller that is told to end does. Idempotent."""
        self.run(self._server.drain())

    def publish(self, report: Report) -> None:
        """Tells the health service how the controller's components are."""
        self.run(self._server.publish(report))

    def search_token(self, search: str) -> str:
        """The token that the driver of a search must show; empty when the search has ended."""
        with self.store.transaction() as tx:
            return tokens.kept(tx, search)

    @property
    def _server(self) -> ApiServer:
        assert self._api is not None, "use it as a context manager"
        return self._api

    async def _start(self) -> int:
        self._api = build_server(self.services, self.settings, self.metrics)
        port = await self._api.start()
        await self._api.publish(Report({}))
        return port

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the loop of the server; returns its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

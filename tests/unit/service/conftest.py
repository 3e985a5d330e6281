"""A controller without API and Ray: an in-memory store, a fake cluster, a clock that stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.adapters.artifacts import FsArtifacts
from controller.adapters.fake_clock import FakeClock
from controller.adapters.fake_cluster import FakeCluster
from controller.adapters.sql_store import SqlStore
from controller.domain.names import NamespaceName, SearchName
from controller.domain.records import (
    Budget,
    Candidate,
    Column,
    ColumnKind,
    Dataset,
    Limits,
    Origin,
    Search,
    SearchSpec,
    ValueCount,
)
from controller.ports.cluster import Node
from controller.ports.metrics import NoMetrics
from controller.ports.store import Store
from controller.service import tokens
from controller.service.calibrator import Calibrator
from controller.service.catalog import FamilyCatalog
from controller.service.cluster_view import ClusterView
from controller.service.gate import Gate
from controller.service.heartbeats import Heartbeats
from controller.service.paging import Pager
from controller.service.permits import Permits
from controller.service.reconcile_searches import SearchReconciler
from controller.service.requests import RequestMemory
from controller.service.searches import SearchService
from controller.service.settings import ServiceSettings
from controller.service.views import Assignment
from controller.service.worker import WorkerService
from workers.families.registry import FAMILIES

GIB = 1 << 30
NODE = Node("n1", 4.0, 0.0, 4 * GIB)
PARENT = NamespaceName("default")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> Iterator[Store]:
    opened = SqlStore("sqlite://")
    yield opened
    opened.close()


@pytest.fixture
def artifacts(tmp_path: Path) -> FsArtifacts:
    return FsArtifacts(str(tmp_path / "artifacts"))


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(
        advertise="127.0.0.1:1", work_dir=str(tmp_path / "work"), retention_seconds=3600.0
    )


@pytest.fixture
def catalog() -> FamilyCatalog:
    return FamilyCatalog(FAMILIES)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster((NODE,))


@pytest.fixture
def cluster_view() -> ClusterView:
    view = ClusterView()
    view.saw((NODE,))
    return view


@pytest.fixture
def heartbeats(clock: FakeClock) -> Heartbeats:
    return Heartbeats(clock)


@pytest.fixture
def calibrator(store: Store, settings: ServiceSettings) -> Calibrator:
    return Calibrator(store, FAMILIES, settings.coverage)


@pytest.fixture
def gate(catalog: FamilyCatalog, cluster_view: ClusterView, calibrator: Calibrator) -> Gate:
    return Gate(catalog, cluster_view, calibrator)


@pytest.fixture
def searches(
    store: Store,
    artifacts: FsArtifacts,
    catalog: FamilyCatalog,
    gate: Gate,
    clock: FakeClock,
    settings: ServiceSettings,
) -> SearchService:
    metrics = NoMetrics()
    return SearchService(
        store, catalog, gate, Pager(b"0123456789abcdef"), RequestMemory(clock, metrics),
        clock, metrics, settings, artifacts,
    )  # fmt: skip


@pytest.fixture
def worker(
    store: Store,
    artifacts: FsArtifacts,
    catalog: FamilyCatalog,
    cluster_view: ClusterView,
    gate: Gate,
    calibrator: Calibrator,
    heartbeats: Heartbeats,
    clock: FakeClock,
) -> WorkerService:
    return WorkerService(
        store, artifacts, catalog, gate, heartbeats, clock, NoMetrics(),
        Permits(store, cluster_view, clock), calibrator,
    )  # fmt: skip


@pytest.fixture
def reconciler(
    store: Store,
    cluster: FakeCluster,
    cluster_view: ClusterView,
    heartbeats: Heartbeats,
    clock: FakeClock,
    settings: ServiceSettings,
) -> SearchReconciler:
    return SearchReconciler(store, cluster, cluster_view, heartbeats, clock, NoMetrics(), settings)


@pytest.fixture
def dataset(store: Store, clock: FakeClock) -> Dataset:
    label = Column(
        "label", ColumnKind.CATEGORY, 0, 2,
        top_values=(ValueCount("yes", 600), ValueCount("no", 400)),
    )  # fmt: skip
    numbers = tuple(Column(f"x{i}", ColumnKind.NUMBER, 0, 900) for i in range(10))
    record = Dataset(
        "namespaces/default/datasets/d", "d.csv", "CSV", 1000, (*numbers, label), (), "file:///d",
        1, clock.now(),
    )  # fmt: skip
    with store.transaction() as tx:
        return tx.put(record)


@pytest.fixture
def spec(dataset: Dataset) -> SearchSpec:
    return SearchSpec(dataset.name, "label", budget=Budget(600.0, 10))


@pytest.fixture
def create(searches: SearchService, spec: SearchSpec) -> Callable[..., SearchName]:
    """Creates a search of the id; keyword arguments change the spec."""

    def make(search_id: str = "s", limits: Limits | None = None, **changes: object) -> SearchName:
        changed = replace(spec, limits=limits or spec.limits, **changes)  # type: ignore[arg-type]
        return SearchName.parse(searches.create(PARENT, search_id, changed).search.name)

    return make


@pytest.fixture
def token(store: Store) -> Callable[[SearchName], str]:
    """The token that a search's driver is started with."""

    def find(name: SearchName) -> str:
        with store.transaction() as tx:
            return tokens.kept(tx, str(name))

    return find


@pytest.fixture
def drive(
    worker: WorkerService, store: Store, token: Callable[[SearchName], str]
) -> Callable[..., tuple[str, Assignment]]:
    """Opens a session, as the reconciler's job would; returns token and assignment."""

    def begin(name: SearchName, driver_id: str = "driver-1") -> tuple[str, Assignment]:
        secret = token(name)
        with store.transaction() as tx:
            search = tx.get(Search, str(name))
            assert search is not None
            if not search.driver_job:
                tx.put(replace(search, driver_job="job-1", driver_attempts=1))
        return secret, worker.open_session(secret, str(name), driver_id)

    return begin


@pytest.fixture
def candidates(catalog: FamilyCatalog) -> Callable[..., list[Candidate]]:
    """Default configurations of a family, named by `prefix` and number."""

    def make(count: int, prefix: str = "c", family: str = "linear") -> list[Candidate]:
        declaration = catalog.declarations[family]
        parameters: dict[str, object] = {}
        for parameter in declaration.parameters:
            if parameter.exists(parameters):
                parameters[parameter.name] = parameter.default
        return [
            Candidate(f"{prefix}{i}", family, parameters, i, Origin.SAMPLED) for i in range(count)
        ]

    return make

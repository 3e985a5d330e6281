"""The gateway on a real Ray Serve with token authentication, fed with real bundles."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from controller.adapters.ports import take_block
from controller.adapters.ray_http import RayHttp
from controller.adapters.serve_rest import APPLICATION, IMPORT_PATH, ServeGateway
from controller.adapters.sql_store import SqlStore
from controller.domain.errors import ForeignRoutedApplication
from controller.domain.names import DeploymentName, ModelName, NamespaceName
from controller.domain.records import Deployment, Model, Task
from controller.domain.states import DeploymentState
from controller.ports.clock import SystemClock
from controller.ports.cluster import GatewayStatus, ServedModel
from controller.ports.metrics import NoMetrics
from controller.service.deployments import DeploymentService
from controller.service.paging import Pager
from controller.service.reconcile_deployments import DeploymentReconciler
from controller.service.requests import RequestMemory
from workers.bundle.load import load_bundle
from workers.data.layout import ColumnInfo
from workers.data.prepare import prepare
from workers.families.registry import family
from workers.trial.job import PrepareJob, RefitJob
from workers.trial.refit import refit

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

TOKEN = "0123456789abcdef" * 4
DEADLINE_SECONDS = 150.0
APPLICATIONS = "/api/serve/applications/"

COLUMNS = {"age": [31.0, None, 55.0, 18.0], "city": ["Ulm", "Bonn", None, "Ulm"]}
INPUTS: list[dict[str, Any]] = [
    {"name": "age", "datatype": "FP64", "shape": [4], "data": COLUMNS["age"]},
    {"name": "city", "datatype": "BYTES", "shape": [4, 1], "data": ["Ulm", "Bonn", "", "Ulm"]},
]


@dataclass(frozen=True)
class Bundle:
    """A written bundle."""

    uri: str
    manifest_sha256: str

    def served(self, name: str, version: int = 1) -> ServedModel:
        return ServedModel(name, version, self.uri, self.manifest_sha256)


def write(directory: Path, family_name: str, task: str, seed: int) -> Bundle:
    """A model of 80 rows, made as a search makes it."""
    directory.mkdir()
    ages = [None if n % 11 == 0 else float(n) for n in range(80)]
    cities = [("Ulm", "Bonn", None)[n % 3] for n in range(80)]
    target = [("no", "yes")[n > 40] if task == "binary" else n * 2.0 for n in range(80)]
    path = directory / "table.parquet"
    pq.write_table(pa.table({"age": ages, "city": cities, "y": target}), path)
    columns = (ColumnInfo("age", "NUMBER", 72, True), ColumnInfo("city", "CATEGORY", 2, True))
    classes = ("no", "yes") if task == "binary" else ()
    data = str(directory / "data")
    prepared = prepare(PrepareJob("s", path.as_uri(), columns, "y", task, classes, 3, seed, data))
    parameters = family(family_name).portfolio(prepared.shape)[0]
    uri = (directory / "bundle").as_uri()
    result = refit(RefitJob("s", 1, family_name, parameters, seed, 1, prepared.directory, uri))
    return Bundle(uri, result.manifest_sha256)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write(tmp_path_factory.mktemp("b") / "c", "hist_gradient_boosting", "binary", 1)


@pytest.fixture(scope="module")
def better_classifier(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write(tmp_path_factory.mktemp("b") / "x", "xgboost", "binary", 2)


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write(tmp_path_factory.mktemp("b") / "r", "linear", "regression", 3)


@dataclass(frozen=True)
class RayUnderTest:
    """Where the Ray of this module answers."""

    dashboard: str
    http_port: int
    grpc_port: int


@pytest.fixture(scope="module")
def ray_under_test() -> Iterator[RayUnderTest]:
    ports, directory = take_block(), tempfile.mkdtemp(prefix="hg")
    environment = os.environ | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    script = Path(__file__).with_name("gateway_ray.py")
    command = [sys.executable, str(script), str(ports[0]), str(ports[1]), directory]
    with (
        (Path(directory) / "output").open("w") as output,
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", Path(output.name).read_text()
        yield RayUnderTest(f"http://127.0.0.1:{ports[0]}", ports[2], ports[3])
        process.stdin.close()
        process.wait(60)
    ports.release()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
async def gateway(ray_under_test: RayUnderTest) -> AsyncIterator[ServeGateway]:
    """A gateway that serves whatever the test before left: that saves a start a test."""
    ray = ray_under_test
    gateway = ServeGateway(ray.dashboard, TOKEN, "127.0.0.1", ray.http_port, ray.grpc_port)
    yield gateway
    await gateway.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def until(look: Callable[[], Awaitable[Any]], is_reached: Callable[[Any], bool]) -> Any:
    """Looks until it is as wanted; another process decides when, so this polls."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_reached(seen := await look()):
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.05)
    return seen


async def serve(gateway: ServeGateway, *models: ServedModel) -> GatewayStatus:
    """Applies and waits until exactly these are loaded."""
    await gateway.apply(models)
    wanted = {model.inference_name: model.version for model in models}
    status: GatewayStatus = await until(
        gateway.status, lambda status: status.status == "RUNNING" and status.loaded == wanted
    )
    return status


async def take_down(gateway: ServeGateway) -> None:
    await gateway.apply(())
    await until(gateway.status, lambda status: status.status == "NOT_STARTED")


async def infer(
    http: aiohttp.ClientSession, gateway: ServeGateway, name: str
) -> tuple[int, dict[str, Any]]:
    url = f"{gateway.inference_http}/v2/models/{name}/infer"
    async with http.post(url, json={"id": "q", "inputs": INPUTS}) as response:
        return response.status, await response.json()


async def test_two_bundles_answer_as_they_do_in_process(
    gateway: ServeGateway, http: aiohttp.ClientSession, classifier: Bundle, regression: Bundle
) -> None:
    await serve(gateway, classifier.served("churn"), regression.served("team.price"))
    status, answer = await infer(http, gateway, "churn")
    expected = load_bundle(classifier.uri, classifier.manifest_sha256).predict_columns(COLUMNS)
    assert expected.probabilities is not None
    assert (status, answer["id"], answer["model_version"]) == (200, "q", "1")
    prediction, probabilities = answer["outputs"]
    assert prediction["data"] == expected.labels
    assert probabilities["shape"] == [4, 2]
    assert probabilities["parameters"] == {"classes": '["no", "yes"]'}
    assert probabilities["data"] == pytest.approx(expected.probabilities.ravel().tolist())

    status, answer = await infer(http, gateway, "team.price")
    values = load_bundle(regression.uri, regression.manifest_sha256).predict_columns(COLUMNS).values
    assert values is not None
    (prediction,) = answer["outputs"]
    assert (status, prediction["datatype"]) == (200, "FP64")
    assert prediction["data"] == pytest.approx(values.tolist())

    async with http.get(f"{gateway.inference_http}/v2/models/churn") as response:
        metadata = await response.json()
    assert [each["name"] for each in metadata["inputs"]] == ["age", "city"]
    async with http.get(f"{gateway.inference_http}/v2/health/ready") as response:
        assert response.status == 200


async def test_grpc_says_that_it_is_not_implemented(
    gateway: ServeGateway, regression: Bundle
) -> None:
    await serve(gateway, regression.served("price"))
    async with grpc.aio.insecure_channel(gateway.inference_grpc) as channel:
        for method in ("ServerLive", "ModelInfer"):
            path = f"/inference.GRPCInferenceService/{method}"
            call = channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(b"", wait_for_ready=True, timeout=30)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
            assert "over HTTP" in (caught.value.details() or "")


async def test_an_update_is_seamless_and_restarts_no_replica(
    ray_under_test: RayUnderTest,
    gateway: ServeGateway,
    http: aiohttp.ClientSession,
    classifier: Bundle,
    better_classifier: Bundle,
) -> None:
    await serve(gateway, classifier.served("churn"))
    before = await replicas(ray_under_test)
    answers: list[tuple[int, str]] = []
    is_switched = asyncio.Event()

    async def ask() -> None:
        while not is_switched.is_set():
            status, answer = await infer(http, gateway, "churn")
            answers.append((status, answer.get("model_version", str(answer))))

    asking = asyncio.create_task(ask())
    await until(lambda: infer(http, gateway, "churn"), lambda answer: answer[0] == 200)
    await serve(gateway, better_classifier.served("churn", 2))
    status, answer = await infer(http, gateway, "churn")
    is_switched.set()
    await asking
    assert (status, answer["model_version"]) == (200, "2")
    assert answers[0] == (200, "1")
    assert set(answers) <= {(200, "1"), (200, "2")}
    assert answers == sorted(answers)
    assert await replicas(ray_under_test) == before


async def replicas(ray: RayUnderTest) -> list[tuple[str, int]]:
    """Replica ids and process ids of the gateway."""
    details = await applications(ray)
    (deployment,) = details[APPLICATION]["deployments"].values()
    return [(each["replica_id"], each["pid"]) for each in deployment["replicas"]]


async def applications(ray: RayUnderTest) -> dict[str, Any]:
    client = RayHttp(ray.dashboard, TOKEN)
    _, details = await client.call("GET", APPLICATIONS)
    await client.close()
    found: dict[str, Any] = details["applications"]
    return found


async def test_a_bad_bundle_is_told_and_harms_no_other(
    gateway: ServeGateway, http: aiohttp.ClientSession, classifier: Bundle
) -> None:
    altered = replace(classifier, manifest_sha256="0" * 64)
    await gateway.apply((altered.served("bad"), classifier.served("churn")))
    status = await until(gateway.status, lambda status: status.loaded == {"churn": 1})
    assert "altered or replaced" in status.errors["bad"]
    code, answer = await infer(http, gateway, "bad")
    assert code == 503
    assert "altered or replaced" in answer["error"]
    assert (await infer(http, gateway, "churn"))[0] == 200

    await serve(gateway, classifier.served("bad", 2), classifier.served("churn"))
    assert (await infer(http, gateway, "bad"))[0] == 200


async def test_the_gateway_survives_bad_requests(
    ray_under_test: RayUnderTest,
    gateway: ServeGateway,
    http: aiohttp.ClientSession,
    classifier: Bundle,
) -> None:
    await serve(gateway, classifier.served("churn"))
    before = await replicas(ray_under_test)
    url = f"{gateway.inference_http}/v2/models/churn/infer"
    spoiled = [INPUTS[0] | {"datatype": "BYTES", "data": ["31", "", "old", "18"]}, INPUTS[1]]
    async with http.post(url, json={"inputs": spoiled}) as response:
        assert response.status == 400
        error = (await response.json())["error"]
        assert "input 'age' holds 'old' in row 2" in error
    for body in (b"", b"[" * 100_000, b"\x00" * 1000, b'{"inputs": [[]]}'):
        async with http.post(url, data=body) as response:
            assert response.status == 400
            assert "error" in await response.json()
    assert (await infer(http, gateway, "churn"))[0] == 200
    assert await replicas(ray_under_test) == before


async def test_other_applications_are_left_alone_and_routed_ones_refused(
    ray_under_test: RayUnderTest, gateway: ServeGateway, classifier: Bundle
) -> None:
    other: dict[str, Any] = {
        "name": "batch",
        "route_prefix": "/batch",
        "import_path": IMPORT_PATH,
        "deployments": [{"name": "gateway", "user_config": {"models": []}}],
    }
    options = {"host": "127.0.0.1", "port": ray_under_test.http_port}
    await take_down(gateway)
    client = RayHttp(ray_under_test.dashboard, TOKEN)
    try:
        await client.call("PUT", APPLICATIONS, {"http_options": options, "applications": [other]})
        with pytest.raises(ForeignRoutedApplication, match="batch"):
            await gateway.apply((classifier.served("churn"),))
        other["route_prefix"] = None
        await client.call("PUT", APPLICATIONS, {"http_options": options, "applications": [other]})
        await serve(gateway, classifier.served("churn"))
        await take_down(gateway)
        found = await until(
            lambda: applications(ray_under_test),
            lambda found: found["batch"]["status"] == "RUNNING",
        )
        assert list(found) == ["batch"]
    finally:
        await client.call("PUT", APPLICATIONS, {"http_options": options, "applications": []})
        await client.close()


async def test_deployments_are_created_updated_and_deleted(
    gateway: ServeGateway,
    http: aiohttp.ClientSession,
    classifier: Bundle,
    better_classifier: Bundle,
) -> None:
    store, clock = SqlStore("sqlite://"), SystemClock()
    with store.transaction() as tx:
        tx.put(_model("first", classifier))
        tx.put(_model("second", better_classifier))
    requests = RequestMemory(clock, NoMetrics())
    service = DeploymentService(store, gateway, Pager(b"0" * 16), requests, clock)
    reconciler = DeploymentReconciler(store, gateway, clock, NoMetrics())
    home, name = NamespaceName("default"), DeploymentName("default", "churn")

    async def step() -> Deployment | None:
        await reconciler.step()
        found, _ = service.list(home, 0, "")
        return found[0] if found else None

    service.create(home, "churn", ModelName("default", "first"))
    await until(step, lambda seen: seen.state is DeploymentState.READY)
    assert (await infer(http, gateway, "churn"))[1]["model_version"] == "1"
    service.update(name, ModelName("default", "second"))
    await until(step, lambda seen: seen.state is DeploymentState.READY)
    assert (await infer(http, gateway, "churn"))[1]["model_version"] == "2"
    service.delete(name)
    await until(step, lambda seen: seen is None)
    async with http.get(f"{gateway.inference_http}/v2/models/churn") as response:
        assert response.status in (404, 503)
    store.close()


def _model(model_id: str, bundle: Bundle) -> Model:
    return Model(
        name=f"namespaces/default/models/{model_id}",
        search="",
        trial="",
        family="",
        parameters={},
        task=Task.BINARY,
        target_column="y",
        classes=("no", "yes"),
        positive_class="yes",
        inputs=(),
        metric="roc_auc",
        score=0.9,
        training_rows=80,
        bundle_uri=bundle.uri,
        manifest_sha256=bundle.manifest_sha256,
        bundle_bytes=1,
        created_at=1.0,
    )

"""The gateway port: the fake and Serve's REST adapter behave alike; and what only REST can do.

The adapter talks to a small Serve in this process that answers as Ray 2.60 does; the same over a
real Ray is `tests/ray/test_gateway.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.adapters.fake_gateway import FakeGateway
from controller.adapters.serve_rest import APPLICATION, IMPORT_PATH, ServeGateway
from controller.domain.errors import FailedPrecondition, ForeignRoutedApplication, Unavailable
from controller.ports.cluster import Gateway, ServedModel

TOKEN = "secret"


class SmallServe:
    """Serve's REST API and the gateway's status page on one port."""

    def __init__(self) -> None:
        self.applications: dict[str, dict[str, Any]] = {}
        self.http_options: dict[str, Any] | None = None
        self.puts: list[dict[str, Any]] = []
        self.broken: dict[str, str] = {}
        self.refusal: tuple[int, str] | None = None
        self.has_page = True
        self.overrides: dict[str, Any] = {}
        app = web.Application()
        app.router.add_get("/api/serve/applications/", self._get)
        app.router.add_put("/api/serve/applications/", self._put)
        app.router.add_get("/headgate/status", self._page)
        self.server = TestServer(app)

    def add(self, name: str, route: str | None, config: dict[str, Any] | None = None) -> None:
        self.applications[name] = {
            "status": "RUNNING",
            "message": "",
            "route_prefix": route,
            "deployed_app_config": config,
        }

    async def _get(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        return web.json_response(
            {"applications": self.applications, "http_options": self.http_options}
        )

    async def _put(self, request: web.Request) -> web.Response:
        if self.refusal is not None:
            return web.Response(status=self.refusal[0], text=self.refusal[1])
        body = await request.json()
        self.puts.append(body)
        self.applications = {
            name: app
            for name, app in self.applications.items()
            if app["deployed_app_config"] is None
        }
        for config in body["applications"]:
            self.add(config["name"], config.get("route_prefix"), config)
        return web.Response()

    async def _page(self, _: web.Request) -> web.Response:
        if APPLICATION not in self.applications or not self.has_page:
            return web.Response(status=404, text="no route")
        return web.json_response(
            {"models": {m["inference_name"]: self._shown(m) for m in self.wanted}}
        )

    @property
    def wanted(self) -> list[dict[str, Any]]:
        config = self.applications[APPLICATION]["deployed_app_config"]
        models: list[dict[str, Any]] = config["deployments"][0]["user_config"]["models"]
        return models

    def _shown(self, model: dict[str, Any]) -> dict[str, Any]:
        error = self.broken.get(model["inference_name"])
        return {
            "version": None if error else model["version"],
            "manifest_sha256": None if error else model["manifest_sha256"],
            "wanted_version": model["version"],
            "wanted_attempt": model["attempt"],
            "error": error,
        } | self.overrides


@pytest.fixture
async def serve() -> AsyncIterator[SmallServe]:
    serve = SmallServe()
    await serve.server.start_server()
    yield serve
    await serve.server.close()


@pytest.fixture
async def over_rest(serve: SmallServe) -> AsyncIterator[ServeGateway]:
    gateway = ServeGateway(
        str(serve.server.make_url("/")), TOKEN, "127.0.0.1", serve.server.port or 0, 9000
    )
    yield gateway
    await gateway.close()


@pytest.fixture(params=["fake", "rest"])
def gateway(request: pytest.FixtureRequest, over_rest: ServeGateway) -> Gateway:
    return FakeGateway() if request.param == "fake" else over_rest


def model(name: str, version: int = 1, attempt: int = 0) -> ServedModel:
    return ServedModel(name, version, f"file:///{name}", f"sha-{name}-{version}", attempt)


class TestPort:
    """What every gateway does."""

    async def test_nothing_is_started_before_the_first_model(self, gateway: Gateway) -> None:
        await gateway.apply(())
        assert (await gateway.status()).status == "NOT_STARTED"

    async def test_serves_exactly_what_is_applied(self, gateway: Gateway) -> None:
        await gateway.apply((model("a"), model("b", 2)))
        status = await gateway.status()
        assert (status.status, status.loaded, status.errors) == ("RUNNING", {"a": 1, "b": 2}, {})
        await gateway.apply((model("b", 3),))
        assert (await gateway.status()).loaded == {"b": 3}

    async def test_load_errors_are_told_by_model(self, gateway: Gateway, serve: SmallServe) -> None:
        broken = gateway.broken if isinstance(gateway, FakeGateway) else serve.broken
        broken["a"] = "altered"
        await gateway.apply((model("a"), model("b")))
        status = await gateway.status()
        assert (status.loaded, status.errors) == ({"b": 1}, {"a": "altered"})

    async def test_taken_down_when_empty(self, gateway: Gateway) -> None:
        await gateway.apply((model("a"),))
        await gateway.apply(())
        assert (await gateway.status()).status == "NOT_STARTED"

    async def test_a_foreign_routed_application_is_refused_with_the_cure(
        self, gateway: Gateway, serve: SmallServe
    ) -> None:
        if isinstance(gateway, FakeGateway):
            gateway.foreign = "shop"
        for config in (None, {"name": "shop"}, {"name": "shop", "route_prefix": "/"}):
            # Serve reports a route only when an application that has a configuration is built.
            serve.add("shop", None if config else "/", config)
            with pytest.raises(ForeignRoutedApplication, match=r"'shop'.*route_prefix null"):
                await gateway.apply((model("a"),))
        assert serve.puts == []

    async def test_raises_unavailable_when_ray_is_away(
        self, gateway: Gateway, serve: SmallServe
    ) -> None:
        if isinstance(gateway, FakeGateway):
            gateway.is_away = True
        await serve.server.close()
        with pytest.raises(Unavailable):
            await gateway.status()
        with pytest.raises(Unavailable):
            await gateway.apply((model("a"),))

    async def test_close_is_idempotent(self, gateway: Gateway) -> None:
        await gateway.close()
        await gateway.close()


async def test_puts_one_application_at_the_root(over_rest: ServeGateway, serve: SmallServe) -> None:
    await over_rest.apply((model("a", 2),))
    (put,) = serve.puts
    assert put["http_options"] == {"host": "127.0.0.1", "port": serve.server.port}
    assert put["proxy_location"] == "HeadOnly"
    (application,) = put["applications"]
    assert application["route_prefix"] == "/"
    assert application["import_path"] == IMPORT_PATH
    (deployment,) = application["deployments"]
    assert deployment["ray_actor_options"] == {"num_cpus": 0}
    assert deployment["user_config"]["models"] == [
        {
            "inference_name": "a",
            "version": 2,
            "bundle_uri": "file:///a",
            "manifest_sha256": "sha-a-2",
            "attempt": 0,
        }
    ]


async def test_memory_of_a_replica_is_put_in_the_ledger(serve: SmallServe) -> None:
    gateway = ServeGateway(
        str(serve.server.make_url("/")), TOKEN, "127.0.0.1", 8000, 0, replica_memory_bytes=2**30
    )
    await gateway.apply((model("a"),))
    await gateway.close()
    options = serve.puts[0]["applications"][0]["deployments"][0]["ray_actor_options"]
    assert options == {"num_cpus": 0, "memory": 2**30}


async def test_the_same_again_puts_nothing(over_rest: ServeGateway, serve: SmallServe) -> None:
    for _ in range(2):
        await over_rest.apply((model("a"),))
    assert len(serve.puts) == 1
    await over_rest.apply((model("a", attempt=1),))
    assert len(serve.puts) == 2


async def test_what_serve_lost_is_put_again(over_rest: ServeGateway, serve: SmallServe) -> None:
    await over_rest.apply((model("a"),))
    serve.applications.clear()
    await over_rest.apply((model("a"),))
    assert len(serve.puts) == 2


@pytest.mark.parametrize("status", ["DEPLOY_FAILED", "DELETING"])
async def test_what_failed_or_goes_is_put_again(
    over_rest: ServeGateway, serve: SmallServe, status: str
) -> None:
    await over_rest.apply((model("a"),))
    serve.applications[APPLICATION]["status"] = status
    await over_rest.apply((model("a"),))
    assert len(serve.puts) == 2


async def test_other_applications_go_back_unchanged(
    over_rest: ServeGateway, serve: SmallServe
) -> None:
    other = {"name": "batch", "route_prefix": None, "import_path": "x:y", "args": {"n": 1}}
    serve.add("batch", None, other)
    serve.add("by-hand", None, None)  # made by serve.run: a PUT does not touch it
    await over_rest.apply((model("a"),))
    await over_rest.apply(())
    assert [put["applications"][0] for put in serve.puts] == [other, other]
    assert [len(put["applications"]) for put in serve.puts] == [2, 1]


async def test_a_running_gateway_is_updated_whoever_came_later(
    over_rest: ServeGateway, serve: SmallServe
) -> None:
    await over_rest.apply((model("a"),))
    serve.add("shop", "/shop")
    await over_rest.apply((model("a", 2),))
    assert (await over_rest.status()).loaded == {"a": 2}


async def test_a_serve_on_another_port_is_told_at_once(
    over_rest: ServeGateway, serve: SmallServe
) -> None:
    serve.http_options = {"host": "0.0.0.0", "port": 7999}
    with pytest.raises(FailedPrecondition, match="listens on port 7999 already"):
        await over_rest.apply((model("a"),))


async def test_loaded_is_unknown_while_the_gateway_does_not_answer(
    over_rest: ServeGateway, serve: SmallServe
) -> None:
    await over_rest.apply((model("a"),))
    serve.has_page = False
    serve.applications[APPLICATION] |= {"status": "DEPLOYING", "message": "starting\n a replica"}
    status = await over_rest.status()
    assert (status.status, status.message) == ("DEPLOYING", "starting a replica")
    assert status.loaded is None


async def test_a_gateway_that_goes_serves_until_it_answers_no_more(
    over_rest: ServeGateway, serve: SmallServe
) -> None:
    await over_rest.apply((model("a"),))
    serve.applications[APPLICATION]["status"] = "DELETING"
    assert (await over_rest.status()).loaded == {"a": 1}
    serve.has_page = False
    assert (await over_rest.status()).loaded == {}


async def test_what_is_about_an_earlier_wish_is_left_out(
    over_rest: ServeGateway, serve: SmallServe
) -> None:
    await over_rest.apply((model("a"), model("b")))
    serve.overrides = {
        "manifest_sha256": "of other bytes",
        "wanted_attempt": 7,
        "error": "of an earlier attempt",
    }
    status = await over_rest.status()
    assert (status.loaded, status.errors) == ({}, {})


async def test_a_wrong_token_says_where_to_put_the_right_one(serve: SmallServe) -> None:
    gateway = ServeGateway(str(serve.server.make_url("/")), "wrong", "127.0.0.1", 8000, 0)
    with pytest.raises(Unavailable, match="RAY_AUTH_TOKEN"):
        await gateway.status()
    await gateway.close()


@pytest.mark.parametrize(
    ("answer", "error"), [((400, "Traceback\nbad"), FailedPrecondition), ((500, ""), Unavailable)]
)
async def test_a_refused_put_says_why(
    over_rest: ServeGateway,
    serve: SmallServe,
    answer: tuple[int, str],
    error: type[Exception],
) -> None:
    serve.refusal = answer
    with pytest.raises(error, match=r"bad|no reason given"):
        await over_rest.apply((model("a"),))


@pytest.mark.parametrize(
    ("host", "public", "expected"),
    [
        ("127.0.0.1", "", "127.0.0.1"),
        ("0.0.0.0", "", "ray-head"),
        ("0.0.0.0", "models.example.org", "models.example.org"),
    ],
)
async def test_addresses_are_what_callers_can_reach(host: str, public: str, expected: str) -> None:
    gateway = ServeGateway("http://ray-head:8265", "", host, 8000, 9000, public_host=public)
    assert gateway.inference_http == f"http://{expected}:8000"
    assert gateway.inference_grpc == f"{expected}:9000"

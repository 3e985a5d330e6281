"""The HTTP side answers machines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from controller.api.http import build_http_app
from controller.api.readiness import Readiness
from controller.domain.errors import Unavailable


class Ray:
    """A component that can be away."""

    def __init__(self) -> None:
        self.problem = ""

    def check(self) -> str:
        return self.problem


@pytest.fixture
def ray() -> Ray:
    return Ray()


@pytest.fixture
async def address(ray: Ray) -> AsyncIterator[str]:
    registry = CollectorRegistry()
    Counter("headgate_things_total", "Things.", registry=registry).inc(3)
    app = build_http_app(registry, Readiness({"store": lambda: "", "ray": ray.check}))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def test_probes_say_why_it_is_not_ready(address: str, ray: Ray) -> None:
    ray.problem = "Ray does not answer at http://127.0.0.1:8265"
    async with ClientSession(address) as http:
        async with http.get("/readyz") as answer:
            assert answer.status == 503
            assert await answer.json() == {
                "ready": False,
                "components": {"store": "ok", "ray": ray.problem},
            }
        async with http.get("/healthz") as answer:
            assert answer.status == 200, "an absent Ray must not get the controller killed"
        ray.problem = ""
        async with http.get("/readyz") as answer:
            assert (answer.status, (await answer.json())["ready"]) == (200, True)


async def test_metrics_speak_what_the_scraper_asks_for(address: str) -> None:
    async with ClientSession(address) as http:
        async with http.get("/metrics") as answer:
            parsed = {f.name: f for f in parse_text(await answer.text())}
            assert parsed["headgate_things"].samples[0].value == 3
        openmetrics = {"Accept": "application/openmetrics-text; version=1.0.0"}
        async with http.get("/metrics", headers=openmetrics) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            text = await answer.text()
            families = parse_openmetrics(text)  # type: ignore[no-untyped-call]
            assert any(family.name == "headgate_things" for family in families)


async def test_the_index_names_the_pages(address: str) -> None:
    async with ClientSession(address) as http, http.get("/") as answer:
        text = await answer.text()
    assert all(page in text for page in ("/metrics", "/healthz", "/readyz"))


async def test_a_check_that_fails_is_a_reason_not_a_crash() -> None:
    def away() -> str:
        raise Unavailable("the store does not answer")

    def broken() -> str:
        raise RuntimeError("secret detail")

    report = await Readiness({"store": away, "ray": broken}).report()
    assert report.components["store"] == "the store does not answer"
    assert "secret" not in report.components["ray"]
    assert not report.is_ready

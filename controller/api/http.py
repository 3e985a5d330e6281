"""The HTTP side for machines: metrics and probes.

`/metrics` Prometheus text or OpenMetrics, as asked for. `/healthz` 200 while the process answers.
`/readyz` 200 or 503, with each component and, where it is not `ok`, why. `/` what there is.
"""

from __future__ import annotations

import asyncio

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from controller.api.readiness import Readiness

_INDEX = """Headgate: AutoML search that fits the cluster it runs on.

/metrics  for Prometheus
/healthz  the process is alive
/readyz   the controller can serve, or why not
The API is gRPC, package headgate.v1.
"""


def build_http_app(registry: CollectorRegistry, readiness: Readiness) -> web.Application:
    """The application, to be run by `aiohttp.web.AppRunner`."""

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = await asyncio.to_thread(encode, registry)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def ready(_request: web.Request) -> web.Response:
        report = await readiness.report()
        status = 200 if report.is_ready else 503
        body = {"ready": report.is_ready, "components": dict(report.components)}
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_get("/", _index)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", _alive)
    app.router.add_get("/readyz", ready)
    return app


async def _index(_request: web.Request) -> web.Response:
    return web.Response(text=_INDEX)


async def _alive(_request: web.Request) -> web.Response:
    return web.json_response({"alive": True})

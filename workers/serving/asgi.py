"""The gateway's web application: Open Inference Protocol v2 over REST, and `/headgate/status`.

| path | answers |
|---|---|
| `GET /v2` | server metadata |
| `GET /v2/health/live`, `/v2/health/ready` | 200; ready is 503 until the first models are settled |
| `GET /v2/models/{m}[/versions/{v}]` | model metadata |
| `GET /v2/models/{m}[/versions/{v}]/ready` | 200 when it answers, else 404 or 503 |
| `POST /v2/models/{m}[/versions/{v}]/infer` | predictions |
| `GET /headgate/status` | loaded versions and load errors by model |

Errors are `{"error": "one line"}`. Reading, predicting and writing run in a small pool of threads:
a large request holds up neither health checks nor small ones.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workers.serving import protocol
from workers.serving.shelf import UNAVAILABLE, LoadedVersion, ModelShelf, one_line
from workers.serving.tensors import RequestError

_log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024**2
"""Largest request: a million rows of a few numbers; it is parsed in memory at about ten times."""

_BINARY_HEADER = "inference-header-content-length"

Endpoint = Callable[[Request], Awaitable[Response]]


def build_app(shelf: ModelShelf, pool: Executor, max_body_bytes: int = MAX_BODY_BYTES) -> Starlette:
    """The application over `shelf`; `pool` runs predictions."""
    endpoints = _Endpoints(shelf, pool, max_body_bytes)
    routes = [
        _get("/v2", endpoints.server),
        _get("/v2/health/live", endpoints.live),
        _get("/v2/health/ready", endpoints.ready),
        _get("/headgate/status", endpoints.status),
    ]
    for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        routes += [
            _get(model, endpoints.model),
            _get(f"{model}/ready", endpoints.model_ready),
            Route(f"{model}/infer", _guarded(endpoints.infer), methods=["POST"]),
        ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _http_error})


def _get(path: str, endpoint: Endpoint) -> Route:
    return Route(path, _guarded(endpoint), methods=["GET"])


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Turns everything an endpoint raises into an answer."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RequestError as error:
            return _error(error.status, one_line(error))
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - a replica outlives whatever a model raises
            _log.exception("%s failed", request.url.path)
            return _error(
                500, f"the model failed: {type(error).__name__}: {one_line(error)}; see its log"
            )

    return guarded


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)


async def _http_error(request: Request, error: Exception) -> Response:
    """Unknown paths and wrong methods."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    remedy = {404: "GET /v2 and see the Open Inference Protocol", 405: "use GET, or POST for infer"}
    what = f"{request.method} {request.url.path[:200]} is not served"
    return _error(status, f"{what}; {remedy.get(status, 'see the log')}")


class _Endpoints:
    """One method a path."""

    def __init__(self, shelf: ModelShelf, pool: Executor, max_body_bytes: int) -> None:
        self._shelf = shelf
        self._pool = pool
        self._max_body_bytes = max_body_bytes

    async def server(self, _: Request) -> Response:
        return JSONResponse(protocol.server_metadata())

    async def live(self, _: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(self, _: Request) -> Response:
        """`live` as the specification says, and `ready`, which is what KServe's client reads."""
        is_ready = self._shelf.has_settled_once
        return JSONResponse({"live": True, "ready": is_ready}, 200 if is_ready else UNAVAILABLE)

    async def status(self, _: Request) -> Response:
        return JSONResponse(self._shelf.status())

    async def model(self, request: Request) -> Response:
        loaded = self._loaded(request)
        name, version = loaded.wanted.inference_name, loaded.wanted.version
        return JSONResponse(protocol.model_metadata(name, [version], loaded.model))

    async def model_ready(self, request: Request) -> Response:
        loaded = self._loaded(request)
        return JSONResponse({"name": loaded.wanted.inference_name, "ready": True})

    async def infer(self, request: Request) -> Response:
        loaded = self._loaded(request)
        if _BINARY_HEADER in request.headers:
            raise RequestError(
                "binary tensor data is not supported; send JSON data (clients of Triton: "
                "binary_data=False)"
            )
        body = await self._body(request)
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._pool, _answer, body, loaded)
        return Response(answer, media_type="application/json")

    def _loaded(self, request: Request) -> LoadedVersion:
        parameters: dict[str, Any] = request.path_params
        return self._shelf.answering(parameters["model"], parameters.get("version"))

    async def _body(self, request: Request) -> bytes:
        """The whole body. Raises: RequestError 413 as soon as it is too large."""
        pieces, size = [], 0
        async for piece in request.stream():
            pieces.append(piece)
            size += len(piece)
            if size > self._max_body_bytes:
                raise RequestError(
                    f"the request is larger than {self._max_body_bytes} bytes; send fewer rows",
                    413,
                )
        return b"".join(pieces)


def _answer(body: bytes, loaded: LoadedVersion) -> bytes:
    """From the request's bytes to the response's. Blocks. Raises: RequestError."""
    request = protocol.parse_request(body, loaded.model)
    try:
        answer = loaded.model.predict(request.columns)
    except ValueError as error:
        raise RequestError(one_line(error)) from error
    wanted = loaded.wanted
    response = protocol.format_response(
        wanted.inference_name, wanted.version, request, loaded.model, answer
    )
    return json.dumps(response, separators=(",", ":")).encode()

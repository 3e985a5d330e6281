"""Ray Serve's REST API as the port `Gateway`. Never imports Ray.

Serve's `PUT /api/serve/applications/` replaces the whole set of applications: what is there is read
first, and everything that is not Headgate's goes back unchanged. Which models answer is read from
the gateway itself, at `/headgate/status`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from controller.adapters.ray_http import RayHttp
from controller.domain.errors import FailedPrecondition, ForeignRoutedApplication, Unavailable
from controller.ports.cluster import GatewayStatus, JsonObject, ServedModel

APPLICATION = "headgate-gateway"
DEPLOYMENT = "gateway"
IMPORT_PATH = "workers.serving.gateway:app"
GRPC_SERVICERS = (
    "workers.serving.oip.inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server",
)
OWN_PREFIX = "headgate-"

_APPLICATIONS = "/api/serve/applications/"
_PAGE_TIMEOUT = aiohttp.ClientTimeout(total=3)
_OK = 200
_SERVER_ERROR = 500
_DELETING = "DELETING"
_NEEDS_A_PUSH = frozenset({"DEPLOY_FAILED", _DELETING})
_ALL_INTERFACES = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound


class ServeGateway:
    """`controller.ports.cluster.Gateway` over Ray Serve.

    dashboard_url: `http://HOST:PORT` of Ray's dashboard. token: Ray's bearer token, or empty.
    http_host, http_port: where Serve listens for HTTP. grpc_port: its gRPC port, on all interfaces
    whatever http_host is (Serve knows no other way), 0 for no gRPC.
    public_host: how callers reach the inference endpoints; empty means http_host, or the host of
    the dashboard when that is all interfaces. proxy_location: of Serve, `HeadOnly` or
    `EveryNode`. replica_memory_bytes: what a replica reserves in Ray's ledger, 0 for nothing.

    Use from one event loop.
    """

    def __init__(
        self,
        dashboard_url: str,
        token: str,
        http_host: str,
        http_port: int,
        grpc_port: int,
        *,
        public_host: str = "",
        proxy_location: str = "HeadOnly",
        replica_memory_bytes: int = 0,
    ) -> None:
        host = public_host or _reachable(http_host, dashboard_url)
        self.inference_http = f"http://{host}:{http_port}"
        self.inference_grpc = f"{host}:{grpc_port}" if grpc_port else ""
        self._http_options = {"host": http_host, "port": http_port}
        self._grpc_port = grpc_port
        self._proxy_location = proxy_location
        self._replica_memory_bytes = replica_memory_bytes
        self._ray = RayHttp(dashboard_url, token)
        self._page: aiohttp.ClientSession | None = None
        self._applied: dict[str, ServedModel] = {}

    async def apply(self, models: tuple[ServedModel, ...]) -> None:
        """See the port. Does nothing when Serve has exactly this already."""
        details = await self._details()
        running = details["applications"].get(APPLICATION)
        self._applied = {model.inference_name: model for model in models}
        wanted = self._application(models) if models else None
        if _is_as_wanted(running, wanted):
            return
        if running is None:
            _refuse_foreign(details["applications"])
            self._refuse_other_port(details)
        await self._put(details, wanted)

    async def status(self) -> GatewayStatus:
        """See the port. `loaded` is None when the gateway does not answer."""
        application = (await self._details())["applications"].get(APPLICATION)
        if application is None:
            return GatewayStatus("NOT_STARTED")
        message = " ".join(application.get("message", "").split())[-500:]
        page = await self._status_page()
        if page is None:
            # Replicas that nobody reaches may linger for half a minute (HAProxy drains them).
            is_gone = application["status"] == _DELETING
            return GatewayStatus(application["status"], message, {} if is_gone else None)
        loaded, errors = self._of_what_was_applied(page)
        return GatewayStatus(application["status"], message, loaded, errors)

    async def close(self) -> None:
        """Closes the connections. Idempotent."""
        await self._ray.close()
        if self._page is not None:
            await self._page.close()
            self._page = None

    async def _details(self) -> JsonObject:
        """What Serve runs. Raises: Unavailable."""
        status, answer = await self._ray.call("GET", _APPLICATIONS)
        if status != _OK or not isinstance(answer, dict):
            raise Unavailable(f"Ray could not list Serve's applications: {_last_line(answer)}")
        return answer

    async def _put(self, details: JsonObject, wanted: JsonObject | None) -> None:
        applications = [
            application["deployed_app_config"]
            for name, application in details["applications"].items()
            if name != APPLICATION and application.get("deployed_app_config")
        ]
        body: JsonObject = {
            "proxy_location": self._proxy_location,
            "http_options": self._http_options,
            "applications": applications + ([wanted] if wanted else []),
        }
        if self._grpc_port:
            body["grpc_options"] = {
                "port": self._grpc_port,
                "grpc_servicer_functions": GRPC_SERVICERS,
            }
        if details.get("target_capacity") is not None:
            body["target_capacity"] = details["target_capacity"]
        status, answer = await self._ray.call("PUT", _APPLICATIONS, body)
        if status >= _SERVER_ERROR:
            raise Unavailable(f"Ray Serve could not take the applications: {_last_line(answer)}")
        if status != _OK:
            raise FailedPrecondition(
                f"Ray Serve refused the applications (HTTP {status}): {_last_line(answer)}"
            )

    def _application(self, models: tuple[ServedModel, ...]) -> JsonObject:
        options: JsonObject = {"num_cpus": 0}
        if self._replica_memory_bytes:
            options["memory"] = self._replica_memory_bytes
        return {
            "name": APPLICATION,
            "route_prefix": "/",
            "import_path": IMPORT_PATH,
            "deployments": [
                {
                    "name": DEPLOYMENT,
                    "num_replicas": 1,
                    "user_config": {"models": [asdict(model) for model in models]},
                    "ray_actor_options": options,
                    # Requests that run when a replica must go get 10 s to finish.
                    "graceful_shutdown_wait_loop_s": 0.5,
                    "graceful_shutdown_timeout_s": 10.0,
                }
            ],
        }

    def _refuse_other_port(self, details: JsonObject) -> None:
        """Serve cannot change its port while it runs. Raises: FailedPrecondition."""
        port = (details.get("http_options") or {}).get("port", self._http_options["port"])
        if port != self._http_options["port"]:
            raise FailedPrecondition(
                f"Ray Serve listens on port {port} already, not on {self._http_options['port']}; "
                f"give Headgate port {port} for inference, or shut that Serve down"
            )

    async def _status_page(self) -> JsonObject | None:
        """The gateway's own word, or None when it does not answer (not up yet, or gone)."""
        if self._page is None:
            self._page = aiohttp.ClientSession(timeout=_PAGE_TIMEOUT)
        try:
            async with self._page.get(self.inference_http + "/headgate/status") as response:
                answer = await response.json() if response.status == _OK else None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            return None
        return answer if isinstance(answer, dict) else None

    def _of_what_was_applied(self, page: JsonObject) -> tuple[dict[str, int], dict[str, str]]:
        """Loaded versions and errors, without those that are about something applied earlier."""
        loaded, errors = {}, {}
        for name, entry in page["models"].items():
            wanted = self._applied.get(name)
            if entry["version"] is not None and not (
                wanted is not None
                and entry["version"] == wanted.version
                and entry["manifest_sha256"] != wanted.manifest_sha256
            ):
                loaded[name] = entry["version"]
            if entry["error"] is not None and wanted is not None:
                told = (entry["wanted_version"], entry["wanted_attempt"])
                if told == (wanted.version, wanted.attempt):
                    errors[name] = entry["error"]
        return loaded, errors


def _reachable(http_host: str, dashboard_url: str) -> str:
    if http_host not in _ALL_INTERFACES:
        return http_host
    return urlsplit(dashboard_url).hostname or "127.0.0.1"


def _is_as_wanted(running: Mapping[str, Any] | None, wanted: JsonObject | None) -> bool:
    if wanted is None:
        return running is None or running["status"] == _DELETING
    if running is None:
        return False
    config = running.get("deployed_app_config")
    if running["status"] in _NEEDS_A_PUSH or not config:
        return False
    keys = ("import_path", "route_prefix")
    return all(config.get(key) == wanted[key] for key in keys) and (
        _user_config(config) == _user_config(wanted)
    )


def _user_config(application: Mapping[str, Any]) -> object:
    deployments = application.get("deployments") or [{}]
    return deployments[0].get("user_config")


def _refuse_foreign(applications: Mapping[str, Any]) -> None:
    """Raises: ForeignRoutedApplication."""
    for name, application in applications.items():
        route = _route(application)
        if route is not None and not name.startswith(OWN_PREFIX):
            raise ForeignRoutedApplication(name, route)


def _route(application: Mapping[str, Any]) -> str | None:
    """Where an application is routed. What Serve reports is null until the application is built, so
    its configuration goes first; Serve's default there is `/`.
    """
    config = application.get("deployed_app_config")
    route = config.get("route_prefix", "/") if config else application.get("route_prefix")
    return None if route is None else str(route)


def _last_line(answer: object) -> str:
    lines = str(answer).strip().splitlines()
    return lines[-1][-500:] if lines else "no reason given"

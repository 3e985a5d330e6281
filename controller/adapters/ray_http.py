"""JSON over HTTP to Ray's dashboard, with Ray's bearer token. Never imports Ray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from controller.domain.errors import Unavailable

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)


class RayHttp:
    """A client of one Ray dashboard.

    address: `http://HOST:PORT` of the dashboard. token: Ray's bearer token, empty when Ray runs
    without authentication. Use from one event loop.
    """

    def __init__(self, address: str, token: str) -> None:
        self.address = address.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Returns the HTTP status and the decoded JSON or text.

        Raises: Unavailable when Ray does not answer or refuses the token.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=_TIMEOUT)
        try:
            url = self.address + path
            async with self._session.request(method, url, json=body) as response:
                is_json = response.content_type == "application/json"
                answer = await response.json() if is_json else await response.text()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(
                f"Ray at {self.address} does not answer: {type(error).__name__} {error}".rstrip(),
                address=self.address,
            ) from error
        if response.status in (401, 403):
            raise Unavailable(
                f"Ray at {self.address} refused the token (HTTP {response.status}); set "
                "RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's token",
                address=self.address,
            )
        return response.status, answer

    async def close(self) -> None:
        """Closes the connections. Idempotent."""
        if self._session is not None:
            await self._session.close()
            self._session = None

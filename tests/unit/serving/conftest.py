"""A model without a bundle, and an HTTP client without a network."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from workers.serving.model import Answer, Cell, InputColumn


@dataclass
class StubModel:
    """Answers every row alike and remembers what it was asked."""

    inputs: Sequence[InputColumn] = (
        InputColumn("age", "NUMBER", "FP64"),
        InputColumn("city", "CATEGORY", "BYTES"),
    )
    classes: Sequence[str] = ("no", "yes")
    description: Mapping[str, Any] = field(default_factory=lambda: {"family": "stub"})
    fails_with: Exception | None = None
    asked: list[Mapping[str, Sequence[Cell]]] = field(default_factory=list)

    def predict(self, columns: Mapping[str, Sequence[Cell]]) -> Answer:
        self.asked.append(columns)
        if self.fails_with is not None:
            raise self.fails_with
        rows = len(next(iter(columns.values())))
        if not self.classes:
            return Answer([1.5] * rows)
        return Answer(["yes"] * rows, [[0.25, 0.75]] * rows)


@pytest.fixture
def model() -> StubModel:
    return StubModel()


@pytest.fixture
def regression() -> StubModel:
    return StubModel(classes=())


@pytest.fixture
def two_rows() -> dict[str, Any]:
    return {
        "inputs": [
            {"name": "age", "datatype": "FP64", "shape": [2], "data": [31.5, None]},
            {"name": "city", "datatype": "BYTES", "shape": [2, 1], "data": ["Ulm", ""]},
        ]
    }


Call = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
def call() -> Call:
    """Sends one request to an ASGI application: status and decoded JSON."""
    return _call


async def _call(
    app: ASGIApp,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> tuple[int, Any]:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        "scheme": "http",
        "server": ("127.0.0.1", 80),
    }
    pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)] or [b""]
    sent: list[Message] = []

    async def receive() -> Message:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(message["body"] for message in sent[1:]))

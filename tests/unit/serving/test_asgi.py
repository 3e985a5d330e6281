"""The gateway's web application, called without a server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.applications import Starlette

from workers.serving.asgi import build_app
from workers.serving.shelf import ModelShelf, WantedModel

INFER = "/v2/models/churn/infer"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def shelf(model: Any) -> ModelShelf:
    def load(uri: str, _sha: str) -> Any:
        if uri == "bad":
            raise OSError("no bundle at bad")
        return model

    return ModelShelf(load)


@pytest.fixture
async def app(shelf: ModelShelf, pool: ThreadPoolExecutor) -> Starlette:
    await shelf.want([WantedModel("churn", 3, "good", "sha"), WantedModel("bad", 1, "bad", "sha")])
    return build_app(shelf, pool, max_body_bytes=10_000)


def body(message: object) -> bytes:
    return json.dumps(message).encode()


async def test_infers(app: Starlette, call: Any, two_rows: dict[str, Any]) -> None:
    for path in (INFER, "/v2/models/churn/versions/3/infer"):
        status, answer = await call(app, "POST", path, body(two_rows | {"id": "x"}))
        assert status == 200
        assert (answer["model_name"], answer["model_version"], answer["id"]) == ("churn", "3", "x")
        assert answer["outputs"][0]["data"] == ["yes", "yes"]


async def test_health_and_metadata(app: Starlette, call: Any) -> None:
    assert await call(app, "GET", "/v2/health/live") == (200, {"live": True})
    assert await call(app, "GET", "/v2/health/ready") == (200, {"live": True, "ready": True})
    assert (await call(app, "GET", "/v2"))[1]["name"] == "headgate-gateway"
    for path in ("/v2/models/churn", "/v2/models/churn/versions/3"):
        status, metadata = await call(app, "GET", path)
        assert (status, metadata["versions"]) == (200, ["3"])
        assert await call(app, "GET", f"{path}/ready") == (200, {"name": "churn", "ready": True})


async def test_is_live_but_not_ready_before_the_first_models_are_settled(
    shelf: ModelShelf, pool: ThreadPoolExecutor, call: Any
) -> None:
    app = build_app(shelf, pool)
    assert (await call(app, "GET", "/v2/health/live"))[0] == 200
    assert await call(app, "GET", "/v2/health/ready") == (503, {"live": True, "ready": False})


async def test_a_model_that_failed_to_load_is_503_and_harms_nobody(
    app: Starlette, call: Any, two_rows: dict[str, Any]
) -> None:
    for method, path in (
        ("GET", "/v2/models/bad"),
        ("GET", "/v2/models/bad/ready"),
        ("POST", "/v2/models/bad/infer"),
    ):
        status, answer = await call(app, method, path, body(two_rows))
        assert status == 503
        assert "no bundle at bad" in answer["error"]
    assert (await call(app, "GET", "/v2/health/ready"))[0] == 200
    status, answer = await call(app, "GET", "/headgate/status")
    assert answer["models"]["bad"]["error"] == "no bundle at bad"
    assert answer["models"]["churn"]["version"] == 3


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v2/models/none", 404, "there is no model 'none'"),
        ("POST", "/v2/models/none/infer", 404, "there is no model 'none'"),
        ("GET", "/v2/models/churn/versions/2", 404, "ask for version 3"),
        ("POST", "/v2/models/churn/versions/x/infer", 404, "no version 'x'"),
        ("GET", "/nothing", 404, "GET /nothing is not served"),
        ("GET", INFER, 405, "use GET, or POST for infer"),
        ("POST", "/v2", 405, "POST /v2 is not served"),
    ],
)
async def test_what_is_not_there_is_a_json_error(
    app: Starlette, call: Any, method: str, path: str, status: int, text: str
) -> None:
    found, answer = await call(app, method, path)
    assert found == status
    assert text in answer["error"]


async def test_a_bad_request_is_400_and_names_the_input(
    app: Starlette, call: Any, two_rows: dict[str, Any]
) -> None:
    two_rows["inputs"][0]["data"][0] = "old"
    status, answer = await call(app, "POST", INFER, body(two_rows))
    assert status == 400
    assert "input 'age' of datatype FP64 holds 'old' in row 0" in answer["error"]
    assert (await call(app, "POST", INFER, b"{"))[0] == 400


async def test_a_value_the_model_cannot_use_is_400(
    app: Starlette, model: Any, call: Any, two_rows: dict[str, Any]
) -> None:
    model.fails_with = ValueError("input 'city' holds 'x'\nin row 0; send text")
    status, answer = await call(app, "POST", INFER, body(two_rows))
    assert (status, answer) == (400, {"error": "input 'city' holds 'x' in row 0; send text"})


async def test_a_model_that_breaks_is_500_and_the_next_request_is_answered(
    app: Starlette, model: Any, call: Any, two_rows: dict[str, Any]
) -> None:
    model.fails_with = MemoryError()
    status, answer = await call(app, "POST", INFER, body(two_rows))
    assert status == 500
    assert answer["error"].startswith("the model failed: MemoryError")
    model.fails_with = None
    assert (await call(app, "POST", INFER, body(two_rows)))[0] == 200


async def test_a_request_that_is_too_large_is_413(app: Starlette, call: Any) -> None:
    status, answer = await call(app, "POST", INFER, b" " * 10_001)
    assert status == 413
    assert "larger than 10000 bytes; send fewer rows" in answer["error"]


async def test_binary_tensors_are_refused_with_the_remedy(app: Starlette, call: Any) -> None:
    headers = {"Inference-Header-Content-Length": "10"}
    status, answer = await call(app, "POST", INFER, b"{}", headers)
    assert status == 400
    assert "binary_data=False" in answer["error"]


async def test_a_long_prediction_does_not_hold_up_health_checks(
    app: Starlette, model: Any, call: Any, two_rows: dict[str, Any], monkeypatch: Any
) -> None:
    begun, gate = threading.Event(), threading.Event()
    predict = type(model).predict

    def slow(self: Any, columns: Any) -> Any:
        begun.set()
        assert gate.wait(20)
        return predict(self, columns)

    monkeypatch.setattr(type(model), "predict", slow)
    infer = asyncio.create_task(call(app, "POST", INFER, body(two_rows)))
    assert await asyncio.to_thread(begun.wait, 20)
    assert (await call(app, "GET", "/v2/health/live"))[0] == 200
    gate.set()
    assert (await infer)[0] == 200

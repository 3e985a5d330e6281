"""Predictions over HTTP: rows in order through all batches, classes as the server names them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import headgate
from controller.domain.records import ColumnKind, ModelInput, Task
from controller.domain.states import DeploymentState
from controller.in_process import InProcessController
from headgate import inference
from headgate.errors import InputError, ServerError, Unreachable
from tests.client.conftest import Writer

INPUTS = (
    ModelInput("age", ColumnKind.NUMBER, "FP64"),
    ModelInput("member", ColumnKind.BOOLEAN, "BOOL"),
    ModelInput("plan", ColumnKind.CATEGORY, "BYTES"),
)


class Endpoint:
    """Answers with the age as the probability of `yes`; refuses a plan called `broken`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.is_regression = False
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.requests.append((self.path, body))
                status, answer = endpoint.answer(body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    def answer(self, body: Any) -> tuple[int, Any]:
        inputs = {each["name"]: each["data"] for each in body["inputs"]}
        if "broken" in inputs["plan"]:
            return 400, {"error": "column 'plan': broken"}
        ages = [age or 0.0 for age in inputs["age"]]
        if self.is_regression:
            return 200, {"outputs": [{"name": "prediction", "data": ages}]}
        pairs = [value for age in ages for value in (1 - age, age)]
        outputs = [
            {"name": "prediction", "data": ["yes" if age > 0.5 else "no" for age in ages]},
            {
                "name": "probabilities",
                "data": pairs,
                "parameters": {"classes": json.dumps(["no", "yes"])},
            },
        ]
        return 200, {"outputs": outputs}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def served(
    controller: InProcessController,
    client: headgate.Client,
    write: Writer,
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> headgate.Client:
    """A client whose deployment `live` answers at the endpoint, three rows at a time."""
    addresses = controller.services.deployments._addresses
    monkeypatch.setattr(addresses, "inference_http", endpoint.url)
    monkeypatch.setattr(inference, "BATCH_ROWS", 3)
    write.deployment("live", write.model("m", inputs=INPUTS).name, DeploymentState.READY)
    return client


def rows(count: int) -> dict[str, list[Any]]:
    ages: list[Any] = [str(number / 10) for number in range(count)]
    return {"plan": ["x"] * count, "age": ages, "member": ["yes"] * count, "more": [1] * count}


def test_rows_come_back_in_order_through_all_batches(
    served: headgate.Client, endpoint: Endpoint
) -> None:
    found = served.predict("live", rows(8))
    assert found.labels == ["no"] * 6 + ["yes"] * 2
    assert found.probabilities["yes"] == pytest.approx([number / 10 for number in range(8)])
    assert found.probabilities["no"] == pytest.approx([1 - number / 10 for number in range(8)])
    assert list(found.probabilities) == ["no", "yes"]
    assert [path for path, _ in endpoint.requests] == ["/v2/models/live/infer"] * 3
    assert [each["shape"] for _, body in endpoint.requests for each in body["inputs"]] == (
        [[3]] * 6 + [[2]] * 3
    )


def test_cells_are_sent_in_the_types_the_model_wants(
    served: headgate.Client, endpoint: Endpoint
) -> None:
    served.predict("live", {"age": ["0.5", None], "member": ["no", ""], "plan": ["x", ""]})
    ((_, body),) = endpoint.requests
    assert body["inputs"] == [
        {"name": "age", "shape": [2], "datatype": "FP64", "data": [0.5, None]},
        {"name": "member", "shape": [2], "datatype": "BOOL", "data": [False, None]},
        {"name": "plan", "shape": [2], "datatype": "BYTES", "data": ["x", None]},
    ]


def test_a_regression_has_numbers_and_no_probabilities(
    served: headgate.Client, endpoint: Endpoint, write: Writer
) -> None:
    write.model("m", inputs=INPUTS, task=Task.REGRESSION, classes=(), positive_class="")
    endpoint.is_regression = True
    found = served.predict("live", rows(4))
    assert found.labels == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert found.probabilities == {}


def test_no_rows_are_no_predictions(served: headgate.Client, endpoint: Endpoint) -> None:
    assert served.predict("live", rows(0)).labels == []
    assert endpoint.requests == []


def test_what_is_wrong_is_told(served: headgate.Client, endpoint: Endpoint) -> None:
    with pytest.raises(InputError, match="column 'plan' is missing"):
        served.predict("live", {"age": [1], "member": [True]})
    with pytest.raises(InputError, match="different lengths"):
        served.predict("live", {"age": [1], "member": [True], "plan": ["x", "y"]})
    with pytest.raises(InputError, match="column 'age', row 2: 'old' is not a number"):
        served.predict("live", {"age": [1, "old"], "member": [True] * 2, "plan": ["x"] * 2})
    assert endpoint.requests == []
    with pytest.raises(ServerError, match="column 'plan': broken") as caught:
        served.predict("live", {"age": [1], "member": [True], "plan": ["broken"]})
    assert caught.value.code == "INVALID_ARGUMENT"


def test_an_endpoint_that_is_away_is_told(
    served: headgate.Client, controller: InProcessController, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = controller.services.deployments._addresses
    monkeypatch.setattr(addresses, "inference_http", "http://127.0.0.1:1")
    with pytest.raises(
        Unreachable, match=r"no inference endpoint answers at http://127\.0\.0\.1:1"
    ):
        served.predict("live", rows(1))

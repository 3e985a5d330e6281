"""Predictions from a deployment, by the Open Inference Protocol, version 2, over HTTP."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.errors import InputError, ServerError, Unreachable
from headgate.v1.deployment_pb2 import Deployment
from headgate.v1.model_pb2 import Model

BATCH_ROWS = 1000
"""Rows of one request: keeps a request of wide tables below a few MiB."""

_TIMEOUT_SECONDS = 60.0
_OK = 200
_TRUE = frozenset({"true", "1", "yes", "t", "y"})
_FALSE = frozenset({"false", "0", "no", "f", "n"})
_MISSING_NUMBERS = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})


@dataclass(frozen=True)
class Predictions:
    """labels: a class text or a number a row. probabilities: by class, one number a row; empty for
    regression.
    """

    labels: list[Any]
    probabilities: dict[str, list[float]]

    def joined(self, other: Predictions) -> Predictions:
        """These rows, then the other's."""
        classes = self.probabilities or {name: [] for name in other.probabilities}
        merged = {name: classes[name] + other.probabilities[name] for name in classes}
        return Predictions(self.labels + other.labels, merged)


def _to_number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in _MISSING_NUMBERS:
            return None
        return float(text)
    number = float(value)  # type: ignore[arg-type]
    return None if number != number else number  # noqa: PLR0124 - NaN is not itself


def _to_boolean(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text in _MISSING_NUMBERS:
        return None
    raise ValueError(text)


def _to_text(value: object) -> str | None:
    return None if value is None or value != value or value == "" else str(value)  # noqa: PLR0124


_CONVERTERS = {"FP64": _to_number, "BOOL": _to_boolean, "BYTES": _to_text}
_WANTED = {"FP64": "a number", "BOOL": "true or false", "BYTES": "text"}


def encode_column(name: str, datatype: str, values: Sequence[Any]) -> dict[str, Any]:
    """One input tensor, shape [rows], missing cells as null. Raises: InputError naming the row."""
    convert = _CONVERTERS[datatype]
    data: list[Any] = []
    for row, value in enumerate(values):
        try:
            data.append(convert(value))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"column {name!r}, row {row + 1}: {value!r} is not {_WANTED[datatype]}"
            ) from error
    return {"name": name, "shape": [len(data)], "datatype": datatype, "data": data}


class InferenceClient:
    """Talks to one deployed model. Keeps one connection; not thread-safe."""

    def __init__(self, address: str, model: str, inputs: Mapping[str, str]) -> None:
        """address: base URL. model: its inference name. inputs: datatype by column."""
        self._url = urllib.parse.urlsplit(address)
        self._path = f"/v2/models/{urllib.parse.quote(model)}/infer"
        self._inputs = inputs
        self._address = address

    @classmethod
    def of(cls, deployment: Deployment, model: Model) -> InferenceClient:
        """A client of a deployment that is READY. Raises: InputError when it is not."""
        if deployment.state != Deployment.State.READY:
            state = Deployment.State.Name(deployment.state)
            why = f": {deployment.error.message}" if deployment.error.message else ""
            if deployment.state == Deployment.State.PENDING:
                why = "; it is still being started, try again or wait longer"
            raise InputError(f"{deployment.name} is {state}, not READY{why}")
        inputs = {column.name: column.datatype for column in model.inputs}
        return cls(deployment.inference_http, deployment.inference_name, inputs)

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> Predictions:
        """Predicts rows in batches of `BATCH_ROWS`.

        columns: all input columns by name, of one length; more columns than the model wants are
        left out. Raises: InputError, ServerError, Unreachable.
        """
        missing = [name for name in self._inputs if name not in columns]
        if missing:
            raise InputError(f"column {missing[0]!r} is missing; the model wants it")
        lengths = {len(columns[name]) for name in self._inputs}
        if len(lengths) != 1:
            raise InputError(f"the columns have different lengths: {sorted(lengths)}")
        result = Predictions([], {})
        for start in range(0, lengths.pop(), BATCH_ROWS):
            batch = {n: columns[n][start : start + BATCH_ROWS] for n in self._inputs}
            result = result.joined(self._infer(batch))
        return result

    def _infer(self, columns: Mapping[str, Sequence[Any]]) -> Predictions:
        inputs = [encode_column(n, self._inputs[n], values) for n, values in columns.items()]
        outputs = {o["name"]: o for o in self._post({"inputs": inputs})["outputs"]}
        labels = list(outputs["prediction"]["data"])
        if "probabilities" not in outputs:
            return Predictions(labels, {})
        tensor = outputs["probabilities"]
        classes, data = json.loads(tensor["parameters"]["classes"]), tensor["data"]
        width = len(classes)
        return Predictions(labels, {name: data[i::width] for i, name in enumerate(classes)})

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._url.netloc, timeout=_TIMEOUT_SECONDS)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", self._url.path + self._path, json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
        except OSError as error:
            message = f"no inference endpoint answers at {self._address}: {error}"
            raise Unreachable("UNAVAILABLE", message) from error
        finally:
            connection.close()
        if response.status != _OK:
            raise _refusal(response.status, text)
        answer: dict[str, Any] = json.loads(text)
        return answer


def _refusal(status: int, text: str) -> ServerError:
    try:
        message = str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        message = text.strip()[:300] or f"HTTP {status}"
    codes = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 503: "UNAVAILABLE"}
    return ServerError(codes.get(status, "INTERNAL"), message)

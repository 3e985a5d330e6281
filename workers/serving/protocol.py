"""The REST messages of the Open Inference Protocol, version 2: read, checked and written.

Pure: no Ray, no web framework, no model. Fields and datatypes are those of the specification
(kserve/open-inference-protocol, `specification/protocol/inference_rest.md`); what is narrower here:
every input is one column of the table, of shape `[n]` or `[n, 1]`.

In JSON data `null` is a missing value, and so is `""` of datatype BYTES.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.serving.model import Answer, Cell, InputColumn, Servable
from workers.serving.tensors import RequestError, cells_of, shown

SERVER_NAME = "headgate-gateway"
SERVER_VERSION = "1"
PLATFORM = "headgate"

PREDICTION = "prediction"
PROBABILITIES = "probabilities"


@dataclass(frozen=True)
class InferRequest:
    """A checked request. columns: input name -> n cells. outputs: the names wanted, in order."""

    id: str | None
    columns: Mapping[str, Sequence[Cell]]
    outputs: tuple[str, ...]


def parse_request(body: bytes, model: Servable) -> InferRequest:
    """Reads the body of `POST .../infer`. Raises: RequestError with one line for the caller."""
    message = _object(body)
    request_id = message.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise RequestError(f"id is {shown(request_id)}; make it a string or leave it out")
    return InferRequest(
        request_id, _columns(message.get("inputs"), model.inputs), _outputs(message, model)
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        detail = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise RequestError(
            f'the body is not JSON: {detail}; send {{"inputs": [...]}} as UTF-8 JSON'
        ) from error
    if not isinstance(message, dict):
        raise RequestError('the body is not a JSON object; send {"inputs": [...]}')
    return message


def _columns(inputs: object, wanted: Sequence[InputColumn]) -> dict[str, Sequence[Cell]]:
    """Checks `inputs` and returns the columns in the model's order."""
    if not isinstance(inputs, list) or not inputs:
        raise RequestError(
            "inputs is missing or empty; send one input for each column: " + _listed(wanted)
        )
    by_name = {column.name: column for column in wanted}
    found: dict[str, Sequence[Cell]] = {}
    for position, tensor in enumerate(inputs):
        name = _input_name(tensor, position, by_name)
        if name in found:
            raise RequestError(f"input {shown(name)} is given twice; send every column once")
        found[name] = cells_of(tensor, by_name[name])
    missing = [column for column in wanted if column.name not in found]
    if missing:
        raise RequestError(
            f"{_listed(missing)} not among the inputs; send every column of the model, with null "
            "where a value is missing"
        )
    _check_rows(found)
    return {column.name: found[column.name] for column in wanted}


def _input_name(tensor: object, position: int, known: Mapping[str, InputColumn]) -> str:
    if not isinstance(tensor, dict):
        raise RequestError(f"inputs[{position}] is not an object; send name, shape, datatype, data")
    name = tensor.get("name")
    if not isinstance(name, str):
        raise RequestError(f"inputs[{position}] has no name; give it the name of a column")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        remedy = f"did you mean {shown(near[0])}?" if near else "leave it out"
        raise RequestError(
            f"input {shown(name)} is no column of the model; {remedy} "
            f"(the model wants {_listed(list(known.values()))})"
        )
    return name


def _check_rows(columns: Mapping[str, Sequence[Cell]]) -> None:
    first, rows = next((name, len(cells)) for name, cells in columns.items())
    for name, cells in columns.items():
        if len(cells) != rows:
            raise RequestError(
                f"input {shown(name)} has {len(cells)} rows and {shown(first)} has {rows}; give "
                "every input the same number of rows"
            )


def _outputs(message: Mapping[str, Any], model: Servable) -> tuple[str, ...]:
    """The names of the outputs that are wanted, all of the model's when none is named."""
    offered = tuple(entry["name"] for entry in output_metadata(model))
    chosen = message.get("outputs")
    if chosen is None or chosen == []:
        return offered
    if not isinstance(chosen, list):
        raise RequestError('outputs is not a list; send [{"name": ...}] or leave it out')
    names = []
    for position, entry in enumerate(chosen):
        name = entry.get("name") if isinstance(entry, dict) else None
        if name not in offered:
            raise RequestError(
                f"outputs[{position}] names {shown(name)}; the model offers {', '.join(offered)}"
            )
        names.append(str(name))
    return tuple(names)


def _listed(columns: Sequence[InputColumn]) -> str:
    """Names for a message, the first ten."""
    names = ", ".join(shown(column.name) for column in columns[:10])
    return names + (f" and {len(columns) - 10} more" if len(columns) > 10 else "")


def format_response(
    model_name: str, version: int, request: InferRequest, model: Servable, answer: Answer
) -> dict[str, Any]:
    """The body of the response to `request`."""
    tensors = {PREDICTION: _prediction(answer, model)}
    if answer.probabilities is not None:
        tensors[PROBABILITIES] = _probabilities(answer.probabilities, model)
    body: dict[str, Any] = {"model_name": model_name, "model_version": str(version)}
    if request.id is not None:
        body["id"] = request.id
    body["outputs"] = [tensors[name] for name in request.outputs]
    return body


def _prediction(answer: Answer, model: Servable) -> dict[str, Any]:
    is_classifier = bool(model.classes)
    data = [str(p) if is_classifier else float(p) for p in answer.predictions]
    datatype = "BYTES" if is_classifier else "FP64"
    return {"name": PREDICTION, "datatype": datatype, "shape": [len(data)], "data": data}


def _probabilities(rows: Sequence[Sequence[float]], model: Servable) -> dict[str, Any]:
    return {
        "name": PROBABILITIES,
        "datatype": "FP64",
        "shape": [len(rows), len(model.classes)],
        "parameters": {"classes": _class_names(model)},
        "data": [float(value) for row in rows for value in row],
    }


def server_metadata() -> dict[str, Any]:
    """The body of `GET /v2`."""
    return {"name": SERVER_NAME, "version": SERVER_VERSION, "extensions": []}


def model_metadata(name: str, versions: Sequence[int], model: Servable) -> dict[str, Any]:
    """The body of `GET /v2/models/{name}`."""
    return {
        "name": name,
        "versions": [str(version) for version in versions],
        "platform": PLATFORM,
        "inputs": [
            {
                "name": column.name,
                "datatype": column.datatype,
                "shape": [-1],
                "parameters": {"kind": column.kind},
            }
            for column in model.inputs
        ],
        "outputs": output_metadata(model),
        "parameters": dict(model.description),
    }


def output_metadata(model: Servable) -> list[dict[str, Any]]:
    """What the model answers with: the prediction and, for a classifier, probabilities."""
    if not model.classes:
        return [{"name": PREDICTION, "datatype": "FP64", "shape": [-1]}]
    return [
        {"name": PREDICTION, "datatype": "BYTES", "shape": [-1]},
        {
            "name": PROBABILITIES,
            "datatype": "FP64",
            "shape": [-1, len(model.classes)],
            "parameters": {"classes": _class_names(model)},
        },
    ]


def _class_names(model: Servable) -> str:
    """A JSON list as text: the protocol's parameters are booleans, numbers and text only."""
    return json.dumps(list(model.classes), ensure_ascii=False)

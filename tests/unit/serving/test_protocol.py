"""Reading and writing the messages of the Open Inference Protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers.serving import protocol
from workers.serving.model import Answer, InputColumn
from workers.serving.tensors import RequestError, cells_of, shown

AGE = InputColumn("age", "NUMBER", "FP64")


def tensor(name: str, datatype: str, data: list[Any], **changes: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data} | changes


def parse(body: object, model: Any) -> protocol.InferRequest:
    return protocol.parse_request(json.dumps(body).encode(), model)


def refused(body: object, model: Any) -> str:
    with pytest.raises(RequestError) as caught:
        parse(body, model)
    assert caught.value.status == 400
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_reads_mixed_columns_with_missing_values(model: Any, two_rows: dict[str, Any]) -> None:
    request = parse(two_rows | {"id": "r1"}, model)
    assert request.id == "r1"
    assert request.columns == {"age": [31.5, None], "city": ["Ulm", None]}
    assert request.outputs == ("prediction", "probabilities")


def test_columns_come_in_the_order_of_the_model(model: Any, two_rows: dict[str, Any]) -> None:
    two_rows["inputs"].reverse()
    assert list(parse(two_rows, model).columns) == ["age", "city"]


def test_unknown_fields_and_parameters_are_ignored(model: Any, two_rows: dict[str, Any]) -> None:
    two_rows["parameters"] = {"binary_data_output": True}
    two_rows["inputs"][0]["parameters"] = {"content_type": "np"}
    assert parse(two_rows, model).id is None


@pytest.mark.parametrize(
    ("datatype", "data", "cells"),
    [
        ("BOOL", [True, False, None], [True, False, None]),
        ("INT8", [-128, 127, None], [-128, 127, None]),
        ("INT64", [2**63 - 1, 3.0], [2**63 - 1, 3]),
        ("UINT8", [0, 255], [0, 255]),
        ("UINT64", [2**64 - 1], [2**64 - 1]),
        ("FP16", [1, 2.5], [1.0, 2.5]),
        ("FP32", [float("nan"), 0.5], [None, 0.5]),
        ("FP64", [1e300], [1e300]),
        ("BYTES", ["a", "", None, "ü\n"], ["a", None, None, "ü\n"]),
    ],
)
def test_every_datatype(datatype: str, data: list[Any], cells: list[Any]) -> None:
    assert cells_of(tensor("age", datatype, data), AGE) == cells


@pytest.mark.parametrize(
    ("datatype", "value", "remedy"),
    [
        ("BOOL", 1, "send true or false"),
        ("INT8", 128, "from -128 to 127"),
        ("INT32", 1.5, "whole numbers"),
        ("INT64", True, "whole numbers"),
        ("INT64", "1", "whole numbers"),
        ("UINT16", -1, "from 0 to 65535"),
        ("FP64", "1.5", "finite numbers"),
        ("FP64", True, "finite numbers"),
        ("FP64", float("inf"), "finite numbers"),
        ("FP64", 10**400, ""),
        ("FP32", [1.0, 2.0], "finite numbers"),
        ("BYTES", 5, "send strings"),
        ("BYTES", {"a": 1}, "send strings"),
    ],
)
def test_a_value_that_is_not_of_its_datatype_is_named(
    datatype: str, value: Any, remedy: str
) -> None:
    with pytest.raises(RequestError) as caught:
        cells_of(tensor("age", datatype, [None, value]), AGE)
    text = str(caught.value)
    assert "input 'age'" in text
    assert "row 1" in text
    assert datatype in text
    assert remedy in text


@pytest.mark.parametrize("shape", [[2], [2, 1]])
@pytest.mark.parametrize("data", [[1.0, 2.0], [[1.0], [2.0]]])
def test_a_column_may_be_flat_or_nested(shape: list[int], data: list[Any]) -> None:
    assert cells_of(tensor("age", "FP64", data, shape=shape), AGE) == [1.0, 2.0]


@pytest.mark.parametrize(
    "shape", [None, 2, [], [0], [-1], [2, 2], [1, 2], [2, 1, 1], ["2"], [2.0], [True]]
)
def test_a_shape_that_is_no_column_is_refused(shape: Any) -> None:
    with pytest.raises(RequestError, match=r"input 'age' has the shape .* use \[n\] or \[n, 1\]"):
        cells_of(tensor("age", "FP64", [1.0, 2.0], shape=shape), AGE)


def test_shape_and_data_must_agree() -> None:
    with pytest.raises(RequestError, match=r"shape \[3\] and 2 values; make them agree"):
        cells_of(tensor("age", "FP64", [1.0, 2.0], shape=[3]), AGE)


@pytest.mark.parametrize("data", [None, "AAAA", {}])
def test_data_must_be_a_list(data: Any) -> None:
    with pytest.raises(RequestError, match="no list as data; send JSON data"):
        cells_of({"name": "age", "datatype": "FP64", "shape": [1], "data": data}, AGE)


@pytest.mark.parametrize("datatype", [None, "STRING", "fp64", 5, ["FP64"], "BF16"])
def test_an_unknown_datatype_is_refused_with_the_right_one(datatype: Any) -> None:
    with pytest.raises(RequestError, match="use FP64 or another of BOOL"):
        cells_of(tensor("age", datatype, [1.0]), AGE)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'"x"',
        b"null",
        b"\xff\xfe\x00",
        b'{"inputs": ' + b"[" * 100_000,
        b'{"a":' + b"1" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, model: Any) -> None:
    with pytest.raises(RequestError, match=r"the body is not|inputs is missing"):
        protocol.parse_request(body, model)


@pytest.mark.parametrize("inputs", [None, [], {}, "age"])
def test_inputs_must_be_there(inputs: Any, model: Any) -> None:
    assert "send one input for each column: 'age', 'city'" in refused({"inputs": inputs}, model)


def test_a_missing_column_is_named(model: Any, two_rows: dict[str, Any]) -> None:
    del two_rows["inputs"][1]
    text = refused(two_rows, model)
    assert text.startswith("'city' not among the inputs")
    assert "null" in text


def test_an_unknown_input_is_named_with_the_nearest(model: Any, two_rows: dict[str, Any]) -> None:
    two_rows["inputs"].append(tensor("citty", "BYTES", ["a", "b"]))
    assert "'citty' is no column of the model; did you mean 'city'?" in refused(two_rows, model)
    two_rows["inputs"][-1]["name"] = "zzz"
    assert "'zzz' is no column of the model; leave it out" in refused(two_rows, model)


def test_an_input_given_twice_is_refused(model: Any, two_rows: dict[str, Any]) -> None:
    two_rows["inputs"].append(two_rows["inputs"][0])
    assert "'age' is given twice" in refused(two_rows, model)


def test_rows_must_agree(model: Any) -> None:
    body = {"inputs": [tensor("age", "FP64", [1.0]), tensor("city", "BYTES", ["a", "b"])]}
    assert "input 'city' has 2 rows and 'age' has 1" in refused(body, model)


@pytest.mark.parametrize("entry", [5, None, [], {}, {"name": 5}])
def test_an_input_must_be_an_object_with_a_name(entry: Any, model: Any) -> None:
    assert refused({"inputs": [entry]}, model).startswith("inputs[0] ")


def test_the_id_must_be_text(model: Any, two_rows: dict[str, Any]) -> None:
    assert refused(two_rows | {"id": 5}, model).startswith("id is 5; make it a string")


def test_outputs_are_selected_in_the_order_asked_for(model: Any, two_rows: dict[str, Any]) -> None:
    chosen = [{"name": "probabilities"}, {"name": "prediction"}]
    request = parse(two_rows | {"outputs": chosen}, model)
    assert request.outputs == ("probabilities", "prediction")
    assert parse(two_rows | {"outputs": []}, model).outputs == ("prediction", "probabilities")


def test_unknown_outputs_are_refused(model: Any, regression: Any, two_rows: dict[str, Any]) -> None:
    text = refused(two_rows | {"outputs": [{"name": "shap"}]}, model)
    assert text == "outputs[0] names 'shap'; the model offers prediction, probabilities"
    refused(two_rows | {"outputs": [{"name": "probabilities"}]}, regression)
    refused(two_rows | {"outputs": ["prediction"]}, model)
    refused(two_rows | {"outputs": {"name": "prediction"}}, model)


def test_a_classifier_answers_labels_and_probabilities(
    model: Any, two_rows: dict[str, Any]
) -> None:
    request = parse(two_rows | {"id": "r1"}, model)
    answer = Answer(["yes", "no"], [[0.25, 0.75], [1.0, 0.0]])
    assert protocol.format_response("churn", 3, request, model, answer) == {
        "model_name": "churn",
        "model_version": "3",
        "id": "r1",
        "outputs": [
            {"name": "prediction", "datatype": "BYTES", "shape": [2], "data": ["yes", "no"]},
            {
                "name": "probabilities",
                "datatype": "FP64",
                "shape": [2, 2],
                "parameters": {"classes": '["no", "yes"]'},
                "data": [0.25, 0.75, 1.0, 0.0],
            },
        ],
    }


def test_a_regression_answers_numbers_and_no_id(regression: Any, two_rows: dict[str, Any]) -> None:
    request = parse(two_rows, regression)
    response = protocol.format_response("price", 1, request, regression, Answer([1, 2.5]))
    assert "id" not in response
    assert response["outputs"] == [
        {"name": "prediction", "datatype": "FP64", "shape": [2], "data": [1.0, 2.5]}
    ]


def test_only_chosen_outputs_are_answered(model: Any, two_rows: dict[str, Any]) -> None:
    request = parse(two_rows | {"outputs": [{"name": "prediction"}]}, model)
    answer = Answer(["yes", "no"], [[0.25, 0.75], [1.0, 0.0]])
    (output,) = protocol.format_response("m", 1, request, model, answer)["outputs"]
    assert output["name"] == "prediction"


def test_metadata_names_inputs_outputs_and_classes(model: Any, regression: Any) -> None:
    metadata = protocol.model_metadata("churn", [2], model)
    assert metadata["name"] == "churn"
    assert metadata["versions"] == ["2"]
    assert metadata["inputs"][0] == {
        "name": "age",
        "datatype": "FP64",
        "shape": [-1],
        "parameters": {"kind": "NUMBER"},
    }
    assert metadata["outputs"][1]["parameters"] == {"classes": '["no", "yes"]'}
    assert [each["name"] for each in protocol.output_metadata(regression)] == ["prediction"]
    assert set(protocol.server_metadata()) == {"name", "version", "extensions"}


def test_values_in_messages_are_short_and_on_one_line() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert len(shown("x" * 1000)) == 60

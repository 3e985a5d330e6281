"""Search spaces as files, both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import ParseDict

from headgate.errors import InputError
from headgate.space_file import format_space, parse_space, read_space
from headgate.v1.search_pb2 import SearchSpace

EXAMPLE = """
families:
  xgboost:
    max_depth: {integers: [3, 10]}
    learning_rate: {numbers: [0.01, 0.3], log: true}
    booster: {choices: [gbtree, dart, null]}
    tree_method: {fixed: hist}
pinned:
  - family: xgboost
    parameters: {max_depth: 6}
"""


def test_a_file_becomes_a_message(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(EXAMPLE)
    space = read_space(path)
    parameters = space.families["xgboost"].parameters
    assert (parameters["max_depth"].integers.low, parameters["max_depth"].integers.high) == (3, 10)
    assert parameters["learning_rate"].numbers.log
    assert parameters["booster"].choices.values[2].WhichOneof("kind") == "null_value"
    assert parameters["tree_method"].fixed.string_value == "hist"
    assert space.pinned[0].parameters["max_depth"] == 6


def test_json_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "space.json"
    path.write_text('{"families": {"knn": {"n_neighbors": {"fixed": 5}}}}')
    assert read_space(path).families["knn"].parameters["n_neighbors"].fixed.number_value == 5


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], "the file must be a mapping"),
        ({"familys": {}}, "unknown key 'familys'"),
        ({"families": []}, "families must be a mapping"),
        ({"families": {"knn": {"k": {}}}}, "families.knn.k needs exactly one of"),
        ({"families": {"knn": {"k": {"integers": [1]}}}}, r"families.knn.k.integers must be \[low"),
        ({"families": {"knn": {"k": {"integers": [1, 2.5]}}}}, "two whole numbers"),
        ({"families": {"knn": {"k": {"integers": [True, 2]}}}}, "two whole numbers"),
        ({"families": {"knn": {"k": {"choices": []}}}}, "list that is not empty"),
        ({"families": {"knn": {"k": {"choices": [[1]]}}}}, r"choices\[0\] must be text"),
        ({"families": {"knn": {"k": {"fixed": 1, "log": True}}}}, "log belongs to integers"),
        ({"families": {3: {}}}, "the key 3 must be text"),
        ({"pinned": {}}, "pinned must be a list"),
        ({"pinned": [{"parameters": {}}]}, r"pinned\[0\].family"),
    ],
)
def test_mistakes_name_their_place(body: Any, place: str) -> None:
    with pytest.raises(InputError, match=place):
        parse_space(body)


@pytest.mark.parametrize("text", ["families: [", "\x00"])
def test_what_is_no_yaml_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_space(path)
    assert "\n" not in str(error.value)


def test_the_printed_default_reads_back() -> None:
    space = SearchSpace()
    ParseDict(
        {
            "families": {
                "knn": {
                    "description": "Nearest neighbours.",
                    "parameters": {
                        "n_neighbors": {
                            "integers": {"low": "1", "high": "50", "log": True},
                            "description": "How many.",
                            "default_value": 5,
                        },
                        "p": {"numbers": {"low": 1e-06, "high": 2.0, "log": True}},
                        "weights": {"choices": {"values": ["uniform", None, True]}},
                        "leaf": {"fixed": "auto"},
                    },
                }
            }
        },
        space,
    )
    text = format_space(space)
    assert "# How many. Default: 5." in text
    read = parse_space(yaml.safe_load(text))
    for name, parameter in space.families["knn"].parameters.items():
        again = read.families["knn"].parameters[name]
        kind = parameter.WhichOneof("kind")
        assert getattr(again, str(kind)) == getattr(parameter, str(kind))

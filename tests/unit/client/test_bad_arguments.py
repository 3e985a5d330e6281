"""What a caller of the SDK can get wrong is told before anything is sent."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from headgate.errors import InputError
from headgate.source import default_id, requests
from headgate.spec import SearchOptions
from headgate.v1.dataset_service_pb2 import CreateDatasetHeader


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 99_999_999_999}, "trials: 99999999999 is out of range"),
        ({"trials": -(10**12)}, "trials: -1000000000000 is out of range"),
        ({"trials": 2.5}, "trials: 2.5 is no whole number"),
        ({"trials": True}, "trials: True is no whole number"),
        ({"seed": 10**23}, "seed: .* is out of range"),
        ({"seed": "7"}, "seed: '7' is no whole number"),
        ({"time_seconds": float("nan")}, "time_seconds: nan is out of range"),
        ({"time_seconds": 1e30}, "time_seconds: 1e\\+30 is out of range"),
        ({"time_seconds": None}, "time_seconds: None is no number"),
        ({"memory_per_trial_bytes": 2**64}, "memory_per_trial_bytes: .* is out of range"),
        ({"gpus_per_trial": float("inf")}, "gpus_per_trial: inf is out of range"),
        ({"task": "ranking"}, "task: 'ranking' is unknown"),
        ({"shrink": "all"}, "shrink: 'all' is unknown"),
    ],
)
def test_numbers_that_the_api_cannot_carry(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SearchOptions().changed(**options).check()


def test_what_the_api_can_carry_passes() -> None:
    options = SearchOptions(trials=2**31 - 1, seed=2**63 - 1, time_seconds=1, gpus_per_trial=1)
    options.check()
    spec = options.to_proto("namespaces/default/datasets/d", "y")
    assert (spec.budget.max_trials, spec.seed) == (2**31 - 1, 2**63 - 1)


@pytest.mark.parametrize("source", [None, b"a,b", 7, [1, 2]])
def test_what_is_no_table(source: Any) -> None:
    assert default_id(source) == ""
    with pytest.raises(InputError, match="give a path, a URI or a DataFrame"):
        requests(CreateDatasetHeader(), source)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"a": [1, "x"]}),
        pd.DataFrame({"a": [object()]}),
    ],
)
def test_a_frame_that_is_no_table(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="the DataFrame cannot be written as a table: "):
        requests(CreateDatasetHeader(), frame)

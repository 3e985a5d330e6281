"""The parts that all converters share: enums, JSON values, instants, durations."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api import convert
from controller.api.convert_dataset import KIND_PREFIX
from controller.api.convert_search import TASK_PREFIX
from controller.api.convert_trial import ORIGIN_PREFIX
from controller.domain.errors import InvalidField
from controller.domain.records import (
    ColumnKind,
    Decision,
    DirectiveMode,
    FailureKind,
    Origin,
    Reason,
    Task,
)
from controller.domain.states import DeploymentState, SearchState, TrialState
from headgate.v1 import dataset_pb2, deployment_pb2, search_pb2, trial_pb2, worker_service_pb2

ENUMS: list[tuple[type[StrEnum], Any, str]] = [
    (ColumnKind, dataset_pb2.ColumnKind, KIND_PREFIX),
    (Task, search_pb2.Task, TASK_PREFIX),
    (Decision, trial_pb2.Verdict.Decision, ""),
    (Reason, trial_pb2.Verdict.Reason, ""),
    (FailureKind, trial_pb2.TrialFailure.Kind, ""),
    (Origin, trial_pb2.CandidateOrigin, ORIGIN_PREFIX),
    (DirectiveMode, worker_service_pb2.Directive.Mode, ""),
    (SearchState, search_pb2.Search.State, ""),
    (TrialState, trial_pb2.Trial.State, ""),
    (DeploymentState, deployment_pb2.Deployment.State, ""),
]


@pytest.mark.parametrize(("domain", "proto", "prefix"), ENUMS, ids=str)
def test_enums_have_the_same_values_on_both_sides(
    domain: type[StrEnum], proto: Any, prefix: str
) -> None:
    numbers = {number for number in proto.values() if number != 0}
    back = {convert.from_enum_required(domain, proto, number, "f", prefix) for number in numbers}
    assert back == set(domain)
    assert {proto.Value(prefix + value) for value in domain} == numbers


@pytest.mark.parametrize(("domain", "proto", "prefix"), ENUMS, ids=str)
def test_unspecified_is_none_and_unknown_is_refused(
    domain: type[StrEnum], proto: Any, prefix: str
) -> None:
    assert convert.from_enum(domain, proto, 0, "f", prefix) is None
    with pytest.raises(InvalidField, match="is not set") as unset:
        convert.from_enum_required(domain, proto, 0, "a.b", prefix)
    assert unset.value.violations[0].field == "a.b"
    with pytest.raises(InvalidField, match="99 is not a value"):
        convert.from_enum(domain, proto, 99, "f", prefix)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
def test_json_objects_come_back(values: dict[str, Any]) -> None:
    assert convert.from_struct(convert.to_struct(values)) == values


def test_whole_numbers_come_back_as_int_and_booleans_stay_booleans() -> None:
    back = convert.from_struct(convert.to_struct({"n": 3, "x": 3.5, "b": True, "big": 1e300}))
    assert [type(back[key]) for key in ("n", "x", "b", "big")] == [int, float, bool, float]


def test_numbers_without_end_survive() -> None:
    back = convert.from_struct(convert.to_struct({"i": math.inf, "n": math.nan}))
    assert back["i"] == math.inf
    assert math.isnan(back["n"])


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        convert.to_value(object())


@given(st.floats(0, 1e9))
def test_durations_come_back_to_the_nanosecond(seconds: float) -> None:
    back = convert.from_duration(convert.to_duration(seconds))
    assert back == pytest.approx(seconds, abs=1e-9, rel=1e-12)


def test_absurd_figures_are_cut_not_refused() -> None:
    assert convert.to_duration(1e300).seconds == 315_576_000_000
    assert convert.to_int64(2**80) == 2**63 - 1


def test_instants_keep_microseconds_and_none_stays_none() -> None:
    assert convert.to_timestamp(1_700_000_000.123456).ToMicroseconds() == 1_700_000_000_123_456
    assert convert.to_timestamp_or_none(None) is None
    assert convert.to_duration_or_none(None) is None
    assert convert.to_struct_or_none(None) is None
    assert convert.failure_to_status(None) is None

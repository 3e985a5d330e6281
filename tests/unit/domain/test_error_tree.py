"""Errors carry stable reasons and data, in one line."""

from __future__ import annotations

import re

import pytest

from controller.domain import errors
from controller.domain.errors import (
    AlreadyExists,
    EtagMismatch,
    FieldViolation,
    HeadgateError,
    InvalidArgument,
    InvalidField,
    InvalidTransition,
    NotFound,
    SessionSuperseded,
)
from controller.domain.violations import Violations, suggestion

TREE = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, HeadgateError)
]


def test_reasons_are_stable_and_distinct() -> None:
    reasons = [kind.reason for kind in TREE]
    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+[A-Z0-9]", reason) for reason in reasons)


@pytest.mark.parametrize(
    ("error", "reason", "metadata"),
    [
        (NotFound("x"), "NOT_FOUND", {"resource": "x"}),
        (AlreadyExists("x"), "ALREADY_EXISTS", {"resource": "x"}),
        (EtagMismatch("x"), "ETAG_MISMATCH", {"resource": "x"}),
        (SessionSuperseded("x"), "SESSION_SUPERSEDED", {"resource": "x"}),
        (
            InvalidTransition("x", "A", "B"),
            "INVALID_TRANSITION",
            {"resource": "x", "start": "A", "finish": "B"},
        ),
        (InvalidField("f", "bad", "better"), "INVALID_FIELD", {"fields": "f"}),
        (InvalidField("f", "bad", "better", "UNKNOWN_METRIC"), "UNKNOWN_METRIC", {"fields": "f"}),
    ],
)
def test_what_an_error_carries(error: HeadgateError, reason: str, metadata: object) -> None:
    assert (error.reason, error.metadata) == (reason, metadata)
    assert error.message == str(error)
    assert "\n" not in error.message


def test_a_specific_reason_does_not_stick_to_the_class() -> None:
    InvalidField("f", "bad", "better", "UNKNOWN_METRIC")
    assert InvalidField("f", "bad", "better").reason == "INVALID_FIELD"


def test_violations_are_collected() -> None:
    found = Violations()
    found.raise_if_any()
    assert not found
    found.add("a", "is wrong", "make it right", "FIRST")
    found.extend(InvalidField("b", "is bad", "make it good", "SECOND"))
    with pytest.raises(InvalidArgument) as caught:
        found.raise_if_any()
    assert caught.value.reason == "FIRST"
    assert caught.value.violations == (
        FieldViolation("a", "is wrong", "make it right"),
        FieldViolation("b", "is bad", "make it good"),
    )
    assert str(caught.value) == "a: is wrong; make it right; b: is bad; make it good"


def test_suggestions() -> None:
    assert suggestion("xgbost", ["xgboost", "knn"]) == "did you mean xgboost?"
    assert suggestion("zzz", ["xgboost", "knn"]) == "use one of xgboost, knn"
    assert suggestion("zzz", []) == "there is none to choose from"
    assert suggestion("zzz", [str(i) for i in range(30)]).endswith("19, ...")

"""The table of errors is total over the tree, says what the tree says, and fits into trailers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode

from controller.api.errors import STATUS, code_of, internal_status, status_of
from controller.domain import errors


def below(kind: type[errors.HeadgateError]) -> Iterator[type[errors.HeadgateError]]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


TREE = tuple(below(errors.HeadgateError))


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_of_the_tree_has_a_code_of_its_own(kind: type[errors.HeadgateError]) -> None:
    assert code_of(kind.__new__(kind)) is not StatusCode.INTERNAL


def test_the_table_has_exactly_the_classes_right_below_the_root() -> None:
    assert set(STATUS) == set(errors.HeadgateError.__subclasses__())


def test_the_table_says_what_the_drawn_tree_says() -> None:
    drawn = re.findall(r"[├└]── (\w+) +([A-Z_]{5,})$", errors.__doc__ or "", re.MULTILINE)
    assert {kind.__name__: code.name for kind, code in STATUS.items()} == dict(drawn)


def detail(status: object, kind: type) -> object:
    for each in status.details:  # type: ignore[attr-defined]
        if each.Is(kind.DESCRIPTOR):  # type: ignore[attr-defined]
            message = kind()
            each.Unpack(message)
            return message
    raise AssertionError(f"no {kind.__name__}")


def test_a_wrong_field_is_told_with_its_path_and_the_remedy() -> None:
    error = errors.InvalidField("search.spec.metric", "'auc' is unknown", "use roc_auc", "UNKNOWN")
    status = status_of(error)
    info = detail(status, error_details_pb2.ErrorInfo)
    request = detail(status, error_details_pb2.BadRequest)
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert isinstance(request, error_details_pb2.BadRequest)
    assert (status.code, info.reason, info.domain) == (3, "UNKNOWN", "headgate.dev")
    assert info.metadata == {"fields": "search.spec.metric"}
    (violation,) = request.field_violations
    assert violation.field == "search.spec.metric"
    assert violation.description == "'auc' is unknown; use roc_auc"
    assert violation.reason == "UNKNOWN"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.NotFound("namespaces/a/searches/b/trials/3"), "headgate.v1/Trial"),
        (errors.AlreadyExists("namespaces/a/datasets/b"), "headgate.v1/Dataset"),
        (errors.NotFound("nonsense"), "headgate.v1/Resource"),
    ],
)
def test_a_resource_is_told_with_its_type(error: errors.HeadgateError, kind: str) -> None:
    info = detail(status_of(error), error_details_pb2.ResourceInfo)
    assert isinstance(info, error_details_pb2.ResourceInfo)
    assert info.resource_type == kind


def test_a_precondition_and_a_retry_are_told() -> None:
    failed = errors.FailedPrecondition("stop it first", resource="namespaces/a/searches/b")
    failure = detail(status_of(failed), error_details_pb2.PreconditionFailure)
    assert isinstance(failure, error_details_pb2.PreconditionFailure)
    assert failure.violations[0].subject == "namespaces/a/searches/b"
    retry = detail(status_of(errors.Unavailable("later")), error_details_pb2.RetryInfo)
    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert retry.retry_delay.seconds == 1


def test_an_incident_is_told_by_its_id_alone() -> None:
    status = internal_status("abc")
    info = detail(status, error_details_pb2.ErrorInfo)
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (status.code, info.reason, info.metadata["incident"]) == (13, "INTERNAL", "abc")


def test_even_the_longest_error_fits_into_trailers_of_8_kib() -> None:
    violations = tuple(
        errors.FieldViolation(f"field{i}.{'ü' * 5_000}", "ö" * 5_000, "ä" * 5_000)
        for i in range(100)
    )
    status = status_of(errors.InvalidArgument(violations))
    percent_encoded = 3 * len(status.message.encode())
    base64_encoded = 4 * status.ByteSize() / 3
    assert percent_encoded + base64_encoded < 8_192 - 512
    request = detail(status, error_details_pb2.BadRequest)
    assert isinstance(request, error_details_pb2.BadRequest)
    assert len(request.field_violations) >= 1


def test_a_message_is_one_line() -> None:
    assert status_of(errors.Unavailable("first\nsecond")).message == "first second"

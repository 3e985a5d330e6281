"""The one table that maps the domain's errors to gRPC.

Every error becomes a `google.rpc.Status` with one ErrorInfo (the stable reason, the domain
`headgate.dev`, the dynamic values as metadata) and, by its kind, a BadRequest, a ResourceInfo, a
PreconditionFailure or a RetryInfo. An error that is not of the tree becomes INTERNAL with an
incident id that is also in the log; nothing of it is told to the caller.

A status travels in the trailers, which peers take up to 8 KiB of by default (gRPC's
`max_metadata_size`), so long texts are cut and violations beyond the room left out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from google.protobuf import duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2
from grpc import StatusCode

from controller.api.convert import ERROR_DOMAIN
from controller.domain import errors

STATUS: dict[type[errors.HeadgateError], StatusCode] = {
    errors.InvalidArgument: StatusCode.INVALID_ARGUMENT,
    errors.NotFound: StatusCode.NOT_FOUND,
    errors.AlreadyExists: StatusCode.ALREADY_EXISTS,
    errors.FailedPrecondition: StatusCode.FAILED_PRECONDITION,
    errors.Conflict: StatusCode.ABORTED,
    errors.ResourceExhausted: StatusCode.RESOURCE_EXHAUSTED,
    errors.Unauthenticated: StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: StatusCode.PERMISSION_DENIED,
    errors.Unavailable: StatusCode.UNAVAILABLE,
    errors.DataLoss: StatusCode.DATA_LOSS,
    errors.NotImplementedYet: StatusCode.UNIMPLEMENTED,
}
"""The classes right below the root; the ones below them have their parent's code."""

RETRY_AFTER = timedelta(seconds=1)
"""What UNAVAILABLE tells callers to wait before they try again."""

# The message is sent twice, once percent-encoded (three bytes for each outside ASCII), the details
# base64-encoded (four for three): together within 8 KiB.
_MESSAGE_BYTES = 800
_TEXT_BYTES = 300
_DETAILS_BYTES = 1_800


def code_of(error: errors.HeadgateError) -> StatusCode:
    """The gRPC code of an error: that of the first class above it that is in the table."""
    for kind in type(error).__mro__:
        code = STATUS.get(kind)
        if code is not None:
            return code
    return StatusCode.INTERNAL


def status_of(error: errors.HeadgateError) -> status_pb2.Status:
    """The whole status of an error."""
    number: int = code_of(error).value[0]
    status = status_pb2.Status(code=number, message=_cut(error.message, _MESSAGE_BYTES))
    metadata = {key: _cut(str(value)) for key, value in error.metadata.items()}
    status.details.add().Pack(_error_info(error.reason, metadata))
    for kind, describe in _DETAILS:
        if isinstance(error, kind):
            status.details.add().Pack(describe(error))
    return status


def internal_status(incident: str) -> status_pb2.Status:
    """The status of an error that nobody foresaw; `incident` finds it in the log."""
    status = status_pb2.Status(
        code=StatusCode.INTERNAL.value[0],
        message=f"internal error; look for incident {incident} in the controller's log",
    )
    status.details.add().Pack(_error_info("INTERNAL", {"incident": incident}))
    return status


def _error_info(reason: str, metadata: dict[str, str]) -> details.ErrorInfo:
    return details.ErrorInfo(reason=reason, domain=ERROR_DOMAIN, metadata=metadata)


def _bad_request(error: errors.InvalidArgument) -> details.BadRequest:
    request = details.BadRequest()
    for violation in error.violations:
        description = f"{violation.description}; {violation.remedy}"
        request.field_violations.add(
            field=_cut(violation.field), description=_cut(description), reason=error.reason
        )
        if request.ByteSize() > _DETAILS_BYTES:
            del request.field_violations[-1]
            break
    return request


def _resource_info(error: errors.NotFound | errors.AlreadyExists) -> details.ResourceInfo:
    return details.ResourceInfo(
        resource_type=_resource_type(error.name),
        resource_name=_cut(error.name),
        description=_cut(error.message),
    )


def _resource_type(name: str) -> str:
    """The type by the name's collection, for example `headgate.v1/Dataset`."""
    kinds = {
        "datasets": "Dataset",
        "searches": "Search",
        "trials": "Trial",
        "models": "Model",
        "deployments": "Deployment",
    }
    collection = name.split("/")[-2:][0]
    return f"headgate.v1/{kinds.get(collection, 'Resource')}"


def _precondition(error: errors.FailedPrecondition) -> details.PreconditionFailure:
    failure = details.PreconditionFailure()
    subject = error.metadata.get("resource", "")
    failure.violations.add(
        type=error.reason, subject=_cut(subject), description=_cut(error.message)
    )
    return failure


def _retry_info(_error: errors.Unavailable) -> details.RetryInfo:
    delay = duration_pb2.Duration()
    delay.FromTimedelta(RETRY_AFTER)
    return details.RetryInfo(retry_delay=delay)


_DETAILS: tuple[tuple[type[errors.HeadgateError], Callable[..., Message]], ...] = (
    (errors.InvalidArgument, _bad_request),
    (errors.NotFound, _resource_info),
    (errors.AlreadyExists, _resource_info),
    (errors.FailedPrecondition, _precondition),
    (errors.Unavailable, _retry_info),
)


def _cut(text: str, limit: int = _TEXT_BYTES) -> str:
    """At most `limit` bytes of UTF-8, the cut marked, line breaks gone."""
    line = " ".join(text.split())
    encoded = line.encode(errors="replace")
    if len(encoded) <= limit:
        return encoded.decode()
    return encoded[: limit - 3].decode(errors="ignore") + "…"

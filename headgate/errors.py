"""What the client raises: one error class that carries the server's status, reason and fields.

HeadgateError
├── InputError        something the caller gave is wrong, found before any call
└── ServerError       the server answered with a gRPC status
    └── Unreachable     no server answered
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass(frozen=True)
class Violation:
    """A field that is wrong: its path in the request, and what is wrong and would be right."""

    field: str
    description: str


class HeadgateError(Exception):
    """The root of all errors that the client raises."""


class InputError(HeadgateError):
    """Something the caller gave is wrong; nothing was sent."""


class ServerError(HeadgateError):
    """The server refused.

    code: the gRPC status name, for example `INVALID_ARGUMENT`. reason: stable and meant for
    programs, for example `UNKNOWN_METRIC`; empty when the server gave none. metadata: the values in
    the message. violations: the fields that are wrong.
    """

    def __init__(
        self,
        code: str,
        message: str,
        reason: str = "",
        metadata: dict[str, str] | None = None,
        violations: tuple[Violation, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata = metadata or {}
        self.violations = violations


class Unreachable(ServerError):
    """No server answered at the address."""


def from_rpc_error(error: grpc.RpcError, address: str) -> ServerError:
    """The client's error for what gRPC raised while talking to `address`."""
    code = error.code().name
    if code == "UNAVAILABLE" and not error.trailing_metadata():
        message = f"no Headgate server answers at {address}; start one or set --server"
        return Unreachable(code, message)
    reason, metadata, violations = "", {}, []
    status = rpc_status.from_call(cast("grpc.Call", error))
    for detail in status.details if status is not None else ():
        info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(request):
            violations += [Violation(v.field, v.description) for v in request.field_violations]
    return ServerError(code, error.details() or code, reason, metadata, tuple(violations))

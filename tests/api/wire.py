"""What tests of the API share: stubs, and refusals as a client sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

PARENT = "namespaces/default"


@dataclass(frozen=True)
class Stubs:
    """One stub a service."""

    datasets: Any
    searches: Any
    models: Any
    deployments: Any
    worker: Any


@dataclass(frozen=True)
class Refusal:
    """A call's error as a client sees it. fields: paths of the violations."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    fields: tuple[str, ...]
    resource_type: str
    kinds: tuple[str, ...]


class Refuses:
    """Runs a call that must fail, reads its whole answer, and says how it failed."""

    def __call__(self, call: Any, *args: Any, **kwargs: Any) -> Refusal:
        with pytest.raises(grpc.RpcError) as caught:
            _whole_answer(call(*args, **kwargs))
        return read_refusal(caught.value)


def _whole_answer(answer: Any) -> None:
    if isinstance(answer, grpc.Call):
        list(answer)  # type: ignore[call-overload]


def read_refusal(error: Any) -> Refusal:
    """The details of an error; raises for an error without them."""
    status = rpc_status.from_call(error)
    assert status is not None, f"{error.code()} without details: {error.details()}"
    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.BadRequest()
    resource = error_details_pb2.ResourceInfo()
    for detail in status.details:
        for message in (info, request, resource):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    assert info.domain == "headgate.dev"
    return Refusal(
        code=error.code(),
        message=error.details(),
        reason=info.reason,
        metadata=dict(info.metadata),
        fields=tuple(violation.field for violation in request.field_violations),
        resource_type=resource.resource_type,
        kinds=tuple(detail.type_url.rpartition(".")[2] for detail in status.details),
    )

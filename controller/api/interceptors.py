"""What surrounds every call of `headgate.v1`: errors become statuses, calls are counted and timed.

Both are async context managers around the handler, so one wrapper serves all four kinds of call.
Health and reflection belong to gRPC and pass untouched.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Protocol, TypeAlias

import grpc
from google.rpc import status_pb2
from grpc import StatusCode, aio
from grpc_status import rpc_status

from controller.api.errors import internal_status, status_of
from controller.domain.errors import HeadgateError

PREFIX = "/headgate.v1."

log = logging.getLogger(__name__)

Context: TypeAlias = Any
"""A `grpc.aio.ServicerContext`; Any, as its stubs do not know `abort_with_status`."""

_Message: TypeAlias = Any
_Handler: TypeAlias = Any

Around = Callable[[str, Context], AbstractAsyncContextManager[None]]
"""Given the method (`SearchService/GetSearch`) and the context, what surrounds a call."""


class RpcMetrics(Protocol):
    """Told of calls; never raises, never blocks."""

    def rpc_started(self, method: str) -> None:
        """A call came in; `method` is `SearchService/GetSearch`."""
        ...

    def rpc_ended(self, method: str, code: str, seconds: float) -> None:
        """It ended with a code, such as `NOT_FOUND`."""
        ...


class NoRpcMetrics:
    """Counts nothing."""

    def rpc_started(self, method: str) -> None:
        """Does nothing."""

    def rpc_ended(self, method: str, code: str, seconds: float) -> None:
        """Does nothing."""


class AroundInterceptor(aio.ServerInterceptor):  # type: ignore[type-arg]
    """Puts `around` around every call of `headgate.v1`."""

    def __init__(self, around: Around) -> None:
        self._around = around

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """The handler of the call, wrapped."""
        handler = await continuation(handler_call_details)
        path = handler_call_details.method
        if handler is None or not path.startswith(PREFIX):
            return handler
        return _wrapped(handler, self._around, path.removeprefix(PREFIX))


def _wrapped(handler: _Handler, around: Around, method: str) -> _Handler:
    kind = (
        f"{'stream' if handler.request_streaming else 'unary'}_"
        f"{'stream' if handler.response_streaming else 'unary'}"
    )
    inner = getattr(handler, kind)

    async def one(request: _Message, context: Context) -> _Message:
        async with around(method, context):
            return await inner(request, context)

    async def many(request: _Message, context: Context) -> AsyncIterator[_Message]:
        async with around(method, context), aclosing(inner(request, context)) as responses:
            async for response in responses:
                yield response

    make = getattr(grpc, f"{kind}_rpc_method_handler")
    return make(
        many if handler.response_streaming else one,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


@asynccontextmanager
async def errors_to_statuses(method: str, context: Context) -> AsyncIterator[None]:
    """Ends the call with the status of whatever was raised."""
    try:
        yield
    except HeadgateError as error:
        await _abort(context, status_of(error))
    except (aio.AbortError, aio.BaseError):
        raise
    except Exception:
        incident = uuid.uuid4().hex[:12]
        log.exception("incident %s in %s", incident, method)
        await _abort(context, internal_status(incident))


async def _abort(context: Context, status: status_pb2.Status) -> None:
    await context.abort_with_status(rpc_status.to_status(status))


def counted(metrics: RpcMetrics, clock: Callable[[], float] = time.monotonic) -> Around:
    """Tells `metrics` of every call. `clock`: monotonic seconds."""

    @asynccontextmanager
    async def around(method: str, context: Context) -> AsyncIterator[None]:
        start = clock()
        metrics.rpc_started(method)
        code = StatusCode.CANCELLED
        try:
            yield
            code = StatusCode.OK
        except aio.AbortError:
            code = _code(context)
            raise
        finally:
            metrics.rpc_ended(method, code.name, clock() - start)

    return around


_CODES = {code.value[0]: code for code in StatusCode}


def _code(context: Context) -> StatusCode:
    """The code that a call was aborted with; gRPC gives it as a number or as a StatusCode."""
    code = context.code()
    return code if isinstance(code, StatusCode) else _CODES.get(code, StatusCode.UNKNOWN)

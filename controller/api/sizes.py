"""Refuses requests that are too large with an error that says what to do.

gRPC itself ends a call whose message is larger than it takes, without details. So it takes
`GRPC_FACTOR` times more than we do, and what lies between is refused here. Streams are left to
their servicers, which check every message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from grpc import aio

from controller.api.interceptors import PREFIX
from controller.domain.errors import ResourceExhausted

GRPC_FACTOR = 4
"""Times the largest request is what gRPC reads."""

_Handler: TypeAlias = Any


@dataclass(frozen=True)
class _TooLarge:
    count: int


class SizeInterceptor(aio.ServerInterceptor):  # type: ignore[type-arg]
    """To be the innermost, so that the others see its error."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """The handler of the call, for requests that are not too large."""
        handler = await continuation(handler_call_details)
        is_ours = handler_call_details.method.startswith(PREFIX)
        if handler is None or handler.request_streaming or not is_ours:
            return handler
        return self._checked(handler)

    def _checked(self, handler: _Handler) -> _Handler:
        def deserialize(raw: bytes) -> Any:  # noqa: ANN401 - any message
            is_large = len(raw) > self._max_bytes
            return _TooLarge(len(raw)) if is_large else handler.request_deserializer(raw)

        if handler.response_streaming:
            inner = handler.unary_stream

            async def many(request: object, context: Any) -> Any:  # noqa: ANN401 - as gRPC's
                self._check(request)
                async with aclosing(inner(request, context)) as responses:
                    async for response in responses:
                        yield response

            return grpc.unary_stream_rpc_method_handler(
                many, deserialize, handler.response_serializer
            )
        unary = handler.unary_unary

        async def one(request: object, context: Any) -> Any:  # noqa: ANN401 - as gRPC's
            self._check(request)
            return await unary(request, context)

        return grpc.unary_unary_rpc_method_handler(one, deserialize, handler.response_serializer)

    def _check(self, request: object) -> None:
        if isinstance(request, _TooLarge):
            raise ResourceExhausted(
                f"the request has {request.count} bytes and the server takes {self._max_bytes}; "
                "send less of what repeats: trial events, candidates, or values of a space",
                size_bytes=str(request.count),
                limit_bytes=str(self._max_bytes),
            )

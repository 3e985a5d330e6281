"""The gRPC channel of a client, with retries of what is safe to repeat."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import grpc

from headgate.errors import from_rpc_error
from headgate.v1.dataset_service_pb2_grpc import DatasetServiceStub
from headgate.v1.deployment_service_pb2_grpc import DeploymentServiceStub
from headgate.v1.model_service_pb2_grpc import ModelServiceStub
from headgate.v1.search_service_pb2_grpc import SearchServiceStub

DEFAULT_ADDRESS = "127.0.0.1:50051"

# Only UNAVAILABLE is retried (AIP-194): the server did not take the call up. Creating calls carry a
# request_id, so repeating them is safe too.
_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [
                    {"service": f"headgate.v1.{service}"}
                    for service in (
                        "SearchService",
                        "ModelService",
                        "DeploymentService",
                    )
                ],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "5s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)

_OPTIONS = [
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.max_receive_message_length", 16 * 2**20),
    ("grpc.keepalive_time_ms", 30_000),
]

_T = TypeVar("_T")


class Connection:
    """A channel to one server and its stubs. Thread-safe. `close` ends it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self.datasets = DatasetServiceStub(self._channel)
        self.searches = SearchServiceStub(self._channel)
        self.models = ModelServiceStub(self._channel)
        self.deployments = DeploymentServiceStub(self._channel)

    def call(self, send: Callable[[], _T]) -> _T:
        """Runs one unary call. Raises: ServerError."""
        try:
            return send()
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error

    def stream(self, open_stream: Callable[[], Iterable[_T]]) -> Iterator[_T]:
        """Yields a stream's messages. Raises: ServerError."""
        try:
            yield from open_stream()
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error

    def close(self) -> None:
        """Closes the channel. Idempotent."""
        self._channel.close()

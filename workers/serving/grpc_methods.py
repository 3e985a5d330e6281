"""The Open Inference Protocol over gRPC: every method answers UNIMPLEMENTED and points to REST.

Messages are generated from `oip/inference.proto`, from the repository's root, by
`python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=.
workers/serving/oip/inference.proto`.
"""
# ruff: noqa: N802 -- names are the specification's

from __future__ import annotations

from typing import TypeVar

import grpc
from ray.serve.grpc_util import RayServegRPCContext

from workers.serving.oip import inference_pb2 as pb

NOT_YET = "inference over gRPC is not implemented yet; POST to /v2/models/NAME/infer over HTTP"

Response = TypeVar("Response")


def _not_yet(context: RayServegRPCContext, response: Response) -> Response:
    context.set_code(grpc.StatusCode.UNIMPLEMENTED)
    context.set_details(NOT_YET)
    return response


class GrpcMethods:
    """What Serve's gRPC proxy calls on the gateway's replicas, by name."""

    async def ServerLive(
        self, _request: pb.ServerLiveRequest, grpc_context: RayServegRPCContext
    ) -> pb.ServerLiveResponse:
        """Answers UNIMPLEMENTED."""
        return _not_yet(grpc_context, pb.ServerLiveResponse())

    async def ServerReady(
        self, _request: pb.ServerReadyRequest, grpc_context: RayServegRPCContext
    ) -> pb.ServerReadyResponse:
        """Answers UNIMPLEMENTED."""
        return _not_yet(grpc_context, pb.ServerReadyResponse())

    async def ModelReady(
        self, _request: pb.ModelReadyRequest, grpc_context: RayServegRPCContext
    ) -> pb.ModelReadyResponse:
        """Answers UNIMPLEMENTED."""
        return _not_yet(grpc_context, pb.ModelReadyResponse())

    async def ServerMetadata(
        self, _request: pb.ServerMetadataRequest, grpc_context: RayServegRPCContext
    ) -> pb.ServerMetadataResponse:
        """Answers UNIMPLEMENTED."""
        return _not_yet(grpc_context, pb.ServerMetadataResponse())

    async def ModelMetadata(
        self, _request: pb.ModelMetadataRequest, grpc_context: RayServegRPCContext
    ) -> pb.ModelMetadataResponse:
        """Answers UNIMPLEMENTED."""
        return _not_yet(grpc_context, pb.ModelMetadataResponse())

    async def ModelInfer(
        self, _request: pb.ModelInferRequest, grpc_context: RayServegRPCContext
    ) -> pb.ModelInferResponse:
        """Answers UNIMPLEMENTED."""
        return _not_yet(grpc_context, pb.ModelInferResponse())

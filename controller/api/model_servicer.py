"""ModelService over gRPC."""
# ruff: noqa: D102, N802 -- names and documentation are the proto's

from __future__ import annotations

from collections.abc import AsyncIterator

from controller.api.calls import Threads
from controller.api.convert_model import model_to_proto
from controller.api.interceptors import Context
from controller.api.pages import fitting_page
from controller.domain.names import ModelName, NamespaceName
from controller.service.models import ModelService
from headgate.v1 import model_pb2, model_service_pb2_grpc
from headgate.v1 import model_service_pb2 as pb

MAX_CHUNK_BYTES = 1024 * 1024
"""Largest chunk of one message, as the proto says."""


class ModelServicer(model_service_pb2_grpc.ModelServiceServicer):
    """Converts, calls, converts."""

    def __init__(self, service: ModelService, threads: Threads) -> None:
        self._service = service
        self._threads = threads

    async def GetModel(self, request: pb.GetModelRequest, _context: Context) -> model_pb2.Model:
        name = ModelName.parse(request.name)
        return model_to_proto(await self._threads.call(self._service.get, name))

    async def ListModels(
        self, request: pb.ListModelsRequest, _context: Context
    ) -> pb.ListModelsResponse:
        parent = NamespaceName.parse(request.parent)
        models, token = await fitting_page(
            request.page_size,
            lambda size: self._threads.call(self._service.list, parent, size, request.page_token),
            model_to_proto,
        )
        return pb.ListModelsResponse(models=models, next_page_token=token)

    async def ExportModel(
        self, request: pb.ExportModelRequest, _context: Context
    ) -> AsyncIterator[pb.ExportModelResponse]:
        name = ModelName.parse(request.name)
        pieces = await self._threads.slow(self._service.export, name)
        async for piece in self._threads.iterate(pieces):
            for start in range(0, len(piece), MAX_CHUNK_BYTES):
                yield pb.ExportModelResponse(chunk=piece[start : start + MAX_CHUNK_BYTES])

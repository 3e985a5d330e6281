"""DatasetService over gRPC."""
# ruff: noqa: D102, N802 -- names and documentation are the proto's

from __future__ import annotations

import asyncio

from google.protobuf import empty_pb2

from controller.api.calls import Threads
from controller.api.convert_dataset import dataset_to_proto, format_from_proto
from controller.api.interceptors import Context
from controller.api.pages import fitting_page
from controller.api.upload import (
    Parts,
    discard_after,
    receive_file,
    receive_header,
    receive_nothing,
)
from controller.domain.names import DatasetName, NamespaceName
from controller.domain.records import Dataset
from controller.service.datasets import DatasetService, Upload, Uri
from headgate.v1 import dataset_pb2, dataset_service_pb2_grpc
from headgate.v1 import dataset_service_pb2 as pb


class DatasetServicer(dataset_service_pb2_grpc.DatasetServiceServicer):
    """Converts, calls, converts."""

    def __init__(self, service: DatasetService, threads: Threads, max_upload_bytes: int) -> None:
        self._service = service
        self._threads = threads
        self._max_upload_bytes = max_upload_bytes

    async def CreateDataset(self, parts: Parts, _context: Context) -> dataset_pb2.Dataset:
        header = await receive_header(parts)
        if header.WhichOneof("source") == "uri":
            await receive_nothing(parts)
            return dataset_to_proto(await self._threads.slow(self._create, header, Uri(header.uri)))
        return dataset_to_proto(await self._upload(header, parts))

    async def GetDataset(
        self, request: pb.GetDatasetRequest, _context: Context
    ) -> dataset_pb2.Dataset:
        name = DatasetName.parse(request.name)
        return dataset_to_proto(await self._threads.call(self._service.get, name))

    async def ListDatasets(
        self, request: pb.ListDatasetsRequest, _context: Context
    ) -> pb.ListDatasetsResponse:
        parent = NamespaceName.parse(request.parent)
        datasets, token = await fitting_page(
            request.page_size,
            lambda size: self._threads.call(self._service.list, parent, size, request.page_token),
            dataset_to_proto,
        )
        return pb.ListDatasetsResponse(datasets=datasets, next_page_token=token)

    async def DeleteDataset(
        self, request: pb.DeleteDatasetRequest, _context: Context
    ) -> empty_pb2.Empty:
        name = DatasetName.parse(request.name)
        await self._threads.call(self._service.delete, name, request.etag)
        return empty_pb2.Empty()

    async def _upload(self, header: pb.CreateDatasetHeader, parts: Parts) -> Dataset:
        path = self._service.open_upload()  # not in a thread: see `receive_file`
        try:
            await receive_file(parts, path, self._max_upload_bytes, self._threads)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        source = Upload(header.upload_name, path)
        creation = asyncio.ensure_future(self._threads.slow(self._create, header, source))
        discard_after(creation, path)
        return await asyncio.shield(creation)

    def _create(self, header: pb.CreateDatasetHeader, source: Upload | Uri) -> Dataset:
        return self._service.create(
            NamespaceName.parse(header.parent, "header.parent"),
            header.dataset_id,
            header.request_id,
            format_from_proto(header.format, "header.format"),
            source,
        )

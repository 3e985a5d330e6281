"""DatasetService over gRPC."""
# ruff: noqa: D102, N802 -- names and documentation are the proto's

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from google.protobuf import empty_pb2

from controller.api.calls import Threads
from controller.api.convert_dataset import dataset_to_proto, format_from_proto
from controller.api.interceptors import Context
from controller.api.pages import fitting_page
from controller.api.upload import (
    Parts,
    confirm_end,
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

    async def CreateDataset(self, parts: Parts, context: Context) -> dataset_pb2.Dataset:
        header = await receive_header(parts)
        create = self._creation(header)
        if header.WhichOneof("source") == "uri":
            await receive_nothing(parts)
            await confirm_end(context)
            return dataset_to_proto(await self._threads.slow(create, Uri(header.uri)))
        return dataset_to_proto(await self._upload(header.upload_name, create, parts, context))

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

    def _creation(self, header: pb.CreateDatasetHeader) -> Callable[[Upload | Uri], Dataset]:
        """The call that is left to do once the source is there. Raises: InvalidField, before a
        single byte of the file is taken in.
        """
        parent = NamespaceName.parse(header.parent, "header.parent")
        asked = format_from_proto(header.format, "header.format")
        return partial(self._service.create, parent, header.dataset_id, header.request_id, asked)

    async def _upload(
        self,
        name: str,
        create: Callable[[Upload | Uri], Dataset],
        parts: Parts,
        context: Context,
    ) -> Dataset:
        path = self._service.open_upload()  # not in a thread: see `receive_file`
        try:
            await receive_file(parts, path, self._max_upload_bytes, self._threads)
            await confirm_end(context)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        creation = asyncio.ensure_future(self._threads.slow(create, Upload(name, path)))
        discard_after(creation, path)
        return await asyncio.shield(creation)
